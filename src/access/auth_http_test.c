// SPDX-License-Identifier: MIT
// Against a service of this test's own, a thread on a free port, that says what it is told to.
#include "access/auth_http.h"

#include "access/acl.h"
#include "access/auth_http_cache.h"
#include "access/http_call.h"
#include "access/secret_file.h"
#include "base/memory.h"
#include "os/net.h"
#include "os/thread.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WAIT_MS 20000
#define REPLY_MAX (256 * 1024)

// Answers every request with `reply` and closes; a reply of nothing hangs until it is stopped.
static struct {
    struct thread *thread;
    int listener;
    char url[64];
    _Atomic bool stopping;
    _Atomic int requests;
    char reply[REPLY_MAX];
    char request[8192]; // the last one
} service;

static bool is_whole(const char *request, size_t size)
{
    const char *end = memmem(request, size, "\r\n\r\n", 4);
    const char *length = memmem(request, size, "Content-Length: ", 16);
    return end != NULL && length != NULL &&
           size >= (size_t)(end + 4 - request) + strtoul(length + 16, NULL, 10);
}

static void serve_one(int fd)
{
    size_t size = 0;
    ssize_t got;
    while (net_wait(fd, false, WAIT_MS) == 1 &&
           (got = net_read(fd, service.request + size, sizeof(service.request) - 1 - size)) > 0) {
        size += (size_t)got;
        service.request[size] = 0;
        if (is_whole(service.request, size))
            break;
    }
    atomic_fetch_add(&service.requests, 1);
    for (size_t sent = 0, all = strlen(service.reply); sent < all;) {
        struct iovec part = {service.reply + sent, all - sent};
        got = net_writev(fd, &part, 1);
        if (got == -EAGAIN && net_wait(fd, true, WAIT_MS) == 1)
            continue;
        if (got <= 0)
            break;
        sent += (size_t)got;
    }
    while (service.reply[0] == 0 && !atomic_load(&service.stopping) && net_wait(fd, false, 20) == 0)
        ;
}

static void serve(void *argument)
{
    struct net_address peer;
    (void)argument;
    while (!atomic_load(&service.stopping)) {
        if (net_wait(service.listener, false, 20) != 1)
            continue;
        int fd = net_accept(service.listener, 0, &peer);
        if (fd < 0)
            continue;
        serve_one(fd);
        net_close(fd);
    }
}

static void start(const char *reply)
{
    struct net_address address;
    service.listener = net_listen("127.0.0.1", 0, 16);
    assert_true(service.listener >= 0);
    assert_int_equal(net_local_address(service.listener, &address), 0);
    (void)snprintf(service.url, sizeof(service.url), "http://127.0.0.1:%u/auth",
                   (unsigned)address.port);
    (void)snprintf(service.reply, sizeof(service.reply), "%s", reply);
    atomic_store(&service.requests, 0);
    atomic_store(&service.stopping, false);
    assert_int_equal(thread_start(&service.thread, "service", serve, NULL), 0);
}

static void stop(void)
{
    atomic_store(&service.stopping, true);
    thread_join(service.thread);
    net_close(service.listener);
}

static struct auth_http_options options_with(const char *url, uint32_t timeout_ms)
{
    return (struct auth_http_options){.url = url,
                                      .acl_url = "",
                                      .headers = "X-Token: abc|X-Other: d",
                                      .proxy = "",
                                      .ca_file = "",
                                      .timeout_ms = timeout_ms,
                                      .cache_s = 60};
}

static struct auth_http *make(const struct auth_http_options *options)
{
    struct auth_http *auth = NULL;
    char error[ACCESS_ERROR_MAX] = "";
    assert_int_equal(auth_http_new(options, &auth, error), 0);
    return auth;
}

static enum login_verdict ask(struct auth_http *auth, const char *user, struct login_result *result)
{
    struct login_request request = {
        .client_id = BYTES_OF("c\"1"),
        .user = bytes_make(user, strlen(user)),
        .has_user = true,
        .password = BYTES_OF("se\ncret"),
        .has_password = true,
        .peer = {.family = 4, .port = 7, .octets = {192, 0, 2, 1}},
        .listener = "127.0.0.1:1883",
    };
    *result = (struct login_result){0};
    return auth_http_check(auth, &request, result);
}

static enum login_verdict ask_once(const char *reply, const char **ret_why)
{
    struct login_result result;
    start(reply);
    struct auth_http_options options = options_with(service.url, WAIT_MS);
    struct auth_http *auth = make(&options);
    enum login_verdict verdict = ask(auth, "anna", &result);
    *ret_why = result.why;
    login_result_done(&result);
    auth_http_unref(auth);
    stop();
    return verdict;
}

#define OK(more, body) "HTTP/1.1 200 OK\r\nConnection: close\r\n" more "\r\n" body

