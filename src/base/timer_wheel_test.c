// SPDX-License-Identifier: MIT
// The wheel against a model that is as naive as can be: every timer that fires must be the one a
// search through all of them would choose.
#include "base/timer_wheel.h"

#include "base/memory.h"
#include "base/test_aborts.h"
#include "base/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TIMER_COUNT = 60 };

struct modelled {
    struct timer timer; // first, so that one is the other
    bool set;
    bool deferred; // set while timers fired, for a time already reached: not in this advance
    int64_t deadline_ms;
    uint64_t order; // of setting
};

static struct {
    struct timer_wheel *wheel;
    struct test_random random;
    struct modelled timers[TIMER_COUNT];
    int64_t now_ms;
    uint64_t next_order;
    uint32_t fired;
    bool advancing;
} world;

static bool fires_before(const struct modelled *a, const struct modelled *b)
{
    bool same = a->deadline_ms == b->deadline_ms;
    return same ? a->order < b->order : a->deadline_ms < b->deadline_ms;
}

static struct modelled *first_due(bool deferred_too)
{
    struct modelled *first = NULL;
    for (int index = 0; index < TIMER_COUNT; index++) {
        struct modelled *timer = &world.timers[index];
        bool candidate = timer->set && (deferred_too || !timer->deferred);
        if (candidate && (first == NULL || fires_before(timer, first))) {
            first = timer;
        }
    }
    return first;
}

// Distances of every magnitude, with those around the edges of levels, up to the end of time.
static int64_t random_distance(void)
{
    int64_t most = INT64_MAX - world.now_ms;
    uint64_t kind = test_random_below(&world.random, 20);
    if (kind == 0) {
        return most;
    }
    unsigned bits = (unsigned)test_random_below(&world.random, kind < 16 ? 14 : 45);
    int64_t edge = (int64_t)1 << bits;
    int64_t distance = kind == 1 ? edge : (int64_t)test_random_below(&world.random, (uint64_t)edge);
    return distance < most ? distance : most;
}

static struct modelled *random_timer(void)
{
    return &world.timers[test_random_below(&world.random, TIMER_COUNT)];
}

static void set_random_timer(void)
{
    struct modelled *timer = random_timer();
    int64_t deadline_ms = world.now_ms + random_distance();
    if (test_random_below(&world.random, 8) == 0) {
        deadline_ms = world.now_ms - (int64_t)test_random_below(&world.random, 100);
    }
    timer_set(world.wheel, &timer->timer, deadline_ms);
    timer->set = true;
    timer->deadline_ms = deadline_ms;
    timer->order = world.next_order++;
    timer->deferred = world.advancing && deadline_ms <= world.now_ms;
}

static void cancel_random_timer(void)
{
    struct modelled *timer = random_timer();
    timer_cancel(world.wheel, &timer->timer);
    assert_false(timer_is_set(&timer->timer));
    timer->set = false;
}

static void check_fired(struct timer *fired)
{
    struct modelled *timer = (struct modelled *)fired;
    assert_true(world.advancing);
    assert_ptr_equal(timer, first_due(false));
    assert_true(timer->deadline_ms <= world.now_ms);
    assert_false(timer_is_set(fired));
    timer->set = false;
    world.fired++;
    for (uint64_t step = test_random_below(&world.random, 3); step > 0; step--) {
        set_random_timer();
        cancel_random_timer();
    }
}

static void check_next(void)
{
    int64_t next_ms = timer_wheel_next_ms(world.wheel);
    const struct modelled *first = first_due(true);
    if (first == NULL) {
        assert_int_equal(next_ms, -1);
    } else if (first->deadline_ms <= world.now_ms) {
        assert_int_equal(next_ms, world.now_ms);
    } else {
        assert_true(next_ms > world.now_ms);
        assert_true(next_ms <= first->deadline_ms);
        bool near = first->deadline_ms / 64 == world.now_ms / 64;
        assert_true(!near || next_ms == first->deadline_ms);
    }
}

