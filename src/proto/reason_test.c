// SPDX-License-Identifier: MIT
// Every reason has words, and what crosses over to 3.x comes back.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "proto/reason.h"

#include <string.h>

static bool is_known(unsigned code)
{
    static const uint8_t successes[] = {0x00, 0x01, 0x02, 0x04, 0x10, 0x11, 0x18, 0x19};

    return memchr(successes, (int)code, sizeof(successes)) || (code >= 0x80 && code <= 0xA2);
}

static void test_each_reason_has_words_and_no_other_number_has(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        const char *text = bud_reason_text((enum bud_reason)code);

        assert_non_null(text);
        assert_int_equal(strcmp(text, "unknown reason") != 0, is_known(code));
    }
    assert_string_equal(bud_reason_text(BUD_PACKET_TOO_LARGE), "packet too large");
    assert_string_equal(bud_reason_text(BUD_GRANTED_QOS_1), "granted QoS 1");
}

static void test_no_two_reasons_have_the_same_words(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = a + 1; b < 256 && is_known(a); b++)
            assert_string_not_equal(bud_reason_text((enum bud_reason)a),
                                    bud_reason_text((enum bud_reason)b));
    }
}

static void test_return_codes_come_back(void **state)
{
    (void)state;
    for (uint8_t code = 0; code <= 5; code++)
        assert_int_equal(bud_reason_to_return_code(bud_reason_from_return_code(code)), code);
    assert_int_equal(bud_reason_from_return_code(6), BUD_UNSPECIFIED_ERROR);
    assert_int_equal(bud_reason_from_return_code(255), BUD_UNSPECIFIED_ERROR);
}

static void test_no_error_turns_into_acceptance(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        enum bud_reason reason = (enum bud_reason)code;
        uint8_t return_code = bud_reason_to_return_code(reason);

        assert_true(return_code <= 5);
        assert_int_equal(return_code != 0, bud_reason_is_error(reason));
    }
    assert_int_equal(bud_reason_to_return_code(BUD_UNSUPPORTED_PROTOCOL_VERSION), 1);
    assert_int_equal(bud_reason_to_return_code(BUD_QUOTA_EXCEEDED), 3);
    assert_int_equal(bud_reason_to_return_code(BUD_BANNED), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_reason_has_words_and_no_other_number_has),
        cmocka_unit_test(test_no_two_reasons_have_the_same_words),
        cmocka_unit_test(test_return_codes_come_back),
        cmocka_unit_test(test_no_error_turns_into_acceptance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
