// SPDX-License-Identifier: MIT
// The subscription index: the same answers as matching each filter on its own.
#include "core/index.h"

#include "core/topic_world.h"
#include "proto/topic.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct hash_key test_key = {1, 2};

// One index with its epoch, all workers of which are this thread.
struct fixture {
    struct epoch epoch;
    struct index *index;
    struct hits hits;
};

static int set_up(void **state)
{
    struct fixture *fixture = memory_new(sizeof *fixture);
    epoch_init(&fixture->epoch, 4);
    for (uint32_t worker = 0; worker < 4; worker++) {
        epoch_online(&fixture->epoch, worker);
    }
    fixture->index = index_new(&fixture->epoch, test_key);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t worker = 0; worker < 4; worker++) {
        epoch_offline(&fixture->epoch, worker);
    }
    assert_int_equal(index_node_count(fixture->index), 0);
    epoch_drain(&fixture->epoch);
    index_free(fixture->index);
    hits_done(&fixture->hits);
    memory_free(fixture);
    return 0;
}

static void add(struct fixture *fixture, uint32_t worker, const char *filter,
                struct subscription *subscription)
{
    assert_true(index_try_add(fixture->index, worker, text(filter), BYTES_OF(""), subscription));
}

static void quiescent(struct fixture *fixture)
{
    for (uint32_t worker = 0; worker < 4; worker++) {
        epoch_quiescent(&fixture->epoch, worker);
    }
}

// How many subscriptions the topic hits.
static uint32_t match_count(struct fixture *fixture, const char *topic)
{
    uint32_t count = 0;
    assert_true(index_match(fixture->index, text(topic), &fixture->hits));
    for (uint32_t i = 0; i < fixture->hits.leaf_count; i++) {
        count += fixture->hits.leaves[i]->count;
    }
    return count;
}

static bool is_hit(const struct hits *hits, const struct subscription *subscription)
{
    for (uint32_t i = 0; i < hits->leaf_count; i++) {
        const struct leaf *leaf = hits->leaves[i];
        for (uint32_t k = 0; k < leaf->count; k++) {
            if (leaf->subscriptions[k] == subscription) {
                return true;
            }
        }
    }
    return false;
}

// ---- small worlds ----

static void every_filter_and_topic_of_a_small_world(void **state)
{
    struct fixture *fixture = *state;
    struct topic_world filters = topic_world_new(WORLD_WORDS, topic_filter_valid);
    struct topic_world topics = topic_world_new(WORLD_NAMES, topic_name_valid);
    struct subscription *subscriptions = memory_new(filters.count * sizeof *subscriptions);
    for (uint32_t i = 0; i < filters.count; i++) {
        add(fixture, i % 4, filters.texts[i], &subscriptions[i]);
    }
    for (uint32_t t = 0; t < topics.count; t++) {
        uint32_t expected = 0;
        uint32_t found = match_count(fixture, topics.texts[t]);
        for (uint32_t i = 0; i < filters.count; i++) {
            if (topic_matches(text(filters.texts[i]), text(topics.texts[t]))) {
                expected++;
                assert_true(is_hit(&fixture->hits, &subscriptions[i]));
            }
        }
        assert_int_equal(found, expected);
    }
    assert_int_equal(index_subscription_count(fixture->index), filters.count);
    for (uint32_t i = 0; i < filters.count; i++) {
        index_remove(fixture->index, &subscriptions[i]);
    }
    memory_free(subscriptions);
    memory_free(filters.texts);
    memory_free(topics.texts);
    quiescent(fixture);
}

// ---- against a list ----

#define LIST_MAX 300

struct entry {
    struct subscription subscription;
    char filter[WORLD_TEXT_SIZE];
    char group[2]; // empty: ordinary
    bool used;
};

static void add_or_remove(struct fixture *fixture, struct entry *entry, uint64_t *seed)
{
    if (entry->used) {
        index_remove(fixture->index, &entry->subscription);
        memset(entry, 0xee, sizeof *entry); // its memory may go at once
        entry->used = false;
        return;
    }
    memset(entry, 0, sizeof *entry);
    do {
        topic_world_random(entry->filter, WORLD_WORDS, seed);
    } while (!topic_filter_valid(text(entry->filter)));
    entry->group[0] = "\0\0ab"[random_next(seed) % 4];
    entry->used = true;
    assert_true(index_try_add(fixture->index, random_next(seed) % 4, text(entry->filter),
                              text(entry->group), &entry->subscription));
}

