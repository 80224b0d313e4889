// SPDX-License-Identifier: MIT
#include "transport/http_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static bool is_public(const char *host, const char *origin)
{
    char text[512];
    struct http_head head;
    int size = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", host,
                        origin == NULL ? "" : "Origin: ", origin == NULL ? "" : origin,
                        origin == NULL ? "" : "\r\n");
    assert_int_equal(http_head_parse(bytes_make(text, (size_t)size), 0, &head), HTTP_WHOLE);
    return http_host_is_public(&head);
}

static void a_name_that_anybody_can_register_is_public(void **state)
{
    (void)state;
    assert_true(is_public("attacker.example:1883", "http://attacker.example:1883"));
    assert_true(is_public("local.example", "http://local.example"));
    assert_true(is_public("127.0.0.1.attacker.example", "http://x"));
    assert_true(is_public("mylan.net.", "http://mylan.net."));
    assert_true(is_public("notlocal.org", "https://notlocal.org"));
}

static void addresses_and_names_of_the_house_are_not(void **state)
{
    (void)state;
    static const char *const here[] = {
        "127.0.0.1:1883", "192.168.1.7",  "[::1]:1883",      "[fe80::1]", "localhost:9001",
        "broker",         "broker.local", "BROKER.LOCAL:80", "pi.lan",    "bud.home.arpa",
        "a.b.internal",   "x.localhost",  "broker.local.",
    };
    for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
        assert_false(is_public(here[i], "http://whatever"));
}

static void who_is_no_browser_calls_it_what_it_likes(void **state)
{
    (void)state;
    assert_false(is_public("attacker.example:1883", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_anybody_can_register_is_public),
        cmocka_unit_test(addresses_and_names_of_the_house_are_not),
        cmocka_unit_test(who_is_no_browser_calls_it_what_it_likes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
