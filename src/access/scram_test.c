// SPDX-License-Identifier: MIT
#include "access/scram.h"

#include "access/base64.h"

#include <stdio.h>
#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct scram_secret secret = {{7}};

// The example of RFC 7677, 3: user "user", password "pencil".
#define FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define NONCE "rOprNGfwEbeRWgbNEkqO" SERVER_NONCE
#define SERVER_FIRST "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define FINAL "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
// What a server keeps of it, written by hand from the same numbers.
#define VERIFIER                                                                                   \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"    \
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static bool find(void *context, struct bytes name, struct scram_verifier *ret_verifier)
{
    (void)context;
    return bytes_equal(name, BYTES_OF("user")) &&
           scram_verifier_parse(BYTES_OF(VERIFIER), ret_verifier) == NULL;
}

static enum scram_step next(struct scram *scram, const char *message, struct bytes *ret_answer)
{
    return scram_next(scram, bytes_make(message, strlen(message)), find, NULL, &secret, ret_answer);
}

static void expect(struct bytes answer, const char *text)
{
    assert_int_equal(answer.size, strlen(text));
    assert_memory_equal(answer.data, text, answer.size);
}

static void the_example_of_the_standard(void **state)
{
    (void)state;
    struct scram scram = {0};
    struct bytes answer;
    scram_set_nonce(SERVER_NONCE);
    assert_int_equal(next(&scram, FIRST, &answer), SCRAM_CONTINUE);
    expect(answer, SERVER_FIRST);
    assert_int_equal(next(&scram, FINAL, &answer), SCRAM_DONE);
    expect(answer, SERVER_FINAL);
    assert_int_equal(next(&scram, FINAL, &answer), SCRAM_MALFORMED); // it is over
    scram_set_nonce(NULL);
}

static void a_verifier_of_ours_is_one(void **state)
{
    (void)state;
    struct scram_verifier made, read;
    char text[SCRAM_VERIFIER_TEXT_MAX], again[SCRAM_VERIFIER_TEXT_MAX];
    scram_verifier_make(BYTES_OF("pencil"), &made);
    size_t size = scram_verifier_write(&made, text);
    assert_null(scram_verifier_parse(bytes_make(text, size), &read));
    scram_verifier_write(&read, again);
    assert_string_equal(text, again);
    static const char *const wrong[] = {
        "",
        "SCRAM-SHA-256$",
        "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA",
        "SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        VERIFIER "x"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_non_null(scram_verifier_parse(bytes_make(wrong[i], strlen(wrong[i])), &read));
}

static void another_proof_or_nonce_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        enum scram_step step;
    } finals[] = {
        {"c=biws,r=" NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_REFUSED},
        {"c=biws,r=" NONCE "x,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_REFUSED},
        {"c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
         SCRAM_REFUSED},
        {"c=eSws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_MALFORMED},
        {"c=biws,r=" NONCE, SCRAM_MALFORMED},
        {"c=biws,r=" NONCE ",p=", SCRAM_MALFORMED},
        {"c=biws,r=" NONCE ",p=AAAA", SCRAM_MALFORMED},
        {"c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,x=1", SCRAM_MALFORMED},
        {"r=" NONCE ",c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_MALFORMED},
        {FIRST, SCRAM_MALFORMED},
    };
    scram_set_nonce(SERVER_NONCE);
    for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
        struct scram scram = {0};
        struct bytes answer;
        assert_int_equal(next(&scram, FIRST, &answer), SCRAM_CONTINUE);
        assert_int_equal(next(&scram, finals[i].message, &answer), finals[i].step);
        assert_int_equal(next(&scram, FINAL, &answer), SCRAM_MALFORMED); // one try
    }
    scram_set_nonce(NULL);
}

static void beginnings_that_are_none(void **state)
{
    (void)state;
    static const char *const firsts[] = {"x",
                                         "n,,",
                                         "n,,n=user",
                                         "n,,n=,r=abc",
                                         "n,,n=user,r=",
                                         "n,,r=abc,n=user",
                                         "p=tls-unique,,n=user,r=abc",
                                         "n,a=other,n=user,r=abc",
                                         "n,n=user,r=abc",
                                         "N,,n=user,r=abc",
                                         "n,,m=ext,n=user,r=abc",
                                         "n,,n=us=er,r=abc",
                                         "n,,n=us=2c,r=abc",
                                         "n,,n=user=,r=abc",
                                         "n,,n=us\ner,r=abc",
                                         "n,,n=us\x7f,r=abc",
                                         "n,,n=\xff,r=abc",
                                         "n,,n=user,r=a b",
                                         FINAL};
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        struct scram scram = {0};
        struct bytes answer;
        if (next(&scram, firsts[i], &answer) != SCRAM_MALFORMED)
            fail_msg("'%s' was taken", firsts[i]);
    }
    struct scram scram = {0};
    struct bytes answer;
    assert_int_equal(
        scram_next(&scram, bytes_make("n,,n=u\0x,r=a", 12), find, NULL, &secret, &answer),
        SCRAM_MALFORMED);
    char large[SCRAM_MESSAGE_MAX + 8] = "n,,n=user,r=";
    memset(large + 12, 'a', sizeof(large) - 13);
    scram = (struct scram){0};
    assert_int_equal(next(&scram, large, &answer), SCRAM_MALFORMED);
    large[SCRAM_MESSAGE_MAX] = 0;
    scram = (struct scram){0};
    assert_int_equal(next(&scram, large, &answer), SCRAM_CONTINUE);
}

// Nothing but the end tells whether there is such a user.
static void nobody_goes_through_the_same(void **state)
{
    (void)state;
    char salts[2][256];
    for (int i = 0; i < 2; i++) {
        struct scram scram = {0};
        struct bytes answer;
        char final[2 * SCRAM_MESSAGE_MAX];
        assert_int_equal(next(&scram, "y,,n=no=2Cbo=3Ddy,r=abc", &answer), SCRAM_CONTINUE);
        assert_int_equal(scram.name_size, 8);
        assert_memory_equal(scram.name, "no,bo=dy", 8);
        const char *salt = strstr(scram.server_first, ",s=");
        assert_non_null(salt);
        (void)snprintf(salts[i], sizeof(salts[i]), "%s", salt);
        (void)snprintf(final, sizeof(final),
                       "c=eSws,r=%.*s,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                       (int)scram.nonce_size, scram.server_first + 2);
        assert_int_equal(next(&scram, final, &answer), SCRAM_REFUSED);
    }
    assert_string_equal(salts[0], salts[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_standard),
        cmocka_unit_test(a_verifier_of_ours_is_one),
        cmocka_unit_test(another_proof_or_nonce_is_refused),
        cmocka_unit_test(beginnings_that_are_none),
        cmocka_unit_test(nobody_goes_through_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
