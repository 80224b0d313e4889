// SPDX-License-Identifier: MIT
// bud-sim: runs simulated worlds. Each seed is a world; the same seed is the same world.
#include "sim/world.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    static struct script script;
    struct outcome outcome, second;
    uint64_t a = strtoull(argv[1], NULL, 10), b = argc > 2 ? strtoull(argv[2], NULL, 10) : a;
    for (uint64_t s = a; s <= b; s++) {
        script_make(s, &script);
        if (a == b)
            script_print(&script);
        if (0)
            fprintf(stderr, "seed %" PRIu64 "\r", s);
        world_run(&script, a == b, &outcome);
        if (a == b || outcome.failed)
            printf("seed %" PRIu64 ": %s %s, %" PRIu64 " messages, %" PRIu64 " deliveries %" PRIu64
                   " turns\n",
                   s, outcome.failed ? "FAILED" : "ok", outcome.words, outcome.messages,
                   outcome.deliveries, outcome.turns);
        if (s % 8 == 0) {
            world_run(&script, false, &second);
            if (second.trace_hash != outcome.trace_hash)
                printf("seed %" PRIu64 " differs\n", s);
        }
    }
    return 0;
}
