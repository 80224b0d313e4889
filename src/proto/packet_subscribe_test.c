// SPDX-License-Identifier: MIT
// SUBSCRIBE, UNSUBSCRIBE, their answers, and the packets that end or hold a connection.
#include "proto/packet_test_helpers.h"

static void test_subscribe(void **state)
{
    struct packet packet;
    struct bytes filter, rest;
    struct subscription_options options;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x82\x0C\0\7\0\1#\2\0\3a/+\1"), MQTT_3_1_1, &packet),
                     BUD_SUCCESS);
    assert_int_equal(packet.subscribe.packet_id, 7);
    assert_int_equal(packet.subscribe.count, 2);
    rest = packet.subscribe.filters;
    assert_true(subscribe_iterate(&rest, MQTT_3_1_1, &filter, &options));
    IS(filter, "#");
    assert_int_equal(options.qos, 2);
    assert_true(subscribe_iterate(&rest, MQTT_3_1_1, &filter, &options));
    IS(filter, "a/+");
    assert_int_equal(options.qos, 1);
    assert_false(subscribe_iterate(&rest, MQTT_3_1_1, &filter, &options));
}

static void test_subscribe_options_of_5_0(void **state)
{
    struct packet packet;
    struct bytes filter, rest;
    struct subscription_options options;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x82\x09\0\7\2\x0B\5\0\1a\x2D"), MQTT_5_0, &packet),
                     BUD_SUCCESS);
    assert_int_equal(packet.subscribe.properties.subscription_identifier, 5);
    rest = packet.subscribe.filters;
    assert_true(subscribe_iterate(&rest, MQTT_5_0, &filter, &options));
    assert_int_equal(options.qos, 1);
    assert_true(options.no_local && options.retain_as_published);
    assert_int_equal(options.retain_handling, 2);
}

static void test_subscribe_refused(void **state)
{
    (void)state;
    PROTOCOL_ERROR(MQTT_3_1_1, "\x82\2\0\7"); // no filter [MQTT-3.8.3-2]
    PROTOCOL_ERROR(MQTT_5_0, "\x82\3\0\7\0");
    PROTOCOL_ERROR(MQTT_3_1_1, "\x82\6\0\0\0\1a\0"); // no identifier [MQTT-2.2.1-3]
    MALFORMED(MQTT_3_1_1, "\x82\5\0\7\0\1a");        // no options
    MALFORMED(MQTT_3_1_1, "\x82\6\0\7\0\2a\0");
    MALFORMED(MQTT_3_1_1, "\x82\6\0\7\0\1\xFF\0"); // [MQTT-3.8.3-1]
    MALFORMED(MQTT_3_1_1, "\x82\1\0");
    MALFORMED(MQTT_3_1_1, "\x82\6\0\7\0\1a\3"); // QoS 3
    MALFORMED(MQTT_3_1, "\x82\6\0\7\0\1a\3");
    PROTOCOL_ERROR(MQTT_5_0, "\x82\7\0\7\0\0\1a\3");
    MALFORMED(MQTT_3_1_1, "\x82\6\0\7\0\1a\4"); // reserved bits
    ACCEPT(MQTT_3_1, "\x82\6\0\7\0\1a\4");
    MALFORMED(MQTT_5_0, "\x82\7\0\7\0\0\1a\x40"); // [MQTT-3.8.3-5]
    MALFORMED(MQTT_5_0, "\x82\7\0\7\0\0\1a\x80");
    PROTOCOL_ERROR(MQTT_5_0, "\x82\7\0\7\0\0\1a\x30"); // Retain Handling 3
}

static void test_no_local_on_a_share_is_refused(void **state)
{
    (void)state;
    PROTOCOL_ERROR(MQTT_5_0, "\x82\x0F\0\7\0\0\x09$share/g/\4"); // [MQTT-3.8.3-4]
    ACCEPT(MQTT_5_0, "\x82\x0F\0\7\0\0\x09$share/g/\1");
    ACCEPT(MQTT_5_0, "\x82\x0F\0\7\0\0\x09$shared/g\4");
}

static void test_an_invalid_filter_is_the_callers(void **state)
{
    (void)state;
    ACCEPT(MQTT_3_1_1, "\x82\x08\0\7\0\3#/a\0");
    ACCEPT(MQTT_3_1_1, "\x82\5\0\7\0\0\0");
    ACCEPT(MQTT_3_1_1, "\xA2\7\0\7\0\3a#b");
}

