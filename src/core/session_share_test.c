// SPDX-License-Identifier: MIT
// Shared subscriptions seen from the sessions: what a member that goes away was given and did not
// finish. And a session's whole life with each allocation failing once: nothing leaks, nothing is
// lost without a word.
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

#define FILTER "$share/g/a"

static struct session *join(struct world *world, uint32_t worker)
{
    struct session *session = world_session(world, worker);
    world_subscribe(session, FILTER, 2);
    return session;
}

// ---- the connection goes ----

static void what_was_not_acknowledged_goes_to_another_online_member(void **state)
{
    struct world *world = *state;
    struct session *leaving = join(world, 0);
    world_publish(world, "a", "sent", 1);
    world_expect(leaving, "sent", 1);
    world_publish(world, "a", "queued 1", 1);
    world_publish(world, "a", "queued 2", 2);
    struct session *staying = join(world, 0);
    session_detach(leaving, 0);
    world_expect(staying, "sent", 1);
    world_expect(staying, "queued 1", 1);
    world_expect(staying, "queued 2", 2);
    world_attach(leaving, 10);
    world_expect_nothing(leaving); // it is not in two places
    assert_int_equal(world->drops, 0);
    world_end_session(leaving);
    world_end_session(staying);
}

static void an_exactly_once_exchange_stays_with_its_member(void **state)
{
    struct world *world = *state;
    struct session *leaving = join(world, 0);
    world_publish(world, "a", "sent", 2);
    uint16_t packet_id = world_expect(leaving, "sent", 2);
    struct session *staying = join(world, 0);
    session_detach(leaving, 0);
    world_expect_nothing(staying); // [MQTT-4.8.2-4]
    world_attach(leaving, 10);
    struct session_outgoing outgoing = session_next(leaving, 0);
    assert_int_equal(outgoing.packet_id, packet_id);
    assert_true(outgoing.dup);
    session_detach(leaving, 0);
    session_free(leaving);
    world_expect_nothing(staying); // [MQTT-4.8.2-5]
    assert_int_equal(world->dropped[COUNTER_DROPPED_SESSION_ENDED], 1);
    world_end_session(staying);
}

static void without_another_online_member_it_waits(void **state)
{
    struct world *world = *state;
    struct session *leaving = join(world, 0), *offline = join(world, 1);
    session_detach(offline, 0);
    world_publish(world, "a", "sent", 1);
    uint16_t packet_id = world_expect(leaving, "sent", 1);
    world_publish(world, "a", "queued", 1);
    session_detach(leaving, 0);
    assert_int_equal(world->post_count, 0);
    world_attach(leaving, 10);
    struct session_outgoing outgoing = session_next(leaving, 0);
    assert_int_equal(outgoing.packet_id, packet_id);
    world_expect(leaving, "queued", 1);
    session_on_puback(leaving, packet_id);
    world_expect_nothing(leaving);
    world_end_session(leaving);
    world_read_posts(world);
    world_end_session(offline);
}

static void order_of_what_stays_is_kept(void **state)
{
    struct world *world = *state;
    struct session *session = join(world, 0);
    world_subscribe(session, "b", 1);
    for (int i = 0; i < 3; i++) {
        world_publish(world, "b", (char[]){(char)('0' + 2 * i), 0}, 1);
        world_publish(world, "a", (char[]){(char)('1' + 2 * i), 0}, 1);
    }
    session_detach(session, 0);
    world_attach(session, 10);
    for (int i = 0; i < 6; i++)
        world_expect(session, (char[]){(char)('0' + i), 0}, 1);
    world_end_session(session);
}

static void only_what_the_group_gave_is_passed_on(void **state)
{
    struct world *world = *state;
    struct session *leaving = join(world, 0), *staying = join(world, 0);
    world_subscribe(leaving, "a", 1);
    world_publish(world, "a", "own", 1);
    world_publish(world, "a", "own", 1);
    session_detach(leaving, 0);
    world_expect(staying, "own", 1);
    world_expect(staying, "own", 1);
    world_expect_nothing(staying);
    assert_int_equal(session_queued_count(leaving), 2);
    world_end_session(leaving);
    world_end_session(staying);
}

// ---- the session ends ----

static void at_the_end_an_offline_member_will_do(void **state)
{
    struct world *world = *state;
    struct session *ending = join(world, 0), *offline = join(world, 1);
    session_detach(offline, 0);
    world_publish(world, "a", "sent", 1);
    world_publish(world, "a", "queued", 2);
    world_expect(ending, "sent", 1);
    world_end_session(ending);
    assert_int_equal(world->post_count, 2);
    world_read_posts(world);
    assert_int_equal(session_queued_count(offline), 2);
    assert_int_equal(world->drops, 0);
    world_end_session(offline);
    assert_int_equal(world->dropped[COUNTER_DROPPED_SESSION_ENDED], 2); // nobody is left
}

static void nothing_comes_back_to_the_one_that_ends(void **state)
{
    struct world *world = *state;
    struct session *session = join(world, 0);
    world_subscribe(session, "$share/h/a", 1);
    world_publish(world, "a", "x", 1);
    assert_int_equal(session_unsubscribe(session, text(FILTER)), BUD_SUCCESS);
    world_subscribe(session, FILTER, 1); // the same group under a new membership
    world_end_session(session);
    assert_int_equal(world->dropped[COUNTER_DROPPED_SESSION_ENDED], 2);
}

