// SPDX-License-Identifier: MIT
// CONNECT and CONNACK in bytes written by hand: what each version allows, and each thing it does
// not.
#include "proto/packet_test_helpers.h"

static void test_connect_5_0_least(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x10\x0D\0\4MQTT\5\2\0\x3C\0\0\0"), 0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.type, PACKET_CONNECT);
    assert_int_equal(packet.connect.version, MQTT_5_0);
    assert_true(packet.connect.clean_start);
    assert_int_equal(packet.connect.keep_alive, 60);
    assert_int_equal(packet.connect.client_id.size, 0);
    assert_false(packet.connect.has_will || packet.connect.has_user_name ||
                 packet.connect.has_password || packet.connect.bridge);
}

static void test_connect_3_1_1_with_everything(void **state)
{
    struct packet packet;
    struct packet_connect *connect = &packet.connect;

    (void)state;
    assert_int_equal(
        decode(BYTES_OF("\x10\x1D\0\4MQTT\4\xEC\0\x0A\0\2id\0\1w\0\2\xFF\0\0\1u\0\3p\0p"), 0,
               &packet),
        BUD_SUCCESS);
    assert_int_equal(connect->version, MQTT_3_1_1);
    assert_false(connect->clean_start);
    assert_true(connect->has_will && connect->has_user_name && connect->has_password);
    assert_int_equal(connect->will.qos, 1);
    assert_true(connect->will.retain);
    IS(connect->client_id, "id");
    IS(connect->will.topic, "w");
    IS(connect->will.payload, "\xFF\0");
    IS(connect->user_name, "u");
    IS(connect->password, "p\0p");
}

static void test_connect_3_1(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x10\x10\0\6MQIsdp\3\2\0\0\0\2id"), 0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.connect.version, MQTT_3_1);
    // More than 23 characters, the reserved bit, and will bits without a will.
    ACCEPT(0, "\x10\x26\0\6MQIsdp\3\2\0\0\0\x18"
              "abcdefghijklmnopqrstuvwx");
    ACCEPT(0, "\x10\x0E\0\6MQIsdp\3\x03\0\0\0\0");
    ACCEPT(0, "\x10\x0E\0\6MQIsdp\3\x3A\0\0\0\0");
}

static void test_connect_3_1_may_lack_announced_credentials(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x10\x0E\0\6MQIsdp\3\xC2\0\0\0\0"), 0, &packet), BUD_SUCCESS);
    assert_false(packet.connect.has_user_name || packet.connect.has_password);
    assert_int_equal(decode(BYTES_OF("\x10\x11\0\6MQIsdp\3\xC2\0\0\0\0\0\1u"), 0, &packet),
                     BUD_SUCCESS);
    assert_true(packet.connect.has_user_name);
    assert_false(packet.connect.has_password);
    MALFORMED(0, "\x10\x0F\0\6MQIsdp\3\xC2\0\0\0\0\0");
    MALFORMED(0, "\x10\x0C\0\4MQTT\4\xC2\0\0\0\0"); // 3.1.1 may not
}