static void advance_by(int64_t distance)
{
    world.now_ms += distance;
    world.fired = 0;
    world.advancing = true;
    uint32_t fired = timer_wheel_advance(world.wheel, world.now_ms);
    world.advancing = false;
    assert_int_equal(fired, world.fired);
    const struct modelled *left = first_due(false);
    assert_true(left == NULL || left->deadline_ms > world.now_ms);
    for (int index = 0; index < TIMER_COUNT; index++) {
        world.timers[index].deferred = false;
        assert_int_equal(timer_is_set(&world.timers[index].timer), world.timers[index].set);
    }
}

static void start_world(uint64_t seed, int64_t now_ms)
{
    world.random = (struct test_random){seed};
    world.now_ms = now_ms;
    world.advancing = false;
    world.wheel = timer_wheel_new(now_ms);
    for (int index = 0; index < TIMER_COUNT; index++) {
        world.timers[index] = (struct modelled){.timer = {.fire = check_fired}};
    }
}

static void random_step(void)
{
    switch (test_random_below(&world.random, 8)) {
    case 0: advance_by((int64_t)test_random_below(&world.random, 4)); break;
    case 1: advance_by((int64_t)test_random_below(&world.random, 1 << 13)); break;
    case 2:
        // A machine that slept: up to 35 years.
        if (test_random_below(&world.random, 50) == 0) {
            advance_by((int64_t)test_random_below(&world.random, (uint64_t)1 << 40));
        }
        break;
    case 3: cancel_random_timer(); break;
    default: set_random_timer(); break;
    }
    check_next();
}

static void it_agrees_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        start_world(seed, seed % 2 == 0 ? 0 : (int64_t)seed * 123456789);
        for (int step = 0; step < 10000; step++) {
            random_step();
        }
        timer_wheel_free(world.wheel);
    }
}

// As a worker does: sleep until next_ms, advance, again.
static void sleeping_until_next_misses_nothing(void **state)
{
    (void)state;
    start_world(99, 1000);
    for (int index = 0; index < 40; index++) {
        set_random_timer();
    }
    int advances = 0;
    for (int64_t next_ms; (next_ms = timer_wheel_next_ms(world.wheel)) != -1; advances++) {
        const struct modelled *first = first_due(true);
        assert_true(next_ms <= first->deadline_ms || next_ms == world.now_ms);
        assert_true(advances < 100000);
        advance_by(next_ms - world.now_ms);
        if (advances > 2000) { // the callbacks set new ones; let it end
            cancel_random_timer();
        }
    }
    timer_wheel_free(world.wheel);
}

struct counted {
    struct timer timer;
    struct timer_wheel *wheel;
    int64_t again_ms; // what the callback sets it to; 0: nothing
    int count;
};

static void count_fire(struct timer *timer)
{
    struct counted *counted = (struct counted *)timer;
    counted->count++;
    if (counted->again_ms != 0) {
        timer_set(counted->wheel, timer, counted->again_ms);
    }
}

static void it_fires_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    for (int64_t distance = 1; distance > 0 && distance < INT64_MAX / 8;
         distance = distance * 3 + 1) {
        struct timer_wheel *wheel = timer_wheel_new(77);
        struct counted counted = {.timer = {.fire = count_fire}};
        timer_set(wheel, &counted.timer, 77 + distance);
        assert_int_equal(timer_wheel_advance(wheel, 77 + distance - 1), 0);
        assert_int_equal(timer_wheel_next_ms(wheel), 77 + distance);
        assert_int_equal(timer_wheel_advance(wheel, 77 + distance), 1);
        assert_int_equal(timer_wheel_advance(wheel, 77 + distance), 0);
        timer_wheel_free(wheel);
    }
}

