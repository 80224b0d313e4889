// SPDX-License-Identifier: MIT
// Which property may stand where, how often and with which values: against a matrix written from
// the specification's table 2-4, not from the code's.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "proto/property.h"

#include <string.h>

// One valid encoding of each property, and the owners that may have it: C onnect, c onnack (K),
// P ublish, A cks (PUBACK to PUBCOMP, SUBACK, UNSUBACK), S ubscribe, U nsubscribe, D isconnect,
// X auth, W ill.
static const struct example {
    struct bytes encoded;
    const char *owners;
} examples[] = {
    {{(const uint8_t *)"\x01\x01", 2}, "PW"},
    {{(const uint8_t *)"\x02\0\0\0\x05", 5}, "PW"},
    {{(const uint8_t *)"\x03\0\x01t", 4}, "PW"},
    {{(const uint8_t *)"\x08\0\x01t", 4}, "PW"},
    {{(const uint8_t *)"\x09\0\x01\xFF", 4}, "PW"},
    {{(const uint8_t *)"\x0B\x80\x01", 3}, "PS"},
    {{(const uint8_t *)"\x11\0\0\0\0", 5}, "CKD"},
    {{(const uint8_t *)"\x12\0\x01i", 4}, "K"},
    {{(const uint8_t *)"\x13\0\0", 3}, "K"},
    {{(const uint8_t *)"\x15\0\x01m", 4}, "CKX"},
    {{(const uint8_t *)"\x17\x01", 2}, "C"},
    {{(const uint8_t *)"\x18\0\0\0\x01", 5}, "W"},
    {{(const uint8_t *)"\x19\x01", 2}, "C"},
    {{(const uint8_t *)"\x1A\0\x01r", 4}, "K"},
    {{(const uint8_t *)"\x1C\0\x01s", 4}, "KD"},
    {{(const uint8_t *)"\x1F\0\x01r", 4}, "KADX"},
    {{(const uint8_t *)"\x21\0\x01", 3}, "CK"},
    {{(const uint8_t *)"\x22\0\x01", 3}, "CK"},
    {{(const uint8_t *)"\x23\0\x01", 3}, "P"},
    {{(const uint8_t *)"\x24\x01", 2}, "K"},
    {{(const uint8_t *)"\x25\x01", 2}, "K"},
    {{(const uint8_t *)"\x26\0\x01k\0\x01v", 7}, "CKPASUDXW"},
    {{(const uint8_t *)"\x27\0\0\0\x01", 5}, "CK"},
    {{(const uint8_t *)"\x28\x01", 2}, "K"},
    {{(const uint8_t *)"\x29\x01", 2}, "K"},
    {{(const uint8_t *)"\x2A\x01", 2}, "K"},
};

#define EXAMPLE_COUNT (sizeof(examples) / sizeof(examples[0]))

static bool example_allows(const struct example *example, uint8_t owner)
{
    static const char letters[] = ".CKPAAAASAUA..DXW"; // by packet type, then the will

    return letters[owner] != '.' && strchr(example->owners, letters[owner]) != NULL;
}

static enum bud_reason decode_section(struct bytes section, uint8_t owner,
                                      struct properties *properties)
{
    uint8_t memory[300];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct reader reader;
    enum bud_reason reason;

    writer_varint(&writer, (uint32_t)section.size);
    writer_bytes(&writer, section);
    reader = reader_of(bytes_make(memory, writer.size));
    reason = properties_decode(&reader, owner, properties);
    if (!reason)
        assert_int_equal(reader_left(&reader), 0);
    properties->raw.data = section.data; // `memory` ends here
    return reason;
}

static enum bud_reason decode_twice(struct bytes item, uint8_t owner)
{
    uint8_t memory[32];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct properties properties;

    writer_bytes(&writer, item);
    writer_bytes(&writer, item);
    assert_false(writer.bad);
    return decode_section(bytes_make(memory, writer.size), owner, &properties);
}

static void test_each_property_on_each_owner(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        for (uint8_t owner = 1; owner <= PROPERTY_OWNER_WILL; owner++) {
            struct properties properties;
            bool allowed = example_allows(&examples[i], owner);
            enum bud_reason reason = decode_section(examples[i].encoded, owner, &properties);

            assert_int_equal(reason, allowed ? BUD_SUCCESS : BUD_MALFORMED_PACKET);
            assert_int_equal(properties_have(&properties, examples[i].encoded.data[0]), allowed);
        }
    }
}

static void test_each_property_given_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        uint8_t identifier = examples[i].encoded.data[0];

        for (uint8_t owner = 1; owner <= PROPERTY_OWNER_WILL; owner++) {
            bool may_repeat =
                identifier == PROPERTY_USER_PROPERTY ||
                (identifier == PROPERTY_SUBSCRIPTION_IDENTIFIER && owner == PACKET_PUBLISH);

            if (example_allows(&examples[i], owner))
                assert_int_equal(decode_twice(examples[i].encoded, owner),
                                 may_repeat ? BUD_SUCCESS : BUD_PROTOCOL_ERROR);
        }
    }
}

