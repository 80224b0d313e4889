// SPDX-License-Identifier: MIT
// A session as its connection and the router see it: subscriptions, what is queued and given out in
// which order, what is dropped and said. Exchanges in all their orders: session_exchange_test.c.
#include "core/test_router.h"

#include "base/test_aborts.h"

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

static enum bud_reason subscribe(struct session *session, const char *filter)
{
    return session_subscribe(session, text(filter), (struct subscription_options){.qos = 1}, 0);
}

// ---- subscribing ----

static void invalid_filters_are_refused_and_change_nothing(void **state)
{
    static const char *const filters[] = {
        "",         "a/#/b",     "a+",        "#a",         "a/b#",        "$share/",
        "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a", "$share/g/a/#/b"};
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        assert_int_equal(subscribe(session, filters[i]), BUD_TOPIC_FILTER_INVALID);
        assert_int_equal(session_unsubscribe(session, text(filters[i])),
                         BUD_NO_SUBSCRIPTION_EXISTED);
    }
    assert_int_equal(index_node_count(world->index), 0);
    assert_int_equal(world_count(world, COUNTER_SUBSCRIPTIONS), 0);
    world_end_session(session);
}

static void long_and_deep_filters_are_refused(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world->limits.topic_bytes_max = 5;
    world->limits.topic_levels_max = 3;
    assert_int_equal(subscribe(session, "aaaaa"), BUD_GRANTED_QOS_1);
    assert_int_equal(subscribe(session, "aaaaaa"), BUD_TOPIC_FILTER_INVALID);
    assert_int_equal(subscribe(session, "a/b/c"), BUD_GRANTED_QOS_1);
    assert_int_equal(subscribe(session, "///"), BUD_TOPIC_FILTER_INVALID);
    assert_int_equal(subscribe(session, "$share/a-long-name/a/b/c"), BUD_GRANTED_QOS_1);
    assert_int_equal(world_count(world, COUNTER_REFUSED_TOPIC), 2);
    world_end_session(session);
}

static void limits_and_access_refuse_with_their_own_reasons(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0), *other = world_session(world, 1);
    world->limits.subscriptions_max = 2;
    world->limits.subscriptions_all_max = 3;
    world->denied = text("secret");
    assert_int_equal(subscribe(session, "secret"), BUD_NOT_AUTHORIZED);
    assert_int_equal(subscribe(session, "a"), BUD_GRANTED_QOS_1);
    assert_int_equal(subscribe(session, "$share/g/b"), BUD_GRANTED_QOS_1);
    assert_int_equal(subscribe(session, "c"), BUD_QUOTA_EXCEEDED);
    assert_int_equal(subscribe(session, "a"), BUD_GRANTED_QOS_1); // there already
    assert_int_equal(subscribe(other, "a"), BUD_GRANTED_QOS_1);
    assert_int_equal(subscribe(other, "b"), BUD_QUOTA_EXCEEDED); // of all sessions
    assert_int_equal(world_count(world, COUNTER_REFUSED_SUBSCRIPTIONS), 2);
    world->budget.limit = 1;
    world->limits.subscriptions_all_max = 9;
    assert_int_equal(subscribe(other, "b"), BUD_QUOTA_EXCEEDED);
    assert_int_equal(world_count(world, COUNTER_REFUSED_MEMORY), 1);
    assert_int_equal(world_count(world, COUNTER_SUBSCRIPTIONS), 3);
    world_end_session(session);
    world_end_session(other);
}

static void subscribing_again_changes_options_without_a_gap(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    struct subscription_options options = {.qos = 0, .retain_handling = 2};
    world_subscribe(session, "a", 2);
    world_publish(world, "a", "1", 2);
    assert_int_equal(session_subscribe(session, text("a"), options, 7), 0);
    world_publish(world, "a", "2", 2);
    world_expect(session, "1", 2); // what was queued keeps its QoS
    struct session_outgoing outgoing = session_next(session, 0);
    assert_int_equal(outgoing.delivery->qos, 0);
    assert_int_equal(outgoing.delivery->identifier, 7);
    session_sent(session);
    assert_int_equal(world_count(world, COUNTER_SUBSCRIPTIONS), 1);
    world_end_session(session);
}

