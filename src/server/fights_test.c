// SPDX-License-Identifier: MIT
#include "server/fights.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct fight_options options = {
    .takeovers_max = 5, .window_ms = 10000, .hold_ms = 10000};

static struct fights *make(void)
{
    return fights_new(3, (struct hash_key){1, 2});
}

static void take_over_times(struct fights *fights, struct bytes id, int times, int64_t now_ms)
{
    for (int i = 0; i < times; i++)
        assert_int_equal(fights_judge(fights, id, &options, now_ms), FIGHT_NONE);
}

static void the_sixth_in_ten_seconds_is_a_fight(void **state)
{
    (void)state;
    struct fights *fights = make();
    take_over_times(fights, BYTES_OF("x"), 5, 0);
    assert_int_equal(fights_judge(fights, BYTES_OF("x"), &options, 9999), FIGHT_BEGINS);
    assert_int_equal(fights_judge(fights, BYTES_OF("x"), &options, 19998), FIGHT_GOES_ON);
    take_over_times(fights, BYTES_OF("y"), 5, 9999);
    take_over_times(fights, BYTES_OF("x"), 5, 19999);
    assert_int_equal(fights_judge(fights, BYTES_OF("x"), &options, 19999), FIGHT_BEGINS);
    fights_free(fights);
}

static void slower_than_that_is_none(void **state)
{
    (void)state;
    struct fights *fights = make();
    for (int i = 0; i < 50; i++)
        assert_int_equal(fights_judge(fights, BYTES_OF("x"), &options, i * (int64_t)2500),
                         FIGHT_NONE);
    fights_free(fights);
}

static void no_limit_is_no_fight(void **state)
{
    (void)state;
    struct fight_options none = {0};
    struct fights *fights = make();
    for (int i = 0; i < 50; i++)
        assert_int_equal(fights_judge(fights, BYTES_OF("x"), &none, 0), FIGHT_NONE);
    fights_free(fights);
}

static void what_is_remembered_is_bounded(void **state)
{
    (void)state;
    struct fights *fights = make();
    for (uint8_t i = 0; i < 100; i++)
        take_over_times(fights, bytes_make(&i, 1), 5, 0);
    for (uint8_t i = 99; i >= 97; i--)
        assert_int_equal(fights_judge(fights, bytes_make(&i, 1), &options, 0), FIGHT_BEGINS);
    assert_int_equal(fights_judge(fights, bytes_make((uint8_t[]){0}, 1), &options, 0), FIGHT_NONE);
    fights_free(fights);
}

static void without_memory_it_is_let_through(void **state)
{
    (void)state;
    struct fights *fights = make();
    for (uint64_t nth = 1; nth <= 2; nth++) {
        memory_fail(nth, 1);
        assert_int_equal(fights_judge(fights, BYTES_OF("x"), &options, 0), FIGHT_NONE);
        memory_fail(0, 0);
    }
    fights_free(fights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sixth_in_ten_seconds_is_a_fight),
        cmocka_unit_test(slower_than_that_is_none),
        cmocka_unit_test(no_limit_is_no_fight),
        cmocka_unit_test(what_is_remembered_is_bounded),
        cmocka_unit_test(without_memory_it_is_let_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
