// SPDX-License-Identifier: MIT
// A client against a scripted server: bytes and a clock in memory. What the server will say is laid
// out beforehand, what the client said is compared byte for byte.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "base/memory.h"
#include "client/client.h"

#include <errno.h>
#include <string.h>

#define WIRE_SIZE 200000

struct wire {
    uint8_t to_client[WIRE_SIZE];
    size_t to_client_size, read;
    uint8_t to_server[WIRE_SIZE];
    size_t written;
    size_t read_max;  // bytes given out at once
    size_t write_max; // bytes taken at once; 0: none
    bool ended;       // the server has closed, after what is there
    bool closed;      // the client has
    int64_t now_ms;
};

static ssize_t wire_read(void *context, void *memory, size_t size)
{
    struct wire *wire = context;
    size_t left = wire->to_client_size - wire->read;

    assert_false(wire->closed);
    if (left == 0)
        return wire->ended ? 0 : -EAGAIN;
    size = size < left ? size : left;
    size = size < wire->read_max ? size : wire->read_max;
    memcpy(memory, wire->to_client + wire->read, size);
    wire->read += size;
    return (ssize_t)size;
}

static ssize_t wire_write(void *context, const void *memory, size_t size)
{
    struct wire *wire = context;

    assert_false(wire->closed);
    size = size < wire->write_max ? size : wire->write_max;
    if (size == 0)
        return -EAGAIN;
    assert_true(wire->written + size <= WIRE_SIZE);
    memcpy(wire->to_server + wire->written, memory, size);
    wire->written += size;
    return (ssize_t)size;
}

// Time passes only while somebody waits.
static int wire_wait(void *context, bool for_write, int timeout_ms)
{
    struct wire *wire = context;

    if (for_write ? wire->write_max > 0 : wire->read < wire->to_client_size || wire->ended)
        return 1;
    assert_true(timeout_ms >= 0);
    wire->now_ms += timeout_ms;
    return 0;
}

static void wire_close(void *context)
{
    ((struct wire *)context)->closed = true;
}

static int64_t wire_now_ms(void *context)
{
    return ((struct wire *)context)->now_ms;
}

struct fixture {
    struct wire wire;
    struct client client;
};

static struct client_transport transport_on(struct wire *wire)
{
    return (struct client_transport){wire,      wire_read,  wire_write,
                                     wire_wait, wire_close, wire_now_ms};
}

static int set_up(void **state)
{
    struct fixture *fixture = memory_new(sizeof(*fixture));

    fixture->wire.now_ms = 1000000;
    fixture->wire.read_max = fixture->wire.write_max = WIRE_SIZE;
    client_init(&fixture->client, transport_on(&fixture->wire), 5000);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    client_done(&fixture->client);
    assert_true(fixture->wire.closed);
    memory_free(fixture);
    return 0;
}

static void say(struct fixture *fixture, struct bytes bytes)
{
    struct wire *wire = &fixture->wire;

    assert_true(wire->to_client_size + bytes.size <= WIRE_SIZE);
    memcpy(wire->to_client + wire->to_client_size, bytes.data, bytes.size);
    wire->to_client_size += bytes.size;
}

#define SAY(fixture, literal) say(fixture, BYTES_OF(literal))

// What the client has sent since the last look.
static void expect_sent(struct fixture *fixture, struct bytes bytes)
{
    assert_int_equal(fixture->wire.written, bytes.size);
    assert_memory_equal(fixture->wire.to_server, bytes.data, bytes.size);
    fixture->wire.written = 0;
}

#define SENT(fixture, literal) expect_sent(fixture, BYTES_OF(literal))

static struct client_status connect_with(struct fixture *fixture, uint8_t version,
                                         uint16_t keep_alive)
{
    struct packet_connect connect = {.version = version,
                                     .clean_start = true,
                                     .keep_alive = keep_alive,
                                     .client_id = BYTES_OF("me")};

    return client_connect(&fixture->client, &connect);
}

