// SPDX-License-Identifier: MIT
#include "access/auth_http_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATUS_OK 200
#define STATUS_NO_CONTENT 204
#define STATUS_UNAUTHORIZED 401
#define STATUS_FORBIDDEN 403
#define SECONDS_MAX 253402300799.0 // the year 9999

static void conclude(struct auth_http_answer *answer, enum login_verdict verdict, const char *why)
{
    answer->verdict = verdict;
    answer->why = why;
}

static bool is_blank(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != ' ' && (text.data[i] < '\t' || text.data[i] > '\r'))
            return false;
    return true;
}

// What a status alone decides. False: the body has to be read.
static bool decide_by_status(long status, struct auth_http_answer *answer)
{
    if (status == STATUS_UNAUTHORIZED || status == STATUS_FORBIDDEN)
        conclude(answer, LOGIN_NO, "the service of auth_http_url refused it");
    else if (status != STATUS_OK && status != STATUS_NO_CONTENT)
        conclude(answer, LOGIN_TRY_LATER,
                 "the service of auth_http_url did not answer with 200, 401 or 403");
    else
        return false;
    return true;
}

static bool read_json(struct bytes body, struct auth_http_answer *answer)
{
    answer->json = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(answer->json))
        return true;
    conclude(answer, LOGIN_TRY_LATER, "the answer to auth_http is no JSON object");
    return false;
}

static bool result_is(const struct auth_http_answer *answer, const char *word)
{
    const char *result = json_string_value(json_object_get(answer->json, "result"));
    return result != NULL && strcmp(result, word) == 0;
}

static bool read_user(struct auth_http_answer *answer)
{
    const json_t *user = json_object_get(answer->json, "user");
    answer->user = bytes_make(json_string_value(user), json_string_length(user));
    return user == NULL || (answer->user.size > 0 && answer->user.size <= UINT16_MAX);
}

static bool read_expiry(struct auth_http_answer *answer)
{
    const json_t *expiry = json_object_get(answer->json, "expire_at");
    double seconds = json_number_value(expiry);
    if (expiry == NULL)
        return true;
    if (!json_is_number(expiry) || seconds < 1)
        return false;
    answer->expires_at_ms = (int64_t)((seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * 1000);
    return true;
}

static void read_allowed(struct auth_http_answer *answer)
{
    const char *why = NULL;
    if (!read_user(answer))
        conclude(answer, LOGIN_TRY_LATER, "the answer to auth_http has a user that is no name");
    else if (!read_expiry(answer))
        conclude(answer, LOGIN_TRY_LATER,
                 "the answer to auth_http has an expire_at that is no time");
    else if (!topic_claims_read(answer->json, &answer->topics, &why))
        conclude(answer, LOGIN_TRY_LATER, why);
    else
        conclude(answer, LOGIN_YES, NULL);
}

void auth_http_answer_read(long status, struct bytes body, struct auth_http_answer *ret_answer)
{
    struct auth_http_answer *answer = ret_answer;
    *answer = (struct auth_http_answer){0};
    if (decide_by_status(status, answer))
        return;
    if (is_blank(body)) {
        conclude(answer, LOGIN_YES, NULL);
        return;
    }
    if (!read_json(body, answer))
        return;
    if (result_is(answer, "allow"))
        read_allowed(answer);
    else if (result_is(answer, "deny"))
        conclude(answer, LOGIN_NO, "the service of auth_http_url refused it");
    else if (result_is(answer, "ignore"))
        conclude(answer, LOGIN_NOT_MINE, NULL);
    else
        conclude(answer, LOGIN_TRY_LATER,
                 "the answer to auth_http has no result (allow, deny or ignore)");
}

void auth_http_answer_read_topics(long status, struct bytes body,
                                  struct auth_http_answer *ret_answer)
{
    struct auth_http_answer *answer = ret_answer;
    const char *why = "the answer to auth_http_acl has no topic claims (publ, subs, acl)";
    *answer = (struct auth_http_answer){0};
    if (decide_by_status(status, answer) || !read_json(body, answer))
        return;
    if (result_is(answer, "deny"))
        conclude(answer, LOGIN_NO, "the service of auth_http_acl_url refused it");
    else if (result_is(answer, "ignore"))
        conclude(answer, LOGIN_YES, NULL);
    else if (topic_claims_read(answer->json, &answer->topics, &why) && answer->topics.stated)
        conclude(answer, LOGIN_YES, NULL);
    else
        conclude(answer, LOGIN_TRY_LATER, why);
}

void auth_http_answer_done(struct auth_http_answer *answer)
{
    topic_claims_done(&answer->topics);
    json_decref(answer->json);
    *answer = (struct auth_http_answer){0};
}

// The next of the directives, without the blanks around it; false: there are no more.
static bool next_directive(struct bytes *rest, struct bytes *ret_directive)
{
    while (rest->size > 0 && (rest->data[0] == ',' || is_blank(bytes_make(rest->data, 1))))
        *rest = bytes_from(*rest, 1);
    size_t size = 0;
    while (size < rest->size && rest->data[size] != ',')
        size++;
    *ret_directive = bytes_make(rest->data, size);
    *rest = bytes_from(*rest, size);
    while (ret_directive->size > 0 &&
           is_blank(bytes_make(ret_directive->data + ret_directive->size - 1, 1)))
        ret_directive->size--;
    return ret_directive->size > 0;
}

static bool begins_with(struct bytes text, const char *word)
{
    size_t size = strlen(word);
    return text.size >= size && strncasecmp((const char *)text.data, word, size) == 0;
}

static bool is_word(struct bytes text, const char *word)
{
    return text.size == strlen(word) && begins_with(text, word);
}

static uint32_t seconds_of(struct bytes text, uint32_t most)
{
    uint64_t seconds = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0; // not to be understood: not to be kept
        seconds = seconds * 10 + (uint64_t)(text.data[i] - '0');
        if (seconds > most)
            seconds = most;
    }
    return (uint32_t)seconds;
}

uint32_t auth_http_answer_keep_s(struct bytes cache_control, uint32_t standard, uint32_t most)
{
    uint32_t keep_s = standard < most ? standard : most;
    struct bytes directive;
    while (next_directive(&cache_control, &directive)) {
        if (is_word(directive, "no-store") || is_word(directive, "no-cache"))
            return 0;
        if (begins_with(directive, "max-age="))
            keep_s = seconds_of(bytes_from(directive, strlen("max-age=")), most);
    }
    return keep_s;
}
