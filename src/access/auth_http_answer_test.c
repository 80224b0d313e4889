// SPDX-License-Identifier: MIT
#include "access/auth_http_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum login_verdict verdict_of(long status, const char *body)
{
    struct auth_http_answer answer;
    auth_http_answer_read(status, bytes_make(body, strlen(body)), &answer);
    enum login_verdict verdict = answer.verdict;
    assert_true((answer.why != NULL) == (verdict == LOGIN_NO || verdict == LOGIN_TRY_LATER));
    auth_http_answer_done(&answer);
    return verdict;
}

static void the_status_decides_without_a_body(void **state)
{
    (void)state;
    static const long no_answers[] = {0,   100, 201, 202, 206, 301, 302,
                                      307, 400, 404, 429, 500, 503};
    assert_int_equal(verdict_of(200, ""), LOGIN_YES);
    assert_int_equal(verdict_of(200, " \r\n"), LOGIN_YES);
    assert_int_equal(verdict_of(204, ""), LOGIN_YES);
    assert_int_equal(verdict_of(401, ""), LOGIN_NO);
    assert_int_equal(verdict_of(403, "{\"result\":\"allow\"}"), LOGIN_NO);
    for (size_t i = 0; i < sizeof(no_answers) / sizeof(no_answers[0]); i++) {
        assert_int_equal(verdict_of(no_answers[i], ""), LOGIN_TRY_LATER);
        assert_int_equal(verdict_of(no_answers[i], "{\"result\":\"allow\"}"), LOGIN_TRY_LATER);
    }
}

static void the_result_is_one_of_three_words(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(200, "{\"result\":\"allow\"}"), LOGIN_YES);
    assert_int_equal(verdict_of(200, " {\"result\": \"allow\", \"more\": [1]} \n"), LOGIN_YES);
    assert_int_equal(verdict_of(200, "{\"result\":\"deny\"}"), LOGIN_NO);
    assert_int_equal(verdict_of(200, "{\"result\":\"ignore\"}"), LOGIN_NOT_MINE);
}

static void what_is_no_answer_lets_nobody_in(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "allow",
        "ok",
        "true",
        "\"allow\"",
        "[]",
        "[\"allow\"]",
        "{}",
        "{\"result\":true}",
        "{\"result\":\"Allow\"}",
        "{\"result\":\"allowed\"}",
        "{\"result\":[\"allow\"]}",
        "{\"result\":\"deny\",\"result\":\"allow\"}",
        "{\"result\":\"allow\"",
        "{\"result\":\"allow\"}x",
        "<html>please log in</html>",
        "{\"result\":\"allow\",\"user\":\"\"}",
        "{\"result\":\"allow\",\"user\":7}",
        "{\"result\":\"allow\",\"user\":\"a\\u0000\"}",
        "{\"result\":\"allow\",\"expire_at\":\"soon\"}",
        "{\"result\":\"allow\",\"expire_at\":0}",
        "{\"result\":\"allow\",\"acl\":\"all\"}",
        "{\"result\":\"allow\",\"publ\":[\"a/#/b\"]}",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        if (verdict_of(200, bodies[i]) != LOGIN_TRY_LATER)
            fail_msg("taken for an answer: %s", bodies[i]);
}

static void who_it_is_until_when_and_what_it_may(void **state)
{
    (void)state;
    struct auth_http_answer answer;
    auth_http_answer_read(
        200,
        BYTES_OF("{\"result\":\"allow\",\"user\":\"anna\",\"expire_at\":1700000000,"
                 "\"acl\":[{\"permission\":\"allow\",\"action\":\"publish\","
                 "\"topic\":\"a/#\"}]}"),
        &answer);
    assert_int_equal(answer.verdict, LOGIN_YES);
    assert_true(bytes_equal(answer.user, BYTES_OF("anna")));
    assert_int_equal(answer.expires_at_ms, INT64_C(1700000000000));
    assert_int_equal(answer.topics.count, 1);
    auth_http_answer_done(&answer);
}

static enum login_verdict topics_verdict(long status, const char *body, size_t *ret_count)
{
    struct auth_http_answer answer;
    auth_http_answer_read_topics(status, bytes_make(body, strlen(body)), &answer);
    enum login_verdict verdict = answer.verdict;
    *ret_count = answer.topics.stated ? answer.topics.count + 1 : 0;
    auth_http_answer_done(&answer);
    return verdict;
}

static void topics_must_be_said(void **state)
{
    (void)state;
    size_t count;
    assert_int_equal(topics_verdict(200, "{\"subs\":[\"a\",\"b\"]}", &count), LOGIN_YES);
    assert_int_equal(count, 3);
    assert_int_equal(topics_verdict(200, "{\"subs\":[]}", &count), LOGIN_YES);
    assert_int_equal(count, 1);
    assert_int_equal(topics_verdict(200, "{\"result\":\"ignore\"}", &count), LOGIN_YES);
    assert_int_equal(count, 0);
    assert_int_equal(topics_verdict(200, "", &count), LOGIN_TRY_LATER);
    assert_int_equal(topics_verdict(200, "{}", &count), LOGIN_TRY_LATER);
    assert_int_equal(topics_verdict(200, "{\"result\":\"allow\"}", &count), LOGIN_TRY_LATER);
    assert_int_equal(topics_verdict(204, "", &count), LOGIN_TRY_LATER);
    assert_int_equal(topics_verdict(500, "{\"subs\":[]}", &count), LOGIN_TRY_LATER);
    assert_int_equal(topics_verdict(403, "{\"subs\":[]}", &count), LOGIN_NO);
    assert_int_equal(topics_verdict(200, "{\"result\":\"deny\",\"subs\":[\"a\"]}", &count),
                     LOGIN_NO);
}

static uint32_t keep(const char *text)
{
    return auth_http_answer_keep_s(bytes_make(text, strlen(text)), 60, 3600);
}

static void answers_are_kept_as_they_say_up_to_a_limit(void **state)
{
    (void)state;
    assert_int_equal(keep(""), 60);
    assert_int_equal(keep("private"), 60);
    assert_int_equal(keep("max-age=5"), 5);
    assert_int_equal(keep("private, Max-Age=120 "), 120);
    assert_int_equal(keep(" ,,max-age=0"), 0);
    assert_int_equal(keep("max-age=99999999999999999999999"), 3600);
    assert_int_equal(keep("max-age=-1"), 0);
    assert_int_equal(keep("max-age="), 0);
    assert_int_equal(keep("max-age=5, no-store"), 0);
    assert_int_equal(keep("no-cache"), 0);
    assert_int_equal(keep("s-maxage=5"), 60);
    assert_int_equal(auth_http_answer_keep_s(BYTES_OF(""), 100, 10), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_decides_without_a_body),
        cmocka_unit_test(the_result_is_one_of_three_words),
        cmocka_unit_test(what_is_no_answer_lets_nobody_in),
        cmocka_unit_test(who_it_is_until_when_and_what_it_may),
        cmocka_unit_test(topics_must_be_said),
        cmocka_unit_test(answers_are_kept_as_they_say_up_to_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
