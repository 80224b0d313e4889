// SPDX-License-Identifier: MIT
#include "access/rate.h"

#include "base/memory.h"
#include "os/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct rate_limits limits = {
    .publish_rate = 10, .publish_burst = 20, .byte_rate = 1000};

static struct rate_table *make(void)
{
    return rate_table_new(&limits, 2, (struct hash_key){1, 2});
}

static void a_burst_is_free_and_the_rest_waits(void **state)
{
    (void)state;
    struct rate_table *table = make();
    struct rate *rate = rate_try_take(table, BYTES_OF("anna"), 0);
    assert_int_equal(rate_charge(rate, 20, 0, 0), 0);
    assert_int_equal(rate_charge(rate, 1, 0, 0), 100);
    assert_int_equal(rate_charge(rate, 1, 0, 0), 200);
    assert_int_equal(rate_charge(rate, 0, 1000, 0), 200);
    assert_int_equal(rate_charge(rate, 0, 1000, 0), 1000);
    assert_int_equal(rate_charge(rate, 0, 0, 1000), 0);
    rate_give(table, rate);
    rate_table_free(table);
}

static void all_of_one_name_share_it_and_others_do_not(void **state)
{
    (void)state;
    struct rate_table *table = make();
    struct rate *one = rate_try_take(table, BYTES_OF("anna"), 0);
    struct rate *other = rate_try_take(table, BYTES_OF("anna"), 0);
    struct rate *stranger = rate_try_take(table, BYTES_OF("berit"), 0);
    assert_int_equal(rate_charge(one, 30, 0, 0), 1000);
    assert_int_equal(rate_charge(other, 0, 0, 0), 1000);
    assert_int_equal(rate_charge(stranger, 20, 0, 0), 0);
    rate_give(table, one);
    rate_give(table, other);
    rate_give(table, stranger);
    rate_table_free(table);
}

static void coming_back_pays_no_debt(void **state)
{
    (void)state;
    struct rate_table *table = make();
    struct rate *rate = rate_try_take(table, BYTES_OF("anna"), 0);
    rate_charge(rate, 120, 0, 0);
    rate_give(table, rate);
    rate = rate_try_take(table, BYTES_OF("anna"), 1000);
    assert_int_equal(rate_charge(rate, 0, 0, 1000), 9000);
    rate_give(table, rate);
    rate_table_free(table);
}

static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    struct rate_table *table = make();
    for (uint8_t i = 0; i < 10; i++) {
        struct rate *rate = rate_try_take(table, bytes_make(&i, 1), 0);
        rate_charge(rate, 120, 0, 0);
        rate_give(table, rate);
    }
    for (uint8_t i = 10; i > 0; i--) { // the last two are still known
        uint8_t name = (uint8_t)(i - 1);
        struct rate *rate = rate_try_take(table, bytes_make(&name, 1), 0);
        assert_int_equal(rate_charge(rate, 0, 0, 0), name >= 8 ? 10000 : 0);
        rate_give(table, rate);
    }
    rate_table_free(table);
}

static void new_limits_hold_for_those_who_are_there(void **state)
{
    (void)state;
    struct rate_table *table = make();
    struct rate *rate = rate_try_take(table, BYTES_OF("anna"), 0);
    struct rate_limits none = {0};
    rate_charge(rate, 1000, 0, 0);
    rate_table_set_limits(table, &limits, 0); // the same: nothing is forgiven
    assert_true(rate_charge(rate, 0, 0, 0) > 0);
    rate_table_set_limits(table, &none, 0);
    assert_int_equal(rate_charge(rate, UINT64_MAX, UINT64_MAX, 0), 0);
    rate_give(table, rate);
    rate_table_free(table);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    struct rate_table *table = make();
    for (uint64_t nth = 1; nth <= 2; nth++) {
        memory_fail(nth, 1);
        assert_null(rate_try_take(table, BYTES_OF("anna"), 0));
        memory_fail(0, 0);
    }
    rate_give(table, NULL);
    rate_table_free(table);
}

static void use_it(void *argument)
{
    struct rate_table *table = argument;
    for (uint8_t i = 0; i < 200; i++) {
        uint8_t name = i % 5;
        struct rate *rate = rate_try_take(table, bytes_make(&name, 1), 0);
        rate_charge(rate, 1, 1, 0);
        rate_give(table, rate);
    }
}

static void threads_share_it(void **state)
{
    (void)state;
    struct rate_table *table = make();
    struct thread *threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(thread_start(&threads[i], "rate", use_it, table), 0);
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);
    rate_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_free_and_the_rest_waits),
        cmocka_unit_test(all_of_one_name_share_it_and_others_do_not),
        cmocka_unit_test(coming_back_pays_no_debt),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(new_limits_hold_for_those_who_are_there),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