// Members that all refuse: each message is offered on once, and reported once.
static void refusing_members_do_not_play_ball(void **state)
{
    struct world *world = *state;
    struct session *members[5];
    for (uint32_t i = 0; i < 5; i++)
        members[i] = join(world, i % 2);
    world->limits.queue_messages_max = 1;
    for (int i = 0; i < 20; i++)
        world_publish(world, "a", "x", 1);
    world_read_posts(world);
    for (uint32_t i = 0; i < 5; i++) {
        world_end_session(members[i]);
        world_read_posts(world);
    }
    assert_int_equal(world->drops, 20);
}

// Who was given something and lost it is not thought busy for ever: afterwards all are chosen
// equally often.
static void nobody_stays_busy_with_what_is_gone(void **state)
{
    struct world *world = *state;
    struct session *one = join(world, 0), *two = join(world, 0);
    world->limits.queue_messages_max = 2;
    world->limits.output_bytes_max = 1;
    for (int i = 0; i < 30; i++)
        world_publish(world, "a", "x", (uint8_t)(i % 3));
    for (int round = 0; round < 2; round++) {
        struct session *session = round == 0 ? one : two;
        struct session_outgoing outgoing;
        while ((outgoing = session_next(session, 0)).type != 0)
            session_discard(session, outgoing.packet_id);
    }
    world_publish(world, "a", "1", 0);
    world_publish(world, "a", "2", 0);
    assert_int_equal(session_queued_count(one), 1);
    assert_int_equal(session_queued_count(two), 1);
    world_end_session(one);
    world_end_session(two);
}

// ---- each allocation fails once ----

struct tally {
    uint64_t owed, given;
};

static void receive(struct session *session, struct tally *tally)
{
    struct session_outgoing outgoing;
    while ((outgoing = session_next(session, 0)).type != 0 || outgoing.again) {
        if (outgoing.type != PACKET_PUBLISH)
            continue;
        tally->given += !outgoing.dup;
        uint8_t qos = outgoing.delivery->qos;
        session_sent(session);
        // Half of them stay in flight.
        if (qos == 1 && outgoing.packet_id % 2 == 0)
            session_on_puback(session, outgoing.packet_id);
        else if (qos == 2)
            session_on_pubrec(session, outgoing.packet_id, BUD_SUCCESS);
    }
}

static void publish(struct world *world, const char *topic, uint8_t qos, struct tally *tally)
{
    struct message_source source = {.topic = text(topic), .payload = text("x"), .qos = qos};
    struct message *message = message_try_new(&world->budget, &source);
    if (message == NULL)
        return;
    tally->owed += router_publish(&world->routers[0], message) == BUD_SUCCESS;
    message_unref(message);
}

// One session with two filters that do not overlap, over two connections.
static void live(struct world *world, struct tally *tally)
{
    struct principal_source source = {.client_id = text("c"), .user = text("u")};
    struct principal *principal = principal_try_new(&world->budget, &source);
    if (principal == NULL)
        return;
    struct session *session = session_try_new(&world->routers[0], 1, principal);
    principal_unref(principal);
    if (session == NULL)
        return;
    session->expiry_interval = SESSION_NEVER_EXPIRES;
    static const char *const filters[] = {"b/+", "c", FILTER};
    for (uint32_t i = 0; i < 3; i++)
        session_subscribe(session, text(filters[i]), (struct subscription_options){.qos = 2}, i);
    for (int connection = 0; connection < 2; connection++) {
        if (!session_try_attach(session, session, MQTT_5_0, 20))
            continue;
        for (uint8_t i = 0; i < 12; i++) {
            static const char *const topics[] = {"b/x", "c", "a"};
            publish(world, topics[i % 3], i / 4, tally);
        }
        receive(session, tally);
        session_detach(session, 0);
        publish(world, "c", 1, tally);
    }
    session_free(session);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct world *world = world_new();
        struct tally tally = {0};
        uint64_t before = memory_try_count();
        memory_fail(nth, 1);
        live(world, &tally);
        memory_fail(0, 0);
        failed = memory_try_count() - before >= nth;
        // What was given and not acknowledged is reported as well when the session ends.
        assert_in_range(tally.given + world->drops, tally.owed, 2 * tally.owed);
        if (!failed)
            assert_int_equal(world->dropped[COUNTER_DROPPED_NO_MEMORY], 0);
        world_free(world);
        assert_true(nth < 500);
    }
}

static void memory_is_gone_from_some_point_on(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 120; nth++) {
        struct world *world = world_new();
        struct tally tally = {0};
        memory_fail(nth, UINT64_MAX);
        live(world, &tally);
        memory_fail(0, 0);
        assert_in_range(tally.given + world->drops, tally.owed, 2 * tally.owed);
        world_free(world);
    }
}

static void the_budget_is_gone_from_some_point_on(void **state)
{
    (void)state;
    for (int64_t limit = 0; limit < 6000; limit += 97) {
        struct world *world = world_new();
        struct tally tally = {0};
        world->budget.limit = limit;
        live(world, &tally);
        assert_in_range(tally.given + world->drops, tally.owed, 2 * tally.owed);
        world_free(world);
    }
}

#define SHARE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARE_TEST(what_was_not_acknowledged_goes_to_another_online_member),
        SHARE_TEST(an_exactly_once_exchange_stays_with_its_member),
        SHARE_TEST(without_another_online_member_it_waits),
        SHARE_TEST(order_of_what_stays_is_kept),
        SHARE_TEST(only_what_the_group_gave_is_passed_on),
        SHARE_TEST(at_the_end_an_offline_member_will_do),
        SHARE_TEST(nothing_comes_back_to_the_one_that_ends),
        SHARE_TEST(refusing_members_do_not_play_ball),
        SHARE_TEST(nobody_stays_busy_with_what_is_gone),
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(memory_is_gone_from_some_point_on),
        cmocka_unit_test(the_budget_is_gone_from_some_point_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
