// SPDX-License-Identifier: MIT
// The shared structures under several threads. Each is small and ends after a number of turns; what
// it is for is the thread sanitizer and the address sanitizer, beside its own assertions. Threads
// assert with ASSERT: cmocka's assertions jump, which only the main thread may do.
#include "core/index.h"
#include "core/retained.h"

#include "base/lock.h"
#include "core/topic_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WORKERS 4
#define TURNS 5000
#define OWN_MAX 24   // subscriptions that a worker adds and removes
#define INBOX_MAX 64 // posts; what does not fit is dropped

static const struct hash_key test_key = {7, 8};

static void start(pthread_t *threads, uint32_t count, void *(*body)(void *), void *arguments,
                  size_t argument_size)
{
    for (uint32_t i = 0; i < count; i++) {
        void *argument = (char *)arguments + i * argument_size;
        assert_int_equal(pthread_create(&threads[i], NULL, body, argument), 0);
    }
}

static void join(const pthread_t *threads, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

// ---- workers that subscribe, publish and post as the broker's do ----

struct post {
    struct leaf *leaf; // or
    struct share_member *member;
};

struct inbox {
    struct lock lock;
    struct post posts[INBOX_MAX];
    uint32_t count;
};

static struct world {
    struct epoch epoch;
    struct index *index;
    struct inbox inboxes[WORKERS];
    struct subscription lasting[WORKERS]; // to "a/+", all the time
    pthread_barrier_t all_published;
} world;

struct worker {
    uint32_t number;
    uint64_t seed;
    struct hits hits;
    struct subscription own[OWN_MAX];
    uint64_t delivered;
};

static void post(uint32_t to, struct post post)
{
    struct inbox *inbox = &world.inboxes[to];
    lock_take(&inbox->lock);
    bool fits = inbox->count < INBOX_MAX;
    if (fits) {
        inbox->posts[inbox->count++] = post;
    }
    lock_release(&inbox->lock);
    if (!fits && post.member != NULL) {
        atomic_fetch_sub(&post.member->in_flight, 1);
    }
}

static void deliver(struct worker *worker, struct subscription *subscription)
{
    ASSERT(subscription->identifier == worker->number);
    worker->delivered++;
}

static void deliver_leaf(struct worker *worker, const struct leaf *leaf)
{
    ASSERT(leaf->worker == worker->number);
    for (uint32_t i = 0; i < leaf->count; i++) {
        deliver(worker, leaf->subscriptions[i]);
    }
}

static void deliver_member(struct worker *worker, struct share_member *member)
{
    ASSERT(member->worker == worker->number);
    if (member->subscription != NULL) {
        deliver(worker, member->subscription);
    }
    ASSERT(atomic_fetch_sub(&member->in_flight, 1) > 0);
}

static void empty_inbox(struct worker *worker)
{
    struct inbox *inbox = &world.inboxes[worker->number];
    lock_take(&inbox->lock);
    for (uint32_t i = 0; i < inbox->count; i++) {
        if (inbox->posts[i].leaf != NULL) {
            deliver_leaf(worker, inbox->posts[i].leaf);
        } else {
            deliver_member(worker, inbox->posts[i].member);
        }
    }
    inbox->count = 0;
    lock_release(&inbox->lock);
}

static void subscribe_or_unsubscribe(struct worker *worker)
{
    static const char *const filters[] = {"a/+", "a/b",   "a/#",   "#",
                                          "+/b", "c/d/e", "c/+/e", "+/+/+"};
    static const char *const groups[] = {"", "", "g", "h"};
    struct subscription *subscription = &worker->own[random_next(&worker->seed) % OWN_MAX];
    if (subscription->leaf != NULL || subscription->member != NULL) {
        index_remove(world.index, subscription);
        memset(subscription, 0, sizeof *subscription);
        return;
    }
    subscription->identifier = worker->number;
    const char *filter = filters[random_next(&worker->seed) % 8];
    const char *group = groups[random_next(&worker->seed) % 4];
    ASSERT(index_try_add(world.index, worker->number, text(filter), text(group), subscription));
    if (subscription->member != NULL) {
        share_set_online(subscription->member, random_next(&worker->seed) % 2);
    }
}

static uint32_t spread_leaves(struct worker *worker)
{
    uint32_t lasting_count = 0;
    for (uint32_t i = 0; i < worker->hits.leaf_count; i++) {
        struct leaf *leaf = worker->hits.leaves[i];
        lasting_count += leaf == world.lasting[leaf->worker].leaf;
        if (leaf->worker == worker->number) {
            deliver_leaf(worker, leaf);
        } else {
            post(leaf->worker, (struct post){.leaf = leaf});
        }
    }
    return lasting_count;
}

static void spread_groups(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->hits.group_count; i++) {
        bool online_only = random_next(&worker->seed) % 2;
        struct share_member *member = share_pick(
            worker->hits.groups[i],
            &(struct share_choice){.except = NULL, .online_only = online_only, .qos = 1});
        if (member != NULL && member->worker == worker->number) {
            deliver_member(worker, member);
        } else if (member != NULL) {
            post(member->worker, (struct post){.member = member});
        }
    }
}