static void after_unsubscribing_only_what_was_queued_comes(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "1", 1);
    assert_int_equal(session_unsubscribe(session, text("a")), BUD_SUCCESS);
    assert_int_equal(session_unsubscribe(session, text("a")), BUD_NO_SUBSCRIPTION_EXISTED);
    world_publish(world, "a", "2", 1);
    world_expect(session, "1", 1);
    world_expect_nothing(session);
    world_end_session(session);
}

// ---- queueing ----

static void offline_only_lasting_messages_are_kept(void **state)
{
    struct world *world = *state;
    struct session *session = world_offline_session(world, 0);
    world_subscribe(session, "a", 2);
    world_publish(world, "a", "0", 0);
    world_publish(world, "a", "1", 1);
    world_publish(world, "a", "2", 2);
    assert_int_equal(world->ready_count, 0);
    assert_int_equal(session_queued_count(session), 2);
    world_attach(session, 10);
    world_expect(session, "1", 1);
    world_expect(session, "2", 2);
    world_expect_nothing(session);
    world_end_session(session);
}

static void a_connected_session_asks_to_be_flushed(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "x", 1);
    assert_ptr_equal(world->ready, session);
    world_end_session(session);
}

static void what_is_counted_as_queued_is_what_is_queued(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "12345", 0);
    world_publish(world, "a", "123", 1);
    assert_int_equal(world_count(world, COUNTER_QUEUED_MESSAGES), 2);
    assert_int_equal(world_count(world, COUNTER_QUEUED_BYTES), 8);
    world_expect(session, "12345", 0);
    assert_int_equal(world_count(world, COUNTER_QUEUED_BYTES), 3);
    world_expect(session, "123", 1);
    assert_int_equal(world_count(world, COUNTER_QUEUED_MESSAGES), 0);
    world_end_session(session);
}

static void a_full_queue_refuses_the_newest_and_says_so(void **state)
{
    struct world *world = *state;
    struct session *session = world_offline_session(world, 0);
    world->limits.queue_messages_max = 2;
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "1", 1);
    world_publish(world, "a", "2", 1);
    world_publish(world, "a", "3", 1);
    assert_int_equal(world->dropped[COUNTER_DROPPED_QUEUE_FULL], 1);
    assert_ptr_equal(world->dropped_for, session);
    world_attach(session, 10);
    world_expect(session, "1", 1);
    world_expect(session, "2", 1);
    world_expect_nothing(session);
    world_end_session(session);
}

static void one_message_always_fits(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world->limits.queue_bytes_max = world->limits.output_bytes_max = 1;
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "large", 1);
    world_publish(world, "a", "more", 1);
    assert_int_equal(world->dropped[COUNTER_DROPPED_QUEUE_FULL], 1);
    world_publish(world, "a", "fleeting", 0);
    world_publish(world, "a", "newest", 0);
    assert_int_equal(world->dropped[COUNTER_DROPPED_OUTPUT_FULL], 1);
    world_expect(session, "large", 1);
    world_expect(session, "newest", 0); // of these the oldest goes
    world_expect_nothing(session);
    world_end_session(session);
}

static void zero_is_no_limit_for_queues(void **state)
{
    struct world *world = *state;
    struct session *session = world_offline_session(world, 0);
    world->limits.queue_messages_max = world->limits.queue_bytes_max = 0;
    world_subscribe(session, "a", 1);
    for (int i = 0; i < 2000; i++)
        world_publish(world, "a", "x", 1);
    assert_int_equal(session_queued_count(session), 2000);
    assert_int_equal(world->drops, 0);
    world_end_session(session);
    assert_int_equal(world->dropped[COUNTER_DROPPED_SESSION_ENDED], 2000);
}

