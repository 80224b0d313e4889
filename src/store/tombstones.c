// SPDX-License-Identifier: MIT
#include "store/tombstones.h"

#include "base/map.h"
#include "base/memory.h"
#include "os/random.h"

#define KEPT_MS 60000
#define KEPT_MAX 262144

struct tombstone {
    uint64_t topic[2];
    uint64_t sequence;
    int64_t since_ms;
    struct tombstone *next;
};

struct tombstones {
    struct map by_topic;
    struct tombstone *first, *last; // oldest first
};

static struct bytes key_of(const void *value)
{
    const struct tombstone *tombstone = value;
    return bytes_make(tombstone->topic, sizeof(tombstone->topic));
}

struct tombstones *tombstones_new(void)
{
    struct tombstones *tombstones = memory_new(sizeof(*tombstones));
    struct hash_key key;
    random_bytes(&key, sizeof(key));
    map_init(&tombstones->by_topic, key, key_of);
    return tombstones;
}

static void drop_oldest(struct tombstones *tombstones)
{
    struct tombstone *oldest = tombstones->first;
    tombstones->first = oldest->next;
    if (tombstones->first == NULL)
        tombstones->last = NULL;
    (void)map_remove(&tombstones->by_topic, key_of(oldest));
    memory_free(oldest);
}

void tombstones_free(struct tombstones *tombstones)
{
    if (tombstones == NULL)
        return;
    while (tombstones->first != NULL)
        drop_oldest(tombstones);
    map_done(&tombstones->by_topic);
    memory_free(tombstones);
}

static void hash_topic(const struct tombstones *tombstones, struct bytes topic,
                       uint64_t ret_hash[2])
{
    ret_hash[0] = hash_bytes(tombstones->by_topic.key, 1, topic);
    ret_hash[1] = hash_bytes(tombstones->by_topic.key, 2, topic);
}

void tombstones_put(struct tombstones *tombstones, struct bytes topic, uint64_t sequence,
                    int64_t now_ms)
{
    while (tombstones->first != NULL && (tombstones->first->since_ms + KEPT_MS < now_ms ||
                                         tombstones->by_topic.count >= KEPT_MAX))
        drop_oldest(tombstones);
    uint64_t hash[2];
    hash_topic(tombstones, topic, hash);
    struct tombstone *present = map_find(&tombstones->by_topic, bytes_make(hash, sizeof(hash)));
    if (present != NULL) {
        if (sequence > present->sequence)
            present->sequence = sequence;
        return;
    }
    struct tombstone *tombstone = memory_new(sizeof(*tombstone));
    *tombstone = (struct tombstone){{hash[0], hash[1]}, sequence, now_ms, NULL};
    if (!map_try_put(&tombstones->by_topic, tombstone)) {
        memory_free(tombstone);
        return;
    }
    if (tombstones->last == NULL)
        tombstones->first = tombstone;
    else
        tombstones->last->next = tombstone;
    tombstones->last = tombstone;
}

uint64_t tombstones_get(const struct tombstones *tombstones, struct bytes topic)
{
    if (tombstones->by_topic.count == 0)
        return 0;
    uint64_t hash[2];
    hash_topic(tombstones, topic, hash);
    const struct tombstone *present =
        map_find(&tombstones->by_topic, bytes_make(hash, sizeof(hash)));
    return present == NULL ? 0 : present->sequence;
}
