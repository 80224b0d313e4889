// SPDX-License-Identifier: MIT
// Shared subscriptions: who is chosen, and what holds while members come and go.
#include "core/share.h"

#include "core/topic_tree.h"
#include "core/topic_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MEMBERS_MAX 1000

struct fixture {
    struct epoch epoch;
    struct index *index;
    struct hits hits;
    struct subscription subscriptions[MEMBERS_MAX];
    uint32_t count;
};

static int set_up(void **state)
{
    struct fixture *fixture = memory_new(sizeof *fixture);
    epoch_init(&fixture->epoch, 2);
    epoch_online(&fixture->epoch, 0);
    epoch_online(&fixture->epoch, 1);
    fixture->index = index_new(&fixture->epoch, (struct hash_key){3, 4});
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < fixture->count; i++) {
        if (fixture->subscriptions[i].member != NULL) {
            index_remove(fixture->index, &fixture->subscriptions[i]);
        }
    }
    assert_int_equal(index_shared_count(fixture->index), 0);
    assert_int_equal(index_node_count(fixture->index), 0);
    epoch_offline(&fixture->epoch, 0);
    epoch_offline(&fixture->epoch, 1);
    epoch_drain(&fixture->epoch);
    index_free(fixture->index);
    hits_done(&fixture->hits);
    memory_free(fixture);
    return 0;
}

static struct share_member *join(struct fixture *fixture, const char *filter, const char *group)
{
    uint32_t i = fixture->count++;
    assert_true(index_try_add(fixture->index, i % 2, text(filter), text(group),
                              &fixture->subscriptions[i]));
    return fixture->subscriptions[i].member;
}

// `count` members of one group, the first `online_count` of them online.
static struct share_group *new_group(struct fixture *fixture, uint32_t count, uint32_t online_count)
{
    for (uint32_t i = 0; i < count; i++) {
        share_set_online(join(fixture, "a/b", "group"), i < online_count);
    }
    return fixture->subscriptions[0].member->group;
}

static struct share_member *member_at(struct fixture *fixture, uint32_t i)
{
    return fixture->subscriptions[i].member;
}

static void finish(struct share_member *member)
{
    atomic_fetch_sub(&member->in_flight, 1);
}

static uint32_t group_count(struct fixture *fixture, const char *topic)
{
    assert_true(index_match(fixture->index, text(topic), &fixture->hits));
    return fixture->hits.group_count;
}

// ---- choosing ----

static void prefers_online_members(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, 3, 0);
    share_set_online(member_at(fixture, 1), true);
    for (uint32_t i = 0; i < 10; i++) { // however busy it gets
        assert_ptr_equal(
            share_pick(group,
                       &(struct share_choice){.except = NULL, .online_only = false, .qos = 1}),
            member_at(fixture, 1));
    }
    assert_int_equal(member_at(fixture, 1)->in_flight, 10);
    share_set_online(member_at(fixture, 1), false);
    assert_ptr_not_equal(
        share_pick(group, &(struct share_choice){.except = NULL, .online_only = false, .qos = 1}),
        member_at(fixture, 1));
}

static void chooses_offline_members_only_if_allowed(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, 2, 0);
    assert_null(
        share_pick(group, &(struct share_choice){.except = NULL, .online_only = true, .qos = 1}));
    assert_non_null(
        share_pick(group, &(struct share_choice){.except = NULL, .online_only = false, .qos = 1}));
}

static void prefers_the_least_busy(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, 3, 3);
    atomic_store(&member_at(fixture, 0)->in_flight, 5);
    atomic_store(&member_at(fixture, 1)->in_flight, 3);
    atomic_store(&member_at(fixture, 2)->in_flight, 4);
    assert_ptr_equal(
        share_pick(group, &(struct share_choice){.except = NULL, .online_only = true, .qos = 1}),
        member_at(fixture, 1));
    assert_int_equal(member_at(fixture, 1)->in_flight, 4);
}

static void ties_take_turns(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, 5, 5);
    struct share_member *first[5];
    for (uint32_t i = 0; i < 20; i++) {
        struct share_member *member = share_pick(
            group, &(struct share_choice){.except = NULL, .online_only = true, .qos = 1});
        finish(member);
        if (i < 5) {
            first[i] = member;
            for (uint32_t before = 0; before < i; before++) {
                assert_ptr_not_equal(first[before], member);
            }
        }
        assert_ptr_equal(first[i % 5], member);
    }
}

static void offline_ties_take_turns_as_well(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, 4, 0);
    for (uint32_t i = 0; i < 8; i++) {
        assert_non_null(share_pick(
            group, &(struct share_choice){.except = NULL, .online_only = false, .qos = 1}));
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(member_at(fixture, i)->in_flight, 2);
    }
}