static bool is_first_of_its_group(const struct entry *list, const struct entry *entry)
{
    for (const struct entry *before = list; before < entry; before++) {
        if (before->used && before->group[0] == entry->group[0] &&
            strcmp(before->filter, entry->filter) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t group_hit_count(const struct hits *hits, const struct share_group *group)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < hits->group_count; i++) {
        count += hits->groups[i] == group;
    }
    return count;
}

static void compare_with_list(struct fixture *fixture, const struct entry *list, const char *topic)
{
    uint32_t ordinary = 0, groups = 0;
    uint32_t found = match_count(fixture, topic);
    for (const struct entry *entry = list; entry < list + LIST_MAX; entry++) {
        bool hit = entry->used && topic_matches(text(entry->filter), text(topic));
        if (hit && entry->group[0] == '\0') {
            ordinary++;
            assert_true(is_hit(&fixture->hits, &entry->subscription));
        } else if (hit) {
            groups += is_first_of_its_group(list, entry);
            const struct share_member *member = entry->subscription.member;
            assert_int_equal(group_hit_count(&fixture->hits, member->group), 1);
        }
    }
    assert_int_equal(found, ordinary);
    assert_int_equal(fixture->hits.group_count, groups);
}

static void random_changes_agree_with_a_list(void **state)
{
    struct fixture *fixture = *state;
    struct entry *list = memory_new(LIST_MAX * sizeof *list);
    uint64_t seed = 20240607;
    for (uint32_t step = 0; step < 20000; step++) {
        add_or_remove(fixture, &list[random_next(&seed) % LIST_MAX], &seed);
        if (step % 4 == 0) {
            char topic[WORLD_TEXT_SIZE];
            do {
                topic_world_random(topic, WORLD_NAMES, &seed);
            } while (!topic_name_valid(text(topic)));
            compare_with_list(fixture, list, topic);
        }
        if (random_next(&seed) % 16 == 0) {
            quiescent(fixture);
        }
    }
    for (struct entry *entry = list; entry < list + LIST_MAX; entry++) {
        if (entry->used) {
            add_or_remove(fixture, entry, &seed);
        }
    }
    memory_free(list);
}

// ---- single properties ----

static void gives_back_its_filter(void **state)
{
    struct fixture *fixture = *state;
    static const char *const filters[] = {"a", "/", "#", "+", "a/b/c", "//a/", "+/hus/#", "$SYS/#"};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct subscription subscription = {0};
        uint8_t out[16];
        add(fixture, 0, filters[i], &subscription);
        assert_int_equal(index_filter_of(&subscription, out, sizeof out), strlen(filters[i]));
        assert_memory_equal(out, filters[i], strlen(filters[i]));
        assert_int_equal(index_group_of(&subscription).size, 0);
        index_remove(fixture->index, &subscription);
    }
}

static void gives_back_no_more_of_its_filter_than_fits(void **state)
{
    struct fixture *fixture = *state;
    struct subscription subscription = {0};
    add(fixture, 0, "ab/cd/ef", &subscription);
    for (size_t size_max = 0; size_max <= 9; size_max++) {
        char out[16] = "................";
        assert_int_equal(index_filter_of(&subscription, (uint8_t *)out, size_max), 8);
        size_t written = size_max < 8 ? size_max : 8;
        assert_memory_equal(out, "ab/cd/ef", written);
        assert_int_equal(out[written], '.');
    }
    index_remove(fixture->index, &subscription);
}

static void does_not_match_after_removal(void **state)
{
    struct fixture *fixture = *state;
    struct subscription first = {0}, second = {0};
    add(fixture, 0, "hus/+", &first);
    add(fixture, 0, "hus/+", &second);
    assert_int_equal(match_count(fixture, "hus/lys"), 2);
    index_remove(fixture->index, &first);
    assert_int_equal(match_count(fixture, "hus/lys"), 1);
    assert_true(is_hit(&fixture->hits, &second));
    index_remove(fixture->index, &second);
    assert_int_equal(match_count(fixture, "hus/lys"), 0);
    assert_int_equal(index_node_count(fixture->index), 0);
}

static void wildcards_leave_dollar_topics_alone(void **state)
{
    struct fixture *fixture = *state;
    struct subscription all = {0}, plus = {0}, named = {0};
    add(fixture, 0, "#", &all);
    add(fixture, 0, "+/a", &plus);
    add(fixture, 0, "$SYS/#", &named);
    assert_int_equal(match_count(fixture, "$SYS/a"), 1); // [MQTT-4.7.2-1]
    assert_int_equal(match_count(fixture, "$SYS"), 1);
    assert_int_equal(match_count(fixture, "a/$SYS"), 1);
    assert_true(is_hit(&fixture->hits, &all));
    index_remove(fixture->index, &all);
    index_remove(fixture->index, &plus);
    index_remove(fixture->index, &named);
}

