// SPDX-License-Identifier: MIT
// One application message: immutable once published, reference-counted, the only object that
// workers share. Topic, payload and the properties to be forwarded are kept once, whatever the
// number of subscribers; a large payload stays in the buffer it was received in. Its bytes count
// against a budget until the last reference goes.
#ifndef BUD_CORE_MESSAGE_H
#define BUD_CORE_MESSAGE_H

#include "core/budget.h"
#include "core/principal.h"
#include "proto/packet.h"

#include <stdatomic.h>

#define MESSAGE_NEVER_EXPIRES INT64_MAX

// Who has a message already: it came before a crash, was spread, and its publisher, who never heard
// of that, sends it again. One publication is named by its session's number and packet identifier
// until PUBREL; a will by its own number, until it is removed. Reached are sessions, by number, and
// groups of shared subscriptions (index.h), whichever member was given it.
struct spread {
    struct spread *next;
    uint16_t packet_id;
    uint32_t count;
    uint64_t reached[];
};

bool spread_has(const struct spread *spread, uint64_t reached); // NULL has nobody
// The larger one, in place of `spread` (which may be NULL). NULL without memory; nothing has
// changed then.
struct spread *spread_try_add(struct spread *spread, uint16_t packet_id, uint64_t reached);

struct message {
    _Atomic uint32_t references;
    uint8_t qos; // as published
    bool retain; // as published
    uint16_t topic_size;
    uint32_t properties_size;
    uint32_t payload_size;
    uint16_t packet_id; // QoS 2 of a stored session with several workers: see struct spread; else 0
    uint32_t storage_size;
    uint64_t publisher; // number of the publishing session, or of the will that this is; 0: the
                        // broker itself
    uint64_t
        sequence; // place in the order of retained changes; 0 when not retained. See retained.h
    int64_t expires_ms; // monotonic; MESSAGE_NEVER_EXPIRES
    uint64_t row;       // in the store; 0 none. Touched only by the thread that writes the store
    struct budget *budget;
    struct spread *spread;       // owned; NULL but after a crash
    struct principal *principal; // who published it, if it is retained; referenced; NULL: the
                                 // broker itself
    void *storage; // adopted memory that holds topic and payload, or NULL: they are in bytes[]
    const uint8_t *topic;
    const uint8_t *payload;
    uint8_t bytes[]; // properties in wire form, then (unless adopted) topic and payload
};

struct message_source {
    struct bytes topic;
    struct bytes payload;
    const struct properties *properties; // of PUBLISH or will; NULL none
    uint8_t qos;
    bool retain;
    bool is_own; // the broker's own words: they may use the budget's reserve
    uint64_t publisher;
    uint16_t packet_id;
    struct spread *spread;       // taken over by the message, if there is one
    struct principal *principal; // kept (with a reference) if it is to be retained; may be NULL
    int64_t now_ms;
    void *storage; // heap block (base/memory.h) that topic and payload view and that the message
                   // shall own; NULL: copy
    size_t storage_size;
};

// A message with one reference. Forwarded are Payload Format Indicator, Content Type, Response
// Topic, Correlation Data and User Properties, in the order they came [MQTT-3.3.2-17]; Message
// Expiry is kept as a moment [MQTT-3.3.2-6]. NULL without memory or budget; `storage` then still
// belongs to the caller.
struct message *message_try_new(struct budget *budget, const struct message_source *source);

struct message *message_ref(struct message *message); // returns its argument
void message_unref(struct message *message);          // NULL is fine; frees at the last one

static inline struct bytes message_topic(const struct message *message)
{
    return bytes_make(message->topic, message->topic_size);
}

static inline struct bytes message_payload(const struct message *message)
{
    return bytes_make(message->payload, message->payload_size);
}

// The forwardable properties in wire form, without expiry, subscription identifiers and alias.
static inline struct bytes message_properties(const struct message *message)
{
    return bytes_make(message->bytes, message->properties_size);
}

static inline bool message_expired(const struct message *message, int64_t now_ms)
{
    return now_ms >= message->expires_ms;
}

// What it costs: its own bytes on the heap, shared by all who hold it.
size_t message_size(const struct message *message);

#endif
