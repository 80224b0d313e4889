// SPDX-License-Identifier: MIT
// How much of everything a peer may make grow. One set for the broker, read by all workers; filled
// from the options.
#ifndef BUD_CORE_LIMITS_H
#define BUD_CORE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct limits {
    uint32_t in_flight_max;       // unacknowledged QoS 1/2 messages sent to one client
    uint64_t in_flight_bytes_max; // their payload bytes; one message is always allowed
    uint64_t queue_messages_max;  // QoS 1/2 messages queued for one session; 0 no limit
    uint64_t queue_bytes_max;     // their bytes; 0 no limit; one message is always allowed
    uint64_t output_bytes_max;  // QoS 0 bytes waiting for one client; one message is always allowed
    uint32_t subscriptions_max; // of one session
    uint64_t subscriptions_all_max; // of the broker
    uint32_t topic_bytes_max;
    uint32_t topic_levels_max;
    uint32_t user_properties_max; // in one packet
    uint32_t property_bytes_max;  // in one packet
    uint32_t client_id_bytes_max;
    uint64_t sessions_max;
    uint64_t connections_max;
    bool queues_qos0;      // also for sessions that are away
    bool upgrades_qos;     // delivered with the subscription's QoS, also what came with a lower one
    bool keeps_duplicates; // one copy for each overlapping subscription of a session
};

#endif