static void publish(struct worker *worker)
{
    static const char *const topics[] = {"a/b", "a/c", "c/d/e", "c", "$SYS/b"};
    uint32_t choice = random_next(&worker->seed) % 5;
    ASSERT(index_match(world.index, text(topics[choice]), &worker->hits));
    uint32_t lasting_count = spread_leaves(worker);
    ASSERT(lasting_count == (choice < 2 ? WORKERS : 0));
    spread_groups(worker);
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    epoch_online(&world.epoch, worker->number);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        empty_inbox(worker);
        subscribe_or_unsubscribe(worker);
        publish(worker);
        subscribe_or_unsubscribe(worker);
        epoch_quiescent(&world.epoch, worker->number);
        if (random_next(&worker->seed) % 8 == 0) {
            epoch_offline(&world.epoch, worker->number);
            epoch_online(&world.epoch, worker->number);
        }
    }
    pthread_barrier_wait(&world.all_published);
    empty_inbox(worker);
    for (uint32_t i = 0; i < OWN_MAX; i++) {
        if (worker->own[i].leaf != NULL || worker->own[i].member != NULL) {
            index_remove(world.index, &worker->own[i]);
        }
    }
    epoch_offline(&world.epoch, worker->number);
    return NULL;
}

static void workers_match_while_others_subscribe(void **state)
{
    (void)state;
    static struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    epoch_init(&world.epoch, WORKERS);
    world.index = index_new(&world.epoch, test_key);
    pthread_barrier_init(&world.all_published, NULL, WORKERS);
    for (uint32_t i = 0; i < WORKERS; i++) {
        lock_init(&world.inboxes[i].lock);
        world.lasting[i].identifier = i;
        assert_true(index_try_add(world.index, i, text("a/+"), BYTES_OF(""), &world.lasting[i]));
        workers[i] = (struct worker){.number = i, .seed = 1000 + i};
    }
    start(threads, WORKERS, run_worker, workers, sizeof workers[0]);
    join(threads, WORKERS);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_true(workers[i].delivered > 0);
        hits_done(&workers[i].hits);
        index_remove(world.index, &world.lasting[i]);
        lock_done(&world.inboxes[i].lock);
    }
    pthread_barrier_destroy(&world.all_published);
    assert_int_equal(index_node_count(world.index), 0);
    epoch_drain(&world.epoch);
    index_free(world.index);
}

// ---- retained messages: what stays is found by every cursor ----

static struct budget budget;
static struct retained *retained;

static void set(const char *topic, const char *payload)
{
    struct message_source source = {.topic = text(topic), .payload = text(payload)};
    struct message *message = message_try_new(&budget, &source);
    ASSERT(message != NULL);
    ASSERT(retained_set(retained, message) == BUD_SUCCESS);
    message_unref(message);
}

static void *change_retained(void *argument)
{
    uint64_t seed = *(uint64_t *)argument;
    char topic[32];
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t place = random_next(&seed) % 40;
        snprintf(topic, sizeof topic, place % 3 ? "a/%u/x" : "a/%u", place);
        set(topic, random_next(&seed) % 2 ? "1" : "");
    }
    return NULL;
}

static void *walk_retained(void *argument)
{
    uint64_t seed = *(uint64_t *)argument;
    for (uint32_t round = 0; round < 60; round++) {
        struct retained_cursor cursor;
        uint32_t lasting_count = 0;
        bool more = true;
        ASSERT(retained_cursor_try_open(&cursor, retained, text("a/#")));
        while (more) {
            struct message *message =
                retained_cursor_next(&cursor, 1 + random_next(&seed) % 5, &more);
            lasting_count += message != NULL && message_payload(message).size == 7;
            message_unref(message);
        }
        retained_cursor_close(&cursor);
        ASSERT(lasting_count == 40);
    }
    return NULL;
}