static void test_each_property_cut_short(void **state)
{
    struct properties properties;

    (void)state;
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        for (size_t size = 1; size < examples[i].encoded.size; size++) {
            struct bytes cut = bytes_make(examples[i].encoded.data, size);

            for (uint8_t owner = 1; owner <= PROPERTY_OWNER_WILL; owner++)
                assert_int_equal(decode_section(cut, owner, &properties), BUD_MALFORMED_PACKET);
        }
    }
}

static void test_unknown_identifiers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 128; i++) {
        uint8_t memory[8] = {(uint8_t)i, 0, 1, 'a', 0, 1, 'b', 0};
        struct properties properties;
        bool known = false;

        for (size_t k = 0; k < EXAMPLE_COUNT; k++)
            known |= examples[k].encoded.data[0] == i;
        known |= i == PROPERTY_AUTHENTICATION_DATA;
        for (size_t size = 1; !known && size <= sizeof(memory); size++)
            assert_int_equal(decode_section(bytes_make(memory, size), PACKET_PUBLISH, &properties),
                             BUD_MALFORMED_PACKET);
    }
}

static void expect(uint8_t owner, struct bytes section, enum bud_reason reason)
{
    struct properties properties;

    assert_int_equal(decode_section(section, owner, &properties), reason);
}

