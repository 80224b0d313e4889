// SPDX-License-Identifier: MIT
// Heap memory. The name tells the policy: _new aborts when there is none (sizes of our own
// choosing, at start-up), _try_ returns NULL and the caller answers its peer (sizes a peer
// decides). memory_free takes NULL. A test can make the k-th allocation fail (only _try_ calls
// count and fail; the counter is one for the process).
#ifndef BUD_BASE_MEMORY_H
#define BUD_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

void *memory_new(size_t size);     // zeroed; never NULL
void *memory_try_new(size_t size); // zeroed; NULL without memory
void *memory_try_resize(
    void *memory,
    size_t size); // as realloc; the old block stays valid on NULL; new bytes are not zeroed
void memory_free(void *memory);

// The `nth` (from 1) memory_try_ call from now fails, and `count` in all from there; nth 0 turns
// failing off.
void memory_fail(uint64_t nth, uint64_t count);
// memory_try_ calls since the first call of this or of memory_fail, for sweeps.
uint64_t memory_try_count(void);

#endif
