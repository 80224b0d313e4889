// SPDX-License-Identifier: MIT
#include "os/loop.h"

#include "base/memory.h"
#include "os/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static int ends[2]; // of a connection
static struct loop_event events[8];

static int set_up(void **state)
{
    (void)state;
    int type = SOCK_STREAM | SOCK_NONBLOCK;
    return loop_new(&loop) == 0 && socketpair(AF_UNIX, type, 0, ends) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    net_close(ends[0]);
    if (ends[1] >= 0) {
        net_close(ends[1]);
    }
    return 0;
}

static int wait_now(void)
{
    return loop_wait(loop, 0, events, 8);
}

static void assert_event(int index, void *owner, unsigned expected)
{
    assert_ptr_equal(events[index].owner, owner);
    assert_int_equal(events[index].events, expected);
}

static void nothing_watched_nothing_happens(void **state)
{
    (void)state;
    assert_int_equal(wait_now(), 0);
    assert_int_equal(loop_wait(loop, 1, events, 8), 0);
}

static void bytes_are_told_until_they_are_read(void **state)
{
    (void)state;
    char byte;
    assert_int_equal(loop_watch(loop, ends[0], LOOP_READ, &ends), 0);
    assert_int_equal(wait_now(), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(loop_wait(loop, -1, events, 8), 1);
        assert_event(0, &ends, LOOP_READ);
    }
    assert_int_equal(net_read(ends[0], &byte, 1), 1);
    assert_int_equal(wait_now(), 0);
}

static void what_is_watched_can_be_changed(void **state)
{
    (void)state;
    int other_owner;
    assert_int_equal(loop_watch(loop, ends[0], LOOP_READ | LOOP_WRITE, &ends), 0);
    assert_int_equal(wait_now(), 1);
    assert_event(0, &ends, LOOP_WRITE);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(wait_now(), 1);
    assert_event(0, &ends, LOOP_READ | LOOP_WRITE);
    assert_int_equal(loop_change(loop, ends[0], LOOP_READ, &other_owner), 0);
    assert_int_equal(wait_now(), 1);
    assert_event(0, &other_owner, LOOP_READ);
    assert_int_equal(loop_change(loop, ends[0], 0, &other_owner), 0);
    assert_int_equal(wait_now(), 0);
    loop_unwatch(loop, ends[0]);
    assert_int_equal(wait_now(), 0);
}

static void a_hang_up_is_told_without_asking(void **state)
{
    (void)state;
    assert_int_equal(loop_watch(loop, ends[0], 0, &ends), 0);
    assert_int_equal(wait_now(), 0);
    net_close(ends[1]);
    ends[1] = -1;
    assert_int_equal(loop_wait(loop, -1, events, 8), 1);
    assert_event(0, &ends, LOOP_HANGUP);
}

static void the_end_of_one_direction_is_no_hang_up(void **state)
{
    (void)state;
    char byte;
    assert_int_equal(loop_watch(loop, ends[0], LOOP_READ, &ends), 0);
    net_shutdown_write(ends[1]);
    assert_int_equal(loop_wait(loop, -1, events, 8), 1);
    assert_event(0, &ends, LOOP_READ);
    assert_int_equal(net_read(ends[0], &byte, 1), 0);
}

static void wrong_watching_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(loop_change(loop, ends[0], LOOP_READ, &ends), -ENOENT);
    assert_int_equal(loop_watch(loop, ends[0], LOOP_READ, &ends), 0);
    assert_int_equal(loop_watch(loop, ends[0], LOOP_READ, &ends), -EEXIST);
    assert_int_equal(loop_watch(loop, -1, LOOP_READ, &ends), -EBADF);
}

static void more_events_than_room_come_later(void **state)
{
    (void)state;
    assert_int_equal(loop_watch(loop, ends[0], LOOP_WRITE, &ends[0]), 0);
    assert_int_equal(loop_watch(loop, ends[1], LOOP_WRITE, &ends[1]), 0);
    assert_int_equal(loop_wait(loop, -1, events, 1), 1);
    void *first = events[0].owner;
    assert_int_equal(loop_wait(loop, -1, events, 1), 1);
    assert_ptr_not_equal(events[0].owner, first);
}

static void a_wake_ends_one_wait(void **state)
{
    (void)state;
    for (int turn = 0; turn < 3; turn++) {
        loop_wake(loop);
        loop_wake(loop);
        loop_wake(loop);
        assert_int_equal(loop_wait(loop, -1, events, 8), 0); // returns at all
    }
    // And is no event among others.
    assert_int_equal(loop_watch(loop, ends[0], LOOP_WRITE, &ends), 0);
    loop_wake(loop);
    assert_int_equal(loop_wait(loop, -1, events, 8), 1);
    assert_event(0, &ends, LOOP_WRITE);
}