static void open_connection(struct fixture *fixture, uint8_t version)
{
    if (version >= MQTT_5_0)
        SAY(fixture, "\x20\3\0\0\0");
    else
        SAY(fixture, "\x20\2\0\0");
    assert_true(client_ok(connect_with(fixture, version, 0)));
    fixture->wire.written = 0;
}

static struct client_event next(struct fixture *fixture)
{
    struct client_event event;

    assert_true(client_ok(client_next(&fixture->client, 0, &event)));
    return event;
}

static void expect_end(struct fixture *fixture, int error, enum bud_reason reason)
{
    struct client_event event;
    struct client_status status = client_next(&fixture->client, 100, &event);

    assert_int_equal(status.error, error);
    assert_int_equal(status.reason, reason);
    assert_true(fixture->wire.closed);
    assert_int_equal(client_next(&fixture->client, 0, &event).error, -ENOTCONN);
}

static void test_connect(void **state)
{
    struct fixture *fixture = *state;

    SAY(fixture, "\x20\6\1\0\3\x21\0\1");
    assert_true(client_ok(connect_with(fixture, MQTT_5_0, 60)));
    SENT(fixture, "\x10\x0F\0\4MQTT\5\2\0\x3C\0\0\2me");
    assert_true(fixture->client.connack.session_present);
    assert_int_equal(fixture->client.connack.properties.receive_maximum, 1);
}

static void test_connect_byte_by_byte(void **state)
{
    struct fixture *fixture = *state;

    fixture->wire.read_max = fixture->wire.write_max = 1;
    SAY(fixture, "\x20\2\0\0");
    assert_true(client_ok(connect_with(fixture, MQTT_3_1_1, 0)));
    SENT(fixture, "\x10\x0E\0\4MQTT\4\2\0\0\0\2me");
}

static void test_connect_refused_with_words(void **state)
{
    struct fixture *fixture = *state;
    struct client_status status;

    SAY(fixture, "\x20\x0A\0\x87\7\x1F\0\4"
                 "away");
    status = connect_with(fixture, MQTT_5_0, 0);
    assert_int_equal(status.error, 0);
    assert_int_equal(status.reason, BUD_NOT_AUTHORIZED);
    assert_string_equal(fixture->client.reason_string, "away");
    assert_true(fixture->wire.closed);
}

static void test_connect_refused_by_a_return_code(void **state)
{
    SAY(*state, "\x20\2\0\4");
    assert_int_equal(connect_with(*state, MQTT_3_1, 0).reason, BUD_BAD_USER_NAME_OR_PASSWORD);
}

static void test_connect_unanswered(void **state)
{
    struct fixture *fixture = *state;
    int64_t before_ms = fixture->wire.now_ms;

    SAY(fixture, "\x20\2\0"); // and no more
    assert_int_equal(connect_with(fixture, MQTT_3_1_1, 0).error, -ETIMEDOUT);
    assert_int_equal(fixture->wire.now_ms - before_ms, 5000);
}

static void test_connect_closed_or_not_mqtt(void **state)
{
    struct fixture *fixture = *state;
    struct client_status status;

    fixture->wire.ended = true;
    assert_int_equal(connect_with(fixture, MQTT_3_1_1, 0).error, -ECONNRESET);
    client_done(&fixture->client);
    fixture->wire.closed = false;
    client_init(&fixture->client, transport_on(&fixture->wire), 5000);
    SAY(fixture, "HTTP/1.1 400 Bad Request\r\n\r\n");
    status = connect_with(fixture, MQTT_3_1_1, 0);
    assert_int_equal(status.error, -EPROTO);
    assert_int_equal(status.reason, BUD_PROTOCOL_ERROR);
}

static void publish(struct fixture *fixture, uint8_t qos, uint16_t expected_id)
{
    struct packet_publish message = {.qos = qos, .topic = BYTES_OF("t"), .payload = BYTES_OF("x")};

    assert_true(client_ok(client_publish(&fixture->client, &message)));
    assert_int_equal(message.packet_id, expected_id);
}

