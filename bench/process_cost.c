// SPDX-License-Identifier: MIT
// CPU clock and resident memory of a process; see process_cost.h.
// smaps_rollup walks the page tables and is exact; the counters behind VmRSS may lag by some
// hundred kilobytes, which is as much as a thousand idle connections may cost.

#include "process_cost.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t own_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int process_cpu_ns(pid_t pid, uint64_t *ret_ns)
{
    clockid_t clock;
    int error = clock_getcpuclockid(pid, &clock);
    if (error)
        return -error;
    struct timespec now;
    if (clock_gettime(clock, &now))
        return -errno;
    *ret_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return 0;
}

// The first number that follows `format`'s text in the file, times `unit`.
static int read_number(const char *path, const char *format, uint64_t unit, uint64_t *ret_bytes)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    char line[256];
    unsigned long number;
    int found = 0;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, format, &number) == 1;
    fclose(file);
    if (!found)
        return -ENODATA;
    *ret_bytes = (uint64_t)number * unit;
    return 0;
}

int process_rss_bytes(pid_t pid, uint64_t *ret_bytes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    if (read_number(path, "Rss: %lu kB", 1024, ret_bytes) == 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return read_number(path, "VmRSS: %lu kB", 1024, ret_bytes);
}

int process_written_bytes(pid_t pid, uint64_t *ret_bytes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    return read_number(path, "write_bytes: %lu", 1, ret_bytes);
}
