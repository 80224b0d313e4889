// SPDX-License-Identifier: MIT
#include "access/auth_http.h"

#include "access/auth_http_answer.h"
#include "access/auth_http_cache.h"
#include "access/http_call.h"
#include "access/secret.h"
#include "access/secret_file.h"
#include "base/memory.h"
#include "os/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define CACHE_COUNT_MAX 10000
#define CACHE_BYTES_MAX ((size_t)16 << 20)

struct auth_http {
    _Atomic uint32_t references;
    char *url, *acl_url;
    uint32_t cache_s;
    struct http_caller *caller;
    struct auth_http_cache *cache;
    _Atomic uint64_t answered, kept, failed;
};

static char *copy_of(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_new(size), text, size);
}

static int refuse(char *error, const char *why)
{
    (void)snprintf(error, ACCESS_ERROR_MAX, "%s", why);
    return -EINVAL;
}

static int check_options(const struct auth_http_options *options, char *error)
{
    if (!http_call_may_use(options->url))
        return refuse(error, "auth_http_url: it must begin with http:// or https://");
    if (options->acl_url[0] != 0 && !http_call_may_use(options->acl_url))
        return refuse(error, "auth_http_acl_url: it must begin with http:// or https://");
    return 0;
}

int auth_http_new(const struct auth_http_options *options, struct auth_http **ret_service,
                  char *error)
{
    int result = check_options(options, error);
    if (result < 0)
        return result;
    struct http_caller_options caller = {
        .headers = options->headers,
        .proxy = options->proxy,
        .ca_file = options->ca_file,
        .timeout_ms = options->timeout_ms,
        .body_size_max = AUTH_HTTP_ANSWER_SIZE_MAX,
    };
    struct auth_http *service = memory_new(sizeof(*service));
    atomic_init(&service->references, 1);
    service->url = copy_of(options->url);
    service->acl_url = copy_of(options->acl_url);
    service->cache_s = options->cache_s;
    service->cache = auth_http_cache_new(CACHE_COUNT_MAX, CACHE_BYTES_MAX);
    service->caller = http_caller_new(&caller);
    if (service->caller == NULL) {
        auth_http_unref(service);
        return refuse(error, "auth_http_headers: each is `Name: value`, with | between them");
    }
    *ret_service = service;
    return 0;
}

void auth_http_unref(struct auth_http *service)
{
    if (service == NULL ||
        atomic_fetch_sub_explicit(&service->references, 1, memory_order_acq_rel) > 1)
        return;
    http_caller_free(service->caller);
    auth_http_cache_free(service->cache);
    memory_free(service->url);
    memory_free(service->acl_url);
    memory_free(service);
}