static void each_worker_has_a_leaf_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct subscription subscriptions[8] = {0};
    for (uint32_t i = 0; i < 8; i++) {
        add(fixture, i % 4, "a", &subscriptions[i]);
    }
    assert_int_equal(match_count(fixture, "a"), 8);
    assert_int_equal(fixture->hits.leaf_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        const struct leaf *leaf = fixture->hits.leaves[i];
        assert_int_equal(leaf->count, 2);
        assert_ptr_equal(leaf->subscriptions[0], &subscriptions[leaf->worker]);
        assert_ptr_equal(leaf->subscriptions[1], &subscriptions[leaf->worker + 4]);
    }
    for (uint32_t i = 0; i < 8; i++) {
        index_remove(fixture->index, &subscriptions[i]);
    }
}

// A publisher posts a leaf; its worker removes the last subscription before it reads the post.
static void posted_leaf_stays_readable_until_the_inbox_was_read(void **state)
{
    struct fixture *fixture = *state;
    struct subscription subscription = {0};
    add(fixture, 1, "a", &subscription);
    assert_int_equal(match_count(fixture, "a"), 1);
    const struct leaf *posted = fixture->hits.leaves[0];
    index_remove(fixture->index, &subscription);
    epoch_quiescent(&fixture->epoch, 1);
    assert_int_equal(posted->count, 0);
    // The publisher's turn ends: from here on the post is in the inbox of worker 1 ...
    epoch_quiescent(&fixture->epoch, 0);
    epoch_quiescent(&fixture->epoch, 2);
    epoch_quiescent(&fixture->epoch, 3);
    // ... which may be at the end of a turn, and then reads its inbox in the next one.
    assert_int_equal(epoch_quiescent(&fixture->epoch, 1), 1); // the leaf alone still waits
    assert_int_equal(posted->count, 0);
    quiescent(fixture);
    assert_int_equal(epoch_quiescent(&fixture->epoch, 1), 0);
}

static void same_key_same_order(void **state)
{
    struct fixture *fixture = *state;
    struct index *other = index_new(&fixture->epoch, test_key);
    struct subscription here[200] = {0}, there[200] = {0};
    void *shift = memory_new(4096); // other addresses
    for (uint32_t i = 0; i < 200; i++) {
        const char *filter = i % 3 == 0 ? "a/b" : i % 3 == 1 ? "+/b" : "a/#";
        here[i].identifier = there[i].identifier = i;
        add(fixture, i % 4, filter, &here[i]);
        assert_true(index_try_add(other, i % 4, text(filter), BYTES_OF(""), &there[i]));
    }
    struct hits hits = {0};
    assert_true(index_match(other, text("a/b"), &hits));
    assert_int_equal(match_count(fixture, "a/b"), 200);
    assert_int_equal(hits.leaf_count, fixture->hits.leaf_count);
    for (uint32_t i = 0; i < hits.leaf_count; i++) {
        assert_int_equal(hits.leaves[i]->subscriptions[0]->identifier,
                         fixture->hits.leaves[i]->subscriptions[0]->identifier);
    }
    for (uint32_t i = 0; i < 200; i++) {
        index_remove(fixture->index, &here[i]);
        index_remove(other, &there[i]);
    }
    hits_done(&hits);
    memory_free(shift);
    quiescent(fixture);
    quiescent(fixture);
    index_free(other);
}

// ---- size and shape ----

static void many_subscriptions_at_one_filter(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 100000 };
    struct subscription *subscriptions = memory_new(COUNT * sizeof *subscriptions);
    for (uint32_t i = 0; i < COUNT; i++) {
        add(fixture, 0, "a/b", &subscriptions[i]);
    }
    assert_int_equal(match_count(fixture, "a/b"), COUNT);
    assert_int_equal(fixture->hits.leaf_count, 1);
    for (uint32_t i = 0; i < COUNT; i += 2) {
        index_remove(fixture->index, &subscriptions[i]);
    }
    assert_int_equal(match_count(fixture, "a/b"), COUNT / 2);
    const struct leaf *leaf = fixture->hits.leaves[0];
    for (uint32_t i = 0; i < leaf->count; i++) {
        assert_int_equal((leaf->subscriptions[i] - subscriptions) % 2, 1);
    }
    for (uint32_t i = 1; i < COUNT; i += 2) {
        index_remove(fixture->index, &subscriptions[i]);
    }
    memory_free(subscriptions);
}

