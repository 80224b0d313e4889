// SPDX-License-Identifier: MIT
#include "os/process.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void nothing_came(void **state)
{
    (void)state;
    assert_int_equal(process_wait_signals(0), 0);
    assert_int_equal(process_wait_signals(1), 0);
}

static void each_signal_has_its_flag(void **state)
{
    (void)state;
    static const struct {
        int number;
        unsigned flag;
    } signals[] = {
        {SIGTERM, SIGNAL_STOP},
        {SIGINT, SIGNAL_STOP},
        {SIGHUP, SIGNAL_RELOAD},
        {SIGUSR1, SIGNAL_DUMP},
    };
    for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) {
        assert_int_equal(kill(getpid(), signals[index].number), 0);
        assert_int_equal(process_wait_signals(-1), signals[index].flag);
        assert_int_equal(process_wait_signals(0), 0);
    }
}

static void signals_that_came_together_are_told_together(void **state)
{
    (void)state;
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(process_wait_signals(-1), SIGNAL_STOP | SIGNAL_RELOAD | SIGNAL_DUMP);
    assert_int_equal(process_wait_signals(0), 0);
}

static atomic_bool finished;

static void *be_elsewhere(void *argument)
{
    (void)argument;
    while (!atomic_load(&finished)) {
    }
    return NULL;
}

static void other_threads_are_not_disturbed(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, be_elsewhere, NULL), 0);
    for (int turn = 0; turn < 20; turn++) {
        assert_int_equal(kill(getpid(), SIGTERM), 0);
        assert_int_equal(process_wait_signals(-1), SIGNAL_STOP);
    }
    atomic_store(&finished, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_broken_pipe_is_an_error_and_no_end(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(close(ends[1]), 0);
}

static void descriptors_go_up_to_the_hard_limit(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit low = {.rlim_cur = 64, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    uint32_t raised = process_raise_descriptor_limit();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &low), 0);
    assert_true(low.rlim_cur == limit.rlim_max);
    assert_true(raised == low.rlim_cur || raised == UINT32_MAX);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void memory_is_known(void **state)
{
    (void)state;
    uint64_t before = process_resident_bytes();
    assert_true(before > 0);
    assert_true(process_memory_bytes() > before);
    const size_t size = 64u << 20;
    volatile char *large = memory_new(size);
    memset((void *)(uintptr_t)large, 1, size);
    assert_true(process_resident_bytes() > before + size / 2);
    memory_free((void *)(uintptr_t)large);
}

int main(void)
{
    process_catch_signals();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_came),
        cmocka_unit_test(each_signal_has_its_flag),
        cmocka_unit_test(signals_that_came_together_are_told_together),
        cmocka_unit_test(other_threads_are_not_disturbed),
        cmocka_unit_test(a_broken_pipe_is_an_error_and_no_end),
        cmocka_unit_test(descriptors_go_up_to_the_hard_limit),
        cmocka_unit_test(memory_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
