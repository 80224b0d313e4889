// SPDX-License-Identifier: MIT
// PUBLISH and its acknowledgements in bytes written by hand.
#include "proto/packet_test_helpers.h"

static void test_publish_qos_0(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x31\5\0\1ahi"), MQTT_3_1_1, &packet), BUD_SUCCESS);
    assert_true(packet.publish.retain);
    assert_false(packet.publish.dup);
    assert_int_equal(packet.publish.qos, 0);
    assert_int_equal(packet.publish.packet_id, 0);
    IS(packet.publish.topic, "a");
    IS(packet.publish.payload, "hi");
    assert_int_equal(decode(BYTES_OF("\x30\3\0\1a"), MQTT_3_1, &packet), BUD_SUCCESS);
    assert_int_equal(packet.publish.payload.size, 0);
}

static void test_publish_qos_2_of_5_0(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x3C\x0D\0\1a\x12\x34\5\2\0\0\0\7hi"), MQTT_5_0, &packet),
                     BUD_SUCCESS);
    assert_true(packet.publish.dup);
    assert_int_equal(packet.publish.qos, 2);
    assert_int_equal(packet.publish.packet_id, 0x1234);
    assert_int_equal(packet.publish.properties.message_expiry_interval, 7);
    IS(packet.publish.payload, "hi");
}

static void test_publish_flags_and_identifier(void **state)
{
    (void)state;
    MALFORMED(MQTT_3_1_1, "\x36\5\0\1a\0\1"); // QoS 3 [MQTT-3.3.1-4]
    MALFORMED(MQTT_5_0, "\x36\6\0\1a\0\1\0");
    MALFORMED(MQTT_3_1_1, "\x38\3\0\1a");          // DUP with QoS 0 [MQTT-3.3.1-2]
    PROTOCOL_ERROR(MQTT_3_1_1, "\x32\5\0\1a\0\0"); // [MQTT-2.2.1-3]
    PROTOCOL_ERROR(MQTT_5_0, "\x34\6\0\1a\0\0\0");
    MALFORMED(MQTT_3_1_1, "\x32\4\0\1a\0");
}

static void test_publish_topic(void **state)
{
    (void)state;
    EXPECT(MQTT_3_1_1, BUD_TOPIC_NAME_INVALID, "\x30\3\0\1+"); // [MQTT-3.3.2-2]
    EXPECT(MQTT_3_1_1, BUD_TOPIC_NAME_INVALID, "\x30\5\0\3a/#");
    EXPECT(MQTT_5_0, BUD_TOPIC_NAME_INVALID, "\x30\6\0\3a/#\0");
    EXPECT(MQTT_3_1_1, BUD_TOPIC_NAME_INVALID, "\x30\2\0\0"); // [MQTT-4.7.3-1]
    MALFORMED(MQTT_3_1_1, "\x30\3\0\1\xFF");                  // [MQTT-3.3.2-1]
    MALFORMED(MQTT_3_1_1, "\x30\5\0\3a\0b");
    MALFORMED(MQTT_3_1_1, "\x30\5\0\4abc");
    MALFORMED(MQTT_3_1_1, "\x30\1\0");
    MALFORMED(MQTT_3_1_1, "\x30\0");
}

static void test_publish_alias(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x30\6\0\0\3\x23\0\5"), MQTT_5_0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.publish.topic.size, 0);
    assert_int_equal(packet.publish.properties.topic_alias, 5);
    ACCEPT(MQTT_5_0, "\x30\7\0\1a\3\x23\0\5");
    PROTOCOL_ERROR(MQTT_5_0, "\x30\3\0\0\0"); // neither topic nor alias
    EXPECT(MQTT_5_0, BUD_TOPIC_ALIAS_INVALID, "\x30\7\0\1a\3\x23\0\0");
    PROTOCOL_ERROR(MQTT_5_0, "\x30\x0A\0\1a\6\x23\0\5\x23\0\5");
}

static void test_publish_properties_of_5_0_only(void **state)
{
    struct packet packet;

    (void)state;
    MALFORMED(MQTT_5_0, "\x30\3\0\1a"); // the length of properties is not optional
    MALFORMED(MQTT_5_0, "\x30\4\0\1a\1");
    assert_int_equal(decode(BYTES_OF("\x30\4\0\1a\0"), MQTT_3_1_1, &packet), BUD_SUCCESS);
    assert_int_equal(packet.publish.payload.size, 1);
    MALFORMED(MQTT_5_0, "\x30\x84\0\0\1a\0"); // overlong length [MQTT-1.5.5-1]
    ACCEPT(MQTT_3_1_1, "\x30\x84\0\0\1a\0");
}

