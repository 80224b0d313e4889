// SPDX-License-Identifier: MIT
// Publishers at QoS 1 to one kept session, each with a number of messages under way, and the time
// from each message to its PUBACK. The session's client is away all the time (its messages queue
// up) or there (it receives and acknowledges each). Used by durable.c.
#ifndef BENCH_PUBLISHING_H
#define BENCH_PUBLISHING_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "samples.h"

#define PUBLISHING_WINDOW_MAX 1000

struct publishing_options {
    uint16_t port;
    uint32_t publishers;
    uint32_t window; // messages a publisher may have unacknowledged
    uint32_t payload;
    bool online; // the subscriber is
};

struct publisher {
    struct link link;
    uint64_t sent;
    uint64_t acknowledged;
    uint64_t *sent_ns; // of message n at n % window
};

struct publishing {
    struct publishing_options options;
    int epoll;
    struct publisher *publishers;
    struct link subscriber; // fd -1 when it is away
    uint8_t *message;
    size_t message_size;
    size_t head_size;
    uint8_t *input;
    uint64_t sent;
    uint64_t acknowledged;
    uint64_t received; // by the subscriber
    uint64_t took_ns;  // of all runs
    struct samples durations;
};

// All return 0 or -errno; -ETIMEDOUT when the broker owes something and is silent.
int publishing_open(struct publishing *publishing, const struct publishing_options *options);
// Sends until the time is over or `count` messages were sent (0: any number), then waits for what
// is owed: acknowledgements, and deliveries to a subscriber that is there.
int publishing_run(struct publishing *publishing, uint64_t duration_ns, uint64_t count);
void publishing_close(struct publishing *publishing);

#endif