static void never_chooses_the_exception(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, 2, 1);
    struct share_member *online = member_at(fixture, 0), *offline = member_at(fixture, 1);
    assert_ptr_equal(
        share_pick(group, &(struct share_choice){.except = online, .online_only = false, .qos = 1}),
        offline);
    assert_null(
        share_pick(group, &(struct share_choice){.except = online, .online_only = true, .qos = 1}));
    assert_int_equal(online->in_flight, 0);
    index_remove(fixture->index, offline->subscription);
    assert_null(share_pick(
        group, &(struct share_choice){.except = online, .online_only = false, .qos = 1}));
}

static void finds_the_one_that_is_awake_in_a_large_group(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, MEMBERS_MAX, 0);
    share_set_online(member_at(fixture, MEMBERS_MAX / 2), true);
    assert_ptr_equal(
        share_pick(group, &(struct share_choice){.except = NULL, .online_only = true, .qos = 1}),
        member_at(fixture, MEMBERS_MAX / 2));
}

static void spreads_over_a_large_group(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, MEMBERS_MAX, MEMBERS_MAX);
    for (uint32_t i = 0; i < 2 * MEMBERS_MAX; i++) {
        assert_non_null(share_pick(
            group, &(struct share_choice){.except = NULL, .online_only = true, .qos = 1}));
    }
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        assert_int_equal(member_at(fixture, i)->in_flight, 2);
    }
}

// ---- coming and going ----

static void check_positions(const struct share_group *group)
{
    for (uint32_t i = 0; i < group->member_count; i++) {
        assert_int_equal(group->members[i]->position, i);
        assert_ptr_equal(group->members[i]->group, group);
    }
    assert_true(group->online_count <= group->member_count);
}

static void random_changes_keep_the_online_ones_in_front(void **state)
{
    struct fixture *fixture = *state;
    enum { COUNT = 40 };
    struct share_group *group = new_group(fixture, COUNT, 0);
    bool online[COUNT] = {0};
    uint64_t seed = 99;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t i = 1 + random_next(&seed) % (COUNT - 1); // the first keeps the group alive
        struct subscription *subscription = &fixture->subscriptions[i];
        if (subscription->member == NULL) {
            assert_true(
                index_try_add(fixture->index, i % 2, text("a/b"), text("group"), subscription));
            online[i] = false;
        } else if (random_next(&seed) % 3 == 0) {
            index_remove(fixture->index, subscription);
            online[i] = false;
        } else {
            online[i] = random_next(&seed) % 2;
            share_set_online(subscription->member, online[i]);
        }
        check_positions(group);
        uint32_t online_count = 0;
        for (uint32_t k = 0; k < COUNT; k++) {
            online_count += online[k];
            assert_true(!online[k] || member_at(fixture, k)->position < group->online_count);
        }
        assert_int_equal(group->online_count, online_count);
        epoch_quiescent(&fixture->epoch, 0);
        epoch_quiescent(&fixture->epoch, 1);
    }
}

static void groups_are_told_apart_by_name_and_filter(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *one = join(fixture, "a/b", "one")->group;
    struct share_group *two = join(fixture, "a/b", "two")->group;
    struct share_group *wild = join(fixture, "a/+", "one")->group;
    assert_ptr_equal(join(fixture, "a/b", "one")->group, one);
    assert_ptr_not_equal(one, two);
    assert_ptr_not_equal(one, wild);
    assert_int_equal(group_count(fixture, "a/b"), 3);
    assert_int_equal(group_count(fixture, "a/c"), 1);
    assert_ptr_equal(fixture->hits.groups[0], wild);
    assert_int_equal(group_count(fixture, "a"), 0);
    assert_int_equal(group_count(fixture, "a/b/one"), 0);
}

// A group's name and a level below its filter are different edges, even when the bytes are equal.
static void name_of_a_group_is_no_level(void **state)
{
    struct fixture *fixture = *state;
    join(fixture, "a", "b");
    join(fixture, "a/b", "x");
    assert_int_equal(group_count(fixture, "a"), 1);
    assert_int_equal(group_count(fixture, "a/b"), 1);
    assert_ptr_equal(fixture->hits.groups[0], member_at(fixture, 1)->group);
}

static void gives_back_filter_and_group(void **state)
{
    struct fixture *fixture = *state;
    uint8_t out[16];
    join(fixture, "hus/+/#", "gruppe");
    assert_int_equal(index_filter_of(&fixture->subscriptions[0], out, sizeof out), 7);
    assert_memory_equal(out, "hus/+/#", 7);
    assert_true(bytes_equal(index_group_of(&fixture->subscriptions[0]), text("gruppe")));
}

static void last_member_takes_the_group_along(void **state)
{
    struct fixture *fixture = *state;
    join(fixture, "a/b", "g");
    join(fixture, "a/b", "g");
    index_remove(fixture->index, &fixture->subscriptions[0]);
    assert_int_equal(group_count(fixture, "a/b"), 1);
    index_remove(fixture->index, &fixture->subscriptions[1]);
    assert_int_equal(group_count(fixture, "a/b"), 0);
    assert_int_equal(index_node_count(fixture->index), 0);
}

