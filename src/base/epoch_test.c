// SPDX-License-Identifier: MIT
#include "base/epoch.h"

#include "base/lock.h"
#include "base/memory.h"
#include "base/test_aborts.h"
#include "base/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>

struct item {
    struct retired retired; // first, so that one is the other
    bool released;
    int order;
};

static int release_count;

static void mark_released(struct retired *retired)
{
    struct item *item = (struct item *)retired;
    assert_false(item->released);
    item->released = true;
    item->order = release_count++;
}

static struct epoch epoch;

static void start(uint32_t worker_count)
{
    release_count = 0;
    epoch_init(&epoch, worker_count);
    for (uint32_t worker = 0; worker < worker_count; worker++) {
        epoch_online(&epoch, worker);
    }
}

static void stop(void)
{
    for (uint32_t worker = 0; worker < epoch.worker_count; worker++) {
        epoch_offline(&epoch, worker);
    }
    epoch_drain(&epoch);
}

static void an_item_waits_for_every_worker(void **state)
{
    (void)state;
    struct item item = {.released = false};
    start(3);
    epoch_retire(&epoch, 0, &item.retired, mark_released);
    assert_int_equal(epoch_quiescent(&epoch, 0), 1);
    assert_int_equal(epoch_quiescent(&epoch, 1), 0); // it has none of its own
    assert_int_equal(epoch_quiescent(&epoch, 0), 1);
    assert_int_equal(epoch_quiescent(&epoch, 0), 1);
    assert_false(item.released);
    epoch_quiescent(&epoch, 2);
    assert_false(item.released); // the worker that retired releases, nobody else
    assert_int_equal(epoch_quiescent(&epoch, 0), 0);
    assert_true(item.released);
    stop();
}

static void a_waiting_worker_holds_nothing_up(void **state)
{
    (void)state;
    struct item item = {.released = false};
    start(2);
    epoch_retire(&epoch, 0, &item.retired, mark_released);
    epoch_offline(&epoch, 1);
    assert_int_equal(epoch_quiescent(&epoch, 0), 0);
    assert_true(item.released);
    epoch_online(&epoch, 1);
    stop();
}

static void who_came_later_cannot_see_it(void **state)
{
    (void)state;
    struct item early = {.released = false};
    struct item late = {.released = false};
    start(2);
    epoch_offline(&epoch, 1);
    epoch_retire(&epoch, 0, &early.retired, mark_released);
    epoch_online(&epoch, 1);
    epoch_retire(&epoch, 0, &late.retired, mark_released);
    assert_int_equal(epoch_quiescent(&epoch, 0), 1);
    assert_true(early.released);
    assert_false(late.released);
    stop();
    assert_true(late.released);
}

static void a_worker_alone_releases_at_its_next_turn(void **state)
{
    (void)state;
    struct item item = {.released = false};
    start(1);
    epoch_retire(&epoch, 0, &item.retired, mark_released);
    assert_false(item.released);
    assert_int_equal(epoch_quiescent(&epoch, 0), 0);
    assert_true(item.released);
    stop();
}

static void items_go_in_the_order_they_came(void **state)
{
    (void)state;
    struct item items[50] = {{.released = false}};
    start(2);
    for (int index = 0; index < 50; index++) {
        epoch_retire(&epoch, 0, &items[index].retired, mark_released);
        if (index == 24) {
            epoch_quiescent(&epoch, 1);
        }
    }
    assert_int_equal(epoch_quiescent(&epoch, 0), 25); // half of them may still be seen
    epoch_quiescent(&epoch, 1);
    assert_int_equal(epoch_quiescent(&epoch, 0), 0);
    for (int index = 0; index < 50; index++) {
        assert_int_equal(items[index].order, index);
    }
    stop();
}

static struct item child;

static void retire_child(struct retired *retired)
{
    mark_released(retired);
    epoch_retire(&epoch, 0, &child.retired, mark_released);
}

static void releasing_may_retire_more(void **state)
{
    (void)state;
    struct item parent = {.released = false};
    child = (struct item){.released = false};
    start(1);
    epoch_retire(&epoch, 0, &parent.retired, retire_child);
    assert_int_equal(epoch_quiescent(&epoch, 0), 1);
    assert_true(parent.released);
    assert_false(child.released);
    assert_int_equal(epoch_quiescent(&epoch, 0), 0);
    assert_true(child.released);
    stop();
}

static void draining_releases_what_releasing_retired(void **state)
{
    (void)state;
    struct item parent = {.released = false};
    child = (struct item){.released = false};
    start(3);
    epoch_retire(&epoch, 2, &parent.retired, retire_child);
    stop();
    assert_true(parent.released);
    assert_true(child.released);
}

static void drain_online(void)
{
    start(1);
    epoch_drain(&epoch);
}

static void quiesce_offline(void)
{
    epoch_init(&epoch, 1);
    epoch_quiescent(&epoch, 0);
}

static void go_online_twice(void)
{
    start(1);
    epoch_online(&epoch, 0);
}

static void use_unknown_worker(void)
{
    epoch_init(&epoch, 1);
    epoch_online(&epoch, 1);
}

static void misuse_aborts(void **state)
{
    (void)state;
    assert_true(test_aborts(drain_online));
    assert_true(test_aborts(quiesce_offline));
    assert_true(test_aborts(go_online_twice));
    assert_true(test_aborts(use_unknown_worker));
}

// Plain memory and a relaxed flag: only the epoch orders the two threads, and the thread sanitizer
// says whether it does.
static int unlinked;
static atomic_bool retired_it;

