// SPDX-License-Identifier: MIT
// Signals are blocked everywhere and fetched by the one thread that waits for them: no handler
// ever runs, so nothing has to be safe inside of one.
#include "os/process.h"

#include "base/assert.h"

#include "base/assert.h"
#include "os/cgroup.h"
#include "os/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static sigset_t caught_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

void process_catch_signals(void)
{
    sigset_t set = caught_signals();
    ASSERT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    ASSERT(sigaction(SIGPIPE, &ignore, NULL) == 0);
    ASSERT(sigaction(SIGXFSZ, &ignore, NULL) == 0); // the write says EFBIG, and that is handled
}

static unsigned flag_of(int number)
{
    switch (number) {
    case SIGTERM:
    case SIGINT: return SIGNAL_STOP;
    case SIGHUP: return SIGNAL_RELOAD;
    default: return SIGNAL_DUMP;
    }
}

// Takes one pending signal, waiting for it up to timeout_ms (-1: for ever). 0 on time-out.
static unsigned take_signal(int timeout_ms)
{
    sigset_t set = caught_signals();
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        int64_t left_ms = end_ms - clock_monotonic_ms();
        left_ms = left_ms < 0 ? 0 : left_ms;
        struct timespec left = {.tv_sec = (time_t)(left_ms / 1000),
                                .tv_nsec = (long)(left_ms % 1000) * 1000000};
        int number = sigtimedwait(&set, NULL, timeout_ms < 0 ? NULL : &left);
        if (number > 0) {
            return flag_of(number);
        }
        ASSERT(errno == EAGAIN || errno == EINTR);
        if (errno == EAGAIN) {
            return 0;
        }
    }
}

unsigned process_wait_signals(int timeout_ms)
{
    unsigned signals = take_signal(timeout_ms);
    unsigned more = signals;
    while (more != 0) {
        more = take_signal(0);
        signals |= more;
    }
    return signals;
}

static uint32_t clamp_limit(rlim_t limit)
{
    return limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
}

uint32_t process_raise_descriptor_limit(void)
{
    struct rlimit limit;
    ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    // Where the kernel refuses (its own maximum was lowered meanwhile), what we have is the answer.
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        limit = raised;
    }
    return clamp_limit(limit.rlim_cur);
}

uint64_t process_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_size = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : 0;
    uint64_t group = cgroup_read_limits("/proc/self/cgroup", "/sys/fs/cgroup").memory_bytes;
    return group != 0 && (machine == 0 || group < machine) ? group : machine;
}

uint64_t process_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    uint64_t resident_pages = 0;
    int fields = fscanf(file, "%*u %" SCNu64, &resident_pages);
    fclose(file);
    return fields == 1 ? resident_pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void process_exit(int status)
{
    _exit(status);
}

void process_keep_freed_memory(size_t bytes)
{
    (void)mallopt(M_TRIM_THRESHOLD, (int)bytes); // only advice: a sanitizer's heap does not know it
}

long process_id(void)
{
    return (long)getpid();
}

bool process_is_root(void)
{
    return geteuid() == 0;
}
