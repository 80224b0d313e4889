// SPDX-License-Identifier: MIT
#include "os/gateway.h"

#include <arpa/inet.h>
#include <stdio.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char v4_head[] =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

static struct net_address address_of(const char *text)
{
    struct net_address address = {.family = 4};
    if (inet_pton(AF_INET, text, address.octets) != 1) {
        address.family = 6;
        assert_int_equal(inet_pton(AF_INET6, text, address.octets), 1);
    }
    return address;
}

static bool has(const struct gateways *gateways, const char *text)
{
    struct net_address address = address_of(text);
    return gateways_have(gateways, &address);
}

static void only_default_gateways_count(void **state)
{
    (void)state;
    char text[1024];
    struct gateways gateways;
    uint32_t router, other;
    inet_pton(AF_INET, "172.17.0.1", &router);
    inet_pton(AF_INET, "10.0.0.1", &other);
    (void)snprintf(text, sizeof(text),
                   "%seth0\t00000000\t%08X\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
                   "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
                   "eth1\t0000000A\t%08X\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n"
                   "eth2\t00000000\t%08X\t0002\t0\t0\t0\t00000000\t0\t0\t0\n",
                   v4_head, router, other, other);
    gateways_parse(text,
                   "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                   "fe800000000000000000000000000001 00000400 00000001 00000000 00450003 eth0\n"
                   "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 "
                   "fe800000000000000000000000000002 00000400 00000001 00000000 00450003 eth0\n"
                   "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                   "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n",
                   &gateways);
    assert_int_equal(gateways.count, 2);
    assert_true(has(&gateways, "172.17.0.1") && has(&gateways, "fe80::1"));
    assert_false(has(&gateways, "172.17.0.2") || has(&gateways, "10.0.0.1"));
    assert_false(has(&gateways, "fe80::2") || has(&gateways, "::") || has(&gateways, "0.0.0.0"));
}

static void nonsense_is_no_gateway(void **state)
{
    (void)state;
    struct gateways gateways;
    gateways_parse("", "", &gateways);
    assert_int_equal(gateways.count, 0);
    gateways_parse("x\n\n\t\neth0 zz zz zz", "0 0 0 0 0\nzz", &gateways);
    assert_int_equal(gateways.count, 0);
    gateways_read(&gateways);
    assert_false(has(&gateways, "127.0.0.1"));
}

static void there_are_no_more_than_there_is_room(void **state)
{
    (void)state;
    char text[4096];
    struct gateways gateways;
    int size = snprintf(text, sizeof(text), "%s", v4_head);
    for (int i = 1; i < 20; i++)
        size += snprintf(text + size, sizeof(text) - (size_t)size,
                         "e\t00000000\t%08X\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", (unsigned)i);
    gateways_parse(text, "", &gateways);
    assert_int_equal(gateways.count, GATEWAYS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_default_gateways_count),
        cmocka_unit_test(nonsense_is_no_gateway),
        cmocka_unit_test(there_are_no_more_than_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