static void test_values_that_the_specification_forbids(void **state)
{
    (void)state;
    expect(PACKET_PUBLISH, BYTES_OF("\x01\x02"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNECT, BYTES_OF("\x17\x02"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNECT, BYTES_OF("\x19\xFF"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNACK, BYTES_OF("\x24\x02"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNACK, BYTES_OF("\x25\x02"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNACK, BYTES_OF("\x28\x02"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNACK, BYTES_OF("\x29\x02"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNACK, BYTES_OF("\x2A\x02"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNECT, BYTES_OF("\x21\0\0"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNECT, BYTES_OF("\x27\0\0\0\0"), BUD_PROTOCOL_ERROR);
    expect(PACKET_SUBSCRIBE, BYTES_OF("\x0B\0"), BUD_PROTOCOL_ERROR);
    expect(PACKET_PUBLISH, BYTES_OF("\x23\0\0"), BUD_TOPIC_ALIAS_INVALID);
    expect(PACKET_PUBLISH, BYTES_OF("\x08\0\x01+"), BUD_PROTOCOL_ERROR); // [MQTT-3.3.2-14]
    expect(PACKET_PUBLISH, BYTES_OF("\x08\0\0"), BUD_PROTOCOL_ERROR);
    expect(PACKET_PUBLISH, BYTES_OF("\x03\0\x01\xFF"), BUD_MALFORMED_PACKET);
    expect(PACKET_PUBLISH, BYTES_OF("\x26\0\x01\xFF\0\0"), BUD_MALFORMED_PACKET);
    expect(PACKET_PUBLISH, BYTES_OF("\x26\0\0\0\x01\0"), BUD_MALFORMED_PACKET);
    expect(PACKET_PUBLISH, BYTES_OF("\x81\0\x01"), BUD_MALFORMED_PACKET); // overlong identifier
    expect(PACKET_PUBLISH, BYTES_OF("\x0B\x81\0"), BUD_MALFORMED_PACKET); // overlong value
}

static void test_authentication_data_needs_a_method(void **state)
{
    (void)state;
    expect(PACKET_CONNECT, BYTES_OF("\x16\0\1d"), BUD_PROTOCOL_ERROR);
    expect(PACKET_CONNECT, BYTES_OF("\x16\0\1d\x15\0\x01m"), BUD_SUCCESS);
    expect(PACKET_PUBLISH, BYTES_OF("\x16\0\1d"), BUD_MALFORMED_PACKET);
}

static void test_a_section_longer_than_the_packet(void **state)
{
    struct reader reader = reader_of(BYTES_OF("\x05\x01\x01"));
    struct properties properties;

    (void)state;
    assert_int_equal(properties_decode(&reader, PACKET_PUBLISH, &properties), BUD_MALFORMED_PACKET);
    assert_true(properties.present == 0);
}

static void test_a_property_may_not_reach_out_of_its_section(void **state)
{
    struct reader reader = reader_of(BYTES_OF("\x02\x03\0\x01t"));
    struct properties properties;

    (void)state;
    assert_int_equal(properties_decode(&reader, PACKET_PUBLISH, &properties), BUD_MALFORMED_PACKET);
}

static void test_values_are_decoded(void **state)
{
    static const struct bytes section = {
        (const uint8_t *)"\x02\0\1\2\3\x08\0\2ab\x0B\x07\x26\0\1k\0\1v\x0B\x80\x01\x26\0\0\0\0",
        27};
    struct properties properties;

    (void)state;
    assert_int_equal(decode_section(section, PACKET_PUBLISH, &properties), BUD_SUCCESS);
    assert_int_equal(properties.message_expiry_interval, 0x010203);
    assert_int_equal(properties.response_topic.size, 2);
    assert_int_equal(properties.subscription_identifier, 7);
    assert_int_equal(properties.subscription_identifier_count, 2);
    assert_int_equal(properties.user_property_count, 2);
    assert_int_equal(properties.raw.size, section.size);
    assert_false(properties_have(&properties, PROPERTY_TOPIC_ALIAS));
    assert_int_equal(properties.topic_alias, 0);
}

static void test_iterating_gives_all_in_order(void **state)
{
    static const struct bytes section = {
        (const uint8_t *)"\x02\0\1\2\3\x26\0\1k\0\1v\x0B\x80\x01\x01\x01", 17};
    struct bytes rest = section;
    struct property_item item;

    (void)state;
    assert_true(property_iterate(&rest, &item));
    assert_int_equal(item.identifier, PROPERTY_MESSAGE_EXPIRY_INTERVAL);
    assert_int_equal(item.number, 0x010203);
    assert_true(property_iterate(&rest, &item));
    assert_int_equal(item.identifier, PROPERTY_USER_PROPERTY);
    assert_true(bytes_equal(item.name, BYTES_OF("k")));
    assert_true(bytes_equal(item.value, BYTES_OF("v")));
    assert_true(bytes_equal(item.encoded, BYTES_OF("\x26\0\1k\0\1v")));
    assert_true(property_iterate(&rest, &item));
    assert_int_equal(item.number, 128);
    assert_true(property_iterate(&rest, &item));
    assert_int_equal(item.identifier, PROPERTY_PAYLOAD_FORMAT_INDICATOR);
    assert_false(property_iterate(&rest, &item));
    assert_int_equal(rest.size, 0);
}

static void test_encoding_matches_what_was_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        struct bytes encoded = examples[i].encoded;
        uint8_t memory[16], expected[16] = {(uint8_t)encoded.size};
        struct writer writer = writer_of(memory, sizeof(memory));
        struct properties properties;
        uint8_t owner = 1;

        while (!example_allows(&examples[i], owner))
            owner++;
        assert_int_equal(decode_section(encoded, owner, &properties), BUD_SUCCESS);
        if (encoded.data[0] == PROPERTY_USER_PROPERTY)
            properties.user = encoded;
        assert_int_equal(properties_size(&properties), 1 + encoded.size);
        memcpy(expected + 1, encoded.data, encoded.size);
        if (properties.user.size == 0 && encoded.size > 3)
            continue; // its view died with decode_section's memory
        properties_encode(&writer, &properties);
        assert_int_equal(writer.size, 1 + encoded.size);
        assert_memory_equal(memory, expected, writer.size);
    }
}

static void test_text_properties_are_encoded(void **state)
{
    struct properties properties = {.present = (uint64_t)1 << PROPERTY_REASON_STRING,
                                    .reason_string = BYTES_OF("no")};
    uint8_t memory[16];
    struct writer writer = writer_of(memory, sizeof(memory));

    (void)state;
    properties_encode(&writer, &properties);
    property_write_user(&writer, BYTES_OF("k"), BYTES_OF(""));
    property_write_subscription_identifier(&writer, 300);
    assert_false(writer.bad);
    assert_int_equal(writer.size, 15);
    assert_memory_equal(memory, "\x05\x1F\0\2no\x26\0\1k\0\0\x0B\xAC\x02", 15);
}

static void test_what_does_not_fit_is_bad_and_not_written(void **state)
{
    struct properties properties = {.present = (uint64_t)1 << PROPERTY_REASON_STRING,
                                    .reason_string = BYTES_OF("no")};
    uint8_t memory[8];
    struct writer section = writer_of(memory, 5), user = writer_of(memory, 6);
    struct writer zero = writer_of(memory, 8), large = writer_of(memory, 8);

    (void)state;
    properties_encode(&section, &properties);
    property_write_user(&user, BYTES_OF("k"), BYTES_OF("v"));
    property_write_subscription_identifier(&zero, 0);
    property_write_subscription_identifier(&large, 268435456);
    assert_true(section.bad && user.bad && zero.bad && large.bad);
    assert_true(section.size == 0 && user.size == 0 && zero.size == 0 && large.size == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_property_on_each_owner),
        cmocka_unit_test(test_each_property_given_twice),
        cmocka_unit_test(test_each_property_cut_short),
        cmocka_unit_test(test_unknown_identifiers),
        cmocka_unit_test(test_values_that_the_specification_forbids),
        cmocka_unit_test(test_authentication_data_needs_a_method),
        cmocka_unit_test(test_a_section_longer_than_the_packet),
        cmocka_unit_test(test_a_property_may_not_reach_out_of_its_section),
        cmocka_unit_test(test_values_are_decoded),
        cmocka_unit_test(test_iterating_gives_all_in_order),
        cmocka_unit_test(test_encoding_matches_what_was_decoded),
        cmocka_unit_test(test_text_properties_are_encoded),
        cmocka_unit_test(test_what_does_not_fit_is_bad_and_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
