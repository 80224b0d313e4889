// SPDX-License-Identifier: MIT
// Durations, all of them kept, so that a percentile is one that really happened.
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    uint32_t *ns; // longer than four seconds counts as that
    size_t count;
    size_t count_max;
};

void samples_add(struct samples *samples, uint64_t duration_ns);
// Sorts them. `share` is from 0 to 1; microseconds, 0 without samples.
double samples_percentile(struct samples *samples, double share);
void samples_free(struct samples *samples);

#endif
