// SPDX-License-Identifier: MIT
#include "transport/http_head.h"

#include "transport/http_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 1000u

static struct http_head head;

// From a block of just this size, so that a sanitizer sees one byte too far. The views of a whole
// head would dangle, so they are kept until the next call.
static enum http_result parse_bytes(const void *data, size_t size)
{
    static uint8_t *exact;
    free(exact);
    exact = malloc(size == 0 ? 1 : size);
    memcpy(exact, data, size);
    return http_head_parse(bytes_make(exact, size), BODY_MAX, &head);
}

static enum http_result parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void assert_text(struct bytes bytes, const char *expected)
{
    assert_true(bytes_equal(bytes, bytes_make(expected, strlen(expected))));
}

static void assert_refused(const char *text, unsigned status)
{
    if (parse(text) != HTTP_BAD || head.status != status)
        fail_msg("%s: %u expected", text, status);
    assert_true(strlen(head.why) > 10);
}

static const char request[] = "GET /mqtt?a=b&c HTTP/1.1\r\n"
                              "Host: broker.example:8883\r\n"
                              "Accept:\r\n"
                              "X-List: one, two\r\n"
                              "x-LIST:  \tthree  \r\n"
                              "Content-Length: 12\r\n"
                              "\r\n";

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    assert_int_equal(parse(request), HTTP_WHOLE);
    assert_int_equal(head.method, METHOD_GET);
    assert_int_equal(head.minor_version, 1);
    assert_text(head.path, "/mqtt");
    assert_text(head.query, "a=b&c");
    assert_int_equal(head.content_size, 12);
    assert_int_equal(head.size, sizeof(request) - 1);
    assert_int_equal(head.header_count, 5);
    assert_text(http_head_find(&head, BYTES_OF("HOST"))->value, "broker.example:8883");
    assert_text(http_head_find(&head, BYTES_OF("accept"))->value, "");
    assert_null(http_head_find(&head, BYTES_OF("Accep")));
    const struct http_header *list = http_head_find(&head, BYTES_OF("x-list"));
    assert_text(list->value, "one, two");
    list = http_head_next(&head, BYTES_OF("x-list"), list);
    assert_text(list->value, "three");
    assert_null(http_head_next(&head, BYTES_OF("x-list"), list));
}

static void every_method_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    for (int i = 0; i < 7; i++) {
        char text[64];
        snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: h\r\n\r\n", names[i]);
        assert_int_equal(parse(text), HTTP_WHOLE);
        assert_int_equal(head.method, i);
        assert_int_equal(head.content_size, 0);
    }
}

static void it_is_not_whole_before_its_last_byte(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(request) - 1; size++)
        assert_int_equal(parse_bytes(request, size), HTTP_MORE);
}

static void what_follows_is_not_looked_at(void **state)
{
    (void)state;
    char text[sizeof(request) + 4];
    snprintf(text, sizeof(text), "%s\x82\n\n\n", request);
    assert_int_equal(parse(text), HTTP_WHOLE);
    assert_int_equal(head.size, sizeof(request) - 1);
}

static void an_old_version_needs_no_host(void **state)
{
    (void)state;
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n"), HTTP_WHOLE);
    assert_int_equal(head.minor_version, 0);
}

static void what_two_readers_may_read_differently_is_refused(void **state)
{
    (void)state;
    assert_refused("GET / HTTP/1.1\nHost: h\n\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\n\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\n x: y\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\n\tx: y\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\nx y: z\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\n: z\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\rx: y\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\nx: \x01\r\n\r\n", 400);
    assert_refused("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\nhost: i\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n", 400);
    assert_refused("GET / HTTP/1.1\r\nHost: h\r\nOrigin: a\r\nOrigin: b\r\n\r\n", 400);
    static const char nul[] = "GET / HTTP/1.1\r\nHost: h\r\nx: \0\r\n\r\n";
    assert_int_equal(parse_bytes(nul, sizeof(nul) - 1), HTTP_BAD);
}

