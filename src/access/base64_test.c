// SPDX-License-Identifier: MIT
#include "access/base64.h"

#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void check_both_ways(enum base64_kind kind, const char *bytes, const char *text)
{
    char written[64];
    uint8_t read[32];
    size_t size = base64_encode(kind, bytes_make(bytes, strlen(bytes)), written);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(written, text, size);
    assert_true(base64_decode(kind, bytes_make(text, size), read, sizeof(read), &size));
    assert_int_equal(size, strlen(bytes));
    assert_memory_equal(read, bytes, size);
}

// [RFC 4648 10]
static void the_examples_of_the_standard(void **state)
{
    (void)state;
    static const char *const examples[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        check_both_ways(BASE64_PADDED, examples[i][0], examples[i][1]);
        check_both_ways(BASE64_BARE, examples[i][0], examples[i][2]);
        check_both_ways(BASE64_URL, examples[i][0], examples[i][2]);
    }
}

static void the_last_two_letters_differ(void **state)
{
    (void)state;
    check_both_ways(BASE64_PADDED, "\xfb\xff\xbf", "+/+/");
    check_both_ways(BASE64_URL, "\xfb\xff\xbf", "-_-_");
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const padded[] = {"Z",    "Zg",   "Zg=",      "Zg===", "=",
                                         "====", "Z===", "Zg==Zg==", "Zh==",  "Zm9=",
                                         "Zm8 ", " Zm8", "Zm\n9",    "-_-_",  "Zg=A"};
    static const char *const bare[] = {"Z", "Zg==", "Zh", "Zm9", "Zm9vY", "-_-_"};
    uint8_t read[32];
    size_t size = 77;
    for (size_t i = 0; i < sizeof(padded) / sizeof(padded[0]); i++)
        assert_false(base64_decode(BASE64_PADDED, bytes_make(padded[i], strlen(padded[i])), read,
                                   sizeof(read), &size));
    for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++)
        assert_false(base64_decode(BASE64_BARE, bytes_make(bare[i], strlen(bare[i])), read,
                                   sizeof(read), &size));
    assert_false(base64_decode(BASE64_URL, BYTES_OF("+/+/"), read, sizeof(read), &size));
    assert_int_equal(size, 77);
}

static void no_byte_beyond_the_room(void **state)
{
    (void)state;
    uint8_t read[4] = {1, 2, 3, 4};
    size_t size;
    assert_false(base64_decode(BASE64_PADDED, BYTES_OF("Zm9v"), read, 2, &size));
    assert_int_equal(read[2], 3);
    assert_true(base64_decode(BASE64_PADDED, BYTES_OF("Zm9v"), read, 3, &size));
    assert_int_equal(read[3], 4);
    assert_false(base64_decode(BASE64_PADDED, BYTES_OF("Zg=="), read, 0, &size));
    assert_true(base64_decode(BASE64_PADDED, BYTES_OF(""), read, 0, &size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard),
        cmocka_unit_test(the_last_two_letters_differ),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(no_byte_beyond_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
