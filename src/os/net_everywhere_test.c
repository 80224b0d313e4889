// SPDX-License-Identifier: MIT
// Listening on every interface, in a network namespace of the test's own: nobody outside can reach
// it, and IPv6 can be taken away. Skipped where the kernel grants no namespace.
#include "os/net.h"

#include "os/net_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { PATIENCE_MS = 20000 };

static bool isolated;

static bool loopback_goes_up(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
    snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
    bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0) {
        net_close(fd);
    }
    return up;
}

static void skip_unless_isolated(void)
{
    if (!isolated) {
        skip();
    }
}

static bool has_ipv6(void)
{
    int probe = net_listen("::1", 0, 1);
    if (probe >= 0) {
        net_close(probe);
    }
    return probe >= 0;
}

static uint16_t port_of(int fd)
{
    struct net_address address;
    assert_int_equal(net_local_address(fd, &address), 0);
    return address.port;
}

// Connects to the listener by this address and says who it thinks we are.
static void assert_peer(int listener, const char *host)
{
    struct net_address peer;
    char text[NET_ADDRESS_TEXT_MAX];
    int client = net_connect(host, port_of(listener), PATIENCE_MS);
    assert_true(client >= 0);
    assert_int_equal(net_wait(listener, false, PATIENCE_MS), 1);
    int server = net_accept(listener, 0, &peer);
    assert_true(server >= 0);
    net_address_host_text(&peer, text);
    assert_string_equal(text, host);
    net_close(server);
    net_close(client);
}

static void one_socket_serves_both_families(void **state)
{
    (void)state;
    skip_unless_isolated();
    int nameless = net_listen("", 0, 16);
    assert_true(nameless >= 0);
    assert_peer(nameless, "127.0.0.1"); // as IPv4, not as a mapped address
    if (has_ipv6()) {
        assert_peer(nameless, "::1");
    }
    net_close(nameless);
    int null = net_listen(NULL, 0, 16);
    assert_true(null >= 0);
    assert_peer(null, "127.0.0.1");
    net_close(null);
}

// Otherwise half of the clients would meet the other program.
static void a_port_in_use_by_one_family_is_in_use(void **state)
{
    (void)state;
    skip_unless_isolated();
    int taken = net_listen("0.0.0.0", 0, 16);
    assert_true(taken >= 0);
    assert_int_equal(net_listen("", port_of(taken), 16), -EADDRINUSE);
    net_close(taken);
    if (has_ipv6()) {
        taken = net_listen("::", 0, 16);
        assert_true(taken >= 0);
        assert_int_equal(net_listen("", port_of(taken), 16), -EADDRINUSE);
        net_close(taken);
    }
}

static void both_wildcards_can_stand_side_by_side(void **state)
{
    (void)state;
    skip_unless_isolated();
    if (!has_ipv6()) {
        skip();
    }
    int v6 = net_listen("::", 0, 16);
    assert_true(v6 >= 0);
    int v4 = net_listen("0.0.0.0", port_of(v6), 16);
    assert_true(v4 >= 0);
    assert_peer(v6, "::1");
    assert_peer(v4, "127.0.0.1");
    net_close(v4);
    net_close(v6);
}

// From now on socket(AF_INET6, ...) fails in this process as in a kernel without IPv6.
static bool take_ipv6_away(void)
{
    const uint32_t family = offsetof(struct seccomp_data, args[0]) +
                            (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(uint32_t) : 0);
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, family),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Last, for there is no way back.
static void without_ipv6_it_is_ipv4(void **state)
{
    (void)state;
    skip_unless_isolated();
    if (!take_ipv6_away()) {
        skip();
    }
    assert_false(has_ipv6());
    int fd = net_listen("", 0, 16);
    assert_true(fd >= 0);
    assert_peer(fd, "127.0.0.1");
    net_close(fd);
}

int main(void)
{
    isolated = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    isolated = isolated && loopback_goes_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_socket_serves_both_families),
        cmocka_unit_test(a_port_in_use_by_one_family_is_in_use),
        cmocka_unit_test(both_wildcards_can_stand_side_by_side),
        cmocka_unit_test(without_ipv6_it_is_ipv4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
