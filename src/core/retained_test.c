// SPDX-License-Identifier: MIT
// Retained messages: the last one of each topic, the limits, and cursors in a moving tree.
#include "core/retained.h"

#include "core/topic_world.h"
#include "proto/topic.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NO_LIMIT ((struct retained_limits){UINT64_MAX, UINT64_MAX})

static struct budget budget;
static struct retained *retained;

static int set_up(void **state)
{
    (void)state;
    budget = (struct budget){.limit = INT64_MAX};
    retained = retained_new((struct hash_key){5, 6}, NO_LIMIT);
    return 0;
}

// Whatever a test did, not a byte of a message may be left.
static int tear_down(void **state)
{
    (void)state;
    retained_free(retained);
    assert_int_equal(budget_used(&budget), 0);
    return 0;
}

static void set_up_again(struct retained_limits limits)
{
    retained_free(retained);
    retained = retained_new((struct hash_key){5, 6}, limits);
}

static struct message *new_message(struct bytes topic, const char *payload)
{
    struct message_source source = {.topic = topic, .payload = text(payload), .retain = true};
    struct message *message = message_try_new(&budget, &source);
    assert_non_null(message);
    return message;
}

static enum bud_reason set(const char *topic, const char *payload)
{
    struct message *message = new_message(text(topic), payload);
    enum bud_reason reason = retained_set(retained, message);
    message_unref(message);
    return reason;
}

// Is exactly this kept? NULL: nothing.
static bool keeps(const char *topic, const char *payload)
{
    struct message *message = retained_get(retained, text(topic));
    bool same = payload == NULL
                    ? message == NULL
                    : message != NULL && bytes_equal(message_payload(message), text(payload)) &&
                          bytes_equal(message_topic(message), text(topic));
    message_unref(message);
    return same;
}

// ---- values ----

static void keeps_the_last_message(void **state)
{
    (void)state;
    assert_true(keeps("a/b", NULL));
    assert_int_equal(set("a/b", "1"), BUD_SUCCESS);
    assert_true(keeps("a/b", "1"));
    assert_int_equal(set("a/b", "2"), BUD_SUCCESS);
    assert_true(keeps("a/b", "2"));
    assert_true(keeps("a", NULL));
    assert_true(keeps("a/b/c", NULL));
    assert_int_equal(retained_count(retained), 1);
}

static void empty_payload_removes(void **state)
{
    (void)state;
    set("a/b", "1");
    set("a/b/c", "2");
    assert_int_equal(set("a/b", ""), BUD_SUCCESS); // [MQTT-3.3.1-6]
    assert_true(keeps("a/b", NULL));
    assert_true(keeps("a/b/c", "2"));
    assert_int_equal(set("never/there", ""), BUD_SUCCESS);
    assert_int_equal(retained_count(retained), 1);
    set("a/b/c", "");
    assert_int_equal(retained_bytes(retained), 0);
    assert_int_equal(budget_used(&budget), 0);
}

static void each_change_has_the_next_number(void **state)
{
    (void)state;
    struct message *messages[4];
    for (uint64_t i = 0; i < 4; i++) {
        messages[i] = new_message(text(i % 2 ? "a" : "b"), i == 3 ? "" : "x");
        assert_int_equal(messages[i]->sequence, 0);
        assert_int_equal(retained_set(retained, messages[i]), BUD_SUCCESS);
        assert_int_equal(messages[i]->sequence, i + 1);
        assert_int_equal(retained_sequence(retained), i + 1);
    }
    for (uint64_t i = 0; i < 4; i++) {
        message_unref(messages[i]);
    }
}

static void drops_only_the_message_that_was_meant(void **state)
{
    (void)state;
    struct message *old = new_message(text("a"), "1");
    retained_set(retained, old);
    set("a", "2");
    retained_drop(retained, old);
    assert_true(keeps("a", "2"));
    message_unref(old);
    struct message *current = retained_get(retained, text("a"));
    retained_drop(retained, current);
    retained_drop(retained, current);
    assert_true(keeps("a", NULL));
    assert_int_equal(retained_count(retained), 0);
    message_unref(current);
}

static void counts_bytes(void **state)
{
    (void)state;
    set("a", "1");
    set("a", "a longer value");
    set("b", "2");
    set("$SYS/uptime", "3");
    struct message *a = retained_get(retained, text("a")), *b = retained_get(retained, text("b"));
    struct message *sys = retained_get(retained, text("$SYS/uptime"));
    assert_int_equal(retained_bytes(retained),
                     message_size(a) + message_size(b) + message_size(sys));
    message_unref(a);
    message_unref(b);
    message_unref(sys);
}

