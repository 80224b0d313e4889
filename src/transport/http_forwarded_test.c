// SPDX-License-Identifier: MIT
#include "transport/http_forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static char text[4096];
static struct http_head head;

static void parse(const char *headers)
{
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", headers);
    assert_int_equal(http_head_parse(bytes_make(text, strlen(text)), 0, &head), HTTP_WHOLE);
}

// 10/8 and fd00::/8 are proxies. "" : nothing usable.
static void assert_client(const char *headers, const char *expected)
{
    struct net_networks trusted;
    struct net_address client = {.family = 9};
    char found[NET_ADDRESS_TEXT_MAX] = "";
    const char *bad;
    assert_int_equal(net_networks_parse("10.0.0.0/8 fd00::/8", &trusted, &bad), 0);
    parse(headers);
    if (http_forwarded_client(&head, &trusted, &client))
        net_address_host_text(&client, found);
    else
        assert_int_equal(client.family, 9);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: %s in place of %s", headers, found, expected);
}

static void the_last_stranger_is_the_client(void **state)
{
    (void)state;
    assert_client("X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1");
    assert_client("X-Forwarded-For: 127.0.0.1, 192.0.2.1\r\n", "192.0.2.1");
    assert_client("X-Forwarded-For: 192.0.2.1, 10.1.1.1, fd00::1\r\n", "192.0.2.1");
    assert_client("X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1");
    assert_client("X-Forwarded-For: 10.2.2.2, 10.1.1.1\r\n", "10.2.2.2");
    assert_client("X-Forwarded-For: rubbish, 192.0.2.1\r\n", "192.0.2.1"); // a client's rubbish
    assert_client("X-Real-IP: 192.0.2.1\r\n", "192.0.2.1");
    assert_client("Forwarded: for=192.0.2.1;proto=https, for=10.1.1.1\r\n", "192.0.2.1");
}

static void addresses_are_written_in_many_ways(void **state)
{
    (void)state;
    assert_client("X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1");
    assert_client("X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1");
    assert_client("X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1");
    assert_client("X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1");
    assert_client("X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1");
    assert_client("Forwarded: By=x ; FOR=\"[2001:db8::1]:80\"; proto=http\r\n", "2001:db8::1");
    assert_client("Forwarded: for=\"192.0.2.1\"\r\n", "192.0.2.1");
}

static void what_is_no_address_tells_nothing(void **state)
{
    (void)state;
    static const char *const nodes[] = {
        "unknown",
        "_hidden",
        "192.0.2",
        "192.0.2.1:",
        "192.0.2.1:x",
        "192.0.2.1:123456",
        "[2001:db8::1",
        "[2001:db8::1]x",
        "[2001:db8::1]:",
        "[]",
        "[192.0.2.1",
        "2001:db8::1:g",
        "localhost",
        "192.0.2.1 192.0.2.2",
        "fe80::1%eth0",
        "\"",
        "[",
        "\"[\"",
    };
    assert_client("", "");
    assert_client("Forwarded: proto=https\r\n", "");
    assert_client("Forwarded: for\r\n", "");
    assert_client("X-Forwarded-For:\r\n", "");
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), "X-Forwarded-For: 127.0.0.1, %s, 10.1.1.1\r\n", nodes[i]);
        assert_client(line, "");
        snprintf(line, sizeof(line), "Forwarded: for=127.0.0.1, for=%s\r\n", nodes[i]);
        assert_client(line, "");
    }
}

static void headers_that_disagree_tell_nothing(void **state)
{
    (void)state;
    assert_client("X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 192.0.2.1\r\n", "");
    assert_client("Forwarded: for=127.0.0.1\r\nX-Forwarded-For: 192.0.2.1\r\n", "");
    assert_client("Forwarded: for=unknown\r\nX-Forwarded-For: 192.0.2.1\r\n", "");
    assert_client("Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1");
    // The outer proxy as the inner one saw it is no contradiction.
    assert_client("X-Forwarded-For: 192.0.2.1, 10.1.1.1\r\nX-Real-IP: 10.1.1.1\r\n", "192.0.2.1");
}

static void a_chain_without_end_is_not_believed(void **state)
{
    (void)state;
    char line[1024] = "X-Forwarded-For: ";
    size_t used = strlen(line);
    for (int i = 0; i < 33; i++)
        used += (size_t)snprintf(line + used, sizeof(line) - used, "10.0.0.%d, ", i);
    snprintf(line + used, sizeof(line) - used, "10.1.1.1\r\n");
    assert_client(line, "");
}

static void proxies_are_noticed(void **state)
{
    (void)state;
    static const char *const telling[] = {
        "Forwarded: for=x\r\n", "x-forwarded-for:\r\n",         "X-Real-IP: 1\r\n",
        "Via: 1.1 proxy\r\n",   "X-Forwarded-Proto: https\r\n",
    };
    for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++) {
        parse(telling[i]);
        assert_true(http_forwarded_hides(&head));
    }
    parse("X-Forwarded: x\r\nUser-Agent: x\r\n");
    assert_false(http_forwarded_hides(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_stranger_is_the_client),
        cmocka_unit_test(addresses_are_written_in_many_ways),
        cmocka_unit_test(what_is_no_address_tells_nothing),
        cmocka_unit_test(headers_that_disagree_tell_nothing),
        cmocka_unit_test(a_chain_without_end_is_not_believed),
        cmocka_unit_test(proxies_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
