// SPDX-License-Identifier: MIT
#ifndef BUD_OS_THREAD_H
#define BUD_OS_THREAD_H

#include <stdint.h>

struct thread;

int thread_start(struct thread **ret_thread, const char *name, void (*run)(void *argument),
                 void *argument);        // 0 or -errno
void thread_join(struct thread *thread); // waits and frees
uint32_t
thread_core_count(void); // cores this process may use (affinity and cgroup quota), at least 1

#endif