static void the_question_is_whole_and_escaped(void **state)
{
    (void)state;
    const char *why;
    assert_int_equal(ask_once(OK("", ""), &why), LOGIN_YES);
    assert_non_null(strstr(service.request,
                           "{\"action\":\"connect\",\"clientid\":\"c\\\"1\",\"address\":"
                           "\"192.0.2.1\",\"protocol\":\"mqtt\",\"listener\":\"127.0.0.1:1883\","
                           "\"username\":\"anna\",\"password\":\"se\\ncret\"}"));
    assert_non_null(strstr(service.request, "POST /auth HTTP/1.1\r\n"));
    assert_non_null(strstr(service.request, "\r\nX-Token: abc\r\nX-Other: d\r\n"));
    assert_non_null(strstr(service.request, "\r\nContent-Type: application/json\r\n"));
}

static void each_answer_means_what_it_says(void **state)
{
    (void)state;
    const char *why;
    assert_int_equal(ask_once(OK("", "{\"result\":\"allow\"}"), &why), LOGIN_YES);
    assert_int_equal(ask_once(OK("", "{\"result\":\"deny\"}"), &why), LOGIN_NO);
    assert_int_equal(ask_once(OK("", "{\"result\":\"ignore\"}"), &why), LOGIN_NOT_MINE);
    assert_int_equal(ask_once("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", &why),
                     LOGIN_NO);
}

static void no_answer_lets_nobody_in(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        OK("", "<html>"),
        OK("Content-Length: 100\r\n", "{\"result\":\"allow\"}"), // cut off
        "rubbish",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\r\n\r\n",
    };
    const char *why;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        assert_int_equal(ask_once(replies[i], &why), LOGIN_TRY_LATER);
        assert_non_null(why);
    }
}

static void a_huge_answer_is_not_read(void **state)
{
    (void)state;
    static char reply[REPLY_MAX];
    const char *why;
    int size = snprintf(reply, sizeof(reply), OK("", "{\"result\":\"allow\",\"x\":\""));
    memset(reply + size, 'x', 100000);
    memcpy(reply + size + 100000, "\"}", 3);
    assert_int_equal(ask_once(reply, &why), LOGIN_TRY_LATER);
    assert_non_null(strstr(why, "64 KB"));
}

static void who_does_not_answer_is_not_waited_for(void **state)
{
    (void)state;
    struct login_result result;
    start("");
    struct auth_http_options options = options_with(service.url, 50);
    struct auth_http *auth = make(&options);
    assert_int_equal(ask(auth, "anna", &result), LOGIN_TRY_LATER);
    assert_non_null(strstr(result.why, "auth_http_timeout"));
    assert_int_equal(auth_http_count(auth).failed, 1);
    auth_http_unref(auth);
    stop();
    auth = make(&options); // and now nobody listens there
    assert_int_equal(ask(auth, "anna", &result), LOGIN_TRY_LATER);
    assert_non_null(result.why);
    auth_http_unref(auth);
}

static void answers_are_kept_and_those_of_others_are_not_mixed_up(void **state)
{
    (void)state;
    struct login_result result;
    start(OK("Cache-Control: private, max-age=50\r\n", "{\"result\":\"deny\"}"));
    struct auth_http_options options = options_with(service.url, WAIT_MS);
    options.cache_s = 0;
    struct auth_http *auth = make(&options);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(auth, "anna", &result), LOGIN_NO);
    assert_int_equal(atomic_load(&service.requests), 1);
    assert_int_equal(auth_http_count(auth).kept, 2);
    assert_int_equal(ask(auth, "berit", &result), LOGIN_NO);
    assert_int_equal(atomic_load(&service.requests), 2);
    auth_http_unref(auth);
    stop();
}

static void failures_and_what_says_so_are_not_kept(void **state)
{
    (void)state;
    static const char *const replies[] = {OK("Cache-Control: no-store\r\n", ""),
                                          "HTTP/1.1 503 No\r\nConnection: close\r\n"
                                          "Cache-Control: max-age=50\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct login_result result;
        start(replies[i]);
        struct auth_http_options options = options_with(service.url, WAIT_MS);
        struct auth_http *auth = make(&options);
        (void)ask(auth, "anna", &result);
        (void)ask(auth, "anna", &result);
        assert_int_equal(atomic_load(&service.requests), 2);
        auth_http_unref(auth);
        stop();
    }
}

static void the_answer_names_user_end_and_topics(void **state)
{
    (void)state;
    struct login_result result;
    start(OK("", "{\"result\":\"allow\",\"user\":\"berit\",\"expire_at\":9999999999,"
                 "\"subs\":[\"a/%u\"]}"));
    struct auth_http_options options = options_with(service.url, WAIT_MS);
    options.acl_url = "http://127.0.0.1:1/never-asked";
    struct auth_http *auth = make(&options);
    assert_int_equal(ask(auth, "anna", &result), LOGIN_YES);
    assert_true(bytes_equal(bytes_make(result.user, result.user_size), BYTES_OF("berit")));
    assert_int_equal(result.expires_at_ms, INT64_C(9999999999000));
    struct acl_subject subject = {.client_id = BYTES_OF("c"), .user = BYTES_OF("berit"), true};
    assert_true(acl_check(result.rules, &subject, ACL_READ, BYTES_OF("a/berit"), NULL));
    assert_false(acl_check(result.rules, &subject, ACL_READ, BYTES_OF("a/anna"), NULL));
    login_result_done(&result);
    auth_http_unref(auth);
    stop();
}

