// SPDX-License-Identifier: MIT
#include "base/lock.h"

#include "base/test_aborts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct shared {
    struct lock lock;
    int count;
};

static void *count_up(void *argument)
{
    struct shared *shared = argument;
    for (int turn = 0; turn < 10000; turn++) {
        lock_take(&shared->lock);
        shared->count++;
        lock_release(&shared->lock);
    }
    return NULL;
}

static void only_one_holds_it(void **state)
{
    (void)state;
    struct shared shared = {.count = 0};
    lock_init(&shared.lock);
    pthread_t threads[4];
    for (int index = 0; index < 4; index++) {
        assert_int_equal(pthread_create(&threads[index], NULL, count_up, &shared), 0);
    }
    for (int index = 0; index < 4; index++) {
        assert_int_equal(pthread_join(threads[index], NULL), 0);
    }
    assert_int_equal(shared.count, 40000);
    lock_done(&shared.lock);
}

static void take_twice(void)
{
    struct lock lock;
    lock_init(&lock);
    lock_take(&lock);
    lock_take(&lock);
}

static void release_untaken(void)
{
    struct lock lock;
    lock_init(&lock);
    lock_release(&lock);
}

static void misuse_aborts(void **state)
{
    (void)state;
    assert_true(test_aborts(take_twice));
    assert_true(test_aborts(release_untaken));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_holds_it),
        cmocka_unit_test(misuse_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
