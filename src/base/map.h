// SPDX-License-Identifier: MIT
// A hash map from bytes to pointers. Keys are borrowed: they live inside the values, and the map
// asks `key_of` for them. One owner, no locks. Open addressing with linear probing and
// backward-shift deletion; grows at 3/4,
// shrinks below 1/8, owns nothing while empty.
#ifndef BUD_BASE_MAP_H
#define BUD_BASE_MAP_H

#include "base/hash.h"
#include "proto/bytes.h"

struct map_slot {
    uint64_t hash;
    void *value; // NULL: free
};

struct map {
    struct bytes (*key_of)(const void *value);
    struct hash_key key;
    struct map_slot *slots; // NULL while empty
    size_t slot_count;      // a power of two
    size_t count;
};

void map_init(struct map *map, struct hash_key key, struct bytes (*key_of)(const void *value));
void map_done(struct map *map); // frees the slots, not the values
void *map_find(const struct map *map, struct bytes key);
bool map_try_put(struct map *map,
                 void *value); // the key must not be in the map; false without memory
void *map_remove(struct map *map, struct bytes key); // the removed value or NULL
void *map_next(
    const struct map *map,
    size_t *position); // position starts at 0; NULL at the end; the map must not change meanwhile

#endif