struct auth_http_counts auth_http_count(const struct auth_http *service)
{
    return (struct auth_http_counts){
        .answered = atomic_load_explicit(&service->answered, memory_order_relaxed),
        .kept = atomic_load_explicit(&service->kept, memory_order_relaxed),
        .failed = atomic_load_explicit(&service->failed, memory_order_relaxed),
    };
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool put_text(json_t *object, const char *name, struct bytes text)
{
    return json_object_set_new(object, name, json_stringn((const char *)text.data, text.size)) == 0;
}

// NULL: what the client brought is no text, or no memory. `user` is who it is by now.
static json_t *question_of(const char *action, const struct login_request *request,
                           struct bytes user)
{
    char address[NET_ADDRESS_TEXT_MAX];
    json_t *object = json_object();
    bool is_login = strcmp(action, "connect") == 0;
    net_address_host_text(&request->peer, address);
    bool is_whole =
        put_text(object, "action", bytes_make(action, strlen(action))) &&
        put_text(object, "clientid", request->client_id) &&
        put_text(object, "address", bytes_make(address, strlen(address))) &&
        put_text(object, "protocol", BYTES_OF("mqtt")) &&
        put_text(object, "listener", bytes_make(request->listener, strlen(request->listener))) &&
        (!request->has_user || put_text(object, "username", user)) &&
        (!is_login || !request->has_password || put_text(object, "password", request->password));
    if (is_whole)
        return object;
    json_decref(object);
    return NULL;
}

typedef void read_answer(long status, struct bytes body, struct auth_http_answer *ret_answer);

// Only what is an answer is kept.
static void read_and_keep(struct auth_http *service, struct bytes key,
                          const struct http_reply *reply, read_answer *reader,
                          struct auth_http_answer *ret_answer)
{
    struct bytes body = buffer_bytes(&reply->body);
    uint32_t keep_s =
        auth_http_answer_keep_s(bytes_make(reply->cache_control, strlen(reply->cache_control)),
                                service->cache_s, AUTH_HTTP_KEEP_S_MAX);
    reader(reply->status, body, ret_answer);
    if (ret_answer->verdict == LOGIN_TRY_LATER) {
        count(&service->failed);
        return;
    }
    count(&service->answered);
    if (keep_s > 0)
        auth_http_cache_put(service->cache, key, reply->status, body,
                            clock_monotonic_ms() + (int64_t)keep_s * 1000);
}

static void ask_service(struct auth_http *service, const char *url, struct bytes question,
                        read_answer *reader, struct auth_http_answer *ret_answer)
{
    struct http_reply reply;
    const char *why = http_call(service->caller, url, question, &reply);
    if (why != NULL) {
        count(&service->failed);
        *ret_answer = (struct auth_http_answer){.verdict = LOGIN_TRY_LATER, .why = why};
        return;
    }
    read_and_keep(service, question, &reply, reader, ret_answer);
    http_reply_done(&reply);
}

static bool ask_cache(struct auth_http *service, struct bytes question, read_answer *reader,
                      struct auth_http_answer *ret_answer)
{
    long status;
    uint8_t *body;
    size_t size;
    if (!auth_http_cache_get(service->cache, question, clock_monotonic_ms(), &status, &body, &size))
        return false;
    reader(status, bytes_make(body, size), ret_answer);
    secret_free(body, size);
    count(&service->kept);
    return true;
}

// Takes the question over. Questions to the two services are never the same: see `action`.
static void ask(struct auth_http *service, const char *url, json_t *question, read_answer *reader,
                struct auth_http_answer *ret_answer)
{
    size_t size = question == NULL ? 0 : json_dumpb(question, NULL, 0, JSON_COMPACT);
    char *text = size == 0 ? NULL : memory_try_new(size);
    if (text != NULL)
        (void)json_dumpb(question, text, size, JSON_COMPACT);
    json_decref(question);
    if (text == NULL) {
        *ret_answer = (struct auth_http_answer){
            .verdict = LOGIN_NO, .why = "its name or password is no UTF-8, so nobody can be asked"};
        return;
    }
    if (!ask_cache(service, bytes_make(text, size), reader, ret_answer))
        ask_service(service, url, bytes_make(text, size), reader, ret_answer);
    secret_free(text, size);
}

static bool take_user(struct bytes user, struct login_result *result)
{
    if (user.size == 0)
        return true;
    result->user = memory_try_new(user.size);
    if (result->user == NULL)
        return false;
    memcpy(result->user, user.data, user.size);
    result->user_size = user.size;
    return true;
}

static void free_rules(void *rules)
{
    acl_unref(rules);
}

// Fills in what a yes says; anything but a yes passes through.
static enum login_verdict take_answer(const struct auth_http_answer *answer, struct bytes user,
                                      struct login_result *result)
{
    result->why = answer->why;
    if (answer->verdict != LOGIN_YES || !answer->topics.stated)
        return answer->verdict;
    result->rules = topic_claims_try_acl(&answer->topics, user, &result->why);
    result->free_rules = free_rules;
    return result->rules == NULL ? LOGIN_TRY_LATER : LOGIN_YES;
}

static enum login_verdict ask_topics(struct auth_http *service, const struct login_request *request,
                                     struct bytes user, struct login_result *result)
{
    struct auth_http_answer answer;
    ask(service, service->acl_url, question_of("topics", request, user),
        auth_http_answer_read_topics, &answer);
    enum login_verdict verdict = take_answer(&answer, user, result);
    auth_http_answer_done(&answer);
    return verdict;
}

enum login_verdict auth_http_check(struct auth_http *service, const struct login_request *request,
                                   struct login_result *result)
{
    struct auth_http_answer answer;
    if (!request->has_user && !request->has_password)
        return LOGIN_NOT_MINE; // whether nobody in particular may come in is not asked
    ask(service, service->url, question_of("connect", request, request->user),
        auth_http_answer_read, &answer);
    if (answer.verdict == LOGIN_YES && !take_user(answer.user, result)) {
        answer.verdict = LOGIN_TRY_LATER;
        answer.why = "no memory for the answer to auth_http";
    }
    struct bytes user =
        result->user == NULL ? request->user : bytes_make(result->user, result->user_size);
    result->expires_at_ms = answer.expires_at_ms;
    enum login_verdict verdict = take_answer(&answer, user, result);
    auth_http_answer_done(&answer);
    if (verdict != LOGIN_YES || service->acl_url[0] == 0 || result->rules != NULL)
        return verdict;
    return ask_topics(service, request, user, result);
}

static enum login_verdict check(void *context, const struct login_request *request,
                                struct login_result *result)
{
    return auth_http_check(context, request, result);
}

static void release(void *context)
{
    auth_http_unref(context);
}

struct authority auth_http_authority(struct auth_http *service)
{
    atomic_fetch_add_explicit(&service->references, 1, memory_order_relaxed);
    return (struct authority){
        .kind = AUTHORITY_HTTP,
        .name = service->url,
        .context = service,
        .cost = AUTHORITY_WAITS_LONG,
        .check = check,
        .release = release,
    };
}
