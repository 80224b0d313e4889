// SPDX-License-Identifier: MIT
#include "access/token_bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_burst_is_taken_and_fills_again_at_the_rate(void **state)
{
    (void)state;
    struct token_bucket bucket;
    token_bucket_init(&bucket, 10, 3, 1000);
    for (int i = 0; i < 3; i++)
        assert_true(token_bucket_take(&bucket, 1, 1000));
    assert_false(token_bucket_take(&bucket, 1, 1000));
    assert_false(token_bucket_take(&bucket, 1, 1099));
    assert_true(token_bucket_take(&bucket, 1, 1100));
    assert_false(token_bucket_take(&bucket, 4, 1000000)); // more than it holds
    assert_true(token_bucket_take(&bucket, 3, 1000000));
}

static void rate_nought_is_no_limit(void **state)
{
    (void)state;
    struct token_bucket bucket;
    token_bucket_init(&bucket, 0, 0, 0);
    assert_true(token_bucket_take(&bucket, UINT64_MAX, 0));
    assert_int_equal(token_bucket_charge(&bucket, UINT64_MAX, 0), 0);
}

static void debt_is_told_in_milliseconds(void **state)
{
    (void)state;
    struct token_bucket bucket;
    token_bucket_init(&bucket, 1000, 1000, 0);
    assert_int_equal(token_bucket_charge(&bucket, 1000, 0), 0);
    assert_int_equal(token_bucket_charge(&bucket, 500, 0), 500);
    assert_false(token_bucket_take(&bucket, 1, 499));
    assert_true(token_bucket_take(&bucket, 1, 501));
}

static void nothing_overflows(void **state)
{
    (void)state;
    struct token_bucket bucket;
    token_bucket_init(&bucket, UINT64_MAX, UINT64_MAX, 0);
    assert_true(token_bucket_take(&bucket, UINT64_MAX, 0));
    for (int i = 0; i < 3; i++)
        assert_true(token_bucket_charge(&bucket, UINT64_MAX, 0) >= 0);
    assert_true(token_bucket_take(&bucket, UINT64_MAX, INT64_MAX));
    token_bucket_init(&bucket, 1, 1, INT64_MAX);
    assert_true(token_bucket_take(&bucket, 1, 0)); // a clock that went back fills nothing
    assert_false(token_bucket_take(&bucket, 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_taken_and_fills_again_at_the_rate),
        cmocka_unit_test(rate_nought_is_no_limit),
        cmocka_unit_test(debt_is_told_in_milliseconds),
        cmocka_unit_test(nothing_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
