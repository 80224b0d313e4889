// SPDX-License-Identifier: MIT
// The least that a durable write costs on this disk: one block written over an older one, in a file
// whose space is there already, then fdatasync. No log or database commits faster than that.
#ifndef BENCH_BARRIERS_H
#define BENCH_BARRIERS_H

#include "samples.h"

struct barriers {
    int fd;
    uint64_t count;
    uint64_t took_ns;
    struct samples durations;
};

// All return 0 or -errno.
int barriers_open(struct barriers *barriers, const char *directory);
int barriers_run(struct barriers *barriers, uint64_t duration_ns);
void barriers_close(struct barriers *barriers);

#endif
