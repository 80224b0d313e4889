// SPDX-License-Identifier: MIT
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

// Computed with OpenSSL's SIPHASH (c-rounds 1, d-rounds 3) for the key 00 01 .. 0f and the
// messages 00 01 .. n-1. Our seed is the first eight bytes of the message.
static const struct {
    size_t message_size;
    uint64_t hash;
} vectors[] = {
    {8, 0x369095118d299a8e},  {9, 0x25a48eb36c063de4},  {10, 0x79de85ee92ff097f},
    {11, 0x70c118c1f94dc352}, {12, 0x78a384b157b4d9a2}, {13, 0x306f760c1229ffa7},
    {14, 0x605aa111c0f95d34}, {15, 0xd320d86d2a519956}, {16, 0xcc4fdd1a7d908b66},
    {23, 0x525a0e7fdae6c123}, {63, 0x9d199062b7bbb3a8},
};
static const struct hash_key vector_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
static const uint64_t vector_seed = 0x0706050403020100;

static void it_is_siphash_1_3(void **state)
{
    (void)state;
    uint8_t message[64];
    for (uint8_t index = 0; index < sizeof message; index++) {
        message[index] = index;
    }
    for (size_t index = 0; index < sizeof vectors / sizeof *vectors; index++) {
        struct bytes bytes = bytes_make(message + 8, vectors[index].message_size - 8);
        assert_true(hash_bytes(vector_key, vector_seed, bytes) == vectors[index].hash);
    }
}

static void every_bit_of_the_bytes_matters(void **state)
{
    (void)state;
    uint8_t message[40] = {0};
    for (size_t size = 1; size <= sizeof message; size++) {
        uint64_t plain = hash_bytes(vector_key, 0, bytes_make(message, size));
        for (size_t bit = 0; bit < size * 8; bit++) {
            message[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_true(hash_bytes(vector_key, 0, bytes_make(message, size)) != plain);
            message[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

static void every_bit_of_key_and_seed_matters(void **state)
{
    (void)state;
    struct bytes bytes = BYTES_OF("budstikke");
    uint64_t plain = hash_bytes(vector_key, 7, bytes);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t flip = (uint64_t)1 << bit;
        struct hash_key other0 = {vector_key.k0 ^ flip, vector_key.k1};
        struct hash_key other1 = {vector_key.k0, vector_key.k1 ^ flip};
        assert_true(hash_bytes(other0, 7, bytes) != plain);
        assert_true(hash_bytes(other1, 7, bytes) != plain);
        assert_true(hash_bytes(vector_key, 7 ^ flip, bytes) != plain);
    }
}

static void trailing_zeroes_are_not_the_end(void **state)
{
    (void)state;
    static const uint8_t zeroes[300];
    uint64_t seen[300];
    for (size_t size = 0; size < 300; size++) {
        seen[size] = hash_bytes(vector_key, 0, bytes_make(zeroes, size));
        for (size_t shorter = 0; shorter < size; shorter++) {
            assert_true(seen[shorter] != seen[size]);
        }
    }
}

static void no_bytes_need_no_memory(void **state)
{
    (void)state;
    assert_true(hash_bytes(vector_key, vector_seed, (struct bytes){0}) == vectors[0].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_siphash_1_3),
        cmocka_unit_test(every_bit_of_the_bytes_matters),
        cmocka_unit_test(every_bit_of_key_and_seed_matters),
        cmocka_unit_test(trailing_zeroes_are_not_the_end),
        cmocka_unit_test(no_bytes_need_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