static void test_dup_is_of_3_1_only(void **state)
{
    (void)state;
    ACCEPT(MQTT_3_1, "\x8A\6\0\7\0\1a\0");
    MALFORMED(MQTT_3_1_1, "\x8A\6\0\7\0\1a\0"); // [MQTT-3.8.1-1]
    ACCEPT(MQTT_3_1, "\xAA\5\0\7\0\1a");
    MALFORMED(MQTT_5_0, "\xAA\6\0\7\0\0\1a"); // [MQTT-3.10.1-1]
}

static void test_unsubscribe(void **state)
{
    struct packet packet;
    struct bytes filter, rest;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\xA2\x09\0\7\0\0\1#\0\1b"), MQTT_5_0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.unsubscribe.count, 2);
    rest = packet.unsubscribe.filters;
    assert_true(unsubscribe_iterate(&rest, &filter));
    IS(filter, "#");
    assert_true(unsubscribe_iterate(&rest, &filter));
    IS(filter, "b");
    assert_false(unsubscribe_iterate(&rest, &filter));
    PROTOCOL_ERROR(MQTT_3_1_1, "\xA2\2\0\7"); // [MQTT-3.10.3-2]
    PROTOCOL_ERROR(MQTT_3_1_1, "\xA2\5\0\0\0\1a");
    MALFORMED(MQTT_3_1_1, "\xA2\5\0\7\0\2a");
    MALFORMED(MQTT_3_1_1, "\xA2\5\0\7\0\1\xFF"); // [MQTT-3.10.3-1]
}

static void test_suback(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x90\4\0\7\2\x80"), MQTT_3_1_1, &packet), BUD_SUCCESS);
    assert_int_equal(packet.suback.packet_id, 7);
    IS(packet.suback.codes, "\2\x80");
    ACCEPT(MQTT_5_0, "\x90\5\0\7\0\0\x8F");
    PROTOCOL_ERROR(MQTT_3_1_1, "\x90\3\0\7\x8F"); // [MQTT-3.9.3-2]
    PROTOCOL_ERROR(MQTT_5_0, "\x90\4\0\7\0\3");
    PROTOCOL_ERROR(MQTT_3_1_1, "\x90\3\0\0\0");
    MALFORMED(MQTT_3_1_1, "\x90\2\0\7");
    MALFORMED(MQTT_3_1_1, "\x90\1\0");
}

static void test_unsuback(void **state)
{
    (void)state;
    ACCEPT(MQTT_3_1_1, "\xB0\2\0\7");
    ACCEPT(MQTT_5_0, "\xB0\5\0\7\0\0\x11");
    MALFORMED(MQTT_3_1_1, "\xB0\3\0\7\0");
    MALFORMED(MQTT_5_0, "\xB0\3\0\7\0");
    PROTOCOL_ERROR(MQTT_5_0, "\xB0\4\0\7\0\1");
}

static void test_answers_encoded(void **state)
{
    uint8_t memory[64];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct packet_suback suback = {.packet_id = 1, .codes = BYTES_OF("\1\x8F")};

    (void)state;
    packet_encode_suback(&writer, MQTT_3_1_1, PACKET_SUBACK, &suback);
    packet_encode_suback(&writer, MQTT_5_0, PACKET_SUBACK, &suback);
    suback.codes = BYTES_OF("\x11");
    packet_encode_suback(&writer, MQTT_3_1_1, PACKET_UNSUBACK, &suback);
    packet_encode_suback(&writer, MQTT_5_0, PACKET_UNSUBACK, &suback);
    WROTE(writer, "\x90\4\0\1\1\x80"
                  "\x90\5\0\1\0\1\x8F"
                  "\xB0\2\0\1"
                  "\xB0\4\0\1\0\x11");
}

static void test_requests_encoded(void **state)
{
    uint8_t filters[16], memory[64];
    struct writer list = writer_of(filters, sizeof(filters));
    struct writer writer = writer_of(memory, sizeof(memory));
    struct subscription_options options = {1, true, true, 2};

    (void)state;
    subscribe_write_filter(&list, MQTT_5_0, BYTES_OF("a"), options);
    packet_encode_subscribe(
        &writer, MQTT_5_0,
        &(struct packet_subscribe){.packet_id = 2, .filters = bytes_make(filters, list.size)});
    list.size = 0;
    subscribe_write_filter(&list, MQTT_3_1_1, BYTES_OF("a"), options); // QoS is all it can say
    packet_encode_subscribe(
        &writer, MQTT_3_1_1,
        &(struct packet_subscribe){.packet_id = 2, .filters = bytes_make(filters, list.size)});
    list.size = 0;
    unsubscribe_write_filter(&list, BYTES_OF("a"));
    packet_encode_unsubscribe(
        &writer, MQTT_5_0,
        &(struct packet_unsubscribe){.packet_id = 2, .filters = bytes_make(filters, list.size)});
    WROTE(writer, "\x82\7\0\2\0\0\1a\x2D"
                  "\x82\6\0\2\0\1a\1"
                  "\xA2\6\0\2\0\0\1a");
}

