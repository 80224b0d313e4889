// SPDX-License-Identifier: MIT
// The machine's state beside its network: options, time, random numbers, and the hash of all that
// happened.
#include "sim/machine_private.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

struct machine machine;

void machine_options_default(struct machine_options *options)
{
    *options = (struct machine_options){
        .socket_bytes_max = 256 * 1024,
        .descriptor_count_max = 1024,
        .memory_bytes = UINT64_C(1) << 30,
    };
}

void machine_start(const struct machine_options *options)
{
    ASSERT(!machine.running && options->descriptor_count_max <= DESCRIPTORS_MAX);
    memset(&machine, 0, sizeof machine);
    machine.options = *options;
    machine.running = true;
    machine.now_ms = MACHINE_START_MS;
    machine.random = options->seed;
    machine.trace_hash = UINT64_C(0xcbf29ce484222325);
}

void machine_stop(void)
{
    for (size_t i = 0; i < DESCRIPTORS_MAX; i++)
        ASSERT(machine.descriptors[i].kind == DESCRIPTOR_FREE);
    while (machine.wires != NULL) {
        machine.wires->far_done = true;
        wire_release(machine.wires);
    }
    machine.running = false;
}

int64_t machine_now_ms(void)
{
    return machine.now_ms;
}

void machine_advance_to(int64_t now_ms)
{
    ASSERT(now_ms >= machine.now_ms);
    machine.now_ms = now_ms;
}

void machine_jump_wall_clock(int64_t by_ms)
{
    machine.wall_offset_ms += by_ms;
}

// splitmix64
uint64_t machine_random(void)
{
    machine.random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = machine.random;
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

uint64_t machine_below(uint64_t end)
{
    return end == 0 ? 0 : machine_random() % end;
}

void machine_calm(void)
{
    machine.options.delay_min_ms = machine.options.delay_max_ms = 0;
    machine.options.segment_bytes_max = 0;
    machine.fail_accept_count = 0;
}

void machine_fail_accepts(int error, uint32_t count)
{
    machine.fail_accept_error = error;
    machine.fail_accept_count = count;
}

uint64_t machine_trace_hash(void)
{
    return machine.trace_hash;
}

static void mix(uint64_t word)
{
    machine.trace_hash = (machine.trace_hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    machine.trace_hash ^= machine.trace_hash >> 29;
}

void machine_trace(uint64_t what, uint64_t who, struct bytes bytes)
{
    mix(what << 32 | who);
    mix((uint64_t)machine.now_ms);
    mix(bytes.size);
    for (; bytes.size >= 8; bytes = bytes_from(bytes, 8)) {
        uint64_t word;
        memcpy(&word, bytes.data, sizeof word);
        mix(word);
    }
    for (size_t i = 0; i < bytes.size; i++)
        mix(bytes.data[i]);
}
