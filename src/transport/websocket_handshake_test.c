// SPDX-License-Identifier: MIT
#include "transport/websocket_handshake.h"

#include "transport/http_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct websocket_origins no_origins;

// What a browser sends. Each line can be replaced; "" leaves it out.
struct lines {
    const char *request, *host, *upgrade, *connection, *version, *key, *more;
};

static struct lines usual(void)
{
    return (struct lines){
        .request = "GET /mqtt HTTP/1.1\r\n",
        .host = "Host: broker.example:8080\r\n",
        .upgrade = "Upgrade: websocket\r\n",
        .connection = "Connection: keep-alive, Upgrade\r\n",
        .version = "Sec-WebSocket-Version: 13\r\n",
        .key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", // of RFC 6455
        .more = "Sec-WebSocket-Protocol: mqtt\r\n",
    };
}

static struct websocket_handshake judge_with(const struct lines *lines,
                                             struct websocket_origins origins)
{
    char text[1024];
    struct http_head head;
    snprintf(text, sizeof(text), "%s%s%s%s%s%s%s\r\n", lines->request, lines->host, lines->upgrade,
             lines->connection, lines->version, lines->key, lines->more);
    assert_int_equal(http_head_parse(bytes_make(text, strlen(text)), 100, &head), HTTP_WHOLE);
    return websocket_handshake_judge(&head, origins);
}

static struct websocket_handshake judge(struct lines lines)
{
    return judge_with(&lines, no_origins);
}

static void assert_refused(struct lines lines, unsigned status)
{
    struct websocket_handshake handshake = judge(lines);
    assert_int_equal(handshake.status, status);
    assert_true(strlen(handshake.why) > 10);
}

static void the_example_of_the_rfc_is_answered(void **state)
{
    (void)state;
    static const char expected[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                   "Upgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                   "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    char text[HTTP_REFUSAL_SIZE_MAX + 1] = {0};
    struct websocket_handshake handshake = judge(usual());
    struct writer writer = writer_of(text, sizeof(text) - 1);
    assert_int_equal(handshake.status, 101);
    assert_null(handshake.why);
    websocket_handshake_answer(&handshake, &writer);
    assert_string_equal(text, expected);
}

static void each_part_of_the_request_is_needed(void **state)
{
    (void)state;
    struct lines lines = usual();
    lines.request = "POST /mqtt HTTP/1.1\r\n";
    assert_refused(lines, 405);
    lines = usual();
    lines.request = "GET /mqtt HTTP/1.0\r\n";
    assert_refused(lines, 505);
    lines = usual();
    lines.upgrade = "";
    assert_refused(lines, 400);
    lines.upgrade = "Upgrade: websockets\r\n";
    assert_refused(lines, 400);
    lines = usual();
    lines.connection = "";
    assert_refused(lines, 400);
    lines.connection = "Connection: keep-alive\r\n";
    assert_refused(lines, 400);
    lines = usual();
    lines.more = "Content-Length: 5\r\n";
    assert_refused(lines, 400);
}

static void another_version_is_told_which_one(void **state)
{
    (void)state;
    static const char *const versions[] = {"", "Sec-WebSocket-Version: 8\r\n",
                                           "Sec-WebSocket-Version: 13, 8\r\n",
                                           "Sec-WebSocket-Version: 013\r\n"};
    char text[HTTP_REFUSAL_SIZE_MAX + 1] = {0};
    struct lines lines = usual();
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        lines.version = versions[i];
        assert_refused(lines, 426);
    }
    struct websocket_handshake handshake = judge(lines);
    struct writer writer = writer_of(text, sizeof(text) - 1);
    websocket_handshake_answer(&handshake, &writer);
    assert_non_null(strstr(text, "HTTP/1.1 426 "));
    assert_non_null(strstr(text, "\r\nSec-WebSocket-Version: 13\r\n"));
}

static void a_key_is_16_bytes_in_base64(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "",
        "Sec-WebSocket-Key:\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQo=\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZ==\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==x\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ====\r\n",
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct lines lines = usual();
        lines.key = keys[i];
        assert_refused(lines, 400);
    }
}

static void assert_protocol(const char *offers, const char *expected)
{
    struct lines lines = usual();
    lines.more = offers;
    struct websocket_handshake handshake = judge(lines);
    assert_int_equal(handshake.status, expected == NULL ? 400 : 101);
    if (expected != NULL)
        assert_true(bytes_equal(handshake.protocol, bytes_make(expected, strlen(expected))));
}