// ---- giving out ----

static void order_is_that_of_arrival_whatever_the_qos(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 2);
    session->next_arrival = UINT32_MAX - 3; // the count wraps on the way
    for (uint8_t i = 0; i < 9; i++)
        world_publish(world, "a", (char[]){(char)('0' + i), 0}, i % 3);
    for (uint8_t i = 0; i < 9; i++)
        world_expect(session, (char[]){(char)('0' + i), 0}, i % 3);
    world_expect_nothing(session);
    world_end_session(session);
}

static void qos_0_never_waits_for_a_stuck_exchange(void **state)
{
    struct world *world = *state;
    struct session *session = world_offline_session(world, 0);
    world_attach(session, 1);
    world_subscribe(session, "a", 2);
    world_publish(world, "a", "stuck", 2);
    world_publish(world, "a", "behind", 2);
    world_publish(world, "a", "free", 0);
    uint16_t packet_id = world_expect(session, "stuck", 2);
    world_expect(session, "free", 0);
    world_expect_nothing(session);
    session_on_pubrec(session, packet_id, BUD_SUCCESS);
    world_publish(world, "a", "still free", 0);
    world_expect(session, "still free", 0);
    world_expect_nothing(session);
    session_on_pubcomp(session, packet_id);
    world_expect(session, "behind", 2);
    world_end_session(session);
}

// Each end of an exchange opens the window by one and nothing else does [MQTT-3.3.4-7]
// [MQTT-3.3.4-9].
static void the_window_is_the_clients(void **state)
{
    struct world *world = *state;
    struct session *session = world_offline_session(world, 0);
    world_attach(session, 2);
    world_subscribe(session, "a", 2);
    for (uint8_t i = 0; i < 6; i++)
        world_publish(world, "a", (char[]){(char)('0' + i), 0}, i % 2 + 1);
    uint16_t first = world_expect(session, "0", 1), second = world_expect(session, "1", 2);
    world_expect_nothing(session);
    assert_int_equal(session_on_puback(session, 999), BUD_PACKET_IDENTIFIER_NOT_FOUND);
    world_expect_nothing(session);
    session_on_puback(session, first);
    uint16_t third = world_expect(session, "2", 1);
    session_on_pubrec(session, second, BUD_SUCCESS);
    world_expect_nothing(session);
    session_on_pubcomp(session, second);
    uint16_t fourth = world_expect(session, "3", 2);
    world_expect_nothing(session);
    assert_int_not_equal(session_on_pubrec(session, fourth, BUD_NOT_AUTHORIZED), BUD_SUCCESS);
    world_expect(session, "4", 1); // a refusing PUBREC ends the exchange
    world_expect_nothing(session);
    session_on_puback(session, third);
    world_expect(session, "5", 2);
    world_end_session(session);
}

static void bytes_in_flight_close_the_window_too(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world->limits.in_flight_bytes_max = 1;
    world_subscribe(session, "a", 2);
    world_publish(world, "a", "1", 2);
    world_publish(world, "a", "2", 1);
    uint16_t packet_id = world_expect(session, "1", 2);
    world_expect_nothing(session);
    session_on_pubrec(session, packet_id, BUD_SUCCESS); // its message is gone from here on
    world_expect(session, "2", 1);
    world_end_session(session);
}

static void expired_messages_are_not_sent(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 1);
    for (uint8_t qos = 0; qos <= 1; qos++) {
        struct message *message = world_message(world, "a", "old", qos);
        message->expires_ms = 1000;
        router_publish(&world->routers[0], message);
        message_unref(message);
    }
    world_publish(world, "a", "young", 1);
    struct session_outgoing outgoing = session_next(session, 1000);
    assert_true(bytes_equal(message_payload(outgoing.delivery->message), text("young")));
    assert_int_equal(world->dropped[COUNTER_DROPPED_EXPIRED], 2); // [MQTT-3.3.2-5]
    world_end_session(session);
}

