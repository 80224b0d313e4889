// SPDX-License-Identifier: MIT
// A life of a power-cut world: its workload until the end, with the power cut (in copies) again and
// again; then each copy is judged.
#ifndef BUD_SIM_POWER_LIFE_H
#define BUD_SIM_POWER_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#define POWER_CUTS_MAX 48 // of one life
#define POWER_STATES_OF_LIFE 100
#define POWER_ALL UINT32_MAX

// A state's number is its life's times POWER_STATES_OF_LIFE, and the cut's position. A life's
// workload is its number modulo their count.
struct power_life {
    uint64_t number;
    uint32_t only;    // this cut, or POWER_ALL
    uint32_t workers; // 0: as many as the workload says
    bool no_barrier, verbose;
    const char *directory;
};

struct power_verdict {
    uint32_t states, failures;
    uint64_t first_failure; // a state's number
    char words[256];
};

void power_live(const struct power_life *life, struct power_verdict *ret_verdict);

#endif
