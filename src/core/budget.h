// SPDX-License-Identifier: MIT
// How much memory may what peers send take in all? One counter for the broker, shared by all
// workers. Taking may fail; giving back may not. What was taken is given back with the same size.
#ifndef BUD_CORE_BUDGET_H
#define BUD_CORE_BUDGET_H

#include "base/assert.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget {
    _Atomic int64_t used;
    _Atomic int64_t peak;
    int64_t limit; // bytes
};

// Beyond the limit, for what gets out of a shortage: what the broker itself has to say about it,
// and clients that come back for what waits for them.
#define BUDGET_RESERVE ((int64_t)256 * 1024)

static inline bool budget_take_below(struct budget *budget, size_t size, int64_t limit)
{
    int64_t used = atomic_fetch_add_explicit(&budget->used, (int64_t)size, memory_order_relaxed) +
                   (int64_t)size;
    if (used > limit) {
        atomic_fetch_sub_explicit(&budget->used, (int64_t)size, memory_order_relaxed);
        return false;
    }
    return true;
}

static inline bool budget_take(struct budget *budget, size_t size)
{
    return budget_take_below(budget, size, budget->limit);
}

static inline bool budget_take_reserve(struct budget *budget, size_t size)
{
    bool is_limited = budget->limit < INT64_MAX - BUDGET_RESERVE;
    return budget_take_below(budget, size, is_limited ? budget->limit + BUDGET_RESERVE : INT64_MAX);
}

// For what is there already and only changes its owner.
static inline void budget_take_anyway(struct budget *budget, size_t size)
{
    atomic_fetch_add_explicit(&budget->used, (int64_t)size, memory_order_relaxed);
}

static inline void budget_give(struct budget *budget, size_t size)
{
    int64_t before = atomic_fetch_sub_explicit(&budget->used, (int64_t)size, memory_order_relaxed);
    ASSERT(before >= (int64_t)size);
}

static inline int64_t budget_used(struct budget *budget)
{
    return atomic_load_explicit(&budget->used, memory_order_relaxed);
}

#endif