static void cursors_walk_while_others_set(void **state)
{
    (void)state;
    uint64_t seeds[WORKERS] = {1, 2, 3, 4};
    pthread_t threads[WORKERS];
    char topic[32];
    budget = (struct budget){.limit = INT64_MAX};
    retained = retained_new(test_key, (struct retained_limits){UINT64_MAX, UINT64_MAX});
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(topic, sizeof topic, "a/%u/lasting", i);
        set(topic, "lasting");
    }
    start(threads, 2, change_retained, seeds, sizeof seeds[0]);
    start(threads + 2, 2, walk_retained, seeds + 2, sizeof seeds[0]);
    join(threads, WORKERS);
    retained_free(retained);
    assert_int_equal(budget_used(&budget), 0);
}

// ---- a new subscriber misses nothing between its cursor and live delivery ----

#define PUBLISH_COUNT 20000
#define TOPIC_COUNT 20

static struct {
    bool hit[PUBLISH_COUNT + 1]; // by sequence; the publisher's until `matched` says so
    _Atomic uint64_t matched;    // all up to here
    _Atomic bool done;
} live;

// One worker publishes retained messages: first the tree, then the index, as router.c does.
static void *publish_retained(void *argument)
{
    struct hits hits = {0};
    (void)argument;
    epoch_online(&world.epoch, 0);
    for (uint64_t i = 1; i <= PUBLISH_COUNT; i++) {
        char topic[8];
        snprintf(topic, sizeof topic, "a/%u", (unsigned)(i % TOPIC_COUNT));
        set(topic, "value");
        ASSERT(index_match(world.index, text(topic), &hits));
        live.hit[i] = hits.leaf_count > 0;
        atomic_store_explicit(&live.matched, i, memory_order_release);
        epoch_quiescent(&world.epoch, 0);
    }
    epoch_offline(&world.epoch, 0);
    atomic_store(&live.done, true);
    hits_done(&hits);
    return NULL;
}

static uint32_t replay(struct retained_cursor *cursor)
{
    uint32_t count = 0;
    bool more = true;
    while (more) {
        struct message *message = retained_cursor_next(cursor, 3, &more);
        ASSERT(message == NULL || message->sequence <= cursor->sequence);
        count += message != NULL;
        message_unref(message);
    }
    return count;
}

static void subscribe_once(struct subscription *subscription)
{
    struct retained_cursor cursor;
    ASSERT(index_try_add(world.index, 1, text("a/+"), BYTES_OF(""), subscription));
    ASSERT(retained_cursor_try_open(&cursor, retained, text("a/+")));
    uint32_t replayed = replay(&cursor);
    uint64_t end = atomic_load_explicit(&live.matched, memory_order_acquire);
    for (uint64_t i = cursor.sequence + 1; i <= end; i++) {
        ASSERT(live.hit[i]);
    }
    // A topic that was not replayed has a value above the cursor's number, which came or comes
    // live.
    uint64_t newest = retained_sequence(retained);
    uint64_t topics = cursor.sequence < TOPIC_COUNT ? cursor.sequence : TOPIC_COUNT;
    ASSERT(replayed + (newest - cursor.sequence) >= topics);
    retained_cursor_close(&cursor);
    index_remove(world.index, subscription);
    epoch_quiescent(&world.epoch, 1);
}

static void *subscribe_again_and_again(void *argument)
{
    struct subscription subscription = {0};
    (void)argument;
    epoch_online(&world.epoch, 1);
    while (!atomic_load(&live.done)) {
        subscribe_once(&subscription);
    }
    epoch_offline(&world.epoch, 1);
    return NULL;
}

static void replay_and_live_delivery_leave_no_gap(void **state)
{
    (void)state;
    pthread_t threads[2];
    budget = (struct budget){.limit = INT64_MAX};
    retained = retained_new(test_key, (struct retained_limits){UINT64_MAX, UINT64_MAX});
    epoch_init(&world.epoch, 2);
    world.index = index_new(&world.epoch, test_key);
    start(&threads[0], 1, publish_retained, &live, 0);
    start(&threads[1], 1, subscribe_again_and_again, &live, 0);
    join(threads, 2);
    epoch_drain(&world.epoch);
    index_free(world.index);
    retained_free(retained);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_match_while_others_subscribe),
        cmocka_unit_test(cursors_walk_while_others_set),
        cmocka_unit_test(replay_and_live_delivery_leave_no_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
