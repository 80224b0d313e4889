// SPDX-License-Identifier: MIT
// The budget: never more than its limit is taken, whoever takes, and all of it comes back.
#include "core/budget.h"

#include "base/test_aborts.h"

#include <pthread.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void takes_up_to_the_limit_and_no_byte_more(void **state)
{
    (void)state;
    struct budget budget = {.limit = 100};
    assert_true(budget_take(&budget, 60));
    assert_false(budget_take(&budget, 41));
    assert_int_equal(budget_used(&budget), 60);
    assert_true(budget_take(&budget, 40));
    assert_false(budget_take(&budget, 1));
    assert_true(budget_take(&budget, 0));
    assert_int_equal(budget_used(&budget), 100);
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    (void)state;
    struct budget budget = {.limit = 10};
    for (int i = 0; i < 3; i++) {
        assert_true(budget_take(&budget, 10));
        assert_false(budget_take(&budget, 1));
        budget_give(&budget, 10);
        assert_int_equal(budget_used(&budget), 0);
    }
}

static void what_is_there_already_is_counted_beyond_the_limit(void **state)
{
    (void)state;
    struct budget budget = {.limit = 10};
    budget_take_anyway(&budget, 25);
    assert_int_equal(budget_used(&budget), 25);
    assert_false(budget_take(&budget, 1));
    budget_give(&budget, 20);
    assert_true(budget_take(&budget, 5));
    budget_give(&budget, 10);
    assert_int_equal(budget_used(&budget), 0);
}

static void the_reserve_is_beyond_the_limit_and_ends(void **state)
{
    (void)state;
    struct budget budget = {.limit = 10};
    assert_true(budget_take(&budget, 10));
    assert_true(budget_take_reserve(&budget, BUDGET_RESERVE));
    assert_false(budget_take_reserve(&budget, 1));
    assert_false(budget_take(&budget, 1));
    budget_give(&budget, BUDGET_RESERVE + 10);
    struct budget unlimited = {.limit = INT64_MAX};
    assert_true(budget_take_reserve(&unlimited, 10));
}

static void a_limit_of_nothing_gives_nothing(void **state)
{
    (void)state;
    struct budget budget = {.limit = 0};
    assert_false(budget_take(&budget, 1));
    assert_int_equal(budget_used(&budget), 0);
}

static void give_more_than_was_taken(void)
{
    struct budget budget = {.limit = 10};
    if (budget_take(&budget, 3))
        budget_give(&budget, 4);
}

static void giving_more_than_was_taken_is_our_own_error(void **state)
{
    (void)state;
    assert_true(test_aborts(give_more_than_was_taken));
}

#define TAKES 20000

struct taker {
    struct budget *budget;
    int64_t most;
};

static void *take_and_give(void *argument)
{
    struct taker *taker = argument;
    for (int i = 0; i < TAKES; i++) {
        size_t size = (size_t)(i % 40) + 1;
        if (!budget_take(taker->budget, size))
            continue;
        int64_t used = budget_used(taker->budget);
        taker->most = used > taker->most ? used : taker->most;
        budget_give(taker->budget, size);
    }
    return NULL;
}

static void threads_leave_nothing_behind(void **state)
{
    (void)state;
    struct budget budget = {.limit = 100};
    struct taker takers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        takers[i] = (struct taker){.budget = &budget};
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &takers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        // What is refused is visible for a moment: at most one refusal of each other thread.
        assert_in_range(takers[i].most, 1, 100 + 3 * 40);
    }
    assert_int_equal(budget_used(&budget), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_up_to_the_limit_and_no_byte_more),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(what_is_there_already_is_counted_beyond_the_limit),
        cmocka_unit_test(the_reserve_is_beyond_the_limit_and_ends),
        cmocka_unit_test(a_limit_of_nothing_gives_nothing),
        cmocka_unit_test(giving_more_than_was_taken_is_our_own_error),
        cmocka_unit_test(threads_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