static void *retire_from_afar(void *argument)
{
    struct item *item = argument;
    unlinked = 1;
    epoch_retire(&epoch, 1, &item->retired, mark_released);
    atomic_store_explicit(&retired_it, true, memory_order_relaxed);
    return NULL;
}

static void who_announces_sees_the_unlinking(void **state)
{
    (void)state;
    pthread_t thread;
    struct item item = {.released = false};
    start(2);
    assert_int_equal(pthread_create(&thread, NULL, retire_from_afar, &item), 0);
    while (!atomic_load_explicit(&retired_it, memory_order_relaxed)) {
        sched_yield();
    }
    epoch_quiescent(&epoch, 0);
    assert_int_equal(unlinked, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(epoch_quiescent(&epoch, 1), 0);
    stop();
}

// A list that all threads read without a lock, while some replace its nodes. A node's `alive` is
// plain memory: the thread sanitizer sees every release that is not ordered after the last reader.
enum { WORKERS = 4, TURNS = 20000, LIST_LENGTH = 8 };

struct node {
    struct retired retired;
    struct node *_Atomic next;
    int alive;
};

static struct {
    struct node *_Atomic first;
    struct lock lock; // of those who write
    atomic_int made, released;
} list;

static struct node *new_node(void)
{
    struct node *node = memory_new(sizeof *node);
    node->alive = 1;
    atomic_fetch_add(&list.made, 1);
    return node;
}

static void release_node(struct retired *retired)
{
    struct node *node = (struct node *)retired;
    node->alive = 0;
    memory_free(node);
    atomic_fetch_add_explicit(&list.released, 1, memory_order_relaxed);
}

static int walk(void)
{
    int length = 0;
    struct node *node = atomic_load_explicit(&list.first, memory_order_acquire);
    while (node != NULL) {
        length += node->alive;
        node = atomic_load_explicit(&node->next, memory_order_acquire);
    }
    return length;
}

// A fresh node takes the place of the one at `index`.
static void replace_node(uint32_t worker, uint64_t index)
{
    lock_take(&list.lock);
    struct node *_Atomic *link = &list.first;
    struct node *old = atomic_load_explicit(link, memory_order_relaxed);
    for (; index > 0; index--) {
        link = &old->next;
        old = atomic_load_explicit(link, memory_order_relaxed);
    }
    struct node *fresh = new_node();
    struct node *next = atomic_load_explicit(&old->next, memory_order_relaxed);
    atomic_store_explicit(&fresh->next, next, memory_order_relaxed);
    atomic_store_explicit(link, fresh, memory_order_release);
    lock_release(&list.lock);
    epoch_retire(&epoch, worker, &old->retired, release_node);
}

struct stress {
    uint32_t worker;
    int bad_walks;
};

static pthread_barrier_t together; // the turns would be over before the last thread starts

// Even workers write; all read; now and then one is away.
static void *stress_worker(void *argument)
{
    struct stress *stress = argument;
    struct test_random random = {stress->worker};
    pthread_barrier_wait(&together);
    epoch_online(&epoch, stress->worker);
    for (int turn = 0; turn < TURNS; turn++) {
        stress->bad_walks += walk() != LIST_LENGTH;
        if (stress->worker % 2 == 0) {
            replace_node(stress->worker, test_random_below(&random, LIST_LENGTH));
        }
        epoch_quiescent(&epoch, stress->worker);
        if (test_random_below(&random, 8) == 0) {
            epoch_offline(&epoch, stress->worker);
            epoch_online(&epoch, stress->worker);
        }
    }
    epoch_offline(&epoch, stress->worker);
    return NULL;
}

static void run_workers(void)
{
    pthread_t threads[WORKERS];
    struct stress stress[WORKERS];
    assert_int_equal(pthread_barrier_init(&together, NULL, WORKERS), 0);
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        stress[worker] = (struct stress){.worker = worker};
        int error = pthread_create(&threads[worker], NULL, stress_worker, &stress[worker]);
        assert_int_equal(error, 0);
    }
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        assert_int_equal(pthread_join(threads[worker], NULL), 0);
        assert_int_equal(stress[worker].bad_walks, 0);
    }
    assert_int_equal(pthread_barrier_destroy(&together), 0);
}

static void readers_never_meet_a_released_node(void **state)
{
    (void)state;
    epoch_init(&epoch, WORKERS);
    lock_init(&list.lock);
    for (int index = 0; index < LIST_LENGTH; index++) {
        struct node *node = new_node();
        atomic_store(&node->next, atomic_load(&list.first));
        atomic_store(&list.first, node);
    }
    run_workers();
    epoch_drain(&epoch);
    assert_int_equal(atomic_load(&list.released), atomic_load(&list.made) - LIST_LENGTH);
    for (struct node *node = atomic_load(&list.first); node != NULL;) {
        struct node *next = atomic_load(&node->next);
        memory_free(node);
        node = next;
    }
    lock_done(&list.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_waits_for_every_worker),
        cmocka_unit_test(a_waiting_worker_holds_nothing_up),
        cmocka_unit_test(who_came_later_cannot_see_it),
        cmocka_unit_test(a_worker_alone_releases_at_its_next_turn),
        cmocka_unit_test(items_go_in_the_order_they_came),
        cmocka_unit_test(releasing_may_retire_more),
        cmocka_unit_test(draining_releases_what_releasing_retired),
        cmocka_unit_test(misuse_aborts),
        cmocka_unit_test(who_announces_sees_the_unlinking),
        cmocka_unit_test(readers_never_meet_a_released_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
