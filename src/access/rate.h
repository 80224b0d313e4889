// SPDX-License-Identifier: MIT
// How much may somebody send: messages and bytes, by token buckets that several connections, on
// several workers, share: all those of one user, of one listener, or the ones that a client makes
// one after another. Found by name; kept for a while after the last connection went, so that coming
// back empties no debt. What was sent is taken in any case, into debt, and who is in debt waits: so
// nothing is lost. For any thread. Clients choose the names; what is kept is bounded.
#ifndef BUD_ACCESS_RATE_H
#define BUD_ACCESS_RATE_H

#include "base/hash.h"
#include "proto/bytes.h"

// A second; 0: no limit. A burst of 0 is as much as comes in a second.
struct rate_limits {
    uint64_t publish_rate, publish_burst;
    uint64_t byte_rate, byte_burst;
};

static inline bool rate_limits_any(const struct rate_limits *limits)
{
    return limits->publish_rate > 0 || limits->byte_rate > 0;
}

struct rate;
struct rate_table;

// At most `idle_max` names are kept that no connection has.
struct rate_table *rate_table_new(const struct rate_limits *limits, size_t idle_max,
                                  struct hash_key key);
void rate_table_free(struct rate_table *table); // NULL is fine; every rate was given back
void rate_table_set_limits(struct rate_table *table, const struct rate_limits *limits,
                           int64_t now_ms); // for those in use too
struct rate_limits rate_table_limits(struct rate_table *table);

struct rate *rate_try_take(struct rate_table *table, struct bytes name,
                           int64_t now_ms);                  // NULL without memory
void rate_give(struct rate_table *table, struct rate *rate); // NULL is fine

// Takes so many; how many milliseconds to wait until the debt is paid, 0 none.
int64_t rate_charge(struct rate *rate, uint64_t publishes, uint64_t bytes, int64_t now_ms);

#endif
