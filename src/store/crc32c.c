// SPDX-License-Identifier: MIT
#include "store/crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u // bits in reverse

static uint32_t tables[8][256]; // [n]: of a byte with n zero bytes behind it

__attribute__((constructor)) static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        tables[0][i] = crc;
    }
    for (int n = 1; n < 8; n++)
        for (uint32_t i = 0; i < 256; i++)
            tables[n][i] = (tables[n - 1][i] >> 8) ^ tables[0][tables[n - 1][i] & 0xff];
}

static uint32_t eight_bytes(uint32_t crc, const uint8_t *at)
{
    return tables[7][(crc ^ at[0]) & 0xff] ^ tables[6][((crc >> 8) ^ at[1]) & 0xff] ^
           tables[5][((crc >> 16) ^ at[2]) & 0xff] ^ tables[4][((crc >> 24) ^ at[3]) & 0xff] ^
           tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]];
}

uint32_t crc32c_by_table(uint32_t crc, struct bytes bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    crc = ~crc;
    for (; left >= 8; left -= 8, at += 8)
        crc = eight_bytes(crc, at);
    for (; left > 0; left--, at++)
        crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xff];
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