static void test_connect_of_a_bridge(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x10\x0C\0\4MQTT\x84\2\0\0\0\0"), 0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.connect.version, MQTT_3_1_1);
    assert_true(packet.connect.bridge);
    assert_int_equal(decode(BYTES_OF("\x10\x0E\0\6MQIsdp\x83\2\0\0\0\0"), 0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.connect.version, MQTT_3_1);
    EXPECT(0, BUD_UNSUPPORTED_PROTOCOL_VERSION, "\x10\x0D\0\4MQTT\x85\2\0\0\0\0\0");
}

static void expect_unsupported(struct bytes input, uint8_t level)
{
    struct packet packet;

    assert_int_equal(decode(input, 0, &packet), BUD_UNSUPPORTED_PROTOCOL_VERSION);
    assert_int_equal(packet.connect.version, level);
}

static void test_connect_with_unknown_level_or_name(void **state)
{
    (void)state;
    expect_unsupported(BYTES_OF("\x10\x0C\0\4MQTT\6\2\0\0\0\0"), 6);
    expect_unsupported(BYTES_OF("\x10\x0C\0\4MQTT\0\2\0\0\0\0"), 0);
    expect_unsupported(BYTES_OF("\x10\x0C\0\4MQTT\3\2\0\0\0\0"), 3);
    expect_unsupported(BYTES_OF("\x10\x0E\0\6MQIsdp\4\2\0\0\0\0"), 4);
    MALFORMED(0, "\x10\x0C\0\4MQTX\4\2\0\0\0\0"); // [MQTT-3.1.2-1]
    MALFORMED(0, "\x10\x0C\0\4mqtt\4\2\0\0\0\0");
    MALFORMED(0, "\x10\x00");
    MALFORMED(0, "\x10\x06\0\4MQTT");
}

static void test_connect_flags(void **state)
{
    (void)state;
    MALFORMED(0, "\x10\x0C\0\4MQTT\4\3\0\0\0\0"); // [MQTT-3.1.2-3]
    MALFORMED(0, "\x10\x0D\0\4MQTT\5\3\0\0\0\0\0");
    MALFORMED(0, "\x10\x0C\0\4MQTT\4\x0A\0\0\0\0");          // [MQTT-3.1.2-11]
    MALFORMED(0, "\x10\x0C\0\4MQTT\4\x22\0\0\0\0");          // will retain without a will
    MALFORMED(0, "\x10\x11\0\4MQTT\4\x1E\0\0\0\0\0\1w\0\0"); // [MQTT-3.1.2-12]
    MALFORMED(0, "\x10\x13\0\6MQIsdp\3\x1E\0\0\0\0\0\1w\0\0");
    MALFORMED(0, "\x10\x11\0\4MQTT\4\x07\0\0\0\0\0\1w\0\0");
}

static void test_connect_password_without_user_name(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x10\x0F\0\4MQTT\4\x42\0\0\0\0\0\1p"), 0, &packet),
                     BUD_SUCCESS);
    assert_true(packet.connect.has_password && !packet.connect.has_user_name);
    ACCEPT(0, "\x10\x10\0\4MQTT\5\x42\0\0\0\0\0\0\1p");
}

static void test_connect_will_topic(void **state)
{
    (void)state;
    ACCEPT(0, "\x10\x11\0\4MQTT\4\6\0\0\0\0\0\1w\0\0");
    EXPECT(0, BUD_TOPIC_NAME_INVALID, "\x10\x11\0\4MQTT\4\6\0\0\0\0\0\1#\0\0");
    EXPECT(0, BUD_TOPIC_NAME_INVALID, "\x10\x10\0\4MQTT\4\6\0\0\0\0\0\0\0\0");
    MALFORMED(0, "\x10\x11\0\4MQTT\4\6\0\0\0\0\0\1\xFF\0\0"); // [MQTT-3.1.3-11]
    MALFORMED(0, "\x10\x0F\0\4MQTT\4\6\0\0\0\0\0\1w");        // no payload
}

static void test_connect_text_and_size(void **state)
{
    (void)state;
    MALFORMED(0, "\x10\x0D\0\4MQTT\4\2\0\0\0\1\xFF");       // client id [MQTT-3.1.3-4]
    MALFORMED(0, "\x10\x0D\0\4MQTT\4\2\0\0\0\1\0");         // U+0000 [MQTT-1.5.4-2]
    MALFORMED(0, "\x10\x0F\0\4MQTT\4\x82\0\0\0\0\0\1\xFF"); // user name
    MALFORMED(0, "\x10\x0D\0\4MQTT\4\2\0\0\0\0x");          // something left over
    MALFORMED(0, "\x10\x0D\0\4MQTT\4\2\0\0\0\2x");          // something missing
    MALFORMED(0, "\x10\x8D\0\0\4MQTT\5\2\0\0\0\0\0");       // overlong length [MQTT-1.5.5-1]
    ACCEPT(0, "\x10\x8C\0\0\4MQTT\4\2\0\0\0\0");            // which 3.1.1 does not forbid
}

static void test_connect_properties(void **state)
{
    (void)state;
    ACCEPT(0, "\x10\x10\0\4MQTT\5\2\0\0\3\x21\0\1\0\0");
    PROTOCOL_ERROR(0, "\x10\x10\0\4MQTT\5\2\0\0\3\x21\0\0\0\0");
    MALFORMED(0, "\x10\x10\0\4MQTT\5\2\0\0\3\x23\0\1\0\0"); // Topic Alias
    ACCEPT(0, "\x10\x18\0\4MQTT\5\6\0\0\0\0\0\5\x18\0\0\0\1\0\1w\0\0");
    MALFORMED(0, "\x10\x18\0\4MQTT\5\6\0\0\0\0\0\5\x11\0\0\0\1\0\1w\0\0"); // not the will's
}

