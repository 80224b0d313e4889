// SPDX-License-Identifier: MIT
// What happened, counted: one array for each worker, written by that worker alone and added up by
// whoever shows them.
#ifndef BUD_CORE_COUNTERS_H
#define BUD_CORE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

// clang-format off
#define COUNTERS(X)                                                                               \
    X(BYTES_RECEIVED) X(BYTES_SENT) X(PACKETS_RECEIVED) X(PACKETS_SENT) X(PUBLISH_RECEIVED)       \
    X(PUBLISH_SENT) X(PUBLISH_BYTES_RECEIVED) X(PUBLISH_BYTES_SENT) X(SOCKETS_ACCEPTED)           \
    X(CONNECTIONS_OPEN) X(CONNECTIONS_MAXIMUM) X(CLIENTS_CONNECTED) X(SESSIONS)                   \
    X(SESSIONS_EXPIRED) X(SUBSCRIPTIONS) X(QUEUED_MESSAGES) X(QUEUED_BYTES) X(OUTPUT_PACKETS)     \
    X(OUTPUT_BYTES) X(DROPPED_QUEUE_FULL) X(DROPPED_OUTPUT_FULL) X(DROPPED_TOO_LARGE)             \
    X(DROPPED_EXPIRED) X(DROPPED_NO_MEMORY) X(DROPPED_SESSION_ENDED) X(DROPPED_NOT_AUTHORIZED)    \
    X(DROPPED_NOT_RETAINED)                                                                       \
    X(REFUSED_CONNECT_TIMEOUT) X(REFUSED_PENDING) X(REFUSED_PENDING_ADDRESS)                      \
    X(REFUSED_CONNECTIONS) X(REFUSED_SESSIONS) X(REFUSED_NOT_AUTHORIZED)                          \
    X(REFUSED_PACKET_SIZE) X(REFUSED_TOPIC) X(REFUSED_PROPERTIES) X(REFUSED_SUBSCRIPTIONS)        \
    X(REFUSED_RETAINED) X(REFUSED_MEMORY) X(REFUSED_DESCRIPTORS) X(REFUSED_MALFORMED)             \
    X(REFUSED_CLIENT_ID) X(REFUSED_HTTP) X(REFUSED_TRANSPORT) X(REFUSED_DISK) X(REFUSED_SLOW)     \
    X(REFUSED_BANNED) X(REFUSED_CONNECT_RATE) X(REFUSED_FIGHT) X(REFUSED_LOGIN_BUSY) X(BANS)      \
    X(SLOWED_DOWN) X(SHED_CLOSED) X(LOG_SUPPRESSED)                                               \
    X(RECEIVED_CONNECT) X(RECEIVED_CONNACK) X(RECEIVED_PUBLISH) X(RECEIVED_PUBACK)                \
    X(RECEIVED_PUBREC) X(RECEIVED_PUBREL) X(RECEIVED_PUBCOMP) X(RECEIVED_SUBSCRIBE)               \
    X(RECEIVED_SUBACK) X(RECEIVED_UNSUBSCRIBE) X(RECEIVED_UNSUBACK) X(RECEIVED_PINGREQ)           \
    X(RECEIVED_PINGRESP) X(RECEIVED_DISCONNECT) X(RECEIVED_AUTH) X(SENT_CONNECT)                  \
    X(SENT_CONNACK) X(SENT_PUBLISH) X(SENT_PUBACK) X(SENT_PUBREC) X(SENT_PUBREL)                  \
    X(SENT_PUBCOMP) X(SENT_SUBSCRIBE) X(SENT_SUBACK) X(SENT_UNSUBSCRIBE) X(SENT_UNSUBACK)         \
    X(SENT_PINGREQ) X(SENT_PINGRESP) X(SENT_DISCONNECT) X(SENT_AUTH)
// clang-format on

enum counter {
#define COUNTER_NAME(name) COUNTER_##name,
    COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
        COUNTER_COUNT
};

struct counters {
    _Alignas(64) _Atomic uint64_t value[COUNTER_COUNT];
};

// Only the owning worker writes, so a plain load and store are enough; readers elsewhere see a
// recent value.
static inline void counter_add(struct counters *counters, enum counter counter, uint64_t amount)
{
    uint64_t now = atomic_load_explicit(&counters->value[counter], memory_order_relaxed);
    atomic_store_explicit(&counters->value[counter], now + amount, memory_order_relaxed);
}

static inline void counter_subtract(struct counters *counters, enum counter counter,
                                    uint64_t amount)
{
    counter_add(counters, counter, 0 - amount);
}

static inline uint64_t counter_read(const struct counters *counters, enum counter counter)
{
    return atomic_load_explicit(&counters->value[counter], memory_order_relaxed);
}

#endif