static void test_publish_encoded(void **state)
{
    uint8_t memory[64];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct packet_publish publish = {.dup = true, .topic = BYTES_OF("a"), .payload = BYTES_OF("x")};

    (void)state;
    packet_encode_publish(&writer, MQTT_3_1_1, &publish); // no DUP with QoS 0 [MQTT-3.3.1-2]
    publish.qos = 1;
    publish.packet_id = 2;
    publish.retain = true;
    packet_encode_publish(&writer, MQTT_3_1, &publish);
    packet_encode_publish(&writer, MQTT_5_0, &publish);
    WROTE(writer, "\x30\4\0\1ax"
                  "\x3B\6\0\1a\0\2x"
                  "\x3B\7\0\1a\0\2\0x");
}

static void test_publish_size_is_what_is_written(void **state)
{
    static const uint8_t zeros[3000];
    static uint8_t memory[4000];

    (void)state;
    for (size_t size = 0; size < sizeof(zeros); size += 61) {
        for (uint8_t version = MQTT_3_1; version <= MQTT_5_0; version++) {
            struct packet_publish publish = {.qos = (uint8_t)(size % 3),
                                             .packet_id = 1,
                                             .topic = BYTES_OF("some/topic"),
                                             .payload = bytes_make(zeros, size)};
            struct writer writer = writer_of(memory, sizeof(memory));

            packet_encode_publish(&writer, version, &publish);
            assert_false(writer.bad);
            assert_int_equal(writer.size, packet_publish_size(version, &publish));
        }
    }
}

static void test_publish_head_and_payload_make_the_packet(void **state)
{
    uint8_t whole[300], head[300];
    static const uint8_t payload[150] = {7, 8, 9};
    struct packet_publish publish = {.qos = 1, .packet_id = 7, .topic = BYTES_OF("a/b")};
    struct writer head_writer = writer_of(head, sizeof(head));
    struct writer whole_writer = writer_of(whole, sizeof(whole));

    (void)state;
    packet_encode_publish_head(&head_writer, MQTT_5_0, &publish, sizeof(payload));
    writer_bytes(&head_writer, bytes_make(payload, sizeof(payload)));
    publish.payload = bytes_make(payload, sizeof(payload));
    packet_encode_publish(&whole_writer, MQTT_5_0, &publish);
    assert_int_equal(head_writer.size, whole_writer.size);
    assert_memory_equal(head, whole, whole_writer.size);
}

static void test_publish_that_does_not_fit_is_not_written(void **state)
{
    static const uint8_t zeros[65536];
    uint8_t memory[16];
    struct packet_publish publish = {.topic = BYTES_OF("a/b"), .payload = BYTES_OF("0123456789")};
    struct writer small = writer_of(memory, sizeof(memory));
    struct writer head = writer_counting(), topic = writer_counting();

    (void)state;
    packet_encode_publish(&small, MQTT_3_1_1, &publish);
    assert_true(small.bad);
    assert_int_equal(small.size, 0);
    packet_encode_publish_head(&head, MQTT_3_1_1, &publish, 268435450); // 268 435 455 in all
    assert_false(head.bad);
    packet_encode_publish_head(&head, MQTT_3_1_1, &publish, 268435451);
    assert_true(head.bad);
    publish.topic = bytes_make(zeros, sizeof(zeros));
    packet_encode_publish(&topic, MQTT_3_1_1, &publish);
    assert_true(topic.bad);
    assert_true(packet_publish_size(MQTT_3_1_1, &publish) == SIZE_MAX);
}

static void test_acks(void **state)
{
    struct packet packet;

    (void)state;
    for (uint8_t version = MQTT_3_1; version <= MQTT_5_0; version++) {
        assert_int_equal(decode(BYTES_OF("\x40\2\1\2"), version, &packet), BUD_SUCCESS);
        assert_int_equal(packet.ack.packet_id, 0x0102);
        assert_int_equal(packet.ack.reason, BUD_SUCCESS);
        ACCEPT(version, "\x50\2\1\2");
        ACCEPT(version, "\x62\2\1\2");
        ACCEPT(version, "\x70\2\1\2");
        PROTOCOL_ERROR(version, "\x40\2\0\0");
        MALFORMED(version, "\x40\1\1");
        MALFORMED(version, "\x40\0");
    }
}