static void what_is_too_large_is_done_with(void **state)
{
    struct world *world = *state;
    struct session *session = world_offline_session(world, 0);
    world_attach(session, 1);
    world_subscribe(session, "a", 1);
    for (uint8_t qos = 0; qos <= 1; qos++) {
        world_publish(world, "a", "large", qos);
        struct session_outgoing outgoing = session_next(session, 0);
        session_discard(session, outgoing.packet_id);
    }
    assert_int_equal(world->dropped[COUNTER_DROPPED_TOO_LARGE], 2); // [MQTT-3.1.2-25]
    world_publish(world, "a", "small", 1);
    world_expect(session, "small", 1); // and holds no place in the window
    world_end_session(session);
}

// ---- acknowledgements ----

static void acknowledgements_of_the_wrong_kind_are_errors(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 2);
    world_publish(world, "a", "1", 1);
    world_publish(world, "a", "2", 2);
    uint16_t once = world_expect(session, "1", 1), exact = world_expect(session, "2", 2);
    assert_int_equal(session_on_pubrec(session, once, BUD_SUCCESS), BUD_PROTOCOL_ERROR);
    assert_int_equal(session_on_pubcomp(session, once), BUD_PROTOCOL_ERROR);
    assert_int_equal(session_on_puback(session, exact), BUD_PROTOCOL_ERROR);
    assert_int_equal(session_on_pubcomp(session, exact), BUD_PROTOCOL_ERROR);
    assert_int_equal(session_on_pubrec(session, exact, BUD_SUCCESS), BUD_SUCCESS);
    assert_int_equal(session_on_pubrec(session, exact, BUD_SUCCESS), BUD_SUCCESS); // repeated
    assert_int_equal(session_on_puback(session, exact), BUD_PROTOCOL_ERROR);
    assert_int_equal(session_on_puback(session, once), BUD_SUCCESS);
    assert_int_equal(session_on_pubcomp(session, exact), BUD_SUCCESS);
    assert_int_equal(session_on_pubcomp(session, exact), BUD_PACKET_IDENTIFIER_NOT_FOUND);
    assert_int_equal(session_on_pubrec(session, exact, BUD_SUCCESS),
                     BUD_PACKET_IDENTIFIER_NOT_FOUND);
    assert_int_equal(session_on_puback(session, 0), BUD_PACKET_IDENTIFIER_NOT_FOUND);
    world_end_session(session);
    assert_int_equal(world->drops, 0);
}

static void incoming_identifiers_are_new_until_released(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    bool duplicate;
    for (int round = 0; round < 2; round++) {
        assert_true(session_incoming_begin(session, 7, &duplicate));
        assert_false(duplicate);
        assert_false(session_incoming_begin(session, 7, &duplicate));
        assert_true(duplicate);
        session_detach(session, 0);
        world_attach(session, 10);
        assert_false(session_incoming_begin(session, 7, &duplicate));
        assert_true(duplicate); // [MQTT-4.3.3-10], over a reconnection too
        assert_true(session_incoming_end(session, 7));
        assert_false(session_incoming_end(session, 7));
    }
    memory_fail(1, 1);
    assert_false(session_incoming_begin(session, 8, &duplicate));
    memory_fail(0, 0);
    assert_false(duplicate);
    world_end_session(session);
}

// ---- coming back ----

static void reconnect(struct session *session, uint16_t receive_maximum)
{
    session_detach(session, 0);
    world_attach(session, receive_maximum);
}

static void expect_again(struct session *session, uint8_t type, uint16_t packet_id)
{
    struct session_outgoing outgoing = session_next(session, 0);
    assert_int_equal(outgoing.type, type);
    assert_int_equal(outgoing.packet_id, packet_id);
    assert_true(outgoing.dup == (type == PACKET_PUBLISH)); // [MQTT-3.3.1-1]
}