// Each producer posts an item, wakes, and posts the next only when that one was taken: a single
// lost wake stops everything. The counters are relaxed, so only the wake orders them.
enum { PRODUCERS = 3, ITEMS = 2000 };

static atomic_int posted, taken;

static void *produce(void *argument)
{
    (void)argument;
    for (int item = 0; item < ITEMS; item++) {
        int ticket = atomic_fetch_add_explicit(&posted, 1, memory_order_relaxed) + 1;
        loop_wake(loop);
        while (atomic_load_explicit(&taken, memory_order_relaxed) < ticket) {
            sched_yield();
        }
    }
    return NULL;
}

static void no_wake_is_lost(void **state)
{
    (void)state;
    alarm(100); // a lost wake would wait for ever
    pthread_t threads[PRODUCERS];
    atomic_store(&posted, 0);
    atomic_store(&taken, 0);
    for (int index = 0; index < PRODUCERS; index++) {
        assert_int_equal(pthread_create(&threads[index], NULL, produce, NULL), 0);
    }
    int count = 0;
    while (count < PRODUCERS * ITEMS) {
        assert_int_equal(loop_wait(loop, -1, events, 8), 0);
        count = atomic_load_explicit(&posted, memory_order_relaxed);
        atomic_store_explicit(&taken, count, memory_order_relaxed);
    }
    for (int index = 0; index < PRODUCERS; index++) {
        assert_int_equal(pthread_join(threads[index], NULL), 0);
    }
    alarm(0);
}

// Plain memory this time: the sanitizer says whether the wake carries it over.
static int parcel;

static void *hand_over(void *argument)
{
    (void)argument;
    parcel = 42;
    loop_wake(loop);
    return NULL;
}

static void a_wake_carries_what_was_written_before_it(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hand_over, NULL), 0);
    assert_int_equal(loop_wait(loop, -1, events, 8), 0);
    assert_int_equal(parcel, 42);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static atomic_bool handed_over;

static void *hand_over_and_say_so(void *argument)
{
    hand_over(argument);
    atomic_store_explicit(&handed_over, true, memory_order_relaxed);
    return NULL;
}

// This wake finds the loop already woken and writes nothing: its order is the flag's alone.
static void a_second_wake_carries_it_as_well(void **state)
{
    (void)state;
    pthread_t thread;
    atomic_store(&handed_over, false);
    loop_wake(loop);
    assert_int_equal(pthread_create(&thread, NULL, hand_over_and_say_so, NULL), 0);
    while (!atomic_load_explicit(&handed_over, memory_order_relaxed)) {
        sched_yield();
    }
    assert_int_equal(loop_wait(loop, -1, events, 8), 0);
    assert_int_equal(parcel, 42);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void an_exclusive_listener_stays_so(void **state)
{
    (void)state;
    int listener = net_listen("127.0.0.1", 0, 8);
    assert_true(listener >= 0);
    struct loop *other;
    assert_int_equal(loop_new(&other), 0);
    unsigned how = LOOP_READ | LOOP_EXCLUSIVE;
    assert_int_equal(loop_watch(loop, listener, how, &listener), 0);
    assert_int_equal(loop_watch(other, listener, how, &listener), 0);
    assert_int_equal(loop_change(loop, listener, LOOP_READ, &listener), -EINVAL);
    struct net_address address;
    assert_int_equal(net_local_address(listener, &address), 0);
    int client = net_connect("127.0.0.1", address.port, 5000);
    assert_true(client >= 0);
    int told = wait_now();
    told += loop_wait(other, 0, events, 8);
    assert_true(told >= 1); // nobody hears of it only if it is lost
    net_close(client);
    loop_free(other);
    net_close(listener);
}

static void without_memory_there_is_no_loop(void **state)
{
    (void)state;
    struct loop *none = NULL;
    memory_fail(1, 1);
    assert_int_equal(loop_new(&none), -ENOMEM);
    memory_fail(0, 0);
    assert_null(none);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(nothing_watched_nothing_happens),
        WITH_LOOP(bytes_are_told_until_they_are_read),
        WITH_LOOP(what_is_watched_can_be_changed),
        WITH_LOOP(a_hang_up_is_told_without_asking),
        WITH_LOOP(the_end_of_one_direction_is_no_hang_up),
        WITH_LOOP(wrong_watching_is_an_error),
        WITH_LOOP(more_events_than_room_come_later),
        WITH_LOOP(a_wake_ends_one_wait),
        WITH_LOOP(no_wake_is_lost),
        WITH_LOOP(a_wake_carries_what_was_written_before_it),
        WITH_LOOP(a_second_wake_carries_it_as_well),
        WITH_LOOP(an_exclusive_listener_stays_so),
        WITH_LOOP(without_memory_there_is_no_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
