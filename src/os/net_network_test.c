// SPDX-License-Identifier: MIT
#include "os/net_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct net_address address_of(const char *text)
{
    struct net_address address = {.family = strchr(text, ':') == NULL ? 4 : 6};
    assert_int_equal(inet_pton(address.family == 4 ? AF_INET : AF_INET6, text, address.octets), 1);
    return address;
}

static bool has(const char *networks, const char *host)
{
    struct net_networks parsed;
    const char *bad;
    struct net_address address = address_of(host);
    assert_int_equal(net_networks_parse(networks, &parsed, &bad), 0);
    return net_networks_have(&parsed, &address);
}

static void an_address_is_in_its_network_alone(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.1.2"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_true(has("192.168.1.7", "192.168.1.7"));
    assert_false(has("192.168.1.7", "192.168.1.6"));
    assert_true(has("172.16.0.0/12", "172.31.255.255"));
    assert_false(has("172.16.0.0/12", "172.32.0.0"));
    assert_true(has("fd00::/8, ::1", "fd12::9"));
    assert_true(has("fd00::/8, ::1", "::1"));
    assert_false(has("fd00::/8 ::1", "::2"));
    assert_true(has("0.0.0.0/0", "8.8.8.8"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_false(has("::/0", "127.0.0.1"));
    assert_false(has("", "127.0.0.1"));
}

static void what_is_no_network_is_pointed_at(void **state)
{
    (void)state;
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8",    "fd00::/129",
                                      "10.0.0.0/",   "10.0.0.0/-1", "localhost",
                                      "1.2.3.4/8x",  "::g",         "10.0.0.0/0008"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct net_networks parsed;
        char text[64];
        const char *where = NULL;
        (void)snprintf(text, sizeof(text), "127.0.0.1, %s", bad[i]);
        assert_int_equal(net_networks_parse(text, &parsed, &where), -EINVAL);
        assert_string_equal(where, bad[i]);
    }
}

static void more_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    char text[(NET_NETWORKS_MAX + 1) * 4 + 1];
    struct net_networks parsed;
    const char *where;
    for (size_t i = 0; i <= NET_NETWORKS_MAX; i++)
        (void)snprintf(text + 4 * i, sizeof(text) - 4 * i, "::1 ");
    assert_int_equal(net_networks_parse(text, &parsed, &where), -EINVAL);
    text[4 * NET_NETWORKS_MAX] = 0;
    assert_int_equal(net_networks_parse(text, &parsed, &where), 0);
    assert_int_equal(parsed.count, NET_NETWORKS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_in_its_network_alone),
        cmocka_unit_test(what_is_no_network_is_pointed_at),
        cmocka_unit_test(more_than_there_is_room_for_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