// ---- limits ----

static void refuses_more_topics_than_the_limit(void **state)
{
    (void)state;
    set_up_again((struct retained_limits){2, UINT64_MAX});
    assert_int_equal(set("a", "1"), BUD_SUCCESS);
    assert_int_equal(set("b", "1"), BUD_SUCCESS);
    struct message *refused = new_message(text("c/d"), "1");
    assert_int_equal(retained_set(retained, refused), BUD_QUOTA_EXCEEDED);
    assert_int_equal(refused->sequence, 0); // not in the order of retained changes
    message_unref(refused);
    assert_true(keeps("c/d", NULL));
    assert_int_equal(set("a", "2"), BUD_SUCCESS); // no new topic
    assert_int_equal(set("$SYS/x", "1"), BUD_SUCCESS);
    assert_int_equal(set("$SYSx", "1"), BUD_QUOTA_EXCEEDED);
    assert_int_equal(set("b", ""), BUD_SUCCESS);
    assert_int_equal(set("c/d", "1"), BUD_SUCCESS);
    assert_int_equal(retained_count(retained), 3);
}

static void refuses_more_bytes_than_the_limit(void **state)
{
    (void)state;
    struct message *message = new_message(text("a"), "12345678");
    size_t size = message_size(message);
    set_up_again((struct retained_limits){UINT64_MAX, 2 * size});
    assert_int_equal(retained_set(retained, message), BUD_SUCCESS);
    message_unref(message);
    assert_int_equal(set("b", "12345678"), BUD_SUCCESS);
    assert_int_equal(set("b", "123456789"), BUD_QUOTA_EXCEEDED);
    assert_true(keeps("b", "12345678")); // the old value stays
    assert_int_equal(set("c", "1"), BUD_QUOTA_EXCEEDED);
    assert_int_equal(set("b", "87654321"), BUD_SUCCESS); // in its place
    assert_int_equal(set("b", "1"), BUD_SUCCESS);
    assert_int_equal(set("a", "123456789"), BUD_SUCCESS); // the room that b gave up
    assert_true(retained_bytes(retained) <= 2 * size);
}

// ---- cursors ----

static struct message *next_message(struct retained_cursor *cursor, uint32_t steps_max)
{
    struct message *message = NULL;
    bool more = true;
    while (message == NULL && more) {
        message = retained_cursor_next(cursor, steps_max, &more);
    }
    return message;
}

static uint32_t walk_count(const char *filter, uint32_t steps_max)
{
    struct retained_cursor cursor;
    uint32_t count = 0;
    assert_true(retained_cursor_try_open(&cursor, retained, text(filter)));
    for (struct message *message; (message = next_message(&cursor, steps_max)) != NULL; count++) {
        assert_true(topic_matches(text(filter), message_topic(message)));
        message_unref(message);
    }
    retained_cursor_close(&cursor);
    return count;
}

// The payload is the topic's number, so that each can be ticked off.
static void set_number(const char *topic, uint32_t number)
{
    char payload[16];
    snprintf(payload, sizeof payload, "%u", number);
    assert_int_equal(set(topic, payload), BUD_SUCCESS);
}

static uint32_t number_of(const struct message *message)
{
    uint32_t number = 0;
    struct bytes payload = message_payload(message);
    for (size_t i = 0; i < payload.size; i++) {
        number = 10 * number + (payload.data[i] - (uint32_t)'0');
    }
    return number;
}

static void compare_walk(const struct topic_world *topics, const char *filter, uint32_t steps_max)
{
    bool seen[WORLD_MAX] = {0};
    struct retained_cursor cursor;
    assert_true(retained_cursor_try_open(&cursor, retained, text(filter)));
    for (struct message *message; (message = next_message(&cursor, steps_max)) != NULL;) {
        uint32_t number = number_of(message);
        assert_false(seen[number]);
        seen[number] = true;
        message_unref(message);
    }
    retained_cursor_close(&cursor);
    for (uint32_t i = 0; i < topics->count; i++) {
        assert_int_equal(seen[i], topic_matches(text(filter), text(topics->texts[i])));
    }
}