static void test_connect_encoded(void **state)
{
    uint8_t memory[64];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct packet_connect connect = {.version = MQTT_3_1, .client_id = BYTES_OF("i")};

    (void)state;
    packet_encode_connect(&writer, &connect);
    WROTE(writer, "\x10\x0F\0\6MQIsdp\3\0\0\0\0\1i");
    writer.size = 0;
    connect = (struct packet_connect){.version = MQTT_5_0,
                                      .clean_start = true,
                                      .keep_alive = 10,
                                      .has_will = true,
                                      .will = {.topic = BYTES_OF("w"), .qos = 2, .retain = true}};
    packet_encode_connect(&writer, &connect);
    WROTE(writer, "\x10\x13\0\4MQTT\5\x36\0\x0A\0\0\0\0\0\1w\0\0");
}

static void test_connack(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x20\2\1\0"), MQTT_3_1_1, &packet), BUD_SUCCESS);
    assert_true(packet.connack.session_present);
    assert_int_equal(decode(BYTES_OF("\x20\2\0\5"), MQTT_3_1_1, &packet), BUD_SUCCESS);
    assert_int_equal(packet.connack.reason, BUD_NOT_AUTHORIZED);
    assert_int_equal(decode(BYTES_OF("\x20\2\xFF\2"), MQTT_3_1, &packet), BUD_SUCCESS);
    assert_false(packet.connack.session_present);
    assert_int_equal(packet.connack.reason, BUD_CLIENT_IDENTIFIER_NOT_VALID);
    assert_int_equal(decode(BYTES_OF("\x20\6\0\x87\3\x13\0\7"), MQTT_5_0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.connack.reason, BUD_NOT_AUTHORIZED);
    assert_int_equal(packet.connack.properties.server_keep_alive, 7);
}

static void test_connack_refused(void **state)
{
    (void)state;
    MALFORMED(MQTT_3_1_1, "\x20\2\2\0"); // [MQTT-3.2.2-1]
    MALFORMED(MQTT_3_1_1, "\x20\1\0");
    MALFORMED(MQTT_3_1_1, "\x20\3\0\0\0");
    MALFORMED(MQTT_5_0, "\x20\2\0\0");
    MALFORMED(MQTT_5_0, "\x20\3\x80\0\0");
    PROTOCOL_ERROR(MQTT_3_1_1, "\x20\2\1\5"); // [MQTT-3.2.2-6]
    PROTOCOL_ERROR(MQTT_5_0, "\x20\3\1\x87\0");
    PROTOCOL_ERROR(MQTT_5_0, "\x20\3\0\5\0");   // a return code where a reason belongs
    PROTOCOL_ERROR(MQTT_5_0, "\x20\3\0\x8E\0"); // session taken over: not for CONNACK
}

static void test_connack_encoded(void **state)
{
    uint8_t memory[64];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct packet_connack connack = {.session_present = true};

    (void)state;
    packet_encode_connack(&writer, MQTT_3_1, &connack);
    packet_encode_connack(&writer, MQTT_3_1_1, &connack);
    packet_encode_connack(&writer, MQTT_5_0, &connack);
    connack.reason = BUD_BANNED;
    packet_encode_connack(&writer, MQTT_3_1_1, &connack);
    packet_encode_connack(&writer, MQTT_5_0, &connack);
    WROTE(writer, "\x20\2\0\0"
                  "\x20\2\1\0"
                  "\x20\3\1\0\0"
                  "\x20\2\0\5"
                  "\x20\3\0\x8A\0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect_5_0_least),
        cmocka_unit_test(test_connect_3_1_1_with_everything),
        cmocka_unit_test(test_connect_3_1),
        cmocka_unit_test(test_connect_3_1_may_lack_announced_credentials),
        cmocka_unit_test(test_connect_of_a_bridge),
        cmocka_unit_test(test_connect_with_unknown_level_or_name),
        cmocka_unit_test(test_connect_flags),
        cmocka_unit_test(test_connect_password_without_user_name),
        cmocka_unit_test(test_connect_will_topic),
        cmocka_unit_test(test_connect_text_and_size),
        cmocka_unit_test(test_connect_properties),
        cmocka_unit_test(test_connect_encoded),
        cmocka_unit_test(test_connack),
        cmocka_unit_test(test_connack_refused),
        cmocka_unit_test(test_connack_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