static void test_publish_qos_0(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_3_1_1);
    publish(fixture, 0, 0);
    SENT(fixture, "\x30\4\0\1tx");
    assert_int_equal(client_unanswered(&fixture->client), 0);
}

static void test_publish_qos_1(void **state)
{
    struct fixture *fixture = *state;
    struct client_event event;

    open_connection(fixture, MQTT_5_0);
    publish(fixture, 1, 1);
    SENT(fixture, "\x32\7\0\1t\0\1\0x");
    assert_int_equal(client_unanswered(&fixture->client), 1);
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    SAY(fixture, "\x40\2\0\2"
                 "\x40\3\0\1\x97"); // the first is nobody's
    event = next(fixture);
    assert_int_equal(event.type, CLIENT_PUBLISHED);
    assert_int_equal(event.packet_id, 1);
    assert_int_equal(event.reason, BUD_QUOTA_EXCEEDED);
    assert_int_equal(client_unanswered(&fixture->client), 0);
}

static void test_publish_qos_2(void **state)
{
    struct fixture *fixture = *state;
    struct client_event event;

    open_connection(fixture, MQTT_3_1_1);
    publish(fixture, 2, 1);
    SENT(fixture, "\x34\6\0\1t\0\1x");
    SAY(fixture, "\x70\2\0\1"); // PUBCOMP before its time is nothing
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    SAY(fixture, "\x50\2\0\1"
                 "\x50\2\0\1"); // PUBREC, and once more
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    SENT(fixture, "\x62\2\0\1"
                  "\x62\2\0\1");
    assert_int_equal(client_unanswered(&fixture->client), 1);
    SAY(fixture, "\x70\2\0\1");
    event = next(fixture);
    assert_int_equal(event.type, CLIENT_PUBLISHED);
    assert_int_equal(event.reason, BUD_SUCCESS);
    assert_int_equal(client_unanswered(&fixture->client), 0);
    SENT(fixture, "");
}

static void test_publish_qos_2_refused_has_no_second_half(void **state)
{
    struct fixture *fixture = *state;
    struct client_event event;

    open_connection(fixture, MQTT_5_0);
    publish(fixture, 2, 1);
    fixture->wire.written = 0;
    SAY(fixture, "\x50\3\0\1\x87");
    event = next(fixture);
    assert_int_equal(event.type, CLIENT_PUBLISHED);
    assert_int_equal(event.reason, BUD_NOT_AUTHORIZED);
    SENT(fixture, "");
    SAY(fixture, "\x50\2\0\7"); // of a message we know nothing of
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    SENT(fixture, "\x62\3\0\7\x92");
}

static void test_the_window(void **state)
{
    struct fixture *fixture = *state;
    struct packet_publish message = {.qos = 1, .topic = BYTES_OF("t")};

    SAY(fixture, "\x20\6\0\0\3\x21\0\2"); // Receive Maximum 2
    assert_true(client_ok(connect_with(fixture, MQTT_5_0, 0)));
    publish(fixture, 1, 1);
    publish(fixture, 2, 2);
    assert_int_equal(client_publish(&fixture->client, &message).error, -EAGAIN);
    publish(fixture, 0, 0); // QoS 0 does not count
    SAY(fixture, "\x40\2\0\1");
    assert_int_equal(next(fixture).packet_id, 1);
    assert_true(client_ok(client_publish(&fixture->client, &message)));
    assert_int_equal(message.packet_id, 3);
}

static enum bud_reason refusal_of(struct fixture *fixture, struct packet_publish message)
{
    struct client_status status;

    message.topic = BYTES_OF("t");
    status = client_publish(&fixture->client, &message);
    assert_int_equal(status.error, 0);
    return status.reason;
}

