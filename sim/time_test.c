// SPDX-License-Identifier: MIT
// What the broker does by itself, to the millisecond of virtual time: keep-alive, the connect
// time-out, delayed wills, the ends of sessions and of messages; and who holds a session when two
// want it.
#include "sim/test_stage.h"

#include <string.h>

static void set(struct properties *properties, enum property property, uint32_t *field,
                uint32_t value)
{
    *field = value;
    properties->present |= UINT64_C(1) << property;
}

// A client whose session outlives it by `expiry_s`, and whose will waits for `delay_s`.
static struct packet_connect mortal(uint32_t expiry_s, uint32_t delay_s)
{
    struct packet_connect connect = {
        .version = MQTT_5_0,
        .client_id = BYTES_OF("mortal"),
        .has_will = true,
        .will = {.topic = BYTES_OF("will"), .payload = BYTES_OF("gone"), .qos = 1},
    };
    set(&connect.properties, PROPERTY_SESSION_EXPIRY_INTERVAL,
        &connect.properties.session_expiry_interval, expiry_s);
    set(&connect.will.properties, PROPERTY_WILL_DELAY_INTERVAL,
        &connect.will.properties.will_delay_interval, delay_s);
    return connect;
}

static void expect_will(struct stage *stage, struct peer *witness)
{
    struct packet_publish will = stage_expect(stage, witness, PACKET_PUBLISH).publish;
    assert_text(will.topic, "will");
    assert_text(will.payload, "gone");
    peer_ack(witness, PACKET_PUBACK, will.packet_id, BUD_SUCCESS);
    stage_expect_nothing(stage, witness);
}

static void begin(struct stage *stage, struct peer *witness)
{
    stage_begin(stage, 2, NULL, NULL);
    stage_join(stage, witness, "witness", MQTT_5_0);
    stage_subscribe(stage, witness, "will", 1);
}

static void end(struct stage *stage, struct peer *witness)
{
    peer_done(witness);
    stage_end(stage);
}

// One and a half times the interval after the last byte, not a millisecond earlier or later
// [MQTT-3.1.2-22].
static void keep_alive_ends_at_one_and_a_half(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    struct packet_connect connect = {
        .version = MQTT_5_0, .clean_start = true, .keep_alive = 7, .client_id = BYTES_OF("x")};
    stage_begin(&stage, 2, NULL, NULL);
    stage_connect(&stage, &peer, &connect);
    broker_run_to(&stage.broker, MACHINE_START_MS + 10499);
    peer_ping(&peer);
    stage_expect(&stage, &peer, PACKET_PINGRESP);
    broker_run_to(&stage.broker, MACHINE_START_MS + 10499 + 10499);
    stage_expect_nothing(&stage, &peer);
    assert_false(peer.ended);
    broker_run_to(&stage.broker, MACHINE_START_MS + 10499 + 10500);
    assert_int_equal(stage_expect(&stage, &peer, PACKET_DISCONNECT).disconnect.reason,
                     BUD_KEEP_ALIVE_TIMEOUT);
    stage_expect_end(&stage, &peer);
    peer_done(&peer);
    stage_end(&stage);
}

static void without_keep_alive_silence_is_fine(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    stage_begin(&stage, 2, NULL, NULL);
    stage_join(&stage, &peer, "quiet", MQTT_3_1_1);
    broker_run_for(&stage.broker, 1000000);
    stage_expect_nothing(&stage, &peer);
    assert_false(peer.ended);
    peer_done(&peer);
    stage_end(&stage);
}

