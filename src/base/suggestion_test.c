// SPDX-License-Identifier: MIT
// Typing errors find the word that was meant, other words find nothing.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "base/suggestion.h"

#include <string.h>

static const char *nearest(const char *word)
{
    static const char *const names[] = {"serve", "pub", "sub", "session-expiry"};

    return suggestion_nearest(word, names, sizeof(names) / sizeof(names[0]));
}

static void test_typing_errors(void **state)
{
    (void)state;
    assert_string_equal(nearest("serv"), "serve");
    assert_string_equal(nearest("sevre"), "serve");
    assert_string_equal(nearest("server"), "serve");
    assert_string_equal(nearest("publ"), "pub");
    assert_string_equal(nearest("pbu"), "pub");
    assert_string_equal(nearest("session"), "session-expiry");
    assert_string_equal(nearest("sesion-expriy"), "session-expiry");
}

static void test_other_words(void **state)
{
    char word[200];

    (void)state;
    memset(word, 'a', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    assert_null(nearest("publish"));
    assert_null(nearest("x"));
    assert_null(nearest(""));
    assert_null(nearest(word));
    assert_null(suggestion_nearest("pub", NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typing_errors),
        cmocka_unit_test(test_other_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
