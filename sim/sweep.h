// SPDX-License-Identifier: MIT
// Many seeds over several processes, and the shortening of a script that fails.
#ifndef BUD_SIM_SWEEP_H
#define BUD_SIM_SWEEP_H

#include "sim/script.h"

struct sweep {
    uint64_t first, last; // seeds, both included
    uint32_t jobs;
    uint32_t twice_every; // each so many seeds one is run twice: its trace must be the same
};

#define VERDICT_MAX 512

// True if all went well; otherwise one of the failing seeds, and what was wrong.
bool sweep_run(const struct sweep *sweep, uint64_t *ret_seed, char *verdict);

// The same world again and again, each time with another allocation failing. False: which one it
// does not bear, and what was wrong then.
bool sweep_allocations(uint64_t seed, uint64_t *ret_count, char *verdict);

// Leaves out whatever the script fails without. `verdict` is what the shortened one fails with.
void sweep_shorten(struct script *script, char *verdict);

#endif
