// SPDX-License-Identifier: MIT
// Routing: who gets a message, how often and at which QoS, on this worker and the other; and that
// nothing is lost without a word.
#include "core/test_router.h"

static int set_up(void **state)
{
    *state = world_new();
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    return 0;
}

static void subscribe_with(struct session *session, const char *filter,
                           struct subscription_options options, uint32_t identifier)
{
    options.retain_handling = 2;
    assert_int_equal(session_subscribe(session, text(filter), options, identifier), options.qos);
}

// ---- who ----

static void nobody_wants_it(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a/b", 1);
    assert_int_equal(world_publish(world, "a/c", "x", 1), BUD_NO_MATCHING_SUBSCRIBERS);
    world_expect_nothing(session);
    world_end_session(session);
}

static void everybody_who_wants_it_gets_it_once(void **state)
{
    struct world *world = *state;
    struct session *here = world_session(world, 0), *there = world_session(world, 1);
    struct session *other = world_session(world, 0);
    world_subscribe(here, "a/+", 1);
    world_subscribe(there, "#", 2);
    world_subscribe(other, "b", 2);
    assert_int_equal(world_publish(world, "a/b", "x", 2), BUD_SUCCESS);
    world_expect(here, "x", 1);
    world_expect_nothing(here);
    world_expect_nothing(there); // until it reads its posts
    world_read_posts(world);
    world_expect(there, "x", 2);
    world_expect_nothing(there);
    world_expect_nothing(other);
    world_end_session(here);
    world_end_session(there);
    world_end_session(other);
}

static void the_lower_qos_counts(void **state)
{
    struct world *world = *state;
    for (uint8_t published = 0; published <= 2; published++) {
        for (uint8_t subscribed = 0; subscribed <= 2; subscribed++) {
            struct session *session = world_session(world, 0);
            world_subscribe(session, "a", subscribed);
            world_publish(world, "a", "x", published);
            world_expect(session, "x", published < subscribed ? published : subscribed);
            world_end_session(session);
        }
    }
}

static void ones_own_messages_are_left_out_where_asked(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0), *other = world_session(world, 0);
    subscribe_with(session, "a", (struct subscription_options){.no_local = true}, 0);
    struct message *own = world_message(world, "a", "x", 0);
    own->publisher = session->number;
    router_publish(&world->routers[0], own);
    world_expect_nothing(session); // [MQTT-3.8.3-3]
    own->publisher = other->number;
    router_publish(&world->routers[0], own);
    world_expect(session, "x", 0);
    message_unref(own);
    world_end_session(session);
    world_end_session(other);
}

static void the_retain_flag_shows_only_as_published(void **state)
{
    struct world *world = *state;
    struct session *plain = world_session(world, 0), *as_published = world_session(world, 0);
    world_subscribe(plain, "a", 0);
    subscribe_with(as_published, "a", (struct subscription_options){.retain_as_published = true},
                   0);
    assert_int_equal(world_retain(world, "a", "x", 0), BUD_SUCCESS);
    assert_false(session_next(plain, 0).delivery->retain);       // [MQTT-3.3.1-12]
    assert_true(session_next(as_published, 0).delivery->retain); // [MQTT-3.3.1-13]
    session_sent(plain);
    session_sent(as_published);
    world_publish(world, "a", "x", 0);
    assert_false(session_next(as_published, 0).delivery->retain);
    session_sent(as_published);
    world_end_session(plain);
    world_end_session(as_published);
}

// ---- overlapping filters ----

static bool has_identifier(const struct delivery *delivery, uint32_t identifier)
{
    bool found = delivery->identifier == identifier;
    for (uint32_t i = 0; delivery->extra != NULL && i < delivery->extra->count; i++)
        found = found || delivery->extra->identifiers[i] == identifier;
    return found;
}

static void overlapping_filters_give_one_copy_with_all_identifiers(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    struct subscription_options at_most = {.qos = 0}, at_least = {.qos = 1}, exact = {.qos = 2};
    subscribe_with(session, "a/b", at_most, 10);
    subscribe_with(session, "a/+", exact, 20);
    subscribe_with(session, "#", at_least, 30);
    subscribe_with(session, "+/b", at_least, 0);
    world_publish(world, "a/b", "x", 2);
    struct session_outgoing outgoing = session_next(session, 0);
    assert_int_equal(outgoing.delivery->qos, 2); // the highest [MQTT-3.3.4-2]
    assert_int_equal(outgoing.delivery->extra->count, 2);
    for (uint32_t identifier = 10; identifier <= 30; identifier += 10)
        assert_true(has_identifier(outgoing.delivery, identifier)); // [MQTT-3.3.4-4]
    world_expect_nothing(session);
    world_end_session(session);
}