static void what_was_in_flight_comes_first_and_in_order(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    uint16_t ids[4];
    world_subscribe(session, "a", 2);
    for (uint8_t i = 0; i < 4; i++) {
        world_publish(world, "a", "x", i % 2 + 1);
        ids[i] = world_expect(session, "x", i % 2 + 1);
    }
    session_on_pubrec(session, ids[1], BUD_SUCCESS);
    session_on_puback(session, ids[2]);
    session_detach(session, 0);
    world_publish(world, "a", "new", 1);
    for (int round = 0; round < 2; round++) {
        world_attach(session, 10);
        expect_again(session, PACKET_PUBLISH, ids[0]);
        expect_again(session, PACKET_PUBREL, ids[1]);
        expect_again(session, PACKET_PUBLISH, ids[3]);
        if (round == 0)
            session_detach(session, 0);
    }
    world_expect(session, "new", 1);
    world_expect_nothing(session);
    world_end_session(session);
}

static void resending_respects_a_smaller_window_and_lets_qos_0_pass(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 2);
    uint16_t ids[3];
    for (int i = 0; i < 3; i++) {
        world_publish(world, "a", "x", 1);
        ids[i] = world_expect(session, "x", 1);
    }
    reconnect(session, 1);
    expect_again(session, PACKET_PUBLISH, ids[0]);
    world_publish(world, "a", "free", 0);
    world_expect(session, "free", 0);
    world_expect_nothing(session);
    session_on_puback(session, ids[1]); // of the last connection, late: it is not sent again
    session_on_puback(session, ids[0]);
    expect_again(session, PACKET_PUBLISH, ids[2]);
    world_expect_nothing(session);
    world_end_session(session);
}

static void a_shut_window_holds_whatever_the_client_forgot(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world->limits.in_flight_max = 4;
    world_subscribe(session, "a", 2);
    for (int i = 0; i < 12; i++)
        world_publish(world, "a", "x", 2);
    // A client that says PUBREC to everything, never PUBCOMP, and reconnects for more.
    for (int round = 0; round < 5; round++) {
        struct session_outgoing outgoing;
        while ((outgoing = session_next(session, 0)).type != 0)
            session_on_pubrec(session, outgoing.packet_id, BUD_SUCCESS);
        reconnect(session, 4);
    }
    assert_int_equal(world_count(world, COUNTER_QUEUED_MESSAGES), 8);
    assert_int_equal(world->drops, 0);
    world_end_session(session);
}

static void attaching_without_memory_changes_nothing(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "x", 1);
    uint16_t packet_id = world_expect(session, "x", 1);
    session_detach(session, 5);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        memory_fail(nth, 1);
        assert_false(session_try_attach(session, session, MQTT_5_0, 10));
        memory_fail(0, 0);
        assert_null(session->connection);
    }
    world_attach(session, 10);
    expect_again(session, PACKET_PUBLISH, packet_id);
    world_end_session(session);
}

static void what_a_client_leaves_behind_is_reported(void **state)
{
    struct world *world = *state;
    struct session *session = world_session(world, 0);
    world_subscribe(session, "a", 2);
    for (uint8_t i = 0; i < 3; i++)
        world_publish(world, "a", "x", 2);
    world_expect(session, "x", 2);
    uint16_t released = world_expect(session, "x", 2);
    session_on_pubrec(session, released, BUD_SUCCESS); // the client has this one
    world_publish(world, "a", "x", 0);
    session_detach(session, 0);
    assert_int_equal(world->dropped[COUNTER_DROPPED_SESSION_ENDED], 1); // the QoS 0 one
    session_free(session);
    assert_int_equal(world->dropped[COUNTER_DROPPED_SESSION_ENDED], 3);
}

static struct world *aborting;

static void free_while_attached(void)
{
    session_free(world_session(aborting, 0));
}

static void attach_twice(void)
{
    struct session *session = world_session(aborting, 0);
    session_try_attach(session, session, MQTT_5_0, 1);
}

static void misuse_is_our_own_error(void **state)
{
    aborting = *state;
    assert_true(test_aborts(free_while_attached));
    assert_true(test_aborts(attach_twice));
}

