// SPDX-License-Identifier: MIT
// One run: the script's clients and faults against the real broker, then calm, then the judgement.
#ifndef BUD_SIM_WORLD_H
#define BUD_SIM_WORLD_H

#include "sim/script.h"

struct outcome {
    bool failed;
    char words[512]; // what was violated, when
    uint64_t trace_hash;
    uint64_t messages, deliveries, turns; // to see that something happened
    uint64_t allocations;                 // that may fail, after the witness came in
};

// `verbose` prints the broker's log and what the script does, with virtual time.
void world_run(const struct script *script, bool verbose, struct outcome *ret_outcome);

#endif
