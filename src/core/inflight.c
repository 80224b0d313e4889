// SPDX-License-Identifier: MIT
#include "core/inflight.h"

#include "base/memory.h"

#include <stdlib.h>

#define CAPACITY_MAX 65536u
#define CAPACITY_KEPT 8u

static void move(struct inflight_slot *slot, enum inflight_state to)
{
    static const uint8_t allowed[] = {
        [INFLIGHT_FREE] = 1 << INFLIGHT_PUBLISHED,
        [INFLIGHT_PUBLISHED] = 1 << INFLIGHT_RELEASED | 1 << INFLIGHT_FREE,
        [INFLIGHT_RELEASED] = 1 << INFLIGHT_FREE,
    };
    ASSERT((allowed[slot->state] >> to & 1) != 0);
    slot->state = (uint8_t)to;
    ASSERT((slot->state == INFLIGHT_PUBLISHED) == (slot->delivery.message != NULL));
}

static struct inflight_slot *slot_for(const struct inflight *inflight, uint16_t packet_id)
{
    return &inflight->slots[packet_id & (inflight->capacity - 1)];
}

// A larger table keeps identifiers apart that a smaller one kept apart, so moving never collides.
static bool grow(struct inflight *inflight)
{
    uint32_t capacity = inflight->capacity == 0 ? 4 : inflight->capacity * 2;
    if (capacity > CAPACITY_MAX)
        return false;
    struct inflight_slot *slots = memory_try_new(capacity * sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < inflight->capacity; i++) {
        const struct inflight_slot *slot = &inflight->slots[i];
        if (slot->state != INFLIGHT_FREE)
            slots[slot->packet_id & (capacity - 1)] = *slot;
    }
    memory_free(inflight->slots);
    inflight->slots = slots;
    inflight->capacity = capacity;
    return true;
}

// The next identifier in turn whose place is free; a stuck message therefore costs one place and
// nothing else.
static uint16_t next_packet_id(const struct inflight *inflight)
{
    uint16_t packet_id = inflight->last_packet_id;
    do {
        packet_id = packet_id == UINT16_MAX ? 1 : (uint16_t)(packet_id + 1);
    } while (slot_for(inflight, packet_id)->state != INFLIGHT_FREE);
    return packet_id;
}

struct inflight_slot *inflight_try_add(struct inflight *inflight, struct delivery delivery)
{
    // At most half full, so that the search for a place is short; identifier 0 is never used, hence
    // the one spare.
    if (inflight->count + 1 >= inflight->capacity / 2 + 1 && !grow(inflight) &&
        (inflight->capacity == 0 || inflight->count + 1 >= inflight->capacity))
        return NULL;
    uint16_t packet_id = next_packet_id(inflight);
    inflight->last_packet_id = packet_id;
    struct inflight_slot *slot = slot_for(inflight, packet_id);
    *slot = (struct inflight_slot){
        .delivery = delivery, .order = inflight->next_order++, .packet_id = packet_id};
    move(slot, INFLIGHT_PUBLISHED);
    inflight->count++;
    inflight->bytes += delivery_weight(&delivery);
    return slot;
}

bool inflight_try_restore(struct inflight *inflight, struct delivery delivery, uint16_t packet_id)
{
    if (packet_id == 0)
        return false;
    // Identifiers need not be close to each other: the table grows until this one has a place of
    // its own.
    while (inflight->capacity == 0 || slot_for(inflight, packet_id)->state != INFLIGHT_FREE)
        if (inflight_find(inflight, packet_id) != NULL || !grow(inflight))
            return false;
    struct inflight_slot *slot = slot_for(inflight, packet_id);
    *slot = (struct inflight_slot){
        .delivery = delivery,
        .order = inflight->next_order++,
        .packet_id = packet_id,
        .state = delivery.message != NULL ? INFLIGHT_PUBLISHED : INFLIGHT_RELEASED,
        .sent = true,
    };
    inflight->count++;
    if (delivery.message != NULL)
        inflight->bytes += delivery_weight(&delivery);
    inflight->last_packet_id = packet_id;
    return true;
}