static void the_end_of_time_can_be_reached(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(0);
    struct counted last = {.timer = {.fire = count_fire}};
    struct counted soon = {.timer = {.fire = count_fire}};
    timer_set(wheel, &last.timer, INT64_MAX);
    timer_set(wheel, &soon.timer, 5);
    assert_int_equal(timer_wheel_advance(wheel, INT64_MAX - 1), 1);
    assert_int_equal(soon.count, 1);
    assert_int_equal(timer_wheel_next_ms(wheel), INT64_MAX);
    assert_int_equal(timer_wheel_advance(wheel, INT64_MAX), 1);
    assert_int_equal(last.count, 1);
    timer_wheel_free(wheel);
}

static void a_timer_that_sets_itself_to_the_past_ends_no_turn(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(1000);
    struct counted counted = {.timer = {.fire = count_fire}, .wheel = wheel, .again_ms = 1};
    timer_set(wheel, &counted.timer, 1000);
    for (int advance = 1; advance <= 5; advance++) {
        assert_int_equal(timer_wheel_next_ms(wheel), 1000);
        assert_int_equal(timer_wheel_advance(wheel, 1000), 1);
        assert_int_equal(counted.count, advance);
    }
    timer_wheel_free(wheel);
}

static void a_clock_that_goes_back_moves_nothing(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(1000);
    struct counted counted = {.timer = {.fire = count_fire}};
    timer_set(wheel, &counted.timer, 1500);
    assert_int_equal(timer_wheel_advance(wheel, 10), 0);
    assert_int_equal(timer_wheel_advance(wheel, 1499), 0);
    assert_int_equal(timer_wheel_advance(wheel, 1500), 1);
    timer_wheel_free(wheel);
}

static void free_timer(struct timer *timer)
{
    memory_free(timer);
}

static void a_firing_timer_may_free_itself(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(0);
    for (int64_t index = 0; index < 20; index++) {
        struct timer *timer = memory_new(sizeof *timer);
        timer->fire = free_timer;
        timer_set(wheel, timer, index / 2);
    }
    assert_int_equal(timer_wheel_advance(wheel, 100), 20);
    assert_int_equal(timer_wheel_next_ms(wheel), -1);
    timer_wheel_free(wheel);
}

static void cancelling_an_unset_timer_is_fine(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(0);
    struct counted counted = {.timer = {.fire = count_fire}};
    timer_cancel(wheel, &counted.timer);
    timer_set(wheel, &counted.timer, 10);
    timer_set(wheel, &counted.timer, 20); // moves it
    assert_int_equal(timer_wheel_advance(wheel, 15), 0);
    timer_cancel(wheel, &counted.timer);
    timer_cancel(wheel, &counted.timer);
    assert_int_equal(timer_wheel_next_ms(wheel), -1);
    assert_int_equal(timer_wheel_advance(wheel, 30), 0);
    timer_wheel_free(wheel);
}

static struct timer_wheel *nested_wheel;

static void advance_again(struct timer *timer)
{
    (void)timer;
    timer_wheel_advance(nested_wheel, 20);
}

static void advance_within(void)
{
    struct timer timer = {.fire = advance_again};
    nested_wheel = timer_wheel_new(0);
    timer_set(nested_wheel, &timer, 0);
    timer_wheel_advance(nested_wheel, 10);
}

static void advancing_from_within_aborts(void **state)
{
    (void)state;
    assert_true(test_aborts(advance_within));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_the_model),
        cmocka_unit_test(sleeping_until_next_misses_nothing),
        cmocka_unit_test(it_fires_at_its_deadline_and_not_before),
        cmocka_unit_test(the_end_of_time_can_be_reached),
        cmocka_unit_test(a_timer_that_sets_itself_to_the_past_ends_no_turn),
        cmocka_unit_test(a_clock_that_goes_back_moves_nothing),
        cmocka_unit_test(a_firing_timer_may_free_itself),
        cmocka_unit_test(cancelling_an_unset_timer_is_fine),
        cmocka_unit_test(advancing_from_within_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
