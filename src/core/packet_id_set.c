// SPDX-License-Identifier: MIT
#include "core/packet_id_set.h"

#include "base/memory.h"

#include <stddef.h>

#define LIST_MAX 32u
#define BITMAP_SIZE ((size_t)65536 / 8)

static uint32_t find(const struct packet_id_set *set, uint16_t packet_id)
{
    uint32_t i = 0;
    while (i < set->count && set->list[i] != packet_id)
        i++;
    return i;
}

bool packet_id_set_has(const struct packet_id_set *set, uint16_t packet_id)
{
    if (set->bitmap != NULL)
        return (set->bitmap[packet_id / 64] >> packet_id % 64 & 1) != 0;
    return find(set, packet_id) < set->count;
}

static bool spread(struct packet_id_set *set)
{
    if (set->budget != NULL && !budget_take(set->budget, BITMAP_SIZE))
        return false;
    uint64_t *bitmap = memory_try_new(BITMAP_SIZE);
    if (bitmap == NULL) {
        if (set->budget != NULL)
            budget_give(set->budget, BITMAP_SIZE);
        return false;
    }
    for (uint32_t i = 0; i < set->count; i++)
        bitmap[set->list[i] / 64] |= UINT64_C(1) << set->list[i] % 64;
    memory_free(set->list);
    set->list = NULL;
    set->capacity = 0;
    set->bitmap = bitmap;
    return true;
}

static bool grow_list(struct packet_id_set *set)
{
    uint32_t capacity = set->capacity == 0 ? 4 : set->capacity * 2;
    uint16_t *list = memory_try_resize(set->list, capacity * sizeof(*list));
    if (list == NULL)
        return false;
    set->list = list;
    set->capacity = capacity;
    return true;
}

bool packet_id_set_try_add(struct packet_id_set *set, uint16_t packet_id)
{
    if (set->bitmap == NULL && set->count == LIST_MAX && !spread(set))
        return false;
    if (set->bitmap != NULL) {
        set->bitmap[packet_id / 64] |= UINT64_C(1) << packet_id % 64;
        set->count++;
        return true;
    }
    if (set->count == set->capacity && !grow_list(set))
        return false;
    set->list[set->count++] = packet_id;
    return true;
}

bool packet_id_set_remove(struct packet_id_set *set, uint16_t packet_id)
{
    if (!packet_id_set_has(set, packet_id))
        return false;
    if (set->bitmap != NULL)
        set->bitmap[packet_id / 64] &= ~(UINT64_C(1) << packet_id % 64);
    else
        set->list[find(set, packet_id)] = set->list[set->count - 1];
    set->count--;
    if (set->count == 0)
        packet_id_set_done(set);
    return true;
}

void packet_id_set_done(struct packet_id_set *set)
{
    if (set->bitmap != NULL && set->budget != NULL)
        budget_give(set->budget, BITMAP_SIZE);
    memory_free(set->list);
    memory_free(set->bitmap);
    *set = (struct packet_id_set){.budget = set->budget};
}
