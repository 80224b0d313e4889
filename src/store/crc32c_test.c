// SPDX-License-Identifier: MIT
#include "store/crc32c.h"

#include "base/test_random.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void known_answers(void **state)
{
    uint8_t zeros[32] = {0}, ones[32];
    (void)state;
    for (unsigned i = 0; i < sizeof(ones); i++)
        ones[i] = 0xff;
    // RFC 3720, B.4.
    assert_int_equal(crc32c(0, bytes_make(zeros, 32)), 0x8a9136aa);
    assert_int_equal(crc32c(0, bytes_make(ones, 32)), 0x62a8ab43);
    assert_int_equal(crc32c(0, BYTES_OF("123456789")), 0xe3069283);
    assert_int_equal(crc32c(0, bytes_make(NULL, 0)), 0);
}

static void both_ways_agree_however_it_is_cut(void **state)
{
    struct test_random random = {1};
    uint8_t data[300];
    (void)state;
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)test_random_next(&random);
    for (unsigned i = 0; i < 2000; i++) {
        size_t from = test_random_below(&random, 20), size = test_random_below(&random, 280);
        size_t cut = test_random_below(&random, size + 1);
        struct bytes all = bytes_make(data + from, size);
        uint32_t whole = crc32c(0, all);
        assert_int_equal(whole, crc32c_by_table(0, all));
        assert_int_equal(whole, crc32c(crc32c(0, bytes_make(all.data, cut)), bytes_from(all, cut)));
    }
}

static void every_flipped_bit_shows(void **state)
{
    uint8_t data[64] = {1, 2, 3};
    (void)state;
    uint32_t before = crc32c(0, bytes_make(data, sizeof(data)));
    for (unsigned bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(crc32c(0, bytes_make(data, sizeof(data))), before);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(both_ways_agree_however_it_is_cut),
        cmocka_unit_test(every_flipped_bit_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