static void topics_are_asked_of_the_second_url(void **state)
{
    (void)state;
    struct login_result result;
    char url[80];
    start(OK("", "{\"result\":\"allow\",\"publ\":[\"a\"]}"));
    (void)snprintf(url, sizeof(url), "%s/topics", service.url);
    struct auth_http_options options = options_with(service.url, WAIT_MS);
    options.acl_url = url;
    struct auth_http *auth = make(&options);
    assert_int_equal(ask(auth, "anna", &result), LOGIN_YES);
    assert_non_null(result.rules);
    assert_int_equal(atomic_load(&service.requests), 1); // it had said so already
    login_result_done(&result);
    auth_http_unref(auth);
    stop();
    start(OK("", "{\"result\":\"allow\"}")); // which is no answer to that question
    (void)snprintf(url, sizeof(url), "%s/topics", service.url);
    options.url = service.url;
    auth = make(&options);
    assert_int_equal(ask(auth, "anna", &result), LOGIN_TRY_LATER);
    assert_int_equal(atomic_load(&service.requests), 2);
    assert_non_null(strstr(service.request, "\"action\":\"topics\""));
    assert_null(strstr(service.request, "password"));
    login_result_done(&result);
    auth_http_unref(auth);
    stop();
}

static void what_is_no_text_is_refused_unasked(void **state)
{
    (void)state;
    struct login_result result;
    start(OK("", ""));
    struct auth_http_options options = options_with(service.url, WAIT_MS);
    struct auth_http *auth = make(&options);
    assert_int_equal(ask(auth, "\xff\xfe", &result), LOGIN_NO);
    assert_int_equal(atomic_load(&service.requests), 0);
    auth_http_unref(auth);
    stop();
}

static void wrong_options_are_explained(void **state)
{
    (void)state;
    static const char *const urls[] = {"", "file:///etc/passwd", "ftp://x/", "localhost",
                                       "gopher:"};
    struct auth_http *auth;
    char error[ACCESS_ERROR_MAX];
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct auth_http_options options = options_with(urls[i], 100);
        assert_int_equal(auth_http_new(&options, &auth, error), -EINVAL);
        assert_non_null(strstr(error, "auth_http_url"));
    }
    struct auth_http_options options = options_with("http://x/", 100);
    options.headers = "A: b\r\nC: d";
    assert_int_equal(auth_http_new(&options, &auth, error), -EINVAL);
}

static void the_cache_is_bounded(void **state)
{
    (void)state;
    static const uint8_t body[600] = {0};
    struct auth_http_cache *cache = auth_http_cache_new(3, 1000);
    long status;
    uint8_t *found;
    size_t size;
    for (uint8_t i = 0; i < 10; i++)
        auth_http_cache_put(cache, bytes_make(&i, 1), 200 + i, BYTES_OF("x"), 100);
    for (uint8_t i = 0; i < 10; i++) {
        bool is_there = auth_http_cache_get(cache, bytes_make(&i, 1), 99, &status, &found, &size);
        assert_int_equal(is_there, i >= 7);
        if (is_there) {
            assert_int_equal(status, 200 + i);
            memory_free(found);
        }
    }
    assert_false(auth_http_cache_get(cache, bytes_make((uint8_t[]){9}, 1), 100, &status, &found,
                                     &size)); // it is over
    auth_http_cache_put(cache, BYTES_OF("a"), 200, bytes_make(body, sizeof(body)), 100);
    auth_http_cache_put(cache, BYTES_OF("b"), 200, bytes_make(body, sizeof(body)), 100);
    assert_false(auth_http_cache_get(cache, BYTES_OF("a"), 0, &status, &found, &size));
    assert_true(auth_http_cache_get(cache, BYTES_OF("b"), 0, &status, &found, &size));
    memory_free(found);
    auth_http_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_question_is_whole_and_escaped),
        cmocka_unit_test(each_answer_means_what_it_says),
        cmocka_unit_test(no_answer_lets_nobody_in),
        cmocka_unit_test(a_huge_answer_is_not_read),
        cmocka_unit_test(who_does_not_answer_is_not_waited_for),
        cmocka_unit_test(answers_are_kept_and_those_of_others_are_not_mixed_up),
        cmocka_unit_test(failures_and_what_says_so_are_not_kept),
        cmocka_unit_test(the_answer_names_user_end_and_topics),
        cmocka_unit_test(topics_are_asked_of_the_second_url),
        cmocka_unit_test(what_is_no_text_is_refused_unasked),
        cmocka_unit_test(wrong_options_are_explained),
        cmocka_unit_test(the_cache_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
