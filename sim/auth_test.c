// SPDX-License-Identifier: MIT
// Enhanced authentication [MQTT5 4.12] with a mechanism of two steps plugged into the broker.
#include "os/clock.h"
#include "sim/fake_mechanism.h"
#include "sim/test_stage.h"

static const struct bytes first_words = {(const uint8_t *)"user=eva", 8};

static void begin(struct stage *stage)
{
    stage_begin(stage, 2, NULL, NULL);
    stage->broker.server->auth.mechanisms = &fake_mechanism;
    stage->broker.server->auth.mechanism_count = 1;
}

static void set_method(struct properties *properties, const char *method, struct bytes data)
{
    properties->authentication_method = bytes_make(method, __builtin_strlen(method));
    properties->authentication_data = data;
    properties->present |= UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD;
    if (data.size > 0)
        properties->present |= UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
}

static void call(struct peer *peer, const char *method, struct bytes data)
{
    struct packet_connect connect = {
        .version = MQTT_5_0, .clean_start = true, .client_id = BYTES_OF("eva")};
    set_method(&connect.properties, method, data);
    assert_true(peer_call(peer, MQTT_5_0));
    peer_connect(peer, &connect);
}

static void send_auth(struct peer *peer, enum bud_reason reason, const char *method,
                      struct bytes data)
{
    struct packet_auth auth = {.reason = reason};
    set_method(&auth.properties, method, data);
    peer_auth(peer, &auth);
}

static void expect_challenge(struct stage *stage, struct peer *peer)
{
    struct packet_auth auth = stage_expect(stage, peer, PACKET_AUTH).auth;
    assert_int_equal(auth.reason, BUD_CONTINUE_AUTHENTICATION);
    assert_text(auth.properties.authentication_method, FAKE_MECHANISM_NAME); // [MQTT-4.12.0-5]
    assert_text(auth.properties.authentication_data, FAKE_MECHANISM_CHALLENGE);
}

static void log_in(struct stage *stage, struct peer *peer)
{
    call(peer, FAKE_MECHANISM_NAME, first_words);
    expect_challenge(stage, peer);
    send_auth(peer, BUD_CONTINUE_AUTHENTICATION, FAKE_MECHANISM_NAME,
              BYTES_OF(FAKE_MECHANISM_ANSWER));
    struct packet_connack connack = stage_expect(stage, peer, PACKET_CONNACK).connack;
    assert_int_equal(connack.reason, BUD_SUCCESS);
    assert_text(connack.properties.authentication_method, FAKE_MECHANISM_NAME);
    assert_text(connack.properties.authentication_data, FAKE_MECHANISM_WELCOME);
}

static void end(struct stage *stage, struct peer *peer)
{
    peer_done(peer);
    stage_end(stage);
}

static void two_steps_let_a_client_in(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    log_in(&stage, &peer);
    stage_subscribe(&stage, &peer, "#", 1);
    end(&stage, &peer);
}

static void an_unknown_method_is_refused(void **state) // [MQTT-4.12.0-1]
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    call(&peer, "SCRAM-SHA-256", first_words);
    struct packet_connack connack = stage_expect(&stage, &peer, PACKET_CONNACK).connack;
    assert_int_equal(connack.reason, BUD_BAD_AUTHENTICATION_METHOD);
    stage_expect_end(&stage, &peer);
    end(&stage, &peer);
}

// Which comes later the more there were.
static void wait_for_refusal(struct stage *stage)
{
    broker_run_to(&stage->broker, clock_monotonic_ms() + 5000);
}

static void wrong_words_are_refused_at_either_step(void **state) // [MQTT-4.12.0-4]
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    call(&peer, FAKE_MECHANISM_NAME, BYTES_OF("who?"));
    wait_for_refusal(&stage);
    assert_int_equal(stage_expect(&stage, &peer, PACKET_CONNACK).connack.reason,
                     BUD_BAD_USER_NAME_OR_PASSWORD);
    stage_expect_end(&stage, &peer);
    peer_done(&peer);
    call(&peer, FAKE_MECHANISM_NAME, first_words);
    expect_challenge(&stage, &peer);
    send_auth(&peer, BUD_CONTINUE_AUTHENTICATION, FAKE_MECHANISM_NAME, BYTES_OF("stressed"));
    wait_for_refusal(&stage);
    assert_int_equal(stage_expect(&stage, &peer, PACKET_CONNACK).connack.reason,
                     BUD_NOT_AUTHORIZED);
    stage_expect_end(&stage, &peer);
    end(&stage, &peer);
}

