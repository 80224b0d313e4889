// SPDX-License-Identifier: MIT
// The clocks of the kernel. The monotonic one counts suspended time, too: a client that was silent
// while the machine slept has been silent.
#include "os/clock.h"

#include "base/assert.h"

#include <time.h>

static struct timespec read_clock(clockid_t id)
{
    struct timespec time;
    ASSERT(clock_gettime(id, &time) == 0);
    return time;
}

static int64_t milliseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
    return milliseconds(read_clock(CLOCK_BOOTTIME));
}

int64_t clock_wall_ms(void)
{
    return milliseconds(read_clock(CLOCK_REALTIME));
}

int64_t clock_cpu_us(void)
{
    struct timespec time = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}
