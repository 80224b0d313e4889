// SPDX-License-Identifier: MIT
// Every sample packet of every version: encoded again after decoding, cut at each byte, with each
// bit flipped and each length changed. Whatever is still accepted must mean the same after another
// round. Inputs lie in blocks of their exact size, for the address sanitizer.
#include "proto/packet_test_helpers.h"
#include "proto/reencode.h"
#include "proto/samples.h"

struct wire {
    uint8_t memory[SAMPLE_SIZE_MAX];
    size_t size;
};

static struct wire wire_of(const struct sample *sample, uint8_t version)
{
    struct wire wire;
    struct writer writer = writer_of(wire.memory, sizeof(wire.memory));

    sample->write(&writer, version);
    assert_false(writer.bad);
    wire.size = writer.size;
    return wire;
}

static void for_each_sample(void (*check)(const struct wire *wire, uint8_t version))
{
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        for (uint8_t version = MQTT_3_1; version <= MQTT_5_0; version++) {
            struct wire wire;

            if (!sample_is_of(&samples[i], version))
                continue;
            wire = wire_of(&samples[i], version);
            check(&wire, version);
        }
    }
}

static struct wire encode_again(const struct packet *packet, uint8_t version)
{
    uint8_t memory[SAMPLE_SIZE_MAX];
    struct writer scratch = writer_of(memory, sizeof(memory));
    struct wire wire;
    struct writer writer = writer_of(wire.memory, sizeof(wire.memory));

    reencode(&writer, version, *packet, &scratch);
    assert_false(scratch.bad || writer.bad);
    wire.size = writer.size;
    return wire;
}

// Decodes what may be anything; if it is a packet, it must come back from its own encoding.
static enum bud_reason probe(const uint8_t *bytes, size_t size, uint8_t version)
{
    uint8_t *exact = malloc(size);
    enum bud_reason reason = BUD_MALFORMED_PACKET;
    struct packet packet, again;
    struct frame frame;

    memcpy(exact, bytes, size);
    if (frame_scan(bytes_make(exact, size), &frame) == FRAME_WHOLE) {
        reason = packet_decode(&frame, version, &packet);
        assert_true(frame.header_size + frame.body_size <= size);
    }
    if (reason == BUD_SUCCESS) {
        struct wire wire = encode_again(&packet, version);

        assert_int_equal(decode(bytes_make(wire.memory, wire.size), version, &again), BUD_SUCCESS);
        assert_true(packets_same(version, &packet, &again));
    }
    free(exact);
    return reason;
}

static void expect_same_bytes(const struct wire *wire, uint8_t version)
{
    struct packet packet;
    struct wire again;

    assert_int_equal(decode(bytes_make(wire->memory, wire->size), version, &packet), BUD_SUCCESS);
    again = encode_again(&packet, version);
    assert_int_equal(again.size, wire->size);
    assert_memory_equal(again.memory, wire->memory, wire->size);
}

static void test_samples_come_back_byte_for_byte(void **state)
{
    (void)state;
    for_each_sample(expect_same_bytes);
}

// Cut without telling: never a packet. Cut with the length put right: whatever it is then.
static void cut_at_each_byte(const struct wire *wire, uint8_t version)
{
    for (size_t size = 1; size < wire->size; size++) {
        struct wire cut = *wire;
        struct frame frame;

        assert_int_equal(frame_scan(bytes_make(wire->memory, size), &frame),
                         size < 2 || (wire->memory[1] & 0x80 && size < 3) ? FRAME_PARTIAL
                                                                          : FRAME_HEADER);
        probe(cut.memory, size, version);
        if (size < 2 || cut.memory[1] & 0x80)
            continue;
        cut.memory[1] = (uint8_t)(size - 2);
        probe(cut.memory, size, version);
    }
}

static void test_cut_at_each_byte(void **state)
{
    (void)state;
    for_each_sample(cut_at_each_byte);
}

static void flip_each_bit(const struct wire *wire, uint8_t version)
{
    for (size_t bit = 0; bit < wire->size * 8; bit++) {
        struct wire flipped = *wire;

        flipped.memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
        for (uint8_t as = MQTT_3_1; as <= MQTT_5_0; as++)
            probe(flipped.memory, flipped.size, as);
        probe(flipped.memory, flipped.size, version);
    }
}

static void test_each_bit_flipped(void **state)
{
    (void)state;
    for_each_sample(flip_each_bit);
}

// Every pair of bytes might be a length: one less, one more, the most.
static void change_each_length(const struct wire *wire, uint8_t version)
{
    for (size_t at = 0; at + 1 < wire->size; at++) {
        static const unsigned changes[] = {0xFFFF, 1, 0x7FFF};
        unsigned value = (unsigned)wire->memory[at] << 8 | wire->memory[at + 1];

        for (size_t i = 0; i < 4; i++) {
            struct wire changed = *wire;
            unsigned other = i < 3 ? value + changes[i] : 0xFFFF;

            changed.memory[at] = (uint8_t)(other >> 8);
            changed.memory[at + 1] = (uint8_t)other;
            probe(changed.memory, changed.size, version);
        }
    }
}

static void test_each_length_changed(void **state)
{
    (void)state;
    for_each_sample(change_each_length);
}

// A varint over each byte: the largest, and one that never ends.
static void overwrite_with_varints(const struct wire *wire, uint8_t version)
{
    static const char *const varints[] = {"\xFF\xFF\xFF\x7F", "\xFF\xFF\xFF\xFF", "\x80\x80\x80"};

    for (size_t at = 0; at + 4 <= wire->size; at++) {
        for (size_t i = 0; i < 3; i++) {
            struct wire changed = *wire;

            memcpy(changed.memory + at, varints[i], 4);
            probe(changed.memory, changed.size, version);
        }
    }
}

static void test_varints_everywhere(void **state)
{
    (void)state;
    for_each_sample(overwrite_with_varints);
}

static void decode_as_each_version(const struct wire *wire, uint8_t version)
{
    for (uint8_t as = MQTT_3_1; as <= MQTT_5_0; as++)
        probe(wire->memory, wire->size, as);
    assert_int_equal(probe(wire->memory, wire->size, version), BUD_SUCCESS);
}

static void test_taken_for_another_version(void **state)
{
    (void)state;
    for_each_sample(decode_as_each_version);
}

// With one byte less room each encoder writes nothing and says so.
static void test_too_little_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        for (uint8_t version = MQTT_3_1; version <= MQTT_5_0; version++) {
            uint8_t memory[SAMPLE_SIZE_MAX] = {0};
            struct writer writer;

            if (!sample_is_of(&samples[i], version))
                continue;
            writer = writer_of(memory, wire_of(&samples[i], version).size - 1);
            samples[i].write(&writer, version);
            assert_true(writer.bad);
            assert_int_equal(writer.size, 0);
            assert_int_equal(memory[0], 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_come_back_byte_for_byte),
        cmocka_unit_test(test_cut_at_each_byte),
        cmocka_unit_test(test_each_bit_flipped),
        cmocka_unit_test(test_each_length_changed),
        cmocka_unit_test(test_varints_everywhere),
        cmocka_unit_test(test_taken_for_another_version),
        cmocka_unit_test(test_too_little_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
