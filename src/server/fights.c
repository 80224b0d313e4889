// SPDX-License-Identifier: MIT
#include "server/fights.h"

#include "base/map.h"
#include "base/memory.h"

#include <string.h>

struct fight {
    struct fight *later; // that began after this one
    int64_t window_ms;   // of the first take-over
    int64_t held_until_ms;
    uint64_t takeovers;
    size_t size;
    uint8_t client_id[];
};

struct fights {
    struct map by_client_id;
    struct fight *first, *last;
    size_t count_max;
};

static struct bytes client_id_of(const void *value)
{
    const struct fight *fight = value;
    return bytes_make(fight->client_id, fight->size);
}

struct fights *fights_new(size_t count_max, struct hash_key key)
{
    struct fights *fights = memory_new(sizeof(*fights));
    fights->count_max = count_max;
    map_init(&fights->by_client_id, key, client_id_of);
    return fights;
}

static void forget_first(struct fights *fights)
{
    struct fight *fight = fights->first;
    fights->first = fight->later;
    if (fights->first == NULL)
        fights->last = NULL;
    map_remove(&fights->by_client_id, client_id_of(fight));
    memory_free(fight);
}

void fights_free(struct fights *fights)
{
    while (fights->first != NULL)
        forget_first(fights);
    map_done(&fights->by_client_id);
    memory_free(fights);
}

static bool is_over(const struct fight *fight, const struct fight_options *options, int64_t now_ms)
{
    return now_ms - fight->window_ms >= options->window_ms && now_ms >= fight->held_until_ms;
}

static struct fight *try_new(struct fights *fights, struct bytes client_id, int64_t now_ms)
{
    struct fight *fight = memory_try_new(sizeof(*fight) + client_id.size);
    if (fight == NULL)
        return NULL;
    fight->window_ms = now_ms;
    fight->size = client_id.size;
    if (client_id.size > 0)
        memcpy(fight->client_id, client_id.data, client_id.size);
    if (!map_try_put(&fights->by_client_id, fight)) {
        memory_free(fight);
        return NULL;
    }
    if (fights->last == NULL)
        fights->first = fight;
    else
        fights->last->later = fight;
    fights->last = fight;
    return fight;
}

enum fight_verdict fights_judge(struct fights *fights, struct bytes client_id,
                                const struct fight_options *options, int64_t now_ms)
{
    if (options->takeovers_max == 0)
        return FIGHT_NONE;
    while (fights->first != NULL && is_over(fights->first, options, now_ms))
        forget_first(fights);
    struct fight *fight = map_find(&fights->by_client_id, client_id);
    if (fight == NULL && fights->by_client_id.count >= fights->count_max)
        forget_first(fights);
    if (fight == NULL)
        fight = try_new(fights, client_id, now_ms);
    if (fight == NULL)
        return FIGHT_NONE; // no memory to remember it
    if (now_ms < fight->held_until_ms)
        return FIGHT_GOES_ON;
    if (is_over(fight, options, now_ms)) {
        fight->window_ms = now_ms;
        fight->takeovers = 0;
    }
    if (fight->takeovers < options->takeovers_max) {
        fight->takeovers++;
        return FIGHT_NONE;
    }
    fight->takeovers = 0;
    fight->window_ms = fight->held_until_ms = now_ms + options->hold_ms;
    return FIGHT_BEGINS;
}
