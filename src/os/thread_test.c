// SPDX-License-Identifier: MIT
#include "os/thread.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>

static void note_name(void *argument)
{
    assert_int_equal(pthread_getname_np(pthread_self(), argument, 16), 0);
}

static void a_thread_runs_under_its_name(void **state)
{
    (void)state;
    struct thread *thread = NULL;
    char name[16] = "";
    assert_int_equal(thread_start(&thread, "worker 1", note_name, name), 0);
    thread_join(thread);
    assert_string_equal(name, "worker 1");
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    struct thread *thread = NULL;
    char name[16] = "";
    int error = thread_start(&thread, "a name beyond what kernels keep", note_name, name);
    assert_int_equal(error, 0);
    thread_join(thread);
    assert_string_equal(name, "a name beyond w");
}

static void without_memory_no_thread_starts(void **state)
{
    (void)state;
    struct thread *thread = NULL;
    memory_fail(1, 1);
    assert_int_equal(thread_start(&thread, "none", note_name, NULL), -ENOMEM);
    memory_fail(0, 0);
    assert_null(thread);
}

static void affinity_bounds_the_cores(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_true(thread_core_count() >= 1);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    size_t core = 0;
    while (!CPU_ISSET(core, &before)) {
        core++;
    }
    CPU_SET(core, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(thread_core_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_runs_under_its_name),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(without_memory_no_thread_starts),
        cmocka_unit_test(affinity_bounds_the_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