struct inflight_slot *inflight_find(struct inflight *inflight, uint16_t packet_id)
{
    if (inflight->capacity == 0)
        return NULL;
    struct inflight_slot *slot = slot_for(inflight, packet_id);
    return slot->state != INFLIGHT_FREE && slot->packet_id == packet_id ? slot : NULL;
}

struct delivery inflight_release(struct inflight *inflight, struct inflight_slot *slot)
{
    ASSERT(slot->state == INFLIGHT_PUBLISHED); // else there is no message to weigh
    struct delivery delivery = slot->delivery;
    inflight->bytes -= delivery_weight(&delivery);
    slot->delivery.message = NULL;
    slot->delivery.extra = NULL;
    move(slot, INFLIGHT_RELEASED);
    return delivery;
}

struct delivery inflight_remove(struct inflight *inflight, struct inflight_slot *slot)
{
    struct delivery delivery = slot->delivery;
    if (delivery.message != NULL)
        inflight->bytes -= delivery_weight(&delivery);
    if (slot->holds_quota)
        inflight->quota_used--;
    slot->delivery.message = NULL;
    move(slot, INFLIGHT_FREE);
    inflight->count--;
    // An idle session keeps a small table at most, a busy one is not made to allocate for each
    // message.
    if (inflight->count == 0 && inflight->capacity > CAPACITY_KEPT) {
        memory_free(inflight->slots);
        inflight->slots = NULL;
        inflight->capacity = 0;
    }
    return delivery;
}

struct ordered {
    uint32_t age; // distance to the newest: the oldest has the largest
    uint16_t packet_id;
};

static int by_age(const void *a, const void *b)
{
    const struct ordered *left = a, *right = b;
    return left->age < right->age ? 1 : left->age > right->age ? -1 : 0;
}

static void forget_resends(struct inflight *inflight)
{
    memory_free(inflight->resend);
    inflight->resend = NULL;
    inflight->resend_next = inflight->resend_count = 0;
}

// Fills `found` with the slots in use, oldest first.
static void put_in_order(const struct inflight *inflight, struct ordered *found)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < inflight->capacity; i++) {
        const struct inflight_slot *slot = &inflight->slots[i];
        if (slot->state != INFLIGHT_FREE)
            found[count++] = (struct ordered){inflight->next_order - slot->order, slot->packet_id};
    }
    ASSERT(count == inflight->count);
    qsort(found, count, sizeof(found[0]), by_age);
}

bool inflight_try_resume(struct inflight *inflight)
{
    if (inflight->count > 0) {
        struct ordered *found = memory_try_new(inflight->count * sizeof(*found));
        uint16_t *resend = memory_try_new(inflight->count * sizeof(*resend));
        if (found == NULL || resend == NULL) {
            memory_free(found);
            memory_free(resend);
            return false;
        }
        put_in_order(inflight, found);
        for (uint32_t i = 0; i < inflight->count; i++)
            resend[i] = found[i].packet_id;
        memory_free(found);
        forget_resends(inflight);
        inflight->resend = resend;
        inflight->resend_count = inflight->count;
    }
    inflight->quota_used = 0;
    for (uint32_t i = 0; i < inflight->capacity; i++)
        inflight->slots[i].holds_quota = false;
    return true;
}

struct inflight_slot *inflight_next_resend(struct inflight *inflight)
{
    while (inflight->resend_next < inflight->resend_count) {
        struct inflight_slot *slot =
            inflight_find(inflight, inflight->resend[inflight->resend_next]);
        if (slot != NULL)
            return slot;
        inflight->resend_next++;
    }
    forget_resends(inflight);
    return NULL;
}

void inflight_resent(struct inflight *inflight)
{
    ASSERT(inflight->resend_next < inflight->resend_count);
    inflight->resend_next++;
}

void inflight_done(struct inflight *inflight)
{
    ASSERT(inflight->count == 0);
    forget_resends(inflight);
    memory_free(inflight->slots);
    *inflight = (struct inflight){0};
}
