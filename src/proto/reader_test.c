// SPDX-License-Identifier: MIT
// Each read at, before and past the end; a bad read spoils all that follow.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "proto/reader.h"

static struct reader reader_on(const char *bytes, size_t size)
{
    return reader_of(bytes_make(bytes, size));
}

static void test_numbers_are_big_endian(void **state)
{
    struct reader reader = reader_on("\x01\x02\x03\xFF\xFE\xFD\xFC", 7);

    (void)state;
    assert_int_equal(reader_u8(&reader), 1);
    assert_int_equal(reader_u16(&reader), 0x0203);
    assert_int_equal(reader_u32(&reader), 0xFFFEFDFC);
    assert_false(reader.bad);
    assert_int_equal(reader_left(&reader), 0);
}

static void test_reading_past_the_end_is_bad_and_stays_so(void **state)
{
    struct reader reader = reader_on("\x01\x02\x03", 3);

    (void)state;
    assert_int_equal(reader_u32(&reader), 0);
    assert_true(reader.bad);
    assert_int_equal(reader_left(&reader), 0);
    assert_int_equal(reader_u8(&reader), 0);
    assert_int_equal(reader_u16(&reader), 0);
    assert_int_equal(reader_varint(&reader), 0);
    assert_int_equal(reader_binary(&reader).size, 0);
    assert_int_equal(reader_text(&reader).size, 0);
    assert_int_equal(reader_take(&reader, 0).size, 0);
    assert_int_equal(reader_rest(&reader).size, 0);
    assert_true(reader.bad);
}

static void test_an_empty_view_reads_as_nothing(void **state)
{
    struct reader reader = reader_of((struct bytes){NULL, 0});

    (void)state;
    assert_int_equal(reader_rest(&reader).size, 0);
    assert_int_equal(reader_take(&reader, 0).size, 0);
    assert_false(reader.bad);
    assert_int_equal(reader_u8(&reader), 0);
    assert_true(reader.bad);
}

static void expect_varint(const char *bytes, size_t size, uint32_t expected)
{
    struct reader reader = reader_on(bytes, size);

    assert_int_equal(reader_varint(&reader), expected);
    assert_false(reader.bad);
    assert_int_equal(reader_left(&reader), 0);
}

static void refuse_varint(const char *bytes, size_t size)
{
    struct reader reader = reader_on(bytes, size);

    assert_int_equal(reader_varint(&reader), 0);
    assert_true(reader.bad);
    assert_int_equal(reader_left(&reader), 0);
}

static void test_varint_at_each_size(void **state)
{
    (void)state;
    expect_varint("\x00", 1, 0);
    expect_varint("\x7F", 1, 127);
    expect_varint("\x80\x01", 2, 128);
    expect_varint("\xFF\x7F", 2, 16383);
    expect_varint("\x80\x80\x01", 3, 16384);
    expect_varint("\xFF\xFF\x7F", 3, 2097151);
    expect_varint("\x80\x80\x80\x01", 4, 2097152);
    expect_varint("\xFF\xFF\xFF\x7F", 4, 268435455);
}

static void test_varint_refuses_cut_long_and_overlong(void **state)
{
    (void)state;
    refuse_varint("", 0);
    refuse_varint("\x80", 1);
    refuse_varint("\xFF\xFF\xFF", 3);
    refuse_varint("\xFF\xFF\xFF\xFF\x01", 5);
    refuse_varint("\x80\x80\x80\x80\x00", 5);
    refuse_varint("\x80\x00", 2); // [MQTT-1.5.5-1]
    refuse_varint("\xFF\x80\x80\x00", 4);
}

static void test_binary_and_text(void **state)
{
    struct reader reader = reader_on("\0\x03"
                                     "abc"
                                     "\0\0"
                                     "\0\x01x",
                                     10);

    (void)state;
    assert_true(bytes_equal(reader_text(&reader), BYTES_OF("abc")));
    assert_int_equal(reader_binary(&reader).size, 0);
    assert_true(bytes_equal(reader_rest(&reader), BYTES_OF("\0\x01x")));
    assert_false(reader.bad);
}

static void test_binary_longer_than_the_rest_is_bad(void **state)
{
    struct reader reader = reader_on("\0\x04"
                                     "abc",
                                     5);

    (void)state;
    assert_int_equal(reader_binary(&reader).size, 0);
    assert_true(reader.bad);
}

static void test_text_that_is_not_utf8_is_bad(void **state)
{
    struct reader text = reader_on("\0\x01\xFF"
                                   "rest",
                                   7);
    struct reader binary = reader_on("\0\x01\xFF"
                                     "rest",
                                     7);

    (void)state;
    assert_int_equal(reader_text(&text).size, 0);
    assert_true(text.bad);
    assert_int_equal(reader_left(&text), 0);
    assert_int_equal(reader_binary(&binary).size, 1);
    assert_false(binary.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_big_endian),
        cmocka_unit_test(test_reading_past_the_end_is_bad_and_stays_so),
        cmocka_unit_test(test_an_empty_view_reads_as_nothing),
        cmocka_unit_test(test_varint_at_each_size),
        cmocka_unit_test(test_varint_refuses_cut_long_and_overlong),
        cmocka_unit_test(test_binary_and_text),
        cmocka_unit_test(test_binary_longer_than_the_rest_is_bad),
        cmocka_unit_test(test_text_that_is_not_utf8_is_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
