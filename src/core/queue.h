// SPDX-License-Identifier: MIT
// Messages on their way to one session, first in, first out. Empty it owns no memory.
// A delivery owns one reference to its message and its `extra`; moving a delivery moves that
// ownership.
#ifndef BUD_CORE_QUEUE_H
#define BUD_CORE_QUEUE_H

#include "core/message.h"

struct share_member;

// What only some deliveries have.
struct delivery_extra {
    struct share_member *member; // referenced; NULL: not from a shared subscription
    uint32_t count;
    uint32_t identifiers[]; // more Subscription Identifiers, when filters overlap
};

struct delivery {
    struct message *message;
    struct delivery_extra *extra; // NULL mostly
    uint32_t identifier;          // the first Subscription Identifier, 0 none
    uint32_t arrival;             // order among all queues of the session, wrapping
    uint8_t qos;                  // min(published, subscribed) [MQTT-3.8.4-8]
    bool retain;                  // as it will be sent
    bool is_noted;                // as a part of its publication, which has just come (spread)
    uint32_t generation; // of the access rules that it was last checked under; 0: it was not
    uint64_t number;     // in the store, ascending within the session; 0: it is not there
    uint64_t store_mark; // the store's own
};

struct queue {
    struct delivery *slots;
    uint32_t first, count, capacity; // capacity a power of two
    uint64_t bytes;                  // what the messages in it weigh, each counted as if alone
};

bool queue_try_push(struct queue *queue,
                    struct delivery delivery);     // false without memory; the caller keeps it
struct delivery *queue_front(struct queue *queue); // NULL when empty
struct delivery *queue_at(struct queue *queue, uint32_t position); // position < count
struct delivery queue_pop(struct queue *queue);                    // must not be empty
void queue_done(struct queue *queue);                              // frees the ring; must be empty

size_t delivery_weight(const struct delivery *delivery);

#endif
