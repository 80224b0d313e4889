// SPDX-License-Identifier: MIT
// What the process asks of its system: signals as flags, limits, memory.
#ifndef BUD_OS_PROCESS_H
#define BUD_OS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGNAL_STOP = 1, SIGNAL_RELOAD = 2, SIGNAL_DUMP = 4 };

// From now on SIGTERM and SIGINT (STOP), SIGHUP (RELOAD) and SIGUSR1 (DUMP) are collected and
// delivered to the thread that waits here only: call before any thread is started. SIGPIPE and
// SIGXFSZ are ignored.
void process_catch_signals(void);
unsigned
process_wait_signals(int timeout_ms); // a set of SIGNAL_*, 0 on time-out; -1 waits for ever

uint32_t process_raise_descriptor_limit(void); // raises the soft limit to the hard one; returns it
uint64_t process_memory_bytes(void); // memory this machine (or cgroup, the smaller) has; 0 unknown
uint64_t process_resident_bytes(void); // what this process uses now

bool process_is_root(void);
long process_id(void);

// Ends the process at once, without cleaning up: what the disk has is what there is.
_Noreturn void process_exit(int status);

void process_keep_freed_memory(size_t bytes); // the heap gives back to the system only beyond this

#endif
