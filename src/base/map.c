// SPDX-License-Identifier: MIT
// Linear probing over (hash, value) pairs. Invariant: between a value's ideal slot and its own
// there is no free slot; removal restores it by moving later values back, so there are no
// tombstones and a look-up ends at the first free slot.
// The attacker controls the keys; SipHash with a secret key keeps them from meeting on purpose.
#include "base/map.h"

#include "base/assert.h"
#include "base/memory.h"

enum { SLOT_COUNT_MIN = 8 };

void map_init(struct map *map, struct hash_key key, struct bytes (*key_of)(const void *value))
{
    *map = (struct map){.key_of = key_of, .key = key};
}

void map_done(struct map *map)
{
    memory_free(map->slots);
    map->slots = NULL;
    map->slot_count = 0;
    map->count = 0;
}

static bool holds(const struct map *map, size_t index, uint64_t hash, struct bytes key)
{
    const struct map_slot *slot = &map->slots[index];
    return slot->hash == hash && bytes_equal(map->key_of(slot->value), key);
}

// The slot that holds the key, or the free one where the search for it ends. The map has slots.
static size_t probe(const struct map *map, uint64_t hash, struct bytes key)
{
    size_t mask = map->slot_count - 1;
    size_t index = (size_t)hash & mask;
    while (map->slots[index].value != NULL && !holds(map, index, hash, key)) {
        index = (index + 1) & mask;
    }
    return index;
}

void *map_find(const struct map *map, struct bytes key)
{
    if (map->count == 0) {
        return NULL;
    }
    return map->slots[probe(map, hash_bytes(map->key, 0, key), key)].value;
}

// Keys are known to differ here, so only a free slot is looked for.
static void place(struct map_slot *slots, size_t slot_count, struct map_slot slot)
{
    size_t mask = slot_count - 1;
    size_t index = (size_t)slot.hash & mask;
    while (slots[index].value != NULL) {
        index = (index + 1) & mask;
    }
    slots[index] = slot;
}

static bool try_resize(struct map *map, size_t slot_count)
{
    if (slot_count > SIZE_MAX / sizeof(struct map_slot)) {
        return false;
    }
    struct map_slot *slots = memory_try_new(slot_count * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t index = 0; index < map->slot_count; index++) {
        if (map->slots[index].value != NULL) {
            place(slots, slot_count, map->slots[index]);
        }
    }
    memory_free(map->slots);
    map->slots = slots;
    map->slot_count = slot_count;
    return true;
}

static bool try_make_room(struct map *map)
{
    if (map->slots == NULL) {
        return try_resize(map, SLOT_COUNT_MIN);
    }
    bool full = map->count + 1 > map->slot_count / 4 * 3;
    return !full || try_resize(map, map->slot_count * 2);
}

bool map_try_put(struct map *map, void *value)
{
    ASSERT(value != NULL);
    if (!try_make_room(map)) {
        return false;
    }
    struct bytes key = map->key_of(value);
    uint64_t hash = hash_bytes(map->key, 0, key);
    size_t index = probe(map, hash, key);
    ASSERT(map->slots[index].value == NULL);
    map->slots[index] = (struct map_slot){hash, value};
    map->count++;
    return true;
}

// Fills the hole with the next value that may stand there, then that one's hole, until the run of
// values ends. A value may stand in the hole when that is not before its ideal slot.
static void close_hole(struct map *map, size_t hole)
{
    size_t mask = map->slot_count - 1;
    for (size_t index = (hole + 1) & mask; map->slots[index].value != NULL;
         index = (index + 1) & mask) {
        size_t ideal = (size_t)map->slots[index].hash & mask;
        if (((index - ideal) & mask) >= ((index - hole) & mask)) {
            map->slots[hole] = map->slots[index];
            hole = index;
        }
    }
    map->slots[hole] = (struct map_slot){0};
}

// A map that was large once gives its memory back: an empty one all of it, a sparse one a half.
static void give_back(struct map *map)
{
    if (map->count == 0) {
        map_done(map);
    } else if (map->slot_count > SLOT_COUNT_MIN && map->count < map->slot_count / 8) {
        // Without memory for the smaller table the larger one goes on; the next removal tries
        // again.
        (void)try_resize(map, map->slot_count / 2);
    }
}

void *map_remove(struct map *map, struct bytes key)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t index = probe(map, hash_bytes(map->key, 0, key), key);
    void *value = map->slots[index].value;
    if (value == NULL) {
        return NULL;
    }
    close_hole(map, index);
    map->count--;
    give_back(map);
    return value;
}

void *map_next(const struct map *map, size_t *position)
{
    while (*position < map->slot_count) {
        void *value = map->slots[(*position)++].value;
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}