static void many_children_of_one_node(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 100000 };
    struct subscription *subscriptions = memory_new(COUNT * sizeof *subscriptions);
    char name[32];
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "a/%u", i);
        add(fixture, 0, name, &subscriptions[i]);
    }
    assert_int_equal(index_node_count(fixture->index), COUNT + 1);
    for (uint32_t i = 0; i < COUNT; i += 97) {
        snprintf(name, sizeof name, "a/%u", i);
        assert_int_equal(match_count(fixture, name), 1);
        assert_true(is_hit(&fixture->hits, &subscriptions[i]));
        assert_true(fixture->hits.visited_count <= 3);
    }
    assert_int_equal(match_count(fixture, "a/100000"), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        index_remove(fixture->index, &subscriptions[i]);
        if (i % 1000 == 0) {
            quiescent(fixture);
            snprintf(name, sizeof name, "a/%u", COUNT - 1);
            assert_int_equal(match_count(fixture, name), 1);
        }
    }
    memory_free(subscriptions);
}

static void deep_topics(void **state)
{
    struct fixture *fixture = *state;
    enum { LEVELS = 128 };
    char deep[2 * LEVELS];
    for (uint32_t i = 0; i < LEVELS; i++) {
        deep[2 * i] = 'a';
        deep[2 * i + 1] = i + 1 < LEVELS ? '/' : '\0';
    }
    struct subscription exact = {0}, last_plus = {0}, all = {0};
    add(fixture, 0, deep, &exact);
    deep[2 * LEVELS - 2] = '+';
    add(fixture, 1, deep, &last_plus);
    deep[2 * LEVELS - 2] = '#';
    add(fixture, 2, deep, &all);
    deep[2 * LEVELS - 2] = 'a';
    assert_int_equal(match_count(fixture, deep), 3);
    deep[2 * LEVELS - 3] = '\0'; // a level less: the parent of '#'
    assert_int_equal(match_count(fixture, deep), 1);
    assert_int_equal(index_node_count(fixture->index), LEVELS + 2);
    index_remove(fixture->index, &exact);
    index_remove(fixture->index, &all);
    index_remove(fixture->index, &last_plus);
}

// 65 535 bytes of '/': as many levels as a filter can have.
static void deepest_filter_there_is(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *slashes = memory_new(65535);
    memset(slashes, '/', 65535);
    struct subscription subscription = {0};
    struct bytes filter = bytes_make(slashes, 65535);
    assert_true(index_try_add(fixture->index, 0, filter, BYTES_OF(""), &subscription));
    assert_true(index_match(fixture->index, filter, &fixture->hits));
    assert_int_equal(fixture->hits.leaf_count, 1);
    assert_int_equal(index_node_count(fixture->index), 65536);
    index_remove(fixture->index, &subscription);
    memory_free(slashes);
}

// Work is bounded by the nodes that exist and match, not by the variants a topic could have.
static void wildcard_bomb_visits_each_node_once(void **state)
{
    struct fixture *fixture = *state;
    enum { LEVELS = 12, COUNT = 1 << LEVELS };
    struct subscription *subscriptions = memory_new(COUNT * sizeof *subscriptions);
    char name[2 * LEVELS];
    for (uint32_t variant = 0; variant < COUNT; variant++) {
        for (uint32_t level = 0; level < LEVELS; level++) {
            name[2 * level] = (variant >> level) & 1 ? 'a' : '+';
            name[2 * level + 1] = level + 1 < LEVELS ? '/' : '\0';
        }
        add(fixture, 0, name, &subscriptions[variant]);
    }
    assert_int_equal(match_count(fixture, "a/a/a/a/a/a/a/a/a/a/a/a"), COUNT);
    assert_true(fixture->hits.visited_count <= index_node_count(fixture->index) + 1);
    assert_int_equal(match_count(fixture, "b/b/b/b/b/b/b/b/b/b/b/b"), 1);
    assert_int_equal(fixture->hits.visited_count, LEVELS + 1);
    assert_int_equal(match_count(fixture, "a/b/b/b/b/b/b/b/b/b/b/b"), 2);
    assert_int_equal(match_count(fixture, "b"), 0);
    assert_int_equal(fixture->hits.visited_count, 2);
    for (uint32_t i = 0; i < COUNT; i++) {
        index_remove(fixture->index, &subscriptions[i]);
    }
    memory_free(subscriptions);
}

// ---- without memory ----

