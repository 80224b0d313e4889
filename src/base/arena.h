// SPDX-License-Identifier: MIT
// Scratch memory for one turn of a worker: taken piece by piece, given back all at once.
#ifndef BUD_BASE_ARENA_H
#define BUD_BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks; // newest first
    size_t used, kept_max;      // arena_reset keeps one block of at most kept_max bytes
};

void arena_init(struct arena *arena, size_t kept_max);
void arena_done(struct arena *arena);
void *arena_try_take(struct arena *arena,
                     size_t size);     // aligned for anything, not zeroed; NULL without memory
void arena_reset(struct arena *arena); // everything taken is gone

#endif