static void test_what_the_server_does_not_take_is_not_sent(void **state)
{
    static const uint8_t payload[100];
    struct fixture *fixture = *state;

    // Maximum QoS 1, no retain, packets up to 50 bytes
    SAY(fixture, "\x20\x0C\0\0\x09\x24\1\x25\0\x27\0\0\0\x32");
    assert_true(client_ok(connect_with(fixture, MQTT_5_0, 0)));
    fixture->wire.written = 0;
    assert_int_equal(refusal_of(fixture, (struct packet_publish){.qos = 2}), BUD_QOS_NOT_SUPPORTED);
    assert_int_equal(refusal_of(fixture, (struct packet_publish){.retain = true}),
                     BUD_RETAIN_NOT_SUPPORTED);
    assert_int_equal(
        refusal_of(fixture, (struct packet_publish){.payload = bytes_make(payload, 45)}),
        BUD_PACKET_TOO_LARGE);
    SENT(fixture, "");
    assert_int_equal(
        refusal_of(fixture, (struct packet_publish){.payload = bytes_make(payload, 44)}),
        BUD_SUCCESS);
    assert_int_equal(fixture->wire.written, 50);
}

static void test_a_large_payload_arrives_whole(void **state)
{
    static uint8_t payload[100000];
    struct fixture *fixture = *state;
    struct packet_publish message = {.topic = BYTES_OF("t"),
                                     .payload = bytes_make(payload, sizeof(payload))};

    memset(payload, 'p', sizeof(payload));
    open_connection(fixture, MQTT_3_1_1);
    fixture->wire.write_max = 777;
    assert_true(client_ok(client_publish(&fixture->client, &message)));
    assert_int_equal(fixture->wire.written, sizeof(payload) + 7);
    assert_memory_equal(fixture->wire.to_server, "\x30\xA3\x8D\6\0\1t", 7);
    assert_memory_equal(fixture->wire.to_server + 7, payload, sizeof(payload));
}

static void test_a_server_that_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct packet_publish message = {.topic = BYTES_OF("t")};

    open_connection(fixture, MQTT_3_1_1);
    fixture->wire.write_max = 0;
    assert_int_equal(client_publish(&fixture->client, &message).error, -ETIMEDOUT);
    assert_true(fixture->wire.closed);
}

static void test_subscribe(void **state)
{
    struct fixture *fixture = *state;
    struct packet_subscribe subscribe = {.filters = BYTES_OF("\0\1#\1")};
    struct packet_unsubscribe unsubscribe = {.filters = BYTES_OF("\0\1#")};
    struct client_event event;

    open_connection(fixture, MQTT_5_0);
    assert_true(client_ok(client_subscribe(&fixture->client, &subscribe)));
    assert_true(client_ok(client_unsubscribe(&fixture->client, &unsubscribe)));
    SENT(fixture, "\x82\7\0\1\0\0\1#\1"
                  "\xA2\6\0\2\0\0\1#");
    SAY(fixture, "\x90\4\0\1\0\x87"
                 "\xB0\4\0\2\0\x11");
    event = next(fixture);
    assert_int_equal(event.type, CLIENT_SUBSCRIBED);
    assert_int_equal(event.packet_id, 1);
    assert_true(bytes_equal(event.codes, BYTES_OF("\x87")));
    event = next(fixture);
    assert_int_equal(event.type, CLIENT_UNSUBSCRIBED);
    assert_true(bytes_equal(event.codes, BYTES_OF("\x11")));
}

static void test_a_message_is_acknowledged_when_the_caller_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct client_event event;

    open_connection(fixture, MQTT_3_1_1);
    SAY(fixture, "\x32\6\0\1a\0\5x"
                 "\x30\4\0\1by");
    event = next(fixture);
    assert_int_equal(event.type, CLIENT_MESSAGE);
    assert_true(bytes_equal(event.message.topic, BYTES_OF("a")));
    assert_true(bytes_equal(event.message.payload, BYTES_OF("x")));
    SENT(fixture, "");
    event = next(fixture);
    assert_true(bytes_equal(event.message.topic, BYTES_OF("b")));
    SENT(fixture, "\x40\2\0\5");
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    SENT(fixture, "");
}