static void the_method_may_not_change(void **state) // [MQTT-4.12.0-5]
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    call(&peer, FAKE_MECHANISM_NAME, first_words);
    expect_challenge(&stage, &peer);
    send_auth(&peer, BUD_CONTINUE_AUTHENTICATION, "OTHER", BYTES_OF(FAKE_MECHANISM_ANSWER));
    stage_expect_end(&stage, &peer);
    end(&stage, &peer);
}

// Between CONNECT and CONNACK a client may send AUTH and DISCONNECT only [MQTT-3.1.2-30].
static void nothing_else_may_come_meanwhile(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    call(&peer, FAKE_MECHANISM_NAME, first_words);
    expect_challenge(&stage, &peer);
    peer_ping(&peer);
    stage_expect_end(&stage, &peer);
    end(&stage, &peer);
}

static void silence_meanwhile_ends_with_the_connect_timeout(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    call(&peer, FAKE_MECHANISM_NAME, first_words);
    expect_challenge(&stage, &peer);
    int64_t timeout_ms = (int64_t)stage.options.connect_timeout_s * 1000;
    timeout_ms -= timeout_ms / 50; // a worker may be late
    broker_run_to(&stage.broker, MACHINE_START_MS + timeout_ms - 1);
    stage_expect_nothing(&stage, &peer);
    assert_false(peer.ended);
    broker_run_to(&stage.broker, MACHINE_START_MS + timeout_ms);
    stage_expect_end(&stage, &peer);
    end(&stage, &peer);
}

static void authenticating_again_goes_on_beside_the_messages(void **state) // [MQTT-4.12.1-1]
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    log_in(&stage, &peer);
    stage_subscribe(&stage, &peer, "#", 0);
    send_auth(&peer, BUD_REAUTHENTICATE, FAKE_MECHANISM_NAME, first_words);
    expect_challenge(&stage, &peer);
    peer_publish(&peer, &(struct packet_publish){.topic = BYTES_OF("t"), .payload = BYTES_OF("p")});
    assert_text(stage_expect(&stage, &peer, PACKET_PUBLISH).publish.payload, "p");
    send_auth(&peer, BUD_CONTINUE_AUTHENTICATION, FAKE_MECHANISM_NAME,
              BYTES_OF(FAKE_MECHANISM_ANSWER));
    struct packet_auth auth = stage_expect(&stage, &peer, PACKET_AUTH).auth;
    assert_int_equal(auth.reason, BUD_SUCCESS);
    assert_text(auth.properties.authentication_data, FAKE_MECHANISM_WELCOME);
    end(&stage, &peer);
}

static void failing_again_ends_the_connection(void **state) // [MQTT-4.12.1-2]
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    log_in(&stage, &peer);
    send_auth(&peer, BUD_REAUTHENTICATE, FAKE_MECHANISM_NAME, BYTES_OF("user"));
    struct packet_disconnect disconnect = stage_expect(&stage, &peer, PACKET_DISCONNECT).disconnect;
    assert_int_equal(disconnect.reason, BUD_NOT_AUTHORIZED);
    stage_expect_end(&stage, &peer);
    end(&stage, &peer);
}

// An answer without a question: the exchange was over.
static void an_answer_to_no_challenge_ends_the_connection(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    log_in(&stage, &peer);
    send_auth(&peer, BUD_CONTINUE_AUTHENTICATION, FAKE_MECHANISM_NAME,
              BYTES_OF(FAKE_MECHANISM_ANSWER));
    assert_int_equal(stage_expect(&stage, &peer, PACKET_DISCONNECT).disconnect.reason,
                     BUD_PROTOCOL_ERROR);
    stage_expect_end(&stage, &peer);
    end(&stage, &peer);
}

static void another_method_on_an_open_connection_ends_it(void **state)
{
    (void)state;
    struct stage stage;
    struct peer peer;
    begin(&stage);
    log_in(&stage, &peer);
    send_auth(&peer, BUD_REAUTHENTICATE, "OTHER", first_words);
    assert_int_equal(stage_expect(&stage, &peer, PACKET_DISCONNECT).disconnect.reason,
                     BUD_PROTOCOL_ERROR);
    stage_expect_end(&stage, &peer);
    end(&stage, &peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_steps_let_a_client_in),
        cmocka_unit_test(an_unknown_method_is_refused),
        cmocka_unit_test(wrong_words_are_refused_at_either_step),
        cmocka_unit_test(the_method_may_not_change),
        cmocka_unit_test(nothing_else_may_come_meanwhile),
        cmocka_unit_test(silence_meanwhile_ends_with_the_connect_timeout),
        cmocka_unit_test(authenticating_again_goes_on_beside_the_messages),
        cmocka_unit_test(failing_again_ends_the_connection),
        cmocka_unit_test(an_answer_to_no_challenge_ends_the_connection),
        cmocka_unit_test(another_method_on_an_open_connection_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
