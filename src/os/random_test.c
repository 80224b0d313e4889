// SPDX-License-Identifier: MIT
#include "os/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void no_bytes_are_no_bytes(void **state)
{
    (void)state;
    uint8_t byte = 0x5a;
    random_bytes(&byte, 0);
    assert_int_equal(byte, 0x5a);
}

static void two_draws_differ(void **state)
{
    (void)state;
    uint8_t first[32], second[32];
    random_bytes(first, sizeof first);
    random_bytes(second, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
}

// More than the kernel gives at once for certain; every 16 bytes of it are filled.
static void a_large_draw_is_filled_to_the_end(void **state)
{
    (void)state;
    static uint8_t large[100001];
    static const uint8_t zeroes[16];
    random_bytes(large, sizeof large - 1);
    for (size_t index = 0; index + 16 < sizeof large; index += 16) {
        assert_memory_not_equal(large + index, zeroes, 16);
    }
    assert_int_equal(large[sizeof large - 1], 0); // and nothing behind it
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bytes_are_no_bytes),
        cmocka_unit_test(two_draws_differ),
        cmocka_unit_test(a_large_draw_is_filled_to_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
