// SPDX-License-Identifier: MIT
// All sequences of up to three bytes, and the borders of four, against a decoder written from the
// definition; and each of them at each place in a run of ASCII, where the fast path ends.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "proto/utf8.h"

#include <string.h>

static uint32_t continuation(uint8_t byte, bool *bad)
{
    *bad |= (byte & 0xC0) != 0x80;
    return byte & 0x3F;
}

// The definition: decode, then ask whether the number needed that many bytes and is allowed.
// Returns how many bytes the first character takes, 0 if it is none.
static size_t naive_character(const uint8_t *text, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = text[0] < 0x80 ? 1 : text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4;
    uint32_t value = size == 1 ? text[0] : text[0] & (0x7Fu >> size);
    bool bad = (text[0] >= 0x80 && text[0] < 0xC0) || text[0] >= 0xF8;

    if (bad || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        value = value << 6 | continuation(text[i], &bad);
    bad |= value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF);
    return bad ? 0 : size;
}

static bool naive_well_formed(const uint8_t *text, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t taken = naive_character(text + at, size - at);

        if (taken == 0)
            return false;
        at += taken;
    }
    return true;
}

static void expect_as_naive(const uint8_t *text, size_t size)
{
    bool expected = naive_well_formed(text, size);
    bool has_nul = memchr(text, 0, size) != NULL;
    bool same = utf8_well_formed(bytes_make(text, size)) == expected &&
                utf8_valid(bytes_make(text, size)) == (expected && !has_nul);

    if (!same)
        fail_msg("%02X %02X %02X %02X, size %zu", text[0], text[1], text[2], text[3], size);
}

static void test_all_sequences_up_to_three_bytes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1u << 24; i++) {
        uint8_t text[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

        if ((i & 0xFFFF) == 0)
            expect_as_naive(text, 1);
        if ((i & 0xFF) == 0)
            expect_as_naive(text, 2);
        if (text[0] >= 0xC0 && (text[2] & 0x3F) < 2) // the borders of a third byte suffice
            expect_as_naive(text, 3);
    }
}

static void test_borders_of_four_byte_sequences(void **state)
{
    static const uint8_t borders[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                      0xA0, 0xBF, 0xC0, 0xED, 0xFF};
    const size_t count = sizeof(borders);

    (void)state;
    for (size_t i = 0; i < 16 * count * count * count; i++) {
        uint8_t text[4] = {(uint8_t)(0xF0 + i % 16), borders[i / 16 % count],
                           borders[i / 16 / count % count], borders[i / 16 / count / count]};

        expect_as_naive(text, 4);
    }
}

static void expect_at_each_place(struct bytes sequence, bool valid)
{
    for (size_t size = sequence.size; size < 28; size++) {
        for (size_t place = 0; place + sequence.size <= size; place++) {
            uint8_t text[28];

            memset(text, 'a', sizeof(text));
            memcpy(text + place, sequence.data, sequence.size);
            assert_int_equal(utf8_valid(bytes_make(text, size)), valid);
        }
    }
}

static void test_each_place_in_a_run_of_ascii(void **state)
{
    (void)state;
    expect_at_each_place(BYTES_OF("\x7F"), true);
    expect_at_each_place(BYTES_OF("\x01"), true);
    expect_at_each_place(BYTES_OF("\xC3\xB8"), true);
    expect_at_each_place(BYTES_OF("\xE2\x82\xAC"), true);
    expect_at_each_place(BYTES_OF("\xF0\x9F\x98\x80"), true);
    expect_at_each_place(BYTES_OF("\xEF\xBB\xBF"), true); // a BOM is text [MQTT-1.5.4-3]
    expect_at_each_place(BYTES_OF("\0"), false);
    expect_at_each_place(BYTES_OF("\x80"), false);
    expect_at_each_place(BYTES_OF("\xC0\x80"), false);
    expect_at_each_place(BYTES_OF("\xED\xA0\x80"), false);
    expect_at_each_place(BYTES_OF("\xF4\x90\x80\x80"), false);
    expect_at_each_place(BYTES_OF("\xE2\x82"), false);
}

static void test_nothing_is_valid(void **state)
{
    (void)state;
    assert_true(utf8_valid((struct bytes){NULL, 0}));
    assert_true(utf8_well_formed((struct bytes){NULL, 0}));
    assert_true(utf8_well_formed(BYTES_OF("a\0b")));
    assert_false(utf8_valid(BYTES_OF("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sequences_up_to_three_bytes),
        cmocka_unit_test(test_borders_of_four_byte_sequences),
        cmocka_unit_test(test_each_place_in_a_run_of_ascii),
        cmocka_unit_test(test_nothing_is_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
