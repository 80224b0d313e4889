// SPDX-License-Identifier: MIT
// See samples.h. Memory is sized by how long we measure, so a failed allocation stops the tool.

#include "samples.h"

#include <stdio.h>
#include <stdlib.h>

void samples_add(struct samples *samples, uint64_t duration_ns)
{
    if (samples->count == samples->count_max) {
        samples->count_max = samples->count_max ? 2 * samples->count_max : 4096;
        samples->ns = realloc(samples->ns, samples->count_max * sizeof *samples->ns);
        if (!samples->ns) {
            fputs("bench: out of memory\n", stderr);
            abort();
        }
    }
    samples->ns[samples->count++] = duration_ns < UINT32_MAX ? (uint32_t)duration_ns : UINT32_MAX;
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

double samples_percentile(struct samples *samples, double share)
{
    if (samples->count == 0)
        return 0;
    qsort(samples->ns, samples->count, sizeof *samples->ns, compare);
    return samples->ns[(size_t)(share * (double)(samples->count - 1))] / 1e3;
}

void samples_free(struct samples *samples)
{
    free(samples->ns);
    *samples = (struct samples){0};
}
