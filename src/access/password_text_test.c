// SPDX-License-Identifier: MIT
#include "access/password_text.h"

#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect_text(struct buffer *out, const char *text)
{
    assert_int_equal(out->size, strlen(text));
    assert_memory_equal(out->data, text, out->size);
    buffer_done(out);
}

#define FILE_TEXT "# ours\nada:1\n\n bob : 2\nno colon\nada:3"

static void one_line_changes_and_the_rest_stays(void **state)
{
    (void)state;
    struct buffer out = {0};
    bool was_there;
    assert_true(
        password_text_set(BYTES_OF(FILE_TEXT), BYTES_OF("bob"), BYTES_OF("9"), &out, &was_there));
    assert_true(was_there);
    expect_text(&out, "# ours\nada:1\n\nbob:9\nno colon\nada:3\n");
    assert_true(
        password_text_set(BYTES_OF(FILE_TEXT), BYTES_OF("ad"), BYTES_OF("9"), &out, &was_there));
    assert_false(was_there);
    expect_text(&out, "# ours\nada:1\n\n bob : 2\nno colon\nada:3\nad:9\n");
    assert_true(password_text_set(BYTES_OF(""), BYTES_OF("ada"), BYTES_OF("9"), &out, &was_there));
    expect_text(&out, "ada:9\n");
}

static void a_user_with_two_lines_has_one_or_none_after(void **state)
{
    (void)state;
    struct buffer out = {0};
    bool was_there;
    assert_true(
        password_text_set(BYTES_OF(FILE_TEXT), BYTES_OF("ada"), BYTES_OF("9"), &out, &was_there));
    expect_text(&out, "# ours\nada:9\n\n bob : 2\nno colon\n");
    assert_true(password_text_remove(BYTES_OF(FILE_TEXT), BYTES_OF("ada"), &out, &was_there));
    assert_true(was_there);
    expect_text(&out, "# ours\n\n bob : 2\nno colon\n");
    assert_true(password_text_remove(BYTES_OF(FILE_TEXT), BYTES_OF("# ours"), &out, &was_there));
    assert_false(was_there);
    buffer_done(&out);
}

static void not_everything_is_a_name(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "a:b", "#a",     " a",    "a ",
                                      "a\n", "\ta", "a\x1b[", "a\x7f", "\xff"};
    static const char *const good[] = {"a", "Kari Nordmann", "blåbær", "+", "../x", "%u"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(password_text_check_name(bytes_make(bad[i], strlen(bad[i]))));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_null(password_text_check_name(bytes_make(good[i], strlen(good[i]))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_changes_and_the_rest_stays),
        cmocka_unit_test(a_user_with_two_lines_has_one_or_none_after),
        cmocka_unit_test(not_everything_is_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