static void test_ping(void **state)
{
    uint8_t memory[4];
    struct writer writer = writer_of(memory, sizeof(memory));

    (void)state;
    for (uint8_t version = MQTT_3_1; version <= MQTT_5_0; version++) {
        ACCEPT(version, "\xC0\0");
        ACCEPT(version, "\xD0\0");
        MALFORMED(version, "\xC0\1\0");
        MALFORMED(version, "\xD0\1\0");
    }
    packet_encode_ping(&writer, PACKET_PINGREQ);
    packet_encode_ping(&writer, PACKET_PINGRESP);
    WROTE(writer, "\xC0\0\xD0\0");
}

static void test_disconnect(void **state)
{
    struct packet packet;

    (void)state;
    ACCEPT(MQTT_3_1_1, "\xE0\0");
    assert_int_equal(decode(BYTES_OF("\xE0\0"), MQTT_5_0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.disconnect.reason, BUD_SUCCESS);
    assert_int_equal(decode(BYTES_OF("\xE0\1\4"), MQTT_5_0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.disconnect.reason, BUD_DISCONNECT_WITH_WILL);
    assert_int_equal(decode(BYTES_OF("\xE0\7\x8E\5\x11\0\0\0\x0A"), MQTT_5_0, &packet),
                     BUD_SUCCESS);
    assert_int_equal(packet.disconnect.properties.session_expiry_interval, 10);
    MALFORMED(MQTT_3_1_1, "\xE0\1\0");
    MALFORMED(MQTT_5_0, "\xE0\3\0\0x");
    MALFORMED(MQTT_5_0, "\xE0\2\0\1");
    PROTOCOL_ERROR(MQTT_5_0, "\xE0\1\1"); // [MQTT-3.14.2-1]
    PROTOCOL_ERROR(MQTT_5_0, "\xE0\1\x91");
}

static void test_auth(void **state)
{
    struct packet packet;

    (void)state;
    ACCEPT(MQTT_5_0, "\xF0\0");
    assert_int_equal(decode(BYTES_OF("\xF0\6\x18\4\x15\0\1m"), MQTT_5_0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.auth.reason, BUD_CONTINUE_AUTHENTICATION);
    IS(packet.auth.properties.authentication_method, "m");
    MALFORMED(MQTT_5_0, "\xF0\1\x18");
    PROTOCOL_ERROR(MQTT_5_0, "\xF0\2\x18\0");        // no method
    PROTOCOL_ERROR(MQTT_5_0, "\xF0\6\1\4\x15\0\1m"); // [MQTT-3.15.2-1]
    PROTOCOL_ERROR(MQTT_3_1_1, "\xF0\0");
}

static void test_endings_encoded(void **state)
{
    uint8_t memory[64];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct packet_disconnect disconnect = {.reason = BUD_SUCCESS};
    struct packet_auth auth = {.reason = BUD_SUCCESS};

    (void)state;
    packet_encode_disconnect(&writer, MQTT_5_0, &disconnect);
    disconnect.reason = BUD_SESSION_TAKEN_OVER;
    packet_encode_disconnect(&writer, MQTT_5_0, &disconnect);
    packet_encode_disconnect(&writer, MQTT_3_1_1, &disconnect);
    packet_encode_auth(&writer, &auth);
    auth.reason = BUD_CONTINUE_AUTHENTICATION;
    auth.properties.present = (uint64_t)1 << PROPERTY_AUTHENTICATION_METHOD;
    auth.properties.authentication_method = BYTES_OF("m");
    packet_encode_auth(&writer, &auth);
    WROTE(writer, "\xE0\0"
                  "\xE0\1\x8E"
                  "\xE0\0"
                  "\xF0\0"
                  "\xF0\6\x18\4\x15\0\1m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscribe),
        cmocka_unit_test(test_subscribe_options_of_5_0),
        cmocka_unit_test(test_subscribe_refused),
        cmocka_unit_test(test_no_local_on_a_share_is_refused),
        cmocka_unit_test(test_an_invalid_filter_is_the_callers),
        cmocka_unit_test(test_dup_is_of_3_1_only),
        cmocka_unit_test(test_unsubscribe),
        cmocka_unit_test(test_suback),
        cmocka_unit_test(test_unsuback),
        cmocka_unit_test(test_answers_encoded),
        cmocka_unit_test(test_requests_encoded),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_disconnect),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_endings_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
