// SPDX-License-Identifier: MIT
// Threads: started, named, joined. Nothing is ever detached or cancelled.
#include "os/thread.h"

#include "base/assert.h"
#include "base/memory.h"
#include "os/cgroup.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

struct thread {
    pthread_t id;
    void (*run)(void *argument);
    void *argument;
    char name[16]; // what the kernel keeps of it, with its NUL
};

static void *run_thread(void *memory)
{
    struct thread *thread = memory;
    // From within, so that the name is there before anything can happen in the thread. Fails for
    // over-long names only.
    ASSERT(pthread_setname_np(pthread_self(), thread->name) == 0);
    thread->run(thread->argument);
    return NULL;
}

int thread_start(struct thread **ret_thread, const char *name, void (*run)(void *argument),
                 void *argument)
{
    struct thread *thread = memory_try_new(sizeof *thread);
    if (thread == NULL) {
        return -ENOMEM;
    }
    thread->run = run;
    thread->argument = argument;
    snprintf(thread->name, sizeof thread->name, "%.15s", name);
    int error = pthread_create(&thread->id, NULL, run_thread, thread);
    if (error != 0) {
        memory_free(thread);
        return -error;
    }
    *ret_thread = thread;
    return 0;
}

void thread_join(struct thread *thread)
{
    ASSERT(pthread_join(thread->id, NULL) == 0);
    memory_free(thread);
}

// The kernel refuses a set smaller than its own; machines beyond 64k cores count as one.
static uint32_t count_affine_cores(void)
{
    for (size_t core_max = CPU_SETSIZE; core_max <= 65536; core_max *= 2) {
        cpu_set_t *set = CPU_ALLOC(core_max);
        if (set == NULL) {
            return 1;
        }
        size_t size = CPU_ALLOC_SIZE(core_max);
        bool known = sched_getaffinity(0, size, set) == 0;
        int count = known ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (known) {
            return count > 0 ? (uint32_t)count : 1;
        }
    }
    return 1;
}

uint32_t thread_core_count(void)
{
    uint32_t cores = count_affine_cores();
    uint32_t quota = cgroup_read_limits("/proc/self/cgroup", "/sys/fs/cgroup").cores;
    return quota != 0 && quota < cores ? quota : cores;
}
