// SPDX-License-Identifier: MIT
// The small parts of os/ over the simulated machine: clock, random bytes, standard error, threads
// (there are none: the workers' turns are called one by one) and process.
#include "base/assert.h"
#include "os/clock.h"
#include "os/gateway.h"
#include "os/output.h"
#include "os/process.h"
#include "os/random.h"
#include "os/systemd.h"
#include "os/thread.h"
#include "sim/machine_private.h"

#include <errno.h>

#define WALL_CLOCK_MS INT64_C(1700000000000)

int64_t clock_monotonic_ms(void)
{
    return machine.now_ms;
}

int64_t clock_wall_ms(void)
{
    return WALL_CLOCK_MS + machine.now_ms + machine.wall_offset_ms;
}

int64_t clock_cpu_us(void)
{
    return 0;
}

void random_bytes(void *memory, size_t size)
{
    uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)machine_random();
}

void output_error(const char *text, size_t size)
{
    struct bytes line = bytes_make(text, size);
    machine_trace('L', 0, line);
    if (machine.options.on_log != NULL)
        machine.options.on_log(machine.options.context, line);
}

int thread_start(struct thread **ret_thread, const char *name, void (*run)(void *argument),
                 void *argument)
{
    (void)ret_thread;
    (void)name;
    (void)run;
    (void)argument;
    return -ENOSYS;
}

void thread_join(struct thread *thread)
{
    (void)thread;
    ASSERT(false);
}

uint32_t thread_core_count(void)
{
    return 1;
}

void process_catch_signals(void)
{
}

unsigned process_wait_signals(int timeout_ms)
{
    (void)timeout_ms;
    return 0;
}

uint32_t process_raise_descriptor_limit(void)
{
    return machine.options.descriptor_count_max;
}

uint64_t process_memory_bytes(void)
{
    return machine.options.memory_bytes;
}

uint64_t process_resident_bytes(void)
{
    return 0;
}

void process_exit(int status)
{
    (void)status;
    assert_failed("the broker gave up, which no simulated world makes it do yet", __FILE__,
                  __LINE__);
}

// --- os/gateway.h, os/systemd.h: there are none in this world ---

void gateways_read(struct gateways *ret_gateways)
{
    ret_gateways->count = 0;
}

bool gateways_have(const struct gateways *gateways, const struct net_address *address)
{
    (void)address;
    return gateways->count > 0;
}

int systemd_take_sockets(int *ret_first)
{
    *ret_first = 0;
    return 0;
}
