// SPDX-License-Identifier: MIT
// Retained messages for a new subscription: each once, as far as the client may have it and has
// room, in turn with what is published meanwhile.
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

static void subscribe(struct session *session, const char *filter, uint8_t qos,
                      uint8_t retain_handling)
{
    struct subscription_options options = {.qos = qos, .retain_handling = retain_handling};
    assert_int_equal(session_subscribe(session, text(filter), options, 5), qos);
}

// Sends whatever there is until nothing comes; QoS 1 is acknowledged. Returns how many.
static uint32_t receive_all_at(struct session *session, int64_t now_ms)
{
    uint32_t count = 0;
    struct session_outgoing outgoing;
    while ((outgoing = session_next(session, now_ms)).type != 0 || outgoing.again) {
        count += outgoing.type == PACKET_PUBLISH;
        session_sent(session);
        if (outgoing.packet_id != 0)
            assert_int_equal(session_on_puback(session, outgoing.packet_id), BUD_SUCCESS);
    }
    return count;
}

static uint32_t receive_all(struct session *session)
{
    return receive_all_at(session, 0);
}

static void retain_many(struct world *world, uint32_t count, uint8_t qos)
{
    char topic[16];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(topic, sizeof(topic), "r/%u", i);
        assert_int_equal(world_retain(world, topic, "old", qos), BUD_NO_MATCHING_SUBSCRIBERS);
    }
}

static void each_retained_message_comes_once_and_marked(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_retain(world, "a/b", "1", 2);
    world_retain(world, "c", "2", 0);
    subscribe(session, "a/#", 1, 0);
    struct session_outgoing outgoing = session_next(session, 0);
    assert_true(outgoing.delivery->retain); // [MQTT-3.3.1-8]
    assert_int_equal(outgoing.delivery->qos, 1);
    assert_int_equal(outgoing.delivery->identifier, 5);
    assert_false(outgoing.dup);
    assert_int_equal(receive_all(session), 0);
    world_end_session(session);
}

static void retain_handling_is_obeyed(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    retain_many(world, 3, 1);
    subscribe(session, "r/+", 1, 2);
    assert_int_equal(receive_all(session), 0); // [MQTT-3.3.1-11]
    subscribe(session, "r/+", 1, 1);
    assert_int_equal(receive_all(session), 0); // there already [MQTT-3.3.1-10]
    subscribe(session, "r/+", 1, 0);
    assert_int_equal(receive_all(session), 3); // [MQTT-3.3.1-9]
    subscribe(session, "r/#", 1, 1);
    assert_int_equal(receive_all(session), 3); // another filter, so it is new
    subscribe(session, "$share/g/r/#", 1, 0);
    assert_int_equal(receive_all(session), 0); // never for shared ones
    world_end_session(session);
}

static void asking_again_before_the_end_starts_anew(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    retain_many(world, 5, 0);
    subscribe(session, "r/+", 1, 0);
    world_expect(session, "old", 0);
    subscribe(session, "r/+", 1, 0);
    assert_int_equal(receive_all(session), 5);
    world_end_session(session);
}

static void unsubscribing_ends_it(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    retain_many(world, 5, 0);
    subscribe(session, "r/+", 0, 0);
    subscribe(session, "r/3", 0, 0);
    world_expect(session, "old", 0);
    assert_int_equal(session_unsubscribe(session, text("r/+")), BUD_SUCCESS);
    assert_int_equal(receive_all(session), 1);
    world_end_session(session);
}

static void live_messages_take_turns_with_it(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    retain_many(world, 6, 0);
    subscribe(session, "#", 1, 0);
    for (int i = 0; i < 6; i++)
        world_publish(world, "live", "new", 0);
    uint32_t old = 0, new = 0;
    for (int i = 0; i < 12; i++) {
        struct session_outgoing outgoing = session_next(session, 0);
        assert_int_equal(outgoing.type, PACKET_PUBLISH);
        if (outgoing.delivery->retain)
            old++;
        else
            new ++;
        session_sent(session);
        assert_in_range(old + 1 - new, 0, 2); // never further apart than one
    }
    world_expect_nothing(session);
    world_end_session(session);
}

static void it_waits_for_the_window(void **state)
{
    struct world *world = *state;
    struct session *session = world_offline_session(world, 0);
    world_attach(session, 1);
    retain_many(world, 2, 1);
    subscribe(session, "r/+", 1, 0);
    uint16_t packet_id = world_expect(session, "old", 1);
    world_publish(world, "r/live", "free", 0);
    world_expect(session, "free", 0); // live QoS 0 goes on
    world_expect_nothing(session);
    session_on_puback(session, packet_id);
    world_expect(session, "old", 1);
    world_expect_nothing(session);
    world_end_session(session);
}

static void it_goes_on_after_a_reconnection(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    retain_many(world, 4, 0);
    subscribe(session, "r/+", 1, 0);
    world_expect(session, "old", 0);
    session_detach(session, 0);
    world_attach(session, 10);
    assert_int_equal(receive_all(session), 3);
    world_end_session(session);
}

static void a_value_set_meanwhile_comes_once(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    retain_many(world, 4, 0);
    subscribe(session, "r/+", 1, 0);
    world_expect(session, "old", 0);
    for (int i = 0; i < 4; i++) {
        char topic[16];
        snprintf(topic, sizeof(topic), "r/%d", i);
        assert_int_equal(world_retain(world, topic, "new", 0), BUD_SUCCESS);
    }
    assert_int_equal(receive_all(session), 4); // all of them live, none from the replay
    world_end_session(session);
}

// ---- what may not be sent any more ----

static void what_may_not_be_read_is_passed_over(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    retain_many(world, 3, 1);
    world->denied = text("r/1");
    subscribe(session, "#", 1, 0);
    assert_int_equal(receive_all(session), 2);
    world_end_session(session);
}

