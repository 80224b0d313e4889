// SPDX-License-Identifier: MIT
// A session's queue: first in, first out, with its weight always right, and nothing lost when it
// cannot grow.
#include "core/queue.h"

#include "base/test_aborts.h"
#include "base/test_random.h"
#include "core/topic_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct budget budget;

static struct delivery delivery_of(const char *payload, uint32_t identifier)
{
    struct message_source source = {.topic = text("a/b"), .payload = text(payload)};
    struct message *message = message_try_new(&budget, &source);
    assert_non_null(message);
    return (struct delivery){.message = message, .identifier = identifier};
}

static void pop(struct queue *queue, uint32_t expected)
{
    assert_int_equal(queue_front(queue)->identifier, expected);
    struct delivery delivery = queue_pop(queue);
    assert_int_equal(delivery.identifier, expected);
    message_unref(delivery.message);
}

static int set_up(void **state)
{
    (void)state;
    budget = (struct budget){.limit = 1 << 24};
    return 0;
}

static int nothing_is_left(void **state)
{
    (void)state;
    assert_int_equal(budget_used(&budget), 0);
    return 0;
}

static void empty_it_gives_and_weighs_nothing(void **state)
{
    (void)state;
    struct queue queue = {0};
    assert_null(queue_front(&queue));
    assert_int_equal(queue.bytes, 0);
    queue_done(&queue);
}

static void pop_of_nothing(void)
{
    struct queue queue = {0};
    queue_pop(&queue);
}

static void popping_from_an_empty_queue_is_our_own_error(void **state)
{
    (void)state;
    assert_true(test_aborts(pop_of_nothing));
}

static void a_heavier_message_weighs_more_by_its_bytes(void **state)
{
    (void)state;
    struct delivery light = delivery_of("", 1), heavy = delivery_of("12345", 2);
    assert_int_equal(delivery_weight(&heavy), delivery_weight(&light) + 5);
    message_unref(light.message);
    message_unref(heavy.message);
}

// Every start of the ring and every length, so that each growth happens at each place.
static void order_holds_wherever_the_ring_starts(void **state)
{
    (void)state;
    for (uint32_t start = 0; start < 20; start++) {
        for (uint32_t count = 1; count < 20; count++) {
            struct queue queue = {0};
            uint32_t next = 0, first = 0;
            assert_true(queue_try_push(&queue, delivery_of("x", next++)));
            for (uint32_t i = 0; i < start; i++) {
                assert_true(queue_try_push(&queue, delivery_of("x", next++)));
                pop(&queue, first++);
            }
            for (uint32_t i = 1; i < count; i++)
                assert_true(queue_try_push(&queue, delivery_of("x", next++)));
            for (uint32_t i = 0; i < count; i++)
                assert_int_equal(queue_at(&queue, i)->identifier, first + i);
            while (queue.count > 0)
                pop(&queue, first++);
            assert_int_equal(first, next);
        }
    }
}

static void weight_is_the_sum_of_what_is_in_it(void **state)
{
    (void)state;
    struct test_random random = {3};
    struct queue queue = {0};
    uint32_t next = 0, first = 0;
    for (int i = 0; i < 2000; i++) {
        char payload[64] = "";
        memset(payload, 'x', test_random_below(&random, sizeof(payload)));
        if (test_random_below(&random, 5) < (i / 200 % 2 == 0 ? 3u : 2u))
            assert_true(queue_try_push(&queue, delivery_of(payload, next++)));
        else if (queue.count > 0)
            pop(&queue, first++);
        uint64_t sum = 0;
        for (uint32_t k = 0; k < queue.count; k++)
            sum += delivery_weight(queue_at(&queue, k));
        assert_int_equal(queue.bytes, sum);
    }
    while (queue.count > 0)
        pop(&queue, first++);
    assert_int_equal(queue.bytes, 0);
}

static void a_push_that_fails_leaves_the_delivery_to_the_caller(void **state)
{
    (void)state;
    struct queue queue = {0};
    uint32_t next = 0, failures = 0;
    while (failures < 4) {
        struct delivery delivery = delivery_of("x", next);
        uint64_t weight = queue.bytes;
        memory_fail(1, 1);
        bool pushed = queue_try_push(&queue, delivery);
        memory_fail(0, 0);
        if (!pushed) {
            failures++;
            assert_int_equal(queue.count, next);
            assert_int_equal(queue.bytes, weight);
            assert_true(queue_try_push(&queue, delivery));
        }
        next++;
    }
    for (uint32_t i = 0; i < next; i++)
        pop(&queue, i);
}

#define QUEUE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(empty_it_gives_and_weighs_nothing),
        QUEUE_TEST(popping_from_an_empty_queue_is_our_own_error),
        QUEUE_TEST(a_heavier_message_weighs_more_by_its_bytes),
        QUEUE_TEST(order_holds_wherever_the_ring_starts),
        QUEUE_TEST(weight_is_the_sum_of_what_is_in_it),
        QUEUE_TEST(a_push_that_fails_leaves_the_delivery_to_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
