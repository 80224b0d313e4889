// SPDX-License-Identifier: MIT
// Counts against an array that is as naive as can be.
#include "store/row_counts.h"

#include "base/test_random.h"

#include <stdbool.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ROWS 5000

static void counts_are_kept(void **state)
{
    static uint32_t naive[ROWS];
    struct test_random random = {4};
    struct row_counts counts = {0};
    (void)state;
    assert_int_equal(row_counts_get(&counts, 7), 0);
    for (unsigned i = 0; i < 400000; i++) {
        // First it mostly grows, then it mostly shrinks.
        bool adds = test_random_below(&random, 10) < (i < 200000 ? 6u : 4u);
        uint64_t row = test_random_below(&random, ROWS);
        if (adds)
            assert_int_equal(row_counts_add(&counts, row), ++naive[row]);
        else if (naive[row] > 0)
            assert_int_equal(row_counts_take(&counts, row), --naive[row]);
    }
    for (uint64_t row = 0; row < ROWS; row++)
        assert_int_equal(row_counts_get(&counts, row), naive[row]);
    for (uint64_t row = 0; row < ROWS; row++)
        while (naive[row]-- > 0)
            (void)row_counts_take(&counts, row);
    assert_int_equal(counts.count, 0);
    row_counts_done(&counts);
}

static void far_rows_do_not_disturb_each_other(void **state)
{
    struct row_counts counts = {0};
    (void)state;
    for (uint64_t i = 1; i < 1000; i++)
        (void)row_counts_add(&counts, i * 0x100000000u);
    for (uint64_t i = 1; i < 1000; i++) {
        assert_int_equal(row_counts_get(&counts, i * 0x100000000u), 1);
        assert_int_equal(row_counts_get(&counts, i * 0x100000000u + 1), 0);
    }
    row_counts_done(&counts);
}

static void neighbours_are_cheap(void **state)
{
    struct row_counts counts = {0};
    (void)state;
    for (uint64_t row = 1; row <= 1000000; row++)
        (void)row_counts_add(&counts, row);
    assert_true(counts.capacity * sizeof(struct row_block) <= 1000000 * 10);
    row_counts_done(&counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_kept),
        cmocka_unit_test(far_rows_do_not_disturb_each_other),
        cmocka_unit_test(neighbours_are_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