static void one_of_two_overlapping_filters_may_refuse(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    subscribe_with(session, "a", (struct subscription_options){.qos = 2, .no_local = true}, 10);
    subscribe_with(session, "#", (struct subscription_options){.qos = 1}, 20);
    struct message *own = world_message(world, "a", "x", 2);
    own->publisher = session->number;
    router_publish(&world->routers[0], own);
    message_unref(own);
    struct session_outgoing outgoing = session_next(session, 0);
    assert_int_equal(outgoing.delivery->qos, 1);
    assert_int_equal(outgoing.delivery->identifier, 20);
    assert_null(outgoing.delivery->extra);
    world_expect_nothing(session);
    world_end_session(session);
}

// ---- access ----

static void what_may_not_be_read_is_reported(void **state)
{
    struct world *world = *state;
    struct session *one = world_session(world, 0), *two = world_session(world, 0);
    struct session *member = world_session(world, 0);
    world_subscribe(one, "a/#", 1);
    subscribe_with(two, "+/b", (struct subscription_options){.qos = 1}, 1);
    subscribe_with(two, "#", (struct subscription_options){.qos = 1}, 2);
    subscribe_with(two, "a/b/#", (struct subscription_options){.qos = 1}, 3);
    world_subscribe(member, "$share/g/#", 1);
    world->denied = text("a/b");
    assert_int_equal(world_publish(world, "a/b", "x", 1), BUD_SUCCESS);
    assert_int_equal(world->dropped[COUNTER_DROPPED_NOT_AUTHORIZED], 3);
    world_expect_nothing(one);
    world_expect_nothing(two);
    world_expect_nothing(member);
    world_publish(world, "a/c", "y", 1);
    world_expect(one, "y", 1);
    world_expect(member, "y", 1); // what was denied before weighs on no one
    world_end_session(one);
    world_end_session(two);
    world_end_session(member);
}

static void the_brokers_own_topics_are_nobodys_to_write(void **state)
{
    struct world *world = *state;
    struct router *router = &world->routers[0];
    world->access = (struct access_port){0};
    assert_false(router_may_write(router, NULL, text("$SYS")));
    assert_false(router_may_write(router, NULL, text("$SYS/broker/uptime")));
    assert_false(router_may_write(router, NULL, text("$SYS/broker/connection/state")));
    assert_false(router_may_write(router, NULL, text("$SYS/broker/connection/a/b/state")));
    assert_false(router_may_write(router, NULL, text("$SYS/broker/connection/a/state/")));
    assert_true(router_may_write(router, NULL, text("$SYS/broker/connection/a/state")));
    assert_true(router_may_write(router, NULL, text("$SYSTEM")));
    assert_true(router_may_write(router, NULL, text("$sys/x")));
    assert_true(router_may_write(router, NULL, text("a/$SYS/x")));
    assert_true(router_may_write(router, NULL, text("$SY")));
    assert_true(router_may_read(router, NULL, text("$SYS/broker/uptime")));
    // Orders to a broker need a rule that names them.
    assert_false(router_may_write(router, NULL, text("$CONTROL/dynamic-security/v1")));
    assert_false(router_may_read(router, NULL, text("$CONTROL")));
    assert_true(router_may_write(router, NULL, text("$CONTROLS/x")));
}

// ---- shared subscriptions ----

static void members_take_turns_over_both_workers(void **state)
{
    struct world *world = *state;
    struct session *here = world_session(world, 0), *there = world_session(world, 1);
    world_subscribe(here, "$share/g/a", 1);
    world_subscribe(there, "$share/g/a", 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(world_publish(world, "a", "x", 1), BUD_SUCCESS);
    world_read_posts(world);
    for (int i = 0; i < 3; i++) {
        world_expect(here, "x", 1);
        world_expect(there, "x", 1);
    }
    world_expect_nothing(here);
    world_expect_nothing(there);
    world_end_session(here);
    assert_int_equal(world->post_count, 3); // what it did not acknowledge goes to the other
    world_read_posts(world);
    for (int i = 0; i < 3; i++)
        world_expect(there, "x", 1);
    world_end_session(there);
    assert_int_equal(world->dropped[COUNTER_DROPPED_SESSION_ENDED], 6);
}

static void a_member_is_chosen_apart_from_its_ordinary_subscriptions(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 1);
    world_subscribe(session, "$share/g/a", 1);
    world_subscribe(session, "$share/h/a", 1);
    world_publish(world, "a", "x", 1);
    for (int i = 0; i < 3; i++)
        world_expect(session, "x", 1);
    world_expect_nothing(session);
    world_end_session(session);
}