static void a_bad_line_is_refused_before_the_end_comes(void **state)
{
    (void)state;
    assert_refused("GET / HTTP/1.1\n", 400);
    assert_refused("GET / HTTP/1.1\r\n folded: x\r\n", 400);
}

static void odd_targets_are_refused(void **state)
{
    (void)state;
    assert_refused("GET mqtt HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    assert_refused("GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    assert_refused("GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    assert_refused("GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    assert_refused("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    assert_refused("GET /a\x7f HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    assert_refused("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    assert_int_equal(parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP_WHOLE);
    assert_int_equal(parse("GET /?? HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP_WHOLE);
    assert_text(head.path, "/");
    assert_text(head.query, "?");
}

static void other_methods_and_versions_are_refused(void **state)
{
    (void)state;
    assert_refused("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 405);
    assert_refused("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 405);
    assert_refused("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405);
    assert_refused("get / HTTP/1.1\r\nHost: h\r\n\r\n", 405);
    assert_refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505);
    assert_refused("GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505);
    assert_refused("GET / HTTP/1.12\r\nHost: h\r\n\r\n", 505);
    assert_refused("GET /\r\nHost: h\r\n\r\n", 505);
}

static void a_body_has_one_plain_length(void **state)
{
    (void)state;
    assert_int_equal(parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"),
                     HTTP_WHOLE);
    assert_int_equal(head.content_size, 1000);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1844674407370955161\r\n\r\n",
                   413);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n",
                   400);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                   400);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 411);
    assert_refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                   "Content-Length: 3\r\n\r\n",
                   400);
}

static void fill(struct writer *writer, uint8_t octet, size_t count)
{
    for (size_t i = 0; i < count; i++)
        writer_u8(writer, octet);
}

// A request whose path has `target` bytes, with `count` headers beside Host, and one of `size`.
static char *large(size_t target, unsigned count, size_t size)
{
    size_t room = target + size + count * 16u + 100u;
    char *text = calloc(1, room);
    struct writer writer = writer_of(text, room - 1);
    writer_bytes(&writer, BYTES_OF("GET /"));
    fill(&writer, 'a', target - 1);
    writer_bytes(&writer, BYTES_OF(" HTTP/1.1\r\nHost: h\r\n"));
    for (unsigned i = 0; i < count; i++)
        writer_bytes(&writer, BYTES_OF("X: y\r\n"));
    if (size > 0) {
        writer_bytes(&writer, BYTES_OF("Z: "));
        fill(&writer, 'z', size);
        writer_bytes(&writer, BYTES_OF("\r\n"));
    }
    writer_bytes(&writer, BYTES_OF("\r\n"));
    assert_false(writer.bad);
    return text;
}

static void check_large(size_t target, unsigned count, size_t size, unsigned status)
{
    char *text = large(target, count, size);
    enum http_result result = parse(text);
    free(text);
    assert_int_equal(result, status == 0 ? HTTP_WHOLE : HTTP_BAD);
    if (status != 0)
        assert_int_equal(head.status, status);
}

static void limits_have_exact_edges(void **state)
{
    (void)state;
    size_t others = strlen("GET / HTTP/1.1\r\nHost: h\r\nZ: \r\n\r\n");
    check_large(1, 63, 0, 0);
    check_large(1, 64, 0, 431);
    check_large(8000, 0, 0, 0);
    check_large(8001, 0, 0, 414);
    check_large(20000, 0, 0, 414);
    check_large(1, 0, HTTP_HEAD_SIZE_MAX - others, 0);
    check_large(1, 0, HTTP_HEAD_SIZE_MAX - others + 1, 431);
    check_large(1, 0, 100000, 431);
}

static void a_head_without_end_is_refused_when_it_is_too_large(void **state)
{
    (void)state;
    char *text = large(1, 0, 20000);
    assert_int_equal(parse_bytes(text, HTTP_HEAD_SIZE_MAX - 1), HTTP_MORE);
    assert_int_equal(parse_bytes(text, HTTP_HEAD_SIZE_MAX), HTTP_BAD);
    assert_int_equal(head.status, 431);
    free(text);
}

static void any_flipped_bit_is_survived(void **state)
{
    (void)state;
    char text[sizeof(request)];
    memcpy(text, request, sizeof(request));
    for (size_t bit = 0; bit < 8 * (sizeof(request) - 1); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        enum http_result result = parse_bytes(text, sizeof(request) - 1);
        if (result == HTTP_WHOLE)
            assert_true(head.size <= sizeof(request) - 1 && head.path.size > 0);
        if (result == HTTP_BAD)
            assert_true(head.status >= 400 && head.why != NULL);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
}

static void lists_are_walked(void **state)
{
    (void)state;
    struct bytes list = BYTES_OF(" ,, one\t,two two ,,"), element;
    assert_true(http_list_next(&list, &element));
    assert_text(element, "one");
    assert_true(http_list_next(&list, &element));
    assert_text(element, "two two");
    assert_false(http_list_next(&list, &element));
    assert_true(http_list_has(BYTES_OF("keep-alive, UPGRADE"), BYTES_OF("Upgrade")));
    assert_false(http_list_has(BYTES_OF("upgrades"), BYTES_OF("Upgrade")));
    assert_false(http_list_has(BYTES_OF("upgrade/1"), BYTES_OF("Upgrade")));
    assert_false(http_list_has(BYTES_OF(""), BYTES_OF("Upgrade")));
}

static void an_answer_is_written(void **state)
{
    (void)state;
    char text[HTTP_REFUSAL_SIZE_MAX + 1] = {0};
    struct writer writer = writer_of(text, sizeof(text) - 1);
    http_response_refuse(404, "there is no page", &writer);
    assert_false(writer.bad);
    assert_memory_equal(text, "HTTP/1.1 404 Not Found\r\n", 24);
    assert_non_null(strstr(text, "\r\nContent-Length: 32\r\n"));
    assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(text, "\r\n\r\n404 Not Found: there is no page\n"));
    assert_null(strstr(text, "Access-Control"));
}

static void an_answer_that_does_not_fit_says_so(void **state)
{
    (void)state;
    struct http_response response = {.status = 200, .body = BYTES_OF("hello")};
    struct writer counting = writer_counting();
    http_response_write(&response, &counting);
    for (size_t size = 0; size <= counting.size; size++) {
        char *text = malloc(size + 1);
        struct writer writer = writer_of(text, size);
        http_response_write(&response, &writer);
        assert_int_equal(writer.bad, size < counting.size);
        free(text);
    }
}

static void the_answer_to_head_has_no_body(void **state)
{
    (void)state;
    char text[HTTP_REFUSAL_SIZE_MAX + 1] = {0};
    struct http_response response = {
        .status = 200, .body = BYTES_OF("hello"), .without_body = true, .headers = "X: y\r\n"};
    struct writer writer = writer_of(text, sizeof(text) - 1);
    http_response_write(&response, &writer);
    assert_non_null(strstr(text, "\r\nContent-Length: 5\r\nX: y\r\n"));
    assert_string_equal(text + writer.size - 4, "\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(every_method_has_its_name),
        cmocka_unit_test(it_is_not_whole_before_its_last_byte),
        cmocka_unit_test(what_follows_is_not_looked_at),
        cmocka_unit_test(an_old_version_needs_no_host),
        cmocka_unit_test(what_two_readers_may_read_differently_is_refused),
        cmocka_unit_test(a_bad_line_is_refused_before_the_end_comes),
        cmocka_unit_test(odd_targets_are_refused),
        cmocka_unit_test(other_methods_and_versions_are_refused),
        cmocka_unit_test(a_body_has_one_plain_length),
        cmocka_unit_test(limits_have_exact_edges),
        cmocka_unit_test(a_head_without_end_is_refused_when_it_is_too_large),
        cmocka_unit_test(any_flipped_bit_is_survived),
        cmocka_unit_test(lists_are_walked),
        cmocka_unit_test(an_answer_is_written),
        cmocka_unit_test(an_answer_that_does_not_fit_says_so),
        cmocka_unit_test(the_answer_to_head_has_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
