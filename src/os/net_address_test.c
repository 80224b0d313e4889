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

static bool reads(const char *host, size_t size, struct net_address *ret_address)
{
    uint8_t *exact = test_malloc(size == 0 ? 1 : size); // one byte too far is seen
    memcpy(exact, host, size);
    bool read = net_address_parse(bytes_make(exact, size), ret_address);
    test_free(exact);
    return read;
}

static void text_becomes_an_address(void **state)
{
    (void)state;
    static const char *const good[] = {
        "10.0.0.7",
        "255.255.255.255",
        "::",
        "fe80::1",
        "::ffff:10.0.0.1",
        "1111:2222:3333:4444:5555:6666:7777:8888",
        "1111:2222:3333:4444:5555:6666:127.127.127.127",
    };
    for (size_t index = 0; index < sizeof good / sizeof *good; index++) {
        struct net_address expected = parse(good[index], 0);
        struct net_address address = {0};
        assert_true(reads(good[index], strlen(good[index]), &address));
        assert_true(net_address_same_host(&address, &expected));
        assert_int_equal(address.family, expected.family);
        assert_int_equal(address.port, 0);
    }
}

static void other_text_is_no_address(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.4:80",
        "[::1]",
        "fe80::1%eth0",
        ":::",
        "1::2::3",
        "localhost",
        "::g",
        "unknown",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999",
        "1111:2222:3333:4444:5555:6666:255.255.255.2555",
        "00001111:2222:3333:4444:5555:6666:7777:8888",
    };
    struct net_address address = {.family = 9};
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        assert_false(reads(bad[index], strlen(bad[index]), &address));
    assert_false(reads("1.2.3.4\0", 8, &address));
    assert_false(reads("\0"
                       "1.2.3.4",
                       8, &address));
    assert_int_equal(address.family, 9); // untouched
}

static void a_host_is_the_same_whatever_the_port(void **state)
{
    (void)state;
    struct net_address a = parse("10.0.0.1", 1), b = parse("::ffff:10.0.0.1", 2);
    struct net_address c = parse("10.0.0.2", 1), d = parse("a00:1::", 1);
    assert_true(net_address_same_host(&a, &b));
    assert_false(net_address_same_host(&a, &c));
    assert_false(net_address_same_host(&a, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_what_people_write),
        cmocka_unit_test(text_becomes_an_address),
        cmocka_unit_test(other_text_is_no_address),
        cmocka_unit_test(a_host_is_the_same_whatever_the_port),
        cmocka_unit_test(other_families_have_names),
        cmocka_unit_test(private_ranges_have_exact_edges),
        cmocka_unit_test(loopback_has_exact_edges),
        cmocka_unit_test(a_mapped_address_is_ipv4_whoever_built_it),
        cmocka_unit_test(only_unix_sockets_are_local_without_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