// ---- a QoS 2 publication that a crash cut in two ----

// Whom it reached is noted under its identifier; when the client repeats it, they get it no second
// time, and the others do.
static void a_repeated_publication_reaches_only_whom_it_did_not(void **state)
{
    struct world *world = *state;
    struct session *publisher = world_session(world, 0), *has = world_session(world, 0);
    struct session *has_not = world_session(world, 1), *twice = world_session(world, 0);
    world_subscribe(has, "a", 2);
    world_subscribe(has_not, "a", 2);
    world_subscribe(twice, "a", 2);
    world_subscribe(twice, "#", 2);
    assert_true(session_restore_spread(publisher, 7, has->number));
    assert_true(session_restore_spread(publisher, 8, has_not->number));
    assert_true(session_restore_spread(publisher, 7, twice->number));
    struct message_source source = {
        .topic = text("a"), .payload = text("x"), .qos = 2, .packet_id = 7};
    source.spread = session_take_spread(publisher, 7);
    assert_non_null(source.spread);
    assert_null(session_take_spread(publisher, 7));
    session_put_spread(publisher, source.spread); // there was no memory: the next try finds it
    assert_ptr_equal(session_take_spread(publisher, 7), source.spread);
    struct message *message = message_try_new(&world->budget, &source);
    assert_int_equal(router_publish(&world->routers[0], message), BUD_SUCCESS);
    message_unref(message);
    world_read_posts(world);
    world_expect_nothing(has);
    world_expect_nothing(twice);
    world_expect(has_not, "x", 2);
    assert_true(session_incoming_end(publisher, 8)); // PUBREL without a repetition
    assert_false(session_incoming_end(publisher, 8));
    assert_true(session_restore_spread(publisher, 9, 1)); // freed with the session
    memory_fail(1, 1);
    assert_false(session_restore_spread(publisher, 10, 1));
    memory_fail(0, 0);
    world_end_session(publisher);
    world_end_session(has);
    world_end_session(has_not);
    world_end_session(twice);
}

#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(invalid_filters_are_refused_and_change_nothing),
        SESSION_TEST(long_and_deep_filters_are_refused),
        SESSION_TEST(limits_and_access_refuse_with_their_own_reasons),
        SESSION_TEST(subscribing_again_changes_options_without_a_gap),
        SESSION_TEST(after_unsubscribing_only_what_was_queued_comes),
        SESSION_TEST(offline_only_lasting_messages_are_kept),
        SESSION_TEST(a_connected_session_asks_to_be_flushed),
        SESSION_TEST(what_is_counted_as_queued_is_what_is_queued),
        SESSION_TEST(a_full_queue_refuses_the_newest_and_says_so),
        SESSION_TEST(one_message_always_fits),
        SESSION_TEST(zero_is_no_limit_for_queues),
        SESSION_TEST(order_is_that_of_arrival_whatever_the_qos),
        SESSION_TEST(qos_0_never_waits_for_a_stuck_exchange),
        SESSION_TEST(the_window_is_the_clients),
        SESSION_TEST(bytes_in_flight_close_the_window_too),
        SESSION_TEST(expired_messages_are_not_sent),
        SESSION_TEST(what_is_too_large_is_done_with),
        SESSION_TEST(acknowledgements_of_the_wrong_kind_are_errors),
        SESSION_TEST(incoming_identifiers_are_new_until_released),
        SESSION_TEST(what_was_in_flight_comes_first_and_in_order),
        SESSION_TEST(resending_respects_a_smaller_window_and_lets_qos_0_pass),
        SESSION_TEST(a_shut_window_holds_whatever_the_client_forgot),
        SESSION_TEST(attaching_without_memory_changes_nothing),
        SESSION_TEST(what_a_client_leaves_behind_is_reported),
        SESSION_TEST(a_repeated_publication_reaches_only_whom_it_did_not),
        SESSION_TEST(misuse_is_our_own_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
