// SPDX-License-Identifier: MIT
// What another process has cost so far: its CPU time in nanoseconds (all threads, user and system)
// and its resident memory. The kernel's own clock of the process is read, not the ticks of
// /proc/<pid>/stat, whose 10 ms steps would be seen in a run of one second.
#ifndef BENCH_PROCESS_COST_H
#define BENCH_PROCESS_COST_H

#include <stdint.h>
#include <sys/types.h>

// 0 or -errno.
int process_cpu_ns(pid_t pid, uint64_t *ret_ns);
int process_rss_bytes(pid_t pid, uint64_t *ret_bytes);
int process_written_bytes(pid_t pid,
                          uint64_t *ret_bytes); // pages made dirty, on their way to a disk

uint64_t own_cpu_ns(void);
uint64_t monotonic_ns(void);

#endif