static void test_disconnect_acknowledges_the_last_message(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_5_0);
    SAY(fixture, "\x32\7\0\1a\0\5\0x");
    assert_int_equal(next(fixture).type, CLIENT_MESSAGE);
    assert_true(client_ok(client_disconnect(&fixture->client, BUD_DISCONNECT_WITH_WILL)));
    SENT(fixture, "\x40\2\0\5"
                  "\xE0\1\4");
    assert_true(fixture->wire.closed);
    assert_int_equal(client_disconnect(&fixture->client, BUD_SUCCESS).error, -ENOTCONN);
}

static void test_a_withheld_acknowledgement_is_not_sent(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_3_1_1);
    SAY(fixture, "\x32\6\0\1a\0\5x");
    assert_int_equal(next(fixture).type, CLIENT_MESSAGE);
    client_withhold(&fixture->client);
    assert_true(client_ok(client_disconnect(&fixture->client, BUD_SUCCESS)));
    SENT(fixture, "\xE0\0");
}

static void test_qos_2_is_delivered_once(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_3_1_1);
    SAY(fixture, "\x34\6\0\1a\xFF\xFFx");
    assert_int_equal(next(fixture).type, CLIENT_MESSAGE);
    SAY(fixture, "\x3C\6\0\1a\xFF\xFFx"); // again, DUP
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    SENT(fixture, "\x50\2\xFF\xFF"
                  "\x50\2\xFF\xFF");
    SAY(fixture, "\x62\2\xFF\xFF");
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    SENT(fixture, "\x70\2\xFF\xFF");
    SAY(fixture, "\x34\6\0\1a\xFF\xFFx"); // released, so this one is new
    assert_int_equal(next(fixture).type, CLIENT_MESSAGE);
}

static void test_pubrel_of_an_unknown_message(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_5_0);
    SAY(fixture, "\x62\2\0\7");
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    SENT(fixture, "\x70\3\0\7\x92");
}

// Publishing from a message that is still in the input, while the server sends more.
static void test_a_message_outlives_what_is_read_meanwhile(void **state)
{
    static uint8_t flood[60000];
    struct fixture *fixture = *state;
    struct client_event event;
    struct packet_publish echo = {.topic = BYTES_OF("e")};

    open_connection(fixture, MQTT_3_1_1);
    SAY(fixture, "\x30\7\0\1akeep");
    event = next(fixture);
    for (size_t i = 0; i < sizeof(flood); i += 4)
        memcpy(flood + i, "\x30\2\0\1", 4); // only read, never decoded in this test
    say(fixture, bytes_make(flood, sizeof(flood)));
    fixture->wire.write_max = 0;
    echo.payload = event.message.payload;
    assert_int_equal(client_publish(&fixture->client, &echo).error, -ETIMEDOUT);
    assert_true(fixture->wire.read > 40000);
    assert_true(bytes_equal(event.message.payload, BYTES_OF("keep")));
}

static void test_pings_keep_it_alive(void **state)
{
    struct fixture *fixture = *state;
    struct client_event event;

    SAY(fixture, "\x20\2\0\0");
    assert_true(client_ok(connect_with(fixture, MQTT_3_1_1, 10)));
    fixture->wire.written = 0;
    assert_true(client_ok(client_next(&fixture->client, 7400, &event)));
    SENT(fixture, "");
    assert_true(client_ok(client_next(&fixture->client, 200, &event)));
    SENT(fixture, "\xC0\0");
    SAY(fixture, "\xD0\0");
    assert_true(client_ok(client_next(&fixture->client, 7400, &event)));
    SENT(fixture, "");
}

static void test_a_ping_without_an_answer(void **state)
{
    struct fixture *fixture = *state;
    struct client_event event;

    SAY(fixture, "\x20\2\0\0");
    assert_true(client_ok(connect_with(fixture, MQTT_3_1_1, 10)));
    assert_int_equal(client_next(&fixture->client, 100000, &event).error, -ETIMEDOUT);
    assert_int_equal(fixture->wire.now_ms, 1000000 + 7500 + 5000);
}

