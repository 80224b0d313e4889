// SPDX-License-Identifier: MIT
#include "base/memory.h"

#include "base/test_aborts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void new_memory_is_zeroed(void **state)
{
    (void)state;
    static const unsigned char zeroes[4096];
    unsigned char *always = memory_new(4096);
    unsigned char *tried = memory_try_new(4096);
    assert_non_null(tried);
    assert_memory_equal(always, zeroes, 4096);
    assert_memory_equal(tried, zeroes, 4096);
    memory_free(always);
    memory_free(tried);
}

static void no_bytes_are_still_a_block(void **state)
{
    (void)state;
    void *always = memory_new(0);
    void *tried = memory_try_new(0);
    assert_non_null(always);
    assert_non_null(tried);
    void *resized = memory_try_resize(tried, 0);
    assert_non_null(resized);
    memory_free(always);
    memory_free(resized);
    memory_free(NULL);
}

static void resizing_keeps_the_contents(void **state)
{
    (void)state;
    char *text = memory_try_resize(NULL, 8);
    assert_non_null(text);
    memcpy(text, "message", 8);
    char *larger = memory_try_resize(text, 100000);
    assert_non_null(larger);
    assert_string_equal(larger, "message");
    memory_free(larger);
}

static void the_chosen_calls_fail(void **state)
{
    (void)state;
    memory_fail(2, 2);
    void *first = memory_try_new(1);
    void *second = memory_try_new(1);
    void *third = memory_try_resize(first, 100);
    void *fourth = memory_try_resize(first, 100);
    assert_non_null(first);
    assert_null(second);
    assert_null(third); // and `first` is still there
    assert_non_null(fourth);
    memory_fail(0, 0);
    memory_free(fourth);
}

static void failing_for_ever_ends_when_told(void **state)
{
    (void)state;
    memory_fail(1, UINT64_MAX);
    for (int call = 0; call < 5; call++) {
        assert_null(memory_try_new(1));
    }
    void *untouched = memory_new(1); // only _try_ calls fail
    memory_fail(0, 0);
    void *again = memory_try_new(1);
    assert_non_null(again);
    memory_free(again);
    memory_free(untouched);
}

static void calls_are_counted(void **state)
{
    (void)state;
    uint64_t before = memory_try_count();
    void *tried = memory_try_new(1);
    tried = memory_try_resize(tried, 2);
    void *not_counted = memory_new(1);
    assert_int_equal(memory_try_count() - before, 2);
    memory_free(tried);
    memory_free(not_counted);
}

static void ask_for_everything(void)
{
    (void)memory_new(SIZE_MAX);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    char *kept = memory_try_new(8);
    assert_non_null(kept);
    assert_null(memory_try_new(SIZE_MAX));
    assert_null(memory_try_resize(kept, SIZE_MAX));
    assert_int_equal(kept[7], 0);
    memory_free(kept);
}

static void no_memory_for_new_aborts(void **state)
{
    (void)state;
    assert_true(test_aborts(ask_for_everything));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zeroed),
        cmocka_unit_test(no_bytes_are_still_a_block),
        cmocka_unit_test(resizing_keeps_the_contents),
        cmocka_unit_test(the_chosen_calls_fail),
        cmocka_unit_test(failing_for_ever_ends_when_told),
        cmocka_unit_test(calls_are_counted),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(no_memory_for_new_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
