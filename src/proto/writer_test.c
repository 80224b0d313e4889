// SPDX-License-Identifier: MIT
// What is written, byte for byte; what does not fit leaves no trace but `bad`.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "proto/writer.h"

#include <string.h>

static void test_numbers_are_big_endian(void **state)
{
    uint8_t memory[7];
    struct writer writer = writer_of(memory, sizeof(memory));

    (void)state;
    writer_u8(&writer, 1);
    writer_u16(&writer, 0x0203);
    writer_u32(&writer, 0xFFFEFDFC);
    assert_false(writer.bad);
    assert_int_equal(writer.size, 7);
    assert_memory_equal(memory, "\x01\x02\x03\xFF\xFE\xFD\xFC", 7);
}

static void test_what_does_not_fit_is_not_written_and_bad_stays(void **state)
{
    uint8_t memory[4] = "....";
    struct writer writer = writer_of(memory, 3);

    (void)state;
    writer_u32(&writer, 1);
    assert_true(writer.bad);
    writer_u8(&writer, 1); // would fit
    writer_bytes(&writer, BYTES_OF("a"));
    writer_binary(&writer, BYTES_OF(""));
    writer_varint(&writer, 1);
    assert_int_equal(writer.size, 0);
    assert_memory_equal(memory, "....", 4);
}

static void test_binary_that_does_not_fit_leaves_no_length(void **state)
{
    uint8_t memory[5] = ".....";
    struct writer writer = writer_of(memory, 4);

    (void)state;
    writer_binary(&writer, BYTES_OF("abc"));
    assert_true(writer.bad);
    assert_int_equal(writer.size, 0);
    assert_memory_equal(memory, ".....", 5);
}

static void test_binary_of_65536_bytes_is_bad(void **state)
{
    static const uint8_t zeros[65536];
    struct writer writer = writer_counting();

    (void)state;
    writer_binary(&writer, bytes_make(zeros, 65535));
    assert_false(writer.bad);
    assert_int_equal(writer.size, 65537);
    writer_binary(&writer, bytes_make(zeros, 65536));
    assert_true(writer.bad);
    assert_int_equal(writer.size, 65537);
}

static void expect_varint(uint32_t value, const char *bytes, size_t size)
{
    uint8_t memory[4];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct writer narrow = writer_of(memory, size - 1);

    writer_varint(&narrow, value);
    assert_true(narrow.bad);
    writer_varint(&writer, value);
    assert_false(writer.bad);
    assert_int_equal(writer.size, size);
    assert_int_equal(varint_size(value), size);
    assert_memory_equal(memory, bytes, size);
}

static void test_varint_takes_the_shortest_form(void **state)
{
    (void)state;
    expect_varint(0, "\x00", 1);
    expect_varint(127, "\x7F", 1);
    expect_varint(128, "\x80\x01", 2);
    expect_varint(16383, "\xFF\x7F", 2);
    expect_varint(16384, "\x80\x80\x01", 3);
    expect_varint(2097151, "\xFF\xFF\x7F", 3);
    expect_varint(2097152, "\x80\x80\x80\x01", 4);
    expect_varint(268435455, "\xFF\xFF\xFF\x7F", 4);
}

static void test_varint_too_large_is_bad(void **state)
{
    struct writer writer = writer_counting();

    (void)state;
    writer_varint(&writer, 268435456);
    assert_true(writer.bad);
    assert_int_equal(writer.size, 0);
}

static void test_counting_tells_the_size(void **state)
{
    struct writer writer = writer_counting();

    (void)state;
    writer_u8(&writer, 1);
    writer_u16(&writer, 1);
    writer_u32(&writer, 1);
    writer_varint(&writer, 200);
    writer_binary(&writer, BYTES_OF("abc"));
    writer_bytes(&writer, (struct bytes){NULL, 0});
    assert_false(writer.bad);
    assert_int_equal(writer.size, 1 + 2 + 4 + 2 + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_big_endian),
        cmocka_unit_test(test_what_does_not_fit_is_not_written_and_bad_stays),
        cmocka_unit_test(test_binary_that_does_not_fit_leaves_no_length),
        cmocka_unit_test(test_binary_of_65536_bytes_is_bad),
        cmocka_unit_test(test_varint_takes_the_shortest_form),
        cmocka_unit_test(test_varint_too_large_is_bad),
        cmocka_unit_test(test_counting_tells_the_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
