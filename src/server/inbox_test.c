// SPDX-License-Identifier: MIT
// Between workers: what one worker posts is read in its order and exactly once, and the owner is
// woken when there was nothing before.
#include "server/inbox.h"

#include "base/memory.h"
#include "base/test_aborts.h"

#include <pthread.h>
#include <sched.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// The sender and a number ride in the field for leaves.
static struct post *new_post(uint32_t sender, uint32_t number)
{
    struct post *post = memory_new(sizeof(*post));
    post->kind = (uint8_t)sender;
    post->leaf_count = number;
    return post;
}

static bool append(struct inbox *inbox, uint32_t first, uint32_t count)
{
    struct post_chain chain = {0};
    for (uint32_t i = 0; i < count; i++)
        post_chain_add(&chain, new_post(0, first + i));
    bool was_empty = inbox_append(inbox, &chain);
    assert_null(chain.first); // taken over
    assert_null(chain.last);
    return was_empty;
}

static uint32_t read_all(struct inbox *inbox, uint32_t expected)
{
    struct post *next, *post = inbox_take(inbox);
    for (; post != NULL; post = next) {
        next = post->next;
        assert_int_equal(post->leaf_count, expected++);
        memory_free(post);
    }
    return expected;
}

static void an_empty_inbox_gives_nothing(void **state)
{
    (void)state;
    struct inbox inbox;
    inbox_init(&inbox);
    assert_null(inbox_take(&inbox));
    inbox_done(&inbox);
}

static void chains_are_read_in_order(void **state)
{
    (void)state;
    struct inbox inbox;
    inbox_init(&inbox);
    append(&inbox, 0, 3);
    append(&inbox, 3, 1);
    append(&inbox, 4, 5);
    assert_int_equal(read_all(&inbox, 0), 9);
    assert_null(inbox_take(&inbox));
    append(&inbox, 9, 2); // and again after it was emptied
    append(&inbox, 11, 1);
    assert_int_equal(read_all(&inbox, 9), 12);
    inbox_done(&inbox);
}

static void only_the_first_post_wakes(void **state)
{
    (void)state;
    struct inbox inbox;
    inbox_init(&inbox);
    assert_true(append(&inbox, 0, 2));
    assert_false(append(&inbox, 2, 1));
    assert_int_equal(read_all(&inbox, 0), 3);
    assert_true(append(&inbox, 3, 1));
    assert_int_equal(read_all(&inbox, 3), 4);
    inbox_done(&inbox);
}

static void done_with_a_post_in_it(void)
{
    struct inbox inbox;
    inbox_init(&inbox);
    append(&inbox, 0, 1);
    inbox_done(&inbox);
}

static void leaving_a_post_behind_is_our_own_error(void **state)
{
    (void)state;
    assert_true(test_aborts(done_with_a_post_in_it));
}

// ---- threads ----

#define SENDERS 3
#define POSTS 6000

static struct inbox shared;
static _Atomic uint32_t wakes;

static void *send(void *argument)
{
    uint32_t sender = (uint32_t)(uintptr_t)argument;
    for (uint32_t number = 0; number < POSTS;) {
        struct post_chain chain = {0};
        for (uint32_t i = 0; i < 1 + number % 4 && number < POSTS; i++)
            post_chain_add(&chain, new_post(sender, number++));
        if (inbox_append(&shared, &chain))
            wakes++;
    }
    return NULL;
}

static void what_a_sender_posts_is_read_in_its_order(void **state)
{
    (void)state;
    pthread_t threads[SENDERS];
    uint32_t next_of[SENDERS] = {0}, read = 0, batches = 0;
    inbox_init(&shared);
    for (uintptr_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send, (void *)i), 0);
    while (read < SENDERS * POSTS) {
        struct post *next, *post = inbox_take(&shared);
        batches += post != NULL;
        if (post == NULL)
            sched_yield();
        for (; post != NULL; post = next, read++) {
            next = post->next;
            assert_int_equal(post->leaf_count, next_of[post->kind]++);
            memory_free(post);
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wakes, batches); // one for each time that there was something: none is missing
    inbox_done(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_inbox_gives_nothing),
        cmocka_unit_test(chains_are_read_in_order),
        cmocka_unit_test(only_the_first_post_wakes),
        cmocka_unit_test(leaving_a_post_behind_is_our_own_error),
        cmocka_unit_test(what_a_sender_posts_is_read_in_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