// The chosen member unsubscribes before its worker reads the post: another one gets the message.
static void a_post_to_a_member_that_left_goes_to_the_next(void **state)
{
    struct world *world = *state;
    struct session *left = world_session(world, 1), *stays = world_session(world, 0);
    world_subscribe(left, "$share/g/a", 1);
    world_publish(world, "a", "x", 1);
    assert_int_equal(world->post_count, 1);
    world_subscribe(stays, "$share/g/a", 1);
    assert_int_equal(session_unsubscribe(left, text("$share/g/a")), BUD_SUCCESS);
    struct world_post post = world->posts[0];
    world->post_count = 0;
    assert_false(router_deliver_member(&world->routers[1], post.message, post.member, post.moved));
    // Who chose it chooses again.
    assert_true(router_pass_on(&world->routers[0], post.message, post.member, false, post.moved));
    message_unref(post.message);
    assert_int_equal(world->post_count, 0);
    world_expect(stays, "x", 1);
    world_expect_nothing(left);
    world_end_session(left);
    world_end_session(stays);
}

static void a_post_to_the_last_member_that_left_is_for_nobody(void **state)
{
    struct world *world = *state;
    struct session *left = world_session(world, 1);
    world_subscribe(left, "$share/g/a", 1);
    world_publish(world, "a", "x", 1);
    assert_int_equal(session_unsubscribe(left, text("$share/g/a")), BUD_SUCCESS);
    world_read_posts(world);
    world_expect_nothing(left);
    world_end_session(left);
}

// ---- retained ----

static void what_cannot_be_retained_reaches_nobody(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "#", 1);
    for (int i = 0; i < 100; i++) {
        char topic[8];
        snprintf(topic, sizeof(topic), "%d", i);
        assert_int_equal(world_retain(world, topic, "x", 0), BUD_SUCCESS);
        world_expect(session, "x", 0);
    }
    assert_int_equal(world_retain(world, "one/more", "x", 0), BUD_QUOTA_EXCEEDED);
    assert_int_equal(world_count(world, COUNTER_REFUSED_RETAINED), 1);
    world_expect_nothing(session);
    assert_int_equal(world_retain(world, "7", "y", 0), BUD_SUCCESS); // in place of an old one
    world_expect(session, "y", 0);
    assert_int_equal(world_retain(world, "7", "", 0), BUD_SUCCESS); // removed, and told
    world_expect(session, "", 0);
    assert_int_equal(world_retain(world, "one/more", "x", 0), BUD_SUCCESS);
    world_end_session(session);
}

// ---- memory ----

// Publishes while the `nth` allocation fails; false when there were fewer.
static bool publish_with_failure(struct world *world, uint64_t nth)
{
    struct message *message = world_message(world, "a/b", "x", 1);
    uint64_t before = memory_try_count();
    memory_fail(nth, 1);
    enum bud_reason reason = router_publish(&world->routers[0], message);
    memory_fail(0, 0);
    uint64_t calls = memory_try_count() - before;
    message_unref(message);
    uint64_t reached = world_count(world, COUNTER_QUEUED_MESSAGES) + world->post_count;
    if (reason == BUD_QUOTA_EXCEEDED) // the publisher is told, so nobody has it
        assert_int_equal(reached + world->drops, 0);
    else // a session may be reported for one filter and reached by the other
        assert_in_range(reached, 4 - world->drops, 4);
    return nth <= calls;
}

// Three sessions here with four subscriptions, one of them shared, and one there: whoever did not
// get it was reported.
static void each_failing_allocation_is_reported(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct world *world = world_new();
        struct session *sessions[4];
        for (uint32_t i = 0; i < 4; i++)
            sessions[i] = world_session(world, i == 3);
        world_subscribe(sessions[0], "a/b", 1);
        subscribe_with(sessions[1], "a/+", (struct subscription_options){.qos = 1}, 1);
        subscribe_with(sessions[1], "#", (struct subscription_options){.qos = 1}, 2);
        world_subscribe(sessions[2], "$share/g/#", 1);
        world_subscribe(sessions[3], "a/b", 1);
        failed = publish_with_failure(world, nth);
        world_read_posts(world);
        for (uint32_t i = 0; i < 4; i++)
            world_end_session(sessions[i]);
        world_free(world);
        assert_true(nth < 50);
    }
}

#define ROUTER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTER_TEST(nobody_wants_it),
        ROUTER_TEST(everybody_who_wants_it_gets_it_once),
        ROUTER_TEST(the_lower_qos_counts),
        ROUTER_TEST(ones_own_messages_are_left_out_where_asked),
        ROUTER_TEST(the_retain_flag_shows_only_as_published),
        ROUTER_TEST(overlapping_filters_give_one_copy_with_all_identifiers),
        ROUTER_TEST(one_of_two_overlapping_filters_may_refuse),
        ROUTER_TEST(what_may_not_be_read_is_reported),
        ROUTER_TEST(the_brokers_own_topics_are_nobodys_to_write),
        ROUTER_TEST(members_take_turns_over_both_workers),
        ROUTER_TEST(a_member_is_chosen_apart_from_its_ordinary_subscriptions),
        ROUTER_TEST(a_post_to_a_member_that_left_goes_to_the_next),
        ROUTER_TEST(a_post_to_the_last_member_that_left_is_for_nobody),
        ROUTER_TEST(what_cannot_be_retained_reaches_nobody),
        ROUTER_TEST(each_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
