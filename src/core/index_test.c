// SPDX-License-Identifier: MIT
// The subscription index: the same answers as matching each filter on its own.
#include "core/index.h"

#include "base/assert.h"
#include "base/memory.h"
#include "proto/topic.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static struct bytes text(const char *string)
{
    return bytes_make(string, strlen(string));
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

#define WORLD_LEVELS 4
static const char *const world_words[] = {"a", "b", "", "$x", "+", "#"};
#define WORLD_WORDS 6
#define WORLD_NAMES 4 // the first of the words can stand in a topic
#define WORLD_MAX 1600

struct world {
    char (*texts)[16];
    uint32_t count;
};

// All texts of up to four levels from the first `word_count` words that `is_valid` lets through.
static struct world world_new(uint32_t word_count, bool (*is_valid)(struct bytes))
{
    struct world world = {memory_new(WORLD_MAX * sizeof *world.texts), 0};
    for (uint32_t levels = 1, variants = word_count; levels <= WORLD_LEVELS;
         levels++, variants *= word_count) {
        for (uint32_t variant = 0; variant < variants; variant++) {
            char *to = world.texts[world.count];
            to[0] = '\0';
            for (uint32_t level = 0, rest = variant; level < levels; level++, rest /= word_count) {
                strcat(to, level == 0 ? "" : "/");
                strcat(to, world_words[rest % word_count]);
            }
            world.count += is_valid(text(to));
            ASSERT(world.count < WORLD_MAX);
        }
    }
    return world;
}

static void every_filter_and_topic_of_a_small_world(void **state)
{
    struct fixture *fixture = *state;
    struct world filters = world_new(WORLD_WORDS, topic_filter_valid);
    struct world topics = world_new(WORLD_NAMES, topic_name_valid);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_filter_and_topic_of_a_small_world, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
