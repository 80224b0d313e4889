// SPDX-License-Identifier: MIT
#include "store/crc32c.h"

#include <stdatomic.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u // bits in reverse

static uint32_t table[256];
static _Atomic int table_made; // made twice by two threads, it is the same table

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        table[i] = crc;
    }
    atomic_store_explicit(&table_made, 1, memory_order_release);
}

uint32_t crc32c_by_table(uint32_t crc, struct bytes bytes)
{
    if (atomic_load_explicit(&table_made, memory_order_acquire) == 0)
        make_table();
    crc = ~crc;
    for (size_t i = 0; i < bytes.size; i++)
        crc = (crc >> 8) ^ table[(crc ^ bytes.data[i]) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, struct bytes bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    uint64_t wide = (uint32_t)~crc;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    uint32_t narrow = (uint32_t)wide;
    for (; left > 0; left--, at++)
        narrow = _mm_crc32_u8(narrow, *at);
    return ~narrow;
}

uint32_t crc32c(uint32_t crc, struct bytes bytes)
{
    if (__builtin_cpu_supports("sse4.2"))
        return by_instruction(crc, bytes);
    return crc32c_by_table(crc, bytes);
}

#else

uint32_t crc32c(uint32_t crc, struct bytes bytes)
{
    return crc32c_by_table(crc, bytes);
}

#endif