static void every_filter_and_topic_of_a_small_world(void **state)
{
    (void)state;
    struct topic_world filters = topic_world_new(WORLD_WORDS, topic_filter_valid);
    struct topic_world topics = topic_world_new(WORLD_NAMES, topic_name_valid);
    for (uint32_t i = 0; i < topics.count; i++) {
        set_number(topics.texts[i], i);
    }
    for (uint32_t i = 0; i < filters.count; i++) {
        compare_walk(&topics, filters.texts[i], i % 3 == 0 ? 1 : i % 3 == 1 ? 5 : 100000);
    }
    memory_free(filters.texts);
    memory_free(topics.texts);
}

static void an_empty_tree_has_nothing(void **state)
{
    (void)state;
    assert_int_equal(walk_count("#", 1), 0);
    assert_int_equal(walk_count("a/b", 1), 0);
    assert_int_equal(walk_count("+/+", 100), 0);
}

static void an_ended_cursor_stays_at_its_end(void **state)
{
    (void)state;
    set("a", "1");
    struct retained_cursor cursor;
    bool more = true;
    assert_true(retained_cursor_try_open(&cursor, retained, text("#")));
    message_unref(next_message(&cursor, 100));
    assert_null(next_message(&cursor, 100));
    set("b", "1");
    assert_null(retained_cursor_next(&cursor, 100, &more));
    assert_false(more);
    retained_cursor_close(&cursor);
}

// The work under one hold of the lock is bounded, and an exact filter needs a step for each level.
static void looks_at_no_more_nodes_than_asked(void **state)
{
    (void)state;
    char topic[32];
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(topic, sizeof topic, "a/%u/other", i);
        set(topic, "1");
    }
    set("a/500/wanted", "1");
    struct retained_cursor cursor;
    bool more = true;
    assert_true(retained_cursor_try_open(&cursor, retained, text("a/+/wanted")));
    uint32_t calls = 0;
    struct message *message = NULL;
    for (; more && message == NULL; calls++) {
        message = retained_cursor_next(&cursor, 10, &more);
    }
    assert_non_null(message);
    assert_true(calls > 50);
    message_unref(message);
    retained_cursor_close(&cursor);
    assert_true(retained_cursor_try_open(&cursor, retained, text("a/500/wanted")));
    message = retained_cursor_next(&cursor, 3, &more);
    assert_non_null(message);
    message_unref(message);
    retained_cursor_close(&cursor);
}

static void skips_what_was_set_after_it_was_opened(void **state)
{
    (void)state;
    set("a", "1");
    set("b", "1");
    struct retained_cursor cursor;
    assert_true(retained_cursor_try_open(&cursor, retained, text("+")));
    assert_int_equal(cursor.sequence, 2);
    set("a", "2"); // delivered live: its sequence is above the cursor's
    set("c", "2");
    struct message *message = next_message(&cursor, 1);
    assert_true(bytes_equal(message_topic(message), text("b")));
    message_unref(message);
    assert_null(next_message(&cursor, 1));
    retained_cursor_close(&cursor);
}

static void an_open_cursor_holds_no_value_back(void **state)
{
    (void)state;
    set("a/b/c", "1");
    struct retained_cursor cursor;
    assert_true(retained_cursor_try_open(&cursor, retained, text("#")));
    message_unref(next_message(&cursor, 1));
    set("a/b/c", ""); // it stands there
    assert_int_equal(budget_used(&budget), 0);
    assert_true(keeps("a/b/c", NULL));
    set("a/b/c", "2");
    assert_true(keeps("a/b/c", "2"));
    set("a/b/c", "");
    retained_cursor_close(&cursor); // in the middle
    assert_int_equal(walk_count("#", 1), 0);
}

static void goes_on_after_its_neighbourhood_is_gone(void **state)
{
    (void)state;
    static const char *const topics[] = {"a/1", "a/2", "a/3", "a/2/x", "a", "a/2/y"};
    // The cursor may stand on any of the six when all others but "b" go.
    for (uint32_t given = 1; given <= 6; given++) {
        set("b", "1");
        for (uint32_t i = 0; i < 6; i++) {
            set(topics[i], "1");
        }
        set("c", "1");
        struct retained_cursor cursor;
        assert_true(retained_cursor_try_open(&cursor, retained, text("#")));
        bool b_was_given = false;
        for (uint32_t i = 0; i < given + 1; i++) { // "c" is the first
            struct message *message = next_message(&cursor, 1);
            b_was_given = b_was_given || bytes_equal(message_topic(message), text("b"));
            message_unref(message);
        }
        assert_false(b_was_given);
        for (uint32_t i = 0; i < 6; i++) {
            set(topics[i], "");
        }
        struct message *message = next_message(&cursor, 1);
        assert_true(bytes_equal(message_topic(message), text("b")));
        message_unref(message);
        assert_null(next_message(&cursor, 1));
        retained_cursor_close(&cursor);
        set("b", "");
        set("c", "");
    }
}

