// SPDX-License-Identifier: MIT
#include "os/net_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

// As the kernel would give it.
static struct net_address parse(const char *host, uint16_t port)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    if (strchr(host, ':') == NULL) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        assert_int_equal(inet_pton(AF_INET, host, &v4->sin_addr), 1);
    } else {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        assert_int_equal(inet_pton(AF_INET6, host, &v6->sin6_addr), 1);
    }
    return net_address_from_kernel(&storage);
}

static void text_is_what_people_write(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        uint16_t port;
        const char *host_text, *text;
    } cases[] = {
        {"10.0.0.7", 51234, "10.0.0.7", "10.0.0.7:51234"},
        {"255.255.255.255", 65535, "255.255.255.255", "255.255.255.255:65535"},
        {"fe80::1", 1883, "fe80::1", "[fe80::1]:1883"},
        {"::", 0, "::", "[::]:0"},
        {"::ffff:10.0.0.1", 1883, "10.0.0.1", "10.0.0.1:1883"},
        {"1111:2222:3333:4444:5555:6666:7777:8888", 65535,
         "1111:2222:3333:4444:5555:6666:7777:8888",
         "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        struct net_address address = parse(cases[index].host, cases[index].port);
        char text[NET_ADDRESS_TEXT_MAX];
        net_address_text(&address, text);
        assert_string_equal(text, cases[index].text);
        net_address_host_text(&address, text);
        assert_string_equal(text, cases[index].host_text);
    }
}

static void other_families_have_names(void **state)
{
    (void)state;
    struct sockaddr_storage storage = {.ss_family = AF_UNIX};
    struct net_address address = net_address_from_kernel(&storage);
    char text[NET_ADDRESS_TEXT_MAX];
    net_address_text(&address, text);
    assert_string_equal(text, "unix");
    assert_int_equal(address.family, 1);
    storage.ss_family = AF_PACKET;
    address = net_address_from_kernel(&storage);
    net_address_text(&address, text);
    assert_string_equal(text, "unknown");
    assert_int_equal(address.family, 0);
    net_address_host_text(&address, text);
    assert_string_equal(text, "unknown");
}

static void private_ranges_have_exact_edges(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool is_private;
    } cases[] = {
        {"9.255.255.255", false},
        {"10.0.0.0", true},
        {"10.255.255.255", true},
        {"11.0.0.0", false},
        {"172.15.255.255", false},
        {"172.16.0.0", true},
        {"172.31.255.255", true},
        {"172.32.0.0", false},
        {"192.167.255.255", false},
        {"192.168.0.0", true},
        {"192.168.255.255", true},
        {"192.169.0.0", false},
        {"169.253.255.255", false},
        {"169.254.0.0", true},
        {"169.254.255.255", true},
        {"169.255.0.0", false},
        {"100.64.0.1", false}, // shared with strangers of the same provider
        {"100.127.255.255", false},
        {"127.0.0.1", false}, // loopback is another question
        {"0.0.0.0", false},
        {"8.8.8.8", false},
        {"224.0.0.1", false},
        {"255.255.255.255", false},
        {"fbff::", false},
        {"fc00::", true},
        {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
        {"fe00::", false},
        {"fe7f:ffff::", false},
        {"fe80::", true},
        {"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
        {"fec0::", false},
        {"::1", false},
        {"::", false},
        {"2001:db8::1", false},
        {"::ffff:10.0.0.1", true},
        {"::ffff:172.32.0.0", false},
        {"::ffff:8.8.8.8", false},
        {"::10.0.0.1", false}, // the long dead "compatible" form is no IPv4
        {"a00::", false},      // begins with the bits of 10/8
        {"c0a8::", false},     // and of 192.168/16
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        struct net_address address = parse(cases[index].host, 1883);
        if (net_address_is_private(&address) != cases[index].is_private) {
            fail_msg("%s", cases[index].host);
        }
    }
}

static void loopback_has_exact_edges(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool is_loopback;
    } cases[] = {
        {"126.255.255.255", false},
        {"127.0.0.0", true},
        {"127.255.255.255", true},
        {"128.0.0.0", false},
        {"10.0.0.1", false},
        {"0.0.0.0", false},
        {"::1", true},
        {"::2", false},
        {"::", false},
        {"7f00::1", false},
        {"::ffff:127.0.0.1", true},
        {"::ffff:128.0.0.1", false},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        struct net_address address = parse(cases[index].host, 1883);
        if (net_address_is_loopback(&address) != cases[index].is_loopback) {
            fail_msg("%s", cases[index].host);
        }
    }
}

static void a_mapped_address_is_ipv4_whoever_built_it(void **state)
{
    (void)state;
    struct net_address address = {.family = 6,
                                  .octets = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    char text[NET_ADDRESS_TEXT_MAX];
    assert_true(net_address_is_loopback(&address));
    net_address_text(&address, text);
    assert_string_equal(text, "127.0.0.1:0");
    address.octets[12] = 10;
    assert_true(net_address_is_private(&address));
    assert_false(net_address_is_loopback(&address));
}

static void only_unix_sockets_are_local_without_an_address(void **state)
{
    (void)state;
    struct net_address local = {.family = 1};
    struct net_address unknown = {.family = 0, .octets = {127, 0, 0, 1}};
    assert_true(net_address_is_loopback(&local));
    assert_false(net_address_is_private(&local));
    assert_false(net_address_is_loopback(&unknown));
    unknown.octets[0] = 10;
    assert_false(net_address_is_private(&unknown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_what_people_write),
        cmocka_unit_test(other_families_have_names),
        cmocka_unit_test(private_ranges_have_exact_edges),
        cmocka_unit_test(loopback_has_exact_edges),
        cmocka_unit_test(a_mapped_address_is_ipv4_whoever_built_it),
        cmocka_unit_test(only_unix_sockets_are_local_without_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
