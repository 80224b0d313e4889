// SPDX-License-Identifier: MIT
// Where a packet ends, for every first byte and every form of the Remaining Length.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "proto/frame.h"

#include <stdlib.h>
#include <string.h>

static enum frame_state scan(const char *bytes, size_t size, struct frame *frame)
{
    uint8_t *exact = malloc(size ? size : 1); // so that a read beyond it is seen
    enum frame_state state;

    memcpy(exact, bytes, size);
    state = frame_scan(bytes_make(exact, size), frame);
    frame->body.data = NULL;
    free(exact);
    return state;
}

static bool first_byte_allowed(unsigned byte)
{
    unsigned type = byte >> 4, flags = byte & 15;

    if (type == PACKET_PUBLISH)
        return true;
    if (type == PACKET_PUBREL || type == PACKET_SUBSCRIBE || type == PACKET_UNSUBSCRIBE)
        return flags == 2 || flags == 10;
    return type != 0 && flags == 0;
}

static void test_every_first_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        char byte = (char)i;
        struct frame frame;
        enum frame_state expected = first_byte_allowed(i) ? FRAME_PARTIAL : FRAME_MALFORMED;

        assert_int_equal(scan(&byte, 1, &frame), expected);
        assert_int_equal(frame.type, i >> 4);
        assert_int_equal(frame.flags, i & 15);
    }
}

static void test_nothing_is_partial(void **state)
{
    struct frame frame;

    (void)state;
    assert_int_equal(frame_scan((struct bytes){NULL, 0}, &frame), FRAME_PARTIAL);
}

static void expect_length(const char *bytes, size_t size, uint32_t body_size)
{
    struct frame frame;

    for (size_t cut = 1; cut < size; cut++)
        assert_int_equal(scan(bytes, cut, &frame), FRAME_PARTIAL);
    assert_int_equal(scan(bytes, size, &frame), body_size ? FRAME_HEADER : FRAME_WHOLE);
    assert_int_equal(frame.header_size, size);
    assert_int_equal(frame.body_size, body_size);
    assert_int_equal(frame.body.size, 0);
}

static void test_lengths(void **state)
{
    (void)state;
    expect_length("\xC0\x00", 2, 0);
    expect_length("\x30\x7F", 2, 127);
    expect_length("\x30\x80\x01", 3, 128);
    expect_length("\x30\xFF\xFF\x7F", 4, 2097151);
    expect_length("\x30\xFF\xFF\xFF\x7F", 5, 268435455);
    expect_length("\x30\x82\x00", 3, 2); // longer than needed: the decoder knows the version
}

static void test_a_length_of_five_bytes_is_refused_at_the_fourth(void **state)
{
    struct frame frame;

    (void)state;
    assert_int_equal(scan("\x30\x80\x80\x80\x80", 5, &frame), FRAME_MALFORMED);
    assert_int_equal(scan("\x30\xFF\xFF\xFF\xFF\x01", 6, &frame), FRAME_MALFORMED);
}

static void test_the_body_is_a_view_and_what_follows_stays_out(void **state)
{
    static const uint8_t input[] = {0x30, 3, 'a', 'b', 'c', 0xFF, 0xFF};
    struct frame frame;

    (void)state;
    assert_int_equal(frame_scan(bytes_make(input, 4), &frame), FRAME_HEADER);
    assert_int_equal(frame_scan(bytes_make(input, 5), &frame), FRAME_WHOLE);
    assert_int_equal(frame_scan(bytes_make(input, 7), &frame), FRAME_WHOLE);
    assert_ptr_equal(frame.body.data, input + 2);
    assert_int_equal(frame.body.size, 3);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(packet_type_name(0), "reserved");
    assert_string_equal(packet_type_name(PACKET_PUBLISH), "PUBLISH");
    assert_string_equal(packet_type_name(PACKET_UNSUBACK), "UNSUBACK");
    assert_string_equal(packet_type_name(PACKET_AUTH), "AUTH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_first_byte),
        cmocka_unit_test(test_nothing_is_partial),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_a_length_of_five_bytes_is_refused_at_the_fourth),
        cmocka_unit_test(test_the_body_is_a_view_and_what_follows_stays_out),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