static void who_says_nothing_is_let_go(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    stage_begin(&stage, 2, NULL, NULL);
    int64_t timeout_ms = (int64_t)stage.options.connect_timeout_s * 1000;
    timeout_ms -= timeout_ms / 50; // a worker may be late
    assert_true(peer_call(&peer, MQTT_5_0));
    broker_run_to(&stage.broker, MACHINE_START_MS + timeout_ms - 1);
    peer_send(&peer, BYTES_OF("\x10\x7f\0\4MQ")); // a beginning does not prolong it
    stage_expect_nothing(&stage, &peer);
    assert_false(peer.ended);
    broker_run_to(&stage.broker, MACHINE_START_MS + timeout_ms);
    stage_expect_end(&stage, &peer);
    peer_done(&peer);
    stage_end(&stage);
}

static void a_will_waits_for_its_delay(void **state) // [MQTT-3.1.3-9]
{
    (void)state;
    struct stage stage;
    struct peer witness, peer;
    struct packet_connect connect = mortal(100, 5);
    begin(&stage, &witness);
    stage_connect(&stage, &peer, &connect);
    peer_done(&peer);
    broker_run_to(&stage.broker, MACHINE_START_MS + 4999);
    stage_expect_nothing(&stage, &witness);
    broker_run_to(&stage.broker, MACHINE_START_MS + 5000);
    expect_will(&stage, &witness);
    broker_run_for(&stage.broker, 200000); // the session ends, and the will is not said twice
    stage_expect_nothing(&stage, &witness);
    end(&stage, &witness);
}

static void a_session_that_ends_first_takes_its_will_along(void **state) // [MQTT-3.1.3-9]
{
    (void)state;
    struct stage stage;
    struct peer witness, peer;
    struct packet_connect connect = mortal(3, 60);
    begin(&stage, &witness);
    stage_connect(&stage, &peer, &connect);
    peer_done(&peer);
    broker_run_to(&stage.broker, MACHINE_START_MS + 2999);
    stage_expect_nothing(&stage, &witness);
    broker_run_to(&stage.broker, MACHINE_START_MS + 3000);
    expect_will(&stage, &witness);
    end(&stage, &witness);
}

static void coming_back_in_time_cancels_the_will(void **state)
{
    (void)state;
    struct stage stage;
    struct peer witness, peer;
    struct packet_connect connect = mortal(100, 5);
    begin(&stage, &witness);
    stage_connect(&stage, &peer, &connect);
    peer_done(&peer);
    broker_run_to(&stage.broker, MACHINE_START_MS + 4999);
    assert_true(stage_connect(&stage, &peer, &connect).session_present);
    broker_run_for(&stage.broker, 10000);
    stage_expect_nothing(&stage, &witness);
    peer_disconnect(&peer, &(struct packet_disconnect){.reason = BUD_SUCCESS});
    broker_run_for(&stage.broker, 200000);
    stage_expect_nothing(&stage, &witness); // [MQTT-3.1.2-10]
    peer_done(&peer);
    end(&stage, &witness);
}

static void a_goodbye_with_will_publishes_it(void **state)
{
    (void)state;
    struct stage stage;
    struct peer witness, peer;
    struct packet_connect connect = mortal(100, 0);
    begin(&stage, &witness);
    stage_connect(&stage, &peer, &connect);
    peer_disconnect(&peer, &(struct packet_disconnect){.reason = BUD_DISCONNECT_WITH_WILL});
    expect_will(&stage, &witness);
    peer_done(&peer);
    end(&stage, &witness);
}

static void a_session_ends_after_its_interval(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    struct packet_connect connect = mortal(20, 0);
    stage_begin(&stage, 2, NULL, NULL);
    assert_false(stage_connect(&stage, &peer, &connect).session_present);
    peer_done(&peer);
    broker_run_to(&stage.broker, MACHINE_START_MS + 19999);
    assert_true(stage_connect(&stage, &peer, &connect).session_present);
    peer_done(&peer); // closed at 19 999
    broker_run_to(&stage.broker, MACHINE_START_MS + 39999);
    assert_int_equal(server_count(stage.broker.server, COUNTER_SESSIONS), 0);
    assert_false(stage_connect(&stage, &peer, &connect).session_present);
    peer_done(&peer);
    stage_end(&stage);
}