static void test_acks_of_5_0(void **state)
{
    struct packet packet;

    (void)state;
    assert_int_equal(decode(BYTES_OF("\x40\3\0\1\x10"), MQTT_5_0, &packet), BUD_SUCCESS);
    assert_int_equal(packet.ack.reason, BUD_NO_MATCHING_SUBSCRIBERS);
    assert_int_equal(decode(BYTES_OF("\x50\x09\0\1\x97\5\x1F\0\2no"), MQTT_5_0, &packet),
                     BUD_SUCCESS);
    assert_int_equal(packet.ack.reason, BUD_QUOTA_EXCEEDED);
    IS(packet.ack.properties.reason_string, "no");
    ACCEPT(MQTT_5_0, "\x62\4\0\1\x92\0");
    PROTOCOL_ERROR(MQTT_5_0, "\x40\3\0\1\x92"); // not PUBACK's [MQTT-3.4.2-1]
    PROTOCOL_ERROR(MQTT_5_0, "\x62\3\0\1\x10"); // not PUBREL's
    PROTOCOL_ERROR(MQTT_5_0, "\x70\3\0\1\x97");
    PROTOCOL_ERROR(MQTT_5_0, "\x40\3\0\1\xFF");
    MALFORMED(MQTT_5_0, "\x40\5\0\1\0\0x");
    MALFORMED(MQTT_5_0, "\x40\5\0\1\0\1\x23");
    MALFORMED(MQTT_3_1_1, "\x40\3\0\1\0");
    MALFORMED(MQTT_3_1_1, "\x40\4\0\1\0\0");
}

static void test_pubrel_with_dup_is_of_3_1_only(void **state)
{
    (void)state;
    ACCEPT(MQTT_3_1, "\x6A\2\0\1");
    MALFORMED(MQTT_3_1_1, "\x6A\2\0\1"); // [MQTT-3.6.1-1]
    MALFORMED(MQTT_5_0, "\x6A\2\0\1");
}

static void test_acks_encoded(void **state)
{
    uint8_t memory[64];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct packet_ack ack = {.packet_id = 1};

    (void)state;
    packet_encode_ack(&writer, MQTT_5_0, PACKET_PUBACK, &ack);
    packet_encode_ack(&writer, MQTT_3_1_1, PACKET_PUBREL, &ack);
    ack.reason = BUD_PACKET_IDENTIFIER_NOT_FOUND;
    packet_encode_ack(&writer, MQTT_3_1_1, PACKET_PUBCOMP, &ack);
    packet_encode_ack(&writer, MQTT_5_0, PACKET_PUBCOMP, &ack);
    ack.properties.present = (uint64_t)1 << PROPERTY_REASON_STRING;
    ack.properties.reason_string = BYTES_OF("no");
    packet_encode_ack(&writer, MQTT_3_1_1, PACKET_PUBREC, &ack);
    packet_encode_ack(&writer, MQTT_5_0, PACKET_PUBCOMP, &ack);
    WROTE(writer, "\x40\2\0\1"
                  "\x62\2\0\1"
                  "\x70\2\0\1"
                  "\x70\3\0\1\x92"
                  "\x50\2\0\1"
                  "\x70\x09\0\1\x92\5\x1F\0\2no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish_qos_0),
        cmocka_unit_test(test_publish_qos_2_of_5_0),
        cmocka_unit_test(test_publish_flags_and_identifier),
        cmocka_unit_test(test_publish_topic),
        cmocka_unit_test(test_publish_alias),
        cmocka_unit_test(test_publish_properties_of_5_0_only),
        cmocka_unit_test(test_publish_encoded),
        cmocka_unit_test(test_publish_size_is_what_is_written),
        cmocka_unit_test(test_publish_head_and_payload_make_the_packet),
        cmocka_unit_test(test_publish_that_does_not_fit_is_not_written),
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_acks_of_5_0),
        cmocka_unit_test(test_pubrel_with_dup_is_of_3_1_only),
        cmocka_unit_test(test_acks_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
