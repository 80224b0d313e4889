// SPDX-License-Identifier: MIT
// The one door to the heap, so that a test can shut it at the k-th call.
// Outside of tests a call costs one relaxed load more than the C library's: counting, whose
// counter all threads would fight for, starts only when somebody asks for it.
// An attacker controls how often and with which sizes the _try_ calls are made, never their limits.
#include "base/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_bool counting;
static _Atomic uint64_t calls;
static _Atomic uint64_t fail_first, fail_end; // calls numbered in [first, end) fail

void memory_fail(uint64_t nth, uint64_t count)
{
    uint64_t first = atomic_load(&calls) + nth;
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    atomic_store(&fail_end, 0); // nothing fails while the two do not belong together
    atomic_store(&fail_first, first);
    atomic_store(&fail_end, nth == 0 ? 0 : end);
    atomic_store(&counting, true);
}

uint64_t memory_try_count(void)
{
    atomic_store(&counting, true);
    return atomic_load(&calls);
}

static bool must_fail(void)
{
    // Relaxed: the flag orders nothing, and a test sets it before it starts its threads.
    if (!atomic_load_explicit(&counting, memory_order_relaxed)) {
        return false;
    }
    uint64_t call = atomic_fetch_add(&calls, 1) + 1;
    return call >= atomic_load(&fail_first) && call < atomic_load(&fail_end);
}

// Zero bytes are asked for as one: NULL must mean "no memory" and nothing else.
static size_t at_least_one(size_t size)
{
    return size == 0 ? 1 : size;
}

// No object is larger than this, so no allocator needs to be asked.
static bool is_possible(size_t size)
{
    return size <= PTRDIFF_MAX;
}

void *memory_new(size_t size)
{
    void *memory = is_possible(size) ? calloc(1, at_least_one(size)) : NULL;
    if (memory == NULL) {
        fprintf(stderr, "bud: out of memory, %zu bytes wanted\n", size);
        abort();
    }
    return memory;
}

void *memory_try_new(size_t size)
{
    bool refused = must_fail() || !is_possible(size);
    return refused ? NULL : calloc(1, at_least_one(size));
}

void *memory_try_resize(void *memory, size_t size)
{
    bool refused = must_fail() || !is_possible(size);
    return refused ? NULL : realloc(memory, at_least_one(size));
}

void memory_free(void *memory)
{
    free(memory);
}