static void a_message_expires_to_the_millisecond(void **state) // [MQTT-3.3.2-5] [MQTT-3.3.2-6]
{
    (void)state;
    for (int64_t wait_ms = 4998; wait_ms <= 5000; wait_ms++) {
        struct stage stage;
        struct peer sender, peer;
        struct packet_connect connect = mortal(100, 60);
        struct packet_publish publish = {
            .qos = 1, .packet_id = 1, .topic = BYTES_OF("t"), .payload = BYTES_OF("milk")};
        set(&publish.properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL,
            &publish.properties.message_expiry_interval, 5);
        stage_begin(&stage, 2, NULL, NULL);
        stage_connect(&stage, &peer, &connect);
        stage_subscribe(&stage, &peer, "t", 1);
        peer_done(&peer);
        stage_join(&stage, &sender, "sender", MQTT_5_0);
        peer_publish(&sender, &publish);
        stage_expect(&stage, &sender, PACKET_PUBACK);
        broker_run_for(&stage.broker, wait_ms);
        assert_true(stage_connect(&stage, &peer, &connect).session_present);
        if (wait_ms < 5000) {
            struct packet_publish got = stage_expect(&stage, &peer, PACKET_PUBLISH).publish;
            assert_int_equal(got.properties.message_expiry_interval, 1);
        } else {
            stage_expect_nothing(&stage, &peer);
        }
        peer_done(&peer);
        peer_done(&sender);
        stage_end(&stage);
    }
}

static void who_takes_over_gets_the_session_and_the_other_is_told(void **state) // [MQTT-3.1.4-3]
{
    (void)state;
    struct stage stage;
    struct peer witness, first, second;
    struct packet_connect connect = mortal(100, 0);
    begin(&stage, &witness);
    stage_connect(&stage, &first, &connect);
    stage_subscribe(&stage, &first, "t", 1);
    assert_true(stage_connect(&stage, &second, &connect).session_present);
    assert_int_equal(stage_expect(&stage, &first, PACKET_DISCONNECT).disconnect.reason,
                     BUD_SESSION_TAKEN_OVER);
    stage_expect_end(&stage, &first);
    expect_will(&stage, &witness); // its connection ended without a goodbye
    peer_publish(&witness, &(struct packet_publish){.topic = BYTES_OF("t")});
    stage_expect(&stage, &second, PACKET_PUBLISH);
    peer_done(&first);
    peer_done(&second);
    end(&stage, &witness);
}

static void a_delayed_will_is_not_said_when_the_session_is_resumed(void **state)
{
    (void)state;
    struct stage stage;
    struct peer witness, first, second;
    struct packet_connect connect = mortal(100, 5);
    begin(&stage, &witness);
    stage_connect(&stage, &first, &connect);
    stage_connect(&stage, &second, &connect);
    broker_run_for(&stage.broker, 50000);
    stage_expect_nothing(&stage, &witness);
    connect.clean_start = true; // ends the old session, and with it the delay
    peer_done(&first);
    stage_connect(&stage, &first, &connect);
    expect_will(&stage, &witness);
    peer_done(&first);
    peer_done(&second);
    end(&stage, &witness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_alive_ends_at_one_and_a_half),
        cmocka_unit_test(without_keep_alive_silence_is_fine),
        cmocka_unit_test(who_says_nothing_is_let_go),
        cmocka_unit_test(a_will_waits_for_its_delay),
        cmocka_unit_test(a_session_that_ends_first_takes_its_will_along),
        cmocka_unit_test(coming_back_in_time_cancels_the_will),
        cmocka_unit_test(a_goodbye_with_will_publishes_it),
        cmocka_unit_test(a_session_ends_after_its_interval),
        cmocka_unit_test(a_message_expires_to_the_millisecond),
        cmocka_unit_test(who_takes_over_gets_the_session_and_the_other_is_told),
        cmocka_unit_test(a_delayed_will_is_not_said_when_the_session_is_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