static bool may_read_nothing(void *context, const struct principal *principal, struct bytes topic)
{
    (void)principal;
    (void)topic;
    uint32_t *asked = context;
    ++*asked;
    return false;
}

// A subscriber to everything who may read nothing: the search stops to let others have their turn.
static void a_long_search_takes_more_than_one_turn(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    uint32_t asked = 0;
    retain_many(world, 100, 1);
    world->access = (struct access_port){.context = &asked, .may_read = may_read_nothing};
    subscribe(session, "#", 1, 0);
    struct session_outgoing outgoing = session_next(session, 0);
    assert_int_equal(outgoing.type, 0);
    assert_true(outgoing.again);
    assert_in_range(asked, 1, 64);
    assert_int_equal(receive_all(session), 0);
    assert_int_equal(asked, 100);
    world_end_session(session);
}

static void retain_until(struct world *world, const char *topic, int64_t expires_ms)
{
    struct message *message = world_message(world, topic, "x", 1);
    message->retain = true;
    message->expires_ms = expires_ms;
    router_publish(&world->routers[0], message);
    message_unref(message);
}

static void expired_values_are_not_sent_and_go(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    retain_until(world, "a", 1000);
    retain_until(world, "b", 1001);
    subscribe(session, "#", 1, 0);
    assert_int_equal(receive_all_at(session, 1000), 1);
    assert_int_equal(retained_count(world->retained), 1);
    world_end_session(session);
}

// Found while the window was shut, expired before it opened [MQTT-3.3.2-5].
static void a_value_that_expires_while_it_waits_is_not_sent(void **state)
{
    struct world *world = *state;
    struct session *session = world_offline_session(world, 0);
    world_attach(session, 1);
    world_subscribe(session, "live", 1);
    world_publish(world, "live", "stuck", 1);
    uint16_t packet_id = world_expect(session, "stuck", 1);
    retain_until(world, "a", 1000);
    subscribe(session, "a", 1, 0);
    world_expect_nothing(session);
    session_on_puback(session, packet_id);
    assert_int_equal(session_next(session, 1000).type, 0);
    assert_int_equal(session_next(session, 1000).type, 0);
    world_end_session(session);
}

// ---- two workers ----

// A message on its way from another worker when its subscriber asks for the retained ones again:
// it was subscribed all the time, so it is owed the message though the value is gone by then
// [MQTT-3.8.4-3].
static void a_post_on_its_way_survives_subscribing_again(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 1);
    subscribe(session, "a", 1, 0);
    assert_int_equal(receive_all(session), 0);
    assert_int_equal(world_retain(world, "a", "passing", 1), BUD_SUCCESS);
    assert_int_equal(world_retain(world, "a", "", 1), BUD_SUCCESS);
    subscribe(session, "a", 1, 0);
    world_read_posts(world);
    world_expect(session, "passing", 1);
    world_expect(session, "", 1);
    world_expect_nothing(session);
    world_end_session(session);
}

// A new subscriber gets a value that was posted to it either way, never twice.
static void a_post_that_the_replay_covers_is_not_sent_twice(void **state)
{
    struct world *world = *state;
    struct session *first = world_session(world, 1), *session = world_session(world, 1);
    subscribe(first, "a", 1, 0); // so that there is a leaf to post to
    assert_int_equal(world_retain(world, "a", "x", 1), BUD_SUCCESS);
    subscribe(session, "a", 1, 0);
    world_read_posts(world);
    assert_int_equal(receive_all(session), 1);
    assert_int_equal(receive_all(first), 1);
    world_end_session(first);
    world_end_session(session);
}

static void without_memory_the_subscription_stands_and_it_is_counted(void **state)
{
    struct world *world = *state;
    retain_many(world, 2, 1);
    for (uint64_t nth = 1; nth < 30; nth++) {
        struct session *session = world_session(world, 0);
        struct subscription_options options = {.qos = 1};
        uint64_t refused = world_count(world, COUNTER_REFUSED_MEMORY);
        memory_fail(nth, 1);
        enum bud_reason reason = session_subscribe(session, text("r/+"), options, 0);
        memory_fail(0, 0);
        uint32_t got = receive_all(session);
        bool counted = world_count(world, COUNTER_REFUSED_MEMORY) > refused;
        assert_true(counted == (reason == BUD_QUOTA_EXCEEDED || got < 2));
        world_publish(world, "r/x", "live", 1);
        assert_int_equal(receive_all(session), reason == BUD_GRANTED_QOS_1 ? 1 : 0);
        world_end_session(session);
    }
}

#define REPLAY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPLAY_TEST(each_retained_message_comes_once_and_marked),
        REPLAY_TEST(retain_handling_is_obeyed),
        REPLAY_TEST(asking_again_before_the_end_starts_anew),
        REPLAY_TEST(unsubscribing_ends_it),
        REPLAY_TEST(live_messages_take_turns_with_it),
        REPLAY_TEST(it_waits_for_the_window),
        REPLAY_TEST(it_goes_on_after_a_reconnection),
        REPLAY_TEST(a_value_set_meanwhile_comes_once),
        REPLAY_TEST(what_may_not_be_read_is_passed_over),
        REPLAY_TEST(a_long_search_takes_more_than_one_turn),
        REPLAY_TEST(expired_values_are_not_sent_and_go),
        REPLAY_TEST(a_value_that_expires_while_it_waits_is_not_sent),
        REPLAY_TEST(a_post_on_its_way_survives_subscribing_again),
        REPLAY_TEST(a_post_that_the_replay_covers_is_not_sent_twice),
        REPLAY_TEST(without_memory_the_subscription_stands_and_it_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