// Adds one subscription with each allocation failing in turn until it succeeds.
static void add_against_failures(struct fixture *fixture, const char *filter, const char *group,
                                 struct subscription *subscription)
{
    bool added = false;
    for (uint64_t nth = 1; !added; nth++) {
        uint64_t nodes = index_node_count(fixture->index);
        memory_fail(nth, 1);
        added = index_try_add(fixture->index, nth % 2, text(filter), text(group), subscription);
        memory_fail(0, 0);
        assert_true(added || index_node_count(fixture->index) == nodes);
        assert_true(nth < 40);
    }
}

static void failing_to_add_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 64 };
    struct subscription subscriptions[COUNT] = {0};
    static const char *const filters[] = {"a/b/c", "a/+/c", "a/b/#", "x", "a/b/c", "+/+/+/d/e"};
    static const char *const groups[] = {"", "g", "", "h"};
    char filter[32];
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(filter, sizeof filter, i % 2 ? "%s" : "%s/%u", filters[i % 6], i);
        filter[i % 6 == 2 ? 5 : 31] = '\0';
        add_against_failures(fixture, filter, groups[i % 4], &subscriptions[i]);
    }
    assert_int_equal(index_subscription_count(fixture->index), COUNT / 2);
    assert_int_equal(index_shared_count(fixture->index), COUNT / 2);
    memory_fail(1, UINT64_MAX); // removing must not need memory
    for (uint32_t i = 0; i < COUNT; i++) {
        index_remove(fixture->index, &subscriptions[i]);
        quiescent(fixture);
    }
    memory_fail(0, 0);
}

static void failing_to_match_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct subscription subscriptions[100] = {0};
    char group[8] = "";
    for (uint32_t i = 0; i < 100; i++) {
        snprintf(group, sizeof group, "%u", i / 2);
        assert_true(index_try_add(fixture->index, i % 4, text(i < 50 ? "a/+" : "+/#"),
                                  text(i % 2 ? group : ""), &subscriptions[i]));
    }
    bool matched = false;
    uint64_t nth = 0;
    while (!matched) {
        hits_done(&fixture->hits);
        memory_fail(++nth, 1);
        matched = index_match(fixture->index, text("a/b"), &fixture->hits);
        memory_fail(0, 0);
        assert_true(nth < 20);
    }
    assert_true(nth > 3);
    assert_int_equal(match_count(fixture, "a/b"), 50);
    assert_int_equal(fixture->hits.group_count, 50);
    for (uint32_t i = 0; i < 100; i++) {
        index_remove(fixture->index, &subscriptions[i]);
    }
}

// Losing the memory to shrink or rebuild a table must not lose what is in it.
static void changes_under_random_failures_agree_with_a_list(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 2000 };
    struct subscription *subscriptions = memory_new(COUNT * sizeof *subscriptions);
    char name[32];
    uint64_t seed = 7;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t i = random_next(&seed) % COUNT;
        snprintf(name, sizeof name, "%u/x/%u", i % 7, i);
        memory_fail(1 + random_next(&seed) % 6, 1);
        if (subscriptions[i].leaf != NULL) {
            index_remove(fixture->index, &subscriptions[i]);
        } else {
            (void)index_try_add(fixture->index, 0, text(name), BYTES_OF(""), &subscriptions[i]);
        }
        memory_fail(0, 0);
        assert_int_equal(match_count(fixture, name), subscriptions[i].leaf != NULL);
        quiescent(fixture);
    }
    memory_fail(1, UINT64_MAX); // tables cannot shrink
    for (uint32_t i = 0; i < COUNT; i++) {
        if (subscriptions[i].leaf != NULL) {
            index_remove(fixture->index, &subscriptions[i]);
        }
    }
    memory_fail(0, 0);
    memory_free(subscriptions);
}

#define INDEX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INDEX_TEST(every_filter_and_topic_of_a_small_world),
        INDEX_TEST(random_changes_agree_with_a_list),
        INDEX_TEST(gives_back_its_filter),
        INDEX_TEST(gives_back_no_more_of_its_filter_than_fits),
        INDEX_TEST(does_not_match_after_removal),
        INDEX_TEST(wildcards_leave_dollar_topics_alone),
        INDEX_TEST(each_worker_has_a_leaf_of_its_own),
        INDEX_TEST(posted_leaf_stays_readable_until_the_inbox_was_read),
        INDEX_TEST(same_key_same_order),
        INDEX_TEST(many_subscriptions_at_one_filter),
        INDEX_TEST(many_children_of_one_node),
        INDEX_TEST(deep_topics),
        INDEX_TEST(deepest_filter_there_is),
        INDEX_TEST(wildcard_bomb_visits_each_node_once),
        INDEX_TEST(failing_to_add_changes_nothing),
        INDEX_TEST(failing_to_match_says_so),
        INDEX_TEST(changes_under_random_failures_agree_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