static void middle_group_of_a_filter_can_go(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"1", "2", "3"};
    for (uint32_t gone = 0; gone < 3; gone++) {
        fixture->count = 0;
        for (uint32_t i = 0; i < 3; i++) {
            join(fixture, "a", names[i]);
        }
        index_remove(fixture->index, &fixture->subscriptions[gone]);
        assert_int_equal(group_count(fixture, "a"), 2);
        for (uint32_t i = 0; i < 2; i++) {
            struct bytes name = topic_node_level(fixture->hits.groups[i]->node);
            assert_false(bytes_equal(name, text(names[gone])));
        }
        for (uint32_t i = 0; i < 3; i++) {
            if (i != gone) {
                index_remove(fixture->index, &fixture->subscriptions[i]);
            }
        }
    }
}

// A message in flight names the member it was given to; the session unsubscribes meanwhile.
static void referenced_member_outlives_its_subscription(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, 1, 1);
    struct share_member *member = share_member_ref(
        share_pick(group, &(struct share_choice){.except = NULL, .online_only = true, .qos = 1}));
    index_remove(fixture->index, member->subscription);
    for (uint32_t turn = 0; turn < 4; turn++) {
        epoch_quiescent(&fixture->epoch, 0);
        epoch_quiescent(&fixture->epoch, 1);
    }
    assert_null(member->subscription);
    assert_null(share_pick(
        member->group, &(struct share_choice){.except = member, .online_only = false, .qos = 1}));
    struct share_member *newcomer = join(fixture, "a/b", "group");
    assert_ptr_not_equal(newcomer->group, member->group);
    assert_null(share_pick(member->group,
                           &(struct share_choice){.except = NULL, .online_only = false, .qos = 1}));
    finish(member);
    share_member_unref(member);
}

// A publisher posts a member; it leaves before its worker reads the post.
static void posted_member_stays_readable_until_the_inbox_was_read(void **state)
{
    struct fixture *fixture = *state;
    struct share_group *group = new_group(fixture, 1, 1);
    struct share_member *posted =
        share_pick(group, &(struct share_choice){.except = NULL, .online_only = true, .qos = 1});
    index_remove(fixture->index, posted->subscription);
    epoch_quiescent(&fixture->epoch, 1); // the publisher's turn ends
    epoch_quiescent(&fixture->epoch, 0); // and the member's
    assert_null(posted->subscription);
    assert_null(share_pick(
        posted->group, &(struct share_choice){.except = posted, .online_only = false, .qos = 1}));
    epoch_quiescent(&fixture->epoch, 1);
    assert_int_equal(epoch_quiescent(&fixture->epoch, 0), 0);
}

static void many_groups_at_one_filter(void **state)
{
    struct fixture *fixture = *state;
    char name[16];
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        snprintf(name, sizeof name, "%u", i);
        join(fixture, "a", name);
    }
    assert_int_equal(group_count(fixture, "a"), MEMBERS_MAX);
    assert_int_equal(fixture->hits.visited_count, 2); // groups are no nodes that a match walks
    assert_int_equal(index_shared_count(fixture->index), MEMBERS_MAX);
    assert_int_equal(index_subscription_count(fixture->index), 0);
}

static void failing_to_join_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 20; i++) {
        const char *filter = i < 10 ? "a/b/c" : "a/+/#";
        struct subscription *subscription = &fixture->subscriptions[fixture->count++];
        bool added = false;
        for (uint64_t nth = 1; !added; nth++) {
            uint64_t nodes = index_node_count(fixture->index);
            memory_fail(nth, 1);
            added = index_try_add(fixture->index, 0, text(filter), text("g"), subscription);
            memory_fail(0, 0);
            assert_true(added || index_node_count(fixture->index) == nodes);
            assert_int_equal(index_shared_count(fixture->index), i + added);
            assert_true(nth < 30);
        }
        check_positions(subscription->member->group);
    }
}

#define SHARE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARE_TEST(prefers_online_members),
        SHARE_TEST(chooses_offline_members_only_if_allowed),
        SHARE_TEST(prefers_the_least_busy),
        SHARE_TEST(ties_take_turns),
        SHARE_TEST(offline_ties_take_turns_as_well),
        SHARE_TEST(never_chooses_the_exception),
        SHARE_TEST(finds_the_one_that_is_awake_in_a_large_group),
        SHARE_TEST(spreads_over_a_large_group),
        SHARE_TEST(random_changes_keep_the_online_ones_in_front),
        SHARE_TEST(groups_are_told_apart_by_name_and_filter),
        SHARE_TEST(name_of_a_group_is_no_level),
        SHARE_TEST(gives_back_filter_and_group),
        SHARE_TEST(last_member_takes_the_group_along),
        SHARE_TEST(middle_group_of_a_filter_can_go),
        SHARE_TEST(referenced_member_outlives_its_subscription),
        SHARE_TEST(posted_member_stays_readable_until_the_inbox_was_read),
        SHARE_TEST(many_groups_at_one_filter),
        SHARE_TEST(failing_to_join_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
