// SPDX-License-Identifier: MIT
#include "access/psk_file.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char error[ACCESS_ERROR_MAX];

static struct psk_file *parse(struct bytes text)
{
    struct psk_file *file;
    if (psk_file_parse("etc/psk", text, &file, error) < 0)
        fail_msg("%s", error);
    return file;
}

static void keys_are_found_with_their_zeros(void **state)
{
    (void)state;
    struct psk_file *file = parse(BYTES_OF("# keys\n\nlamp:00000A0b\nport:FF \r\n#door:aa\n"));
    uint8_t key[PSK_KEY_MAX];
    size_t size = sizeof(key);
    assert_true(psk_file_find(file, BYTES_OF("lamp"), key, &size));
    assert_int_equal(size, 4);
    assert_memory_equal(key, "\0\0\x0a\x0b", 4);
    size = sizeof(key);
    assert_true(psk_file_find(file, BYTES_OF("port"), key, &size));
    assert_int_equal(size, 1);
    static const char *const nobody[] = {"", "lam", "lampe", "LAMP", "#door", "door"};
    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
        size = sizeof(key);
        assert_false(psk_file_find(file, bytes_make(nobody[i], strlen(nobody[i])), key, &size));
        assert_int_equal(size, sizeof(key));
    }
    psk_file_unref(file);
}

static void a_key_goes_where_there_is_room_only(void **state)
{
    (void)state;
    struct psk_file *file = parse(BYTES_OF("lamp:0102"));
    uint8_t key[2] = {7, 7};
    size_t size = 1;
    assert_false(psk_file_find(file, BYTES_OF("lamp"), key, &size));
    assert_int_equal(key[0] + key[1], 14);
    size = 2;
    assert_true(psk_file_find(file, BYTES_OF("lamp"), key, &size));
    psk_file_unref(file);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
    static const struct {
        struct bytes text;
        const char *place;
    } cases[] = {
        {BYTES_OF("lamp"), "etc/psk:1:"},     {BYTES_OF("\nlamp:"), "etc/psk:2:"},
        {BYTES_OF("lamp:abc"), "etc/psk:1:"}, {BYTES_OF("lamp:0x12"), "etc/psk:1:"},
        {BYTES_OF("lamp:1g"), "etc/psk:1:"},  {BYTES_OF(":12"), "etc/psk:1:"},
        {BYTES_OF("a\0:12"), "etc/psk:1:"},   {BYTES_OF("a:12\nb:12\na:13"), "etc/psk:3:"},
        {BYTES_OF("a:1 2"), "etc/psk:1:"},    {BYTES_OF("a:12:34"), "etc/psk:1:"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct psk_file *file = NULL;
        assert_int_equal(psk_file_parse("etc/psk", cases[i].text, &file, error), -EINVAL);
        assert_null(file);
        assert_non_null(strstr(error, cases[i].place));
    }
}

static void sizes_have_their_limits(void **state)
{
    (void)state;
    char text[2 * PSK_KEY_MAX + 16] = "a:";
    struct psk_file *file;
    memset(text + 2, '0', 2 * PSK_KEY_MAX + 2);
    assert_int_equal(psk_file_parse("p", bytes_make(text, 2 * PSK_KEY_MAX + 4), &file, error),
                     -EINVAL);
    file = parse(bytes_make(text, 2 * PSK_KEY_MAX + 2));
    psk_file_unref(file);
    psk_file_unref(parse(BYTES_OF("")));
}

static void without_memory_nothing_is_kept(void **state)
{
    (void)state;
    struct psk_file *file = NULL;
    for (uint64_t nth = 1;; nth++) {
        memory_fail(nth, 1);
        int result = psk_file_parse("etc/psk", BYTES_OF("a:12\nb:13"), &file, error);
        memory_fail(0, 0);
        if (result == 0)
            break;
        assert_true(result < 0);
        assert_null(file);
    }
    psk_file_unref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_with_their_zeros),
        cmocka_unit_test(a_key_goes_where_there_is_room_only),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(sizes_have_their_limits),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