// ---- cursors in a moving tree ----

// What a walk owes: `still` was there when it began and has not been touched since.
struct owed {
    bool still[WORLD_MAX], seen[WORLD_MAX];
};

static void change_some(const struct topic_world *topics, struct owed *owed, uint64_t *seed)
{
    for (uint32_t changes = random_next(seed) % 8; changes > 0; changes--) {
        uint32_t i = random_next(seed) % topics->count;
        owed->still[i] = false;
        if (random_next(seed) % 2 == 0) {
            set(topics->texts[i], "");
        } else {
            set_number(topics->texts[i], i);
        }
    }
}

static void walk_while_changing(const struct topic_world *topics, const char *filter,
                                uint64_t *seed)
{
    struct owed owed = {0};
    for (uint32_t i = 0; i < topics->count; i++) {
        owed.still[i] =
            !keeps(topics->texts[i], NULL) && topic_matches(text(filter), text(topics->texts[i]));
    }
    struct retained_cursor cursor;
    assert_true(retained_cursor_try_open(&cursor, retained, text(filter)));
    bool more = true;
    while (more) {
        uint32_t steps_max = 1 + random_next(seed) % 4;
        struct message *message = retained_cursor_next(&cursor, steps_max, &more);
        if (message != NULL) {
            uint32_t number = number_of(message);
            assert_true(topic_matches(text(filter), message_topic(message)));
            assert_true(message->sequence <= cursor.sequence);
            assert_false(owed.seen[number]);
            owed.seen[number] = true;
            message_unref(message);
        }
        change_some(topics, &owed, seed);
    }
    retained_cursor_close(&cursor);
    for (uint32_t i = 0; i < topics->count; i++) {
        assert_true(owed.seen[i] || !owed.still[i]);
    }
}

static void gives_what_stays_exactly_once_while_the_rest_changes(void **state)
{
    (void)state;
    static const char *const filters[] = {"#",   "+/#",   "a/#",     "+/+",  "a/+/b", "+/b/#",
                                          "a/b", "+/+/+", "+/a/+/#", "$x/#", "/+",    "+"};
    struct topic_world topics = topic_world_new(WORLD_NAMES, topic_name_valid);
    uint64_t seed = 4242;
    for (uint32_t round = 0; round < 240; round++) {
        for (uint32_t i = 0; i < topics.count / 4; i++) {
            uint32_t topic = random_next(&seed) % topics.count;
            set_number(topics.texts[topic], topic);
        }
        walk_while_changing(&topics, filters[round % 12], &seed);
    }
    memory_free(topics.texts);
}

// Several cursors pin the same nodes; some are closed in the middle.
static void cursors_do_not_disturb_each_other(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    struct topic_world topics = topic_world_new(WORLD_NAMES, topic_name_valid);
    struct retained_cursor cursors[COUNT];
    uint32_t given[COUNT] = {0};
    for (uint32_t i = 0; i < topics.count; i++) {
        set_number(topics.texts[i], i);
    }
    uint32_t expected = walk_count("#", 100000);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(retained_cursor_try_open(&cursors[i], retained, text("#")));
    }
    for (uint32_t step = 0; step < expected; step++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            bool closes = i % 2 == 1 && step == expected / 2;
            struct message *message = closes ? NULL : next_message(&cursors[i], 1 + i);
            given[i] += message != NULL;
            message_unref(message);
            if (closes) {
                retained_cursor_close(&cursors[i]);
                assert_true(retained_cursor_try_open(&cursors[i], retained, text("none")));
            }
        }
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(given[i], i % 2 == 1 ? expected / 2 : expected);
        retained_cursor_close(&cursors[i]);
    }
    memory_free(topics.texts);
}

// ---- size and shape ----

static void many_siblings(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    char topic[32];
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(topic, sizeof topic, "a/%u", i);
        set(topic, "1");
    }
    assert_int_equal(retained_count(retained), COUNT);
    assert_int_equal(walk_count("a/+", 100), COUNT);
    assert_int_equal(walk_count("#", 100), COUNT);
    assert_int_equal(walk_count("a/99999", 100), 1);
    assert_int_equal(walk_count("a/+/#", 100), COUNT);
    for (uint32_t i = 0; i < COUNT; i += 2) {
        snprintf(topic, sizeof topic, "a/%u", i);
        set(topic, "");
    }
    assert_int_equal(walk_count("a/+", 100), COUNT / 2);
}

