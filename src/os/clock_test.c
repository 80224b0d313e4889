// SPDX-License-Identifier: MIT
#include "os/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t before_ms = clock_monotonic_ms();
    assert_true(before_ms >= 0);
    for (int reading = 0; reading < 10000; reading++) {
        int64_t now_ms = clock_monotonic_ms();
        assert_true(now_ms >= before_ms);
        before_ms = now_ms;
    }
}

static void the_wall_clock_counts_from_1970(void **state)
{
    (void)state;
    const int64_t year_ms = INT64_C(365) * 24 * 3600 * 1000;
    assert_true(clock_wall_ms() > 50 * year_ms);
    assert_true(clock_wall_ms() < 1000 * year_ms);
}

static void work_costs_cpu_time(void **state)
{
    (void)state;
    int64_t before_us = clock_cpu_us();
    assert_true(before_us >= 0);
    volatile unsigned sink = 0;
    while (clock_cpu_us() == before_us) { // ends as soon as the clock counts at all
        sink = sink + 1;
    }
    assert_true(clock_cpu_us() > before_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(the_wall_clock_counts_from_1970),
        cmocka_unit_test(work_costs_cpu_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