static void the_first_known_protocol_is_taken(void **state)
{
    (void)state;
    assert_protocol("Sec-WebSocket-Protocol: mqtt\r\n", "mqtt");
    assert_protocol("Sec-WebSocket-Protocol: mqttv3.1\r\n", "mqttv3.1");
    assert_protocol("Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n", "mqtt");
    assert_protocol("Sec-WebSocket-Protocol: chat ,mqtt\r\n", "mqtt");
    assert_protocol("Sec-WebSocket-Protocol: chat\r\nsec-websocket-protocol: mqtt\r\n", "mqtt");
    assert_protocol("", ""); // none was offered, so none is named
    assert_protocol("Sec-WebSocket-Protocol: chat\r\n", NULL);
    assert_protocol("Sec-WebSocket-Protocol: MQTT\r\n", NULL);
    assert_protocol("Sec-WebSocket-Protocol: mqttv5\r\n", NULL);
    assert_protocol("Sec-WebSocket-Protocol:\r\n", NULL);
}

static bool may_come(const char *host, const char *origin, struct websocket_origins origins)
{
    struct lines lines = usual();
    char host_line[200], origin_line[200];
    snprintf(host_line, sizeof(host_line), "Host: %s\r\n", host);
    snprintf(origin_line, sizeof(origin_line), "Origin: %s\r\n", origin);
    lines.host = host_line;
    lines.more = origin_line;
    struct websocket_handshake handshake = judge_with(&lines, origins);
    assert_true(handshake.status == 101 || handshake.status == 403);
    return handshake.status == 101;
}

static void pages_of_the_same_host_may_come(void **state)
{
    (void)state;
    assert_true(may_come("h:8080", "http://h:8080", no_origins));
    assert_true(may_come("h:8080", "https://h:8080", no_origins));
    assert_true(may_come("H", "http://h", no_origins));
    assert_true(may_come("h:80", "http://h", no_origins));
    assert_true(may_come("h", "http://h:80", no_origins));
    assert_true(may_come("h:443", "https://h", no_origins));
    assert_true(may_come("[::1]:8080", "http://[::1]:8080", no_origins));
}

static void other_pages_may_not(void **state)
{
    (void)state;
    static const char *const origins[] = {
        "http://h",
        "http://h:8081",
        "http://evil:8080",
        "http://h:8080.evil",
        "http://h:8080/",
        "http://evil/h:8080",
        "null",
        "file://",
        "file://h:8080",
        "h:8080",
        "",
        "http://",
        "http://h:8080@x",
        "ftp://h:8080",
        "://h:8080",
        "http://h:80808",
    };
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
        if (may_come("h:8080", origins[i], no_origins))
            fail_msg("%s came in", origins[i]);
    assert_false(may_come("h:443", "http://h", no_origins));
    assert_false(may_come("h:80", "https://h", no_origins));
    assert_false(may_come(":8080", "http://h:8080", no_origins));
}

static void listed_pages_may_come(void **state)
{
    (void)state;
    static const char *const list[] = {"https://panel.example", "null"};
    struct websocket_origins listed = {list, 2};
    assert_true(may_come("h", "https://panel.example", listed));
    assert_true(may_come("h", "null", listed));
    assert_true(may_come("h", "http://h", listed));
    assert_false(may_come("h", "http://panel.example", listed));
    assert_false(may_come("h", "https://panel.example:8443", listed));
    assert_false(may_come("h", "https://panel.example.evil", listed));
    static const char *const star[] = {"*"};
    assert_true(may_come("h", "https://anywhere", (struct websocket_origins){star, 1}));
}

static void every_refusal_fits(void **state)
{
    (void)state;
    struct websocket_handshake handshake = {.status = 405};
    char why[201], text[HTTP_REFUSAL_SIZE_MAX];
    memset(why, 'w', sizeof(why) - 1);
    why[200] = 0;
    handshake.why = why;
    struct writer writer = writer_of(text, sizeof(text));
    websocket_handshake_answer(&handshake, &writer);
    assert_false(writer.bad);
    handshake.status = 426;
    writer = writer_of(text, sizeof(text));
    websocket_handshake_answer(&handshake, &writer);
    assert_false(writer.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc_is_answered),
        cmocka_unit_test(each_part_of_the_request_is_needed),
        cmocka_unit_test(another_version_is_told_which_one),
        cmocka_unit_test(a_key_is_16_bytes_in_base64),
        cmocka_unit_test(the_first_known_protocol_is_taken),
        cmocka_unit_test(pages_of_the_same_host_may_come),
        cmocka_unit_test(other_pages_may_not),
        cmocka_unit_test(listed_pages_may_come),
        cmocka_unit_test(every_refusal_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