static void deep_topics(void **state)
{
    (void)state;
    enum { LEVELS = 128 };
    char deep[2 * LEVELS];
    for (uint32_t i = 0; i < LEVELS; i++) {
        deep[2 * i] = 'a';
        deep[2 * i + 1] = i + 1 < LEVELS ? '/' : '\0';
    }
    set(deep, "1");
    assert_true(keeps(deep, "1"));
    assert_int_equal(walk_count(deep, 1), 1);
    assert_int_equal(walk_count("#", 3), 1);
    assert_int_equal(walk_count("a/+/#", 3), 1);
    deep[2 * LEVELS - 2] = '+';
    assert_int_equal(walk_count(deep, 7), 1);
    deep[2 * LEVELS - 3] = '\0';
    assert_int_equal(walk_count(deep, 7), 0);
}

static void deepest_topic_there_is(void **state)
{
    (void)state;
    char *slashes = memory_new(65536);
    memset(slashes, '/', 65535);
    set(slashes, "1");
    assert_int_equal(walk_count("#", 1000), 1);
    assert_int_equal(walk_count(slashes, 1000), 1);
    slashes[65534] = '#';
    assert_int_equal(walk_count(slashes, 1000), 1);
    memory_free(slashes);
}

// ---- without memory ----

static void failing_to_set_keeps_the_old_value(void **state)
{
    (void)state;
    char topic[32], payload[16];
    for (uint32_t i = 0; i < 60; i++) {
        snprintf(topic, sizeof topic, "a/%u/b/%u", i % 5, i % 30);
        snprintf(payload, sizeof payload, "%u", i);
        struct message *old = retained_get(retained, text(topic));
        struct message *message = new_message(text(topic), payload);
        enum bud_reason reason = BUD_QUOTA_EXCEEDED;
        for (uint64_t nth = 1; reason != BUD_SUCCESS; nth++) {
            assert_true(nth < 20);
            memory_fail(nth, 1);
            reason = retained_set(retained, message);
            memory_fail(0, 0);
            struct message *now = retained_get(retained, text(topic));
            assert_ptr_equal(now, reason == BUD_SUCCESS ? message : old);
            message_unref(now);
        }
        message_unref(message);
        message_unref(old);
    }
    assert_int_equal(walk_count("#", 1), 30);
    struct message *empty = new_message(text("a/0/b/0"), "");
    memory_fail(1, UINT64_MAX); // removing must not need memory
    assert_int_equal(retained_set(retained, empty), BUD_SUCCESS);
    memory_fail(0, 0);
    message_unref(empty);
    assert_true(keeps("a/0/b/0", NULL));
}

static void failing_to_open_leaves_nothing_open(void **state)
{
    (void)state;
    struct retained_cursor cursor;
    set("a", "1");
    memory_fail(1, 1);
    assert_false(retained_cursor_try_open(&cursor, retained, text("a/#")));
    memory_fail(0, 0);
}

#define RETAINED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RETAINED_TEST(keeps_the_last_message),
        RETAINED_TEST(empty_payload_removes),
        RETAINED_TEST(each_change_has_the_next_number),
        RETAINED_TEST(drops_only_the_message_that_was_meant),
        RETAINED_TEST(counts_bytes),
        RETAINED_TEST(refuses_more_topics_than_the_limit),
        RETAINED_TEST(refuses_more_bytes_than_the_limit),
        RETAINED_TEST(every_filter_and_topic_of_a_small_world),
        RETAINED_TEST(an_empty_tree_has_nothing),
        RETAINED_TEST(an_ended_cursor_stays_at_its_end),
        RETAINED_TEST(looks_at_no_more_nodes_than_asked),
        RETAINED_TEST(skips_what_was_set_after_it_was_opened),
        RETAINED_TEST(an_open_cursor_holds_no_value_back),
        RETAINED_TEST(goes_on_after_its_neighbourhood_is_gone),
        RETAINED_TEST(gives_what_stays_exactly_once_while_the_rest_changes),
        RETAINED_TEST(cursors_do_not_disturb_each_other),
        RETAINED_TEST(many_siblings),
        RETAINED_TEST(deep_topics),
        RETAINED_TEST(deepest_topic_there_is),
        RETAINED_TEST(failing_to_set_keeps_the_old_value),
        RETAINED_TEST(failing_to_open_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