static void test_the_server_may_choose_the_keep_alive(void **state)
{
    struct fixture *fixture = *state;
    struct client_event event;

    SAY(fixture, "\x20\6\0\0\3\x13\0\4"); // Server Keep Alive 4
    assert_true(client_ok(connect_with(fixture, MQTT_5_0, 0)));
    fixture->wire.written = 0;
    assert_true(client_ok(client_next(&fixture->client, 3100, &event)));
    SENT(fixture, "\xC0\0");
}

static void test_ends(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_5_0);
    fixture->wire.ended = true;
    expect_end(fixture, -ECONNRESET, BUD_SUCCESS);
}

static void test_ends_with_a_reason(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_5_0);
    SAY(fixture, "\xE0\7\x8E\5\x1F\0\2no");
    expect_end(fixture, -ECONNRESET, BUD_SESSION_TAKEN_OVER);
    assert_string_equal(fixture->client.reason_string, "no");
}

static void test_a_breach_of_the_protocol_is_told_and_ends(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_5_0);
    SAY(fixture, "\x30\7\0\1a\3\x23\0\1"); // a topic alias, which was not allowed
    expect_end(fixture, -EPROTO, BUD_TOPIC_ALIAS_INVALID);
    SENT(fixture, "\xE0\1\x94");
}

static void test_garbage_ends(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_3_1_1);
    SAY(fixture, "\xFF\xFF\xFF\xFF");
    expect_end(fixture, -EPROTO, BUD_PROTOCOL_ERROR);
    SENT(fixture, ""); // 3.1.1 has no word for it
}

static void test_a_packet_beyond_the_limit(void **state)
{
    struct fixture *fixture = *state;

    fixture->client.packet_size_max = 100;
    open_connection(fixture, MQTT_5_0);
    SAY(fixture, "\x30\xFF\xFF\xFF\x7F");
    expect_end(fixture, -EPROTO, BUD_PACKET_TOO_LARGE);
}

// A claim of 256 MB reserves no more than came.
static void test_a_claimed_size_is_not_believed(void **state)
{
    struct fixture *fixture = *state;

    open_connection(fixture, MQTT_3_1_1);
    SAY(fixture, "\x30\xFF\xFF\xFF\x7F\0\1a");
    assert_int_equal(next(fixture).type, CLIENT_NOTHING);
    assert_true(fixture->client.input.capacity < 100000);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connect),
        TEST(test_connect_byte_by_byte),
        TEST(test_connect_refused_with_words),
        TEST(test_connect_refused_by_a_return_code),
        TEST(test_connect_unanswered),
        TEST(test_connect_closed_or_not_mqtt),
        TEST(test_publish_qos_0),
        TEST(test_publish_qos_1),
        TEST(test_publish_qos_2),
        TEST(test_publish_qos_2_refused_has_no_second_half),
        TEST(test_the_window),
        TEST(test_what_the_server_does_not_take_is_not_sent),
        TEST(test_a_large_payload_arrives_whole),
        TEST(test_a_server_that_takes_nothing),
        TEST(test_subscribe),
        TEST(test_a_message_is_acknowledged_when_the_caller_comes_back),
        TEST(test_disconnect_acknowledges_the_last_message),
        TEST(test_a_withheld_acknowledgement_is_not_sent),
        TEST(test_qos_2_is_delivered_once),
        TEST(test_pubrel_of_an_unknown_message),
        TEST(test_a_message_outlives_what_is_read_meanwhile),
        TEST(test_pings_keep_it_alive),
        TEST(test_a_ping_without_an_answer),
        TEST(test_the_server_may_choose_the_keep_alive),
        TEST(test_ends),
        TEST(test_ends_with_a_reason),
        TEST(test_a_breach_of_the_protocol_is_told_and_ends),
        TEST(test_garbage_ends),
        TEST(test_a_packet_beyond_the_limit),
        TEST(test_a_claimed_size_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
