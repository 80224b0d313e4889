// SPDX-License-Identifier: MIT
// The traffic of one benchmark: groups of one publisher and some subscribers of its topic. A
// publisher sends whole batches, and only while its slowest subscriber (with QoS 1 its own PUBACKs
// too) leaves room in the window: the broker is kept busy and no queue can grow without end. Batch
// and window of 1 make the closed loop. Every payload begins with a sequence number, so that loss
// and repetition are seen, not guessed.
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"

#define TRAFFIC_PAYLOAD_MIN 8 // the sequence number

struct traffic_options {
    uint16_t port;
    uint8_t qos;
    uint32_t groups;
    uint32_t subscribers; // of each group
    uint32_t payload;
    uint32_t batch;
    uint32_t window; // at most 65 535, the packet ids there are
};

struct traffic_count {
    uint64_t sent;
    uint64_t expected; // deliveries that `sent` must cause
    uint64_t delivered;
    uint64_t lost;
    uint64_t repeated; // or late
};

struct group;

struct receiver {
    struct link link;
    struct group *group;
    uint64_t awaited; // the next sequence number
};

struct group {
    struct link publisher;
    struct receiver *receivers;
    uint64_t sent;
    uint64_t slowest;      // the smallest `awaited` of the receivers
    uint64_t acknowledged; // PUBACKs
    uint8_t *batch;        // built once; numbers and packet ids are patched in
    bool dirty;            // stands in traffic.dirty
};

struct traffic {
    struct traffic_options options;
    struct traffic_count count;
    int epoll;
    bool stopping; // no new messages
    struct group *groups;
    struct group **dirty; // groups whose window may have opened in this turn
    uint32_t dirty_count;
    size_t message_size;
    size_t head_size; // of a message, before the payload
    uint8_t *input;
};

// Opens every connection and subscribes; 0 or -errno.
int traffic_open(struct traffic *traffic, const struct traffic_options *options);
void traffic_close(struct traffic *traffic);

// Sends the first batches. Then each turn waits, reads, and sends what the windows allow.
// Returns 0 or -errno: -EBADMSG when the broker sent what it should not.
int traffic_start(struct traffic *traffic);
int traffic_turn(struct traffic *traffic, int timeout_ms);

// All that was sent was delivered, and with QoS 1 acknowledged.
bool traffic_is_drained(const struct traffic *traffic);

// Nothing comes any more: counts what is under way as lost and opens the windows again.
int traffic_write_off(struct traffic *traffic);

#endif
