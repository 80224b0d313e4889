// SPDX-License-Identifier: MIT
// Real sockets on 127.0.0.1, ports chosen by the kernel.
#include "os/net.h"

#include "os/net_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 }; // nothing takes as long; only a broken run waits it out

static int listener = -1, client = -1, server = -1;
static uint16_t port;
static struct net_address peer;

static int set_up_listener(void **state)
{
    (void)state;
    struct net_address address;
    listener = net_listen("127.0.0.1", 0, 16);
    assert_true(listener >= 0);
    assert_int_equal(net_local_address(listener, &address), 0);
    port = address.port;
    return 0;
}

static int set_up_connection(void **state)
{
    set_up_listener(state);
    client = net_connect("127.0.0.1", port, PATIENCE_MS);
    assert_true(client >= 0);
    assert_int_equal(net_wait(listener, false, PATIENCE_MS), 1);
    server = net_accept(listener, 12345, &peer);
    assert_true(server >= 0);
    return 0;
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        net_close(*fd);
        *fd = -1;
    }
}

static int tear_down(void **state)
{
    (void)state;
    close_one(&client);
    close_one(&server);
    close_one(&listener);
    return 0;
}

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, option, &value, &size), 0);
    return value;
}

static void assert_flags(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void the_kernel_chooses_a_port(void **state)
{
    (void)state;
    struct net_address address;
    char text[NET_ADDRESS_TEXT_MAX];
    assert_int_equal(net_local_address(listener, &address), 0);
    assert_int_not_equal(address.port, 0);
    net_address_host_text(&address, text);
    assert_string_equal(text, "127.0.0.1");
    assert_flags(listener);
    assert_int_equal(net_accept(listener, 0, &peer), -EAGAIN);
}

static void both_ends_know_each_other(void **state)
{
    (void)state;
    struct net_address address;
    char here[NET_ADDRESS_TEXT_MAX], there[NET_ADDRESS_TEXT_MAX];
    assert_int_equal(net_local_address(client, &address), 0);
    net_address_text(&address, here);
    net_address_text(&peer, there);
    assert_string_equal(here, there);
    assert_true(net_address_is_loopback(&peer));
}

static void an_accepted_connection_is_prepared(void **state)
{
    (void)state;
    assert_flags(server);
    assert_flags(client);
    assert_true(option_of(server, IPPROTO_TCP, TCP_NODELAY));
    assert_true(option_of(server, SOL_SOCKET, SO_KEEPALIVE));
    assert_int_equal(option_of(server, IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
    assert_true(option_of(client, IPPROTO_TCP, TCP_NODELAY));
}

static void bytes_arrive_in_order_and_end(void **state)
{
    (void)state;
    char memory[32];
    struct iovec parts[] = {{"bud", 3}, {NULL, 0}, {"stikke", 6}};
    assert_int_equal(net_read(server, memory, sizeof memory), -EAGAIN);
    assert_int_equal(net_writev(client, parts, 3), 9);
    assert_int_equal(net_wait(server, false, PATIENCE_MS), 1);
    assert_int_equal(net_read(server, memory, 4), 4);
    assert_int_equal(net_read(server, memory + 4, sizeof memory - 4), 5);
    assert_memory_equal(memory, "budstikke", 9);
    net_shutdown_write(client);
    assert_int_equal(net_wait(server, false, PATIENCE_MS), 1);
    assert_int_equal(net_read(server, memory, sizeof memory), 0);
    // The other direction is still open.
    assert_int_equal(net_writev(server, parts, 1), 3);
    assert_int_equal(net_wait(client, false, PATIENCE_MS), 1);
    assert_int_equal(net_read(client, memory, sizeof memory), 3);
}

static void a_reader_that_sleeps_stops_the_writer(void **state)
{
    (void)state;
    static char block[1 << 16];
    struct iovec part = {block, sizeof block};
    ssize_t written = 0, size;
    while ((size = net_writev(server, &part, 1)) > 0) {
        written += size;
        assert_true(written < (ssize_t)1 << 30);
    }
    assert_int_equal(size, -EAGAIN);
    assert_int_equal(net_wait(server, true, 1), 0);
    while (written > 0) {
        assert_int_equal(net_wait(client, false, PATIENCE_MS), 1);
        size = net_read(client, block, sizeof block);
        assert_true(size > 0);
        written -= size;
    }
    assert_int_equal(net_wait(server, true, PATIENCE_MS), 1);
}

static void more_parts_than_the_kernel_takes_are_cut(void **state)
{
    (void)state;
    static struct iovec parts[IOV_MAX + 100];
    for (int index = 0; index < IOV_MAX + 100; index++) {
        parts[index] = (struct iovec){"x", 1};
    }
    ssize_t size = net_writev(client, parts, IOV_MAX + 100);
    assert_true(size > 0 && size <= IOV_MAX);
}

static void a_reset_is_an_error_and_no_signal(void **state)
{
    (void)state;
    char byte;
    struct iovec part = {"x", 1};
    net_close_reset(server);
    server = -1;
    assert_int_equal(net_wait(client, false, PATIENCE_MS), 1);
    assert_int_equal(net_read(client, &byte, 1), -ECONNRESET);
    assert_int_equal(net_writev(client, &part, 1), -EPIPE);
    net_shutdown_write(client); // nobody there; no harm
}

static void a_port_in_use_is_told(void **state)
{
    (void)state;
    assert_int_equal(net_listen("127.0.0.1", port, 16), -EADDRINUSE);
}

static void a_port_is_free_again_at_once(void **state)
{
    (void)state;
    close_one(&server); // this end waits in TIME_WAIT
    close_one(&client);
    close_one(&listener);
    listener = net_listen("127.0.0.1", port, 16);
    assert_true(listener >= 0);
}

static void a_name_can_be_listened_on(void **state)
{
    (void)state;
    struct net_address address;
    int named = net_listen("localhost", 0, 16);
    assert_true(named >= 0);
    assert_int_equal(net_local_address(named, &address), 0);
    assert_true(net_address_is_loopback(&address));
    net_close(named);
}

// Longer than a label of the DNS may be: no resolver asks anybody.
#define NO_NAME                                                                                    \
    "a-label-of-more-than-sixty-three-characters-which-no-name-server-can-ever-be-asked-for"

static void what_cannot_be_had_is_named(void **state)
{
    (void)state;
    assert_int_equal(net_listen(NO_NAME, 0, 16), -ENOENT);
    assert_int_equal(net_connect(NO_NAME, 1883, PATIENCE_MS), -ENOENT);
    assert_int_equal(net_listen("203.0.113.1", 0, 16), -EADDRNOTAVAIL); // not this machine's
}

static void a_refused_connection_is_told(void **state)
{
    (void)state;
    // Bound, so that nobody else can have the port, but not listening.
    int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct net_address chosen;
    assert_int_equal(bind(bound, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(net_local_address(bound, &chosen), 0);
    assert_int_equal(net_connect("127.0.0.1", chosen.port, PATIENCE_MS), -ECONNREFUSED);
    net_close(bound);
}

// A full accept queue lets further connections wait: the way to a time-out without a network.
static void a_server_that_does_not_answer_times_out(void **state)
{
    (void)state;
    enum { TRIES = 16 };
    int fds[TRIES];
    int count = 0, result = 0;
    struct net_address address;
    int busy = net_listen("127.0.0.1", 0, 0);
    assert_int_equal(net_local_address(busy, &address), 0);
    while (count < TRIES && (result = net_connect("127.0.0.1", address.port, 50)) >= 0) {
        fds[count++] = result;
    }
    assert_int_equal(result, -ETIMEDOUT);
    while (count > 0) {
        net_close(fds[--count]);
    }
    net_close(busy);
}

static void no_descriptor_left_is_told(void **state)
{
    (void)state;
    struct rlimit before, none;
    client = net_connect("127.0.0.1", port, PATIENCE_MS);
    assert_true(client >= 0);
    assert_int_equal(net_wait(listener, false, PATIENCE_MS), 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = net_accept(listener, 0, &peer);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, -EMFILE);
    server = net_accept(listener, 0, &peer); // it was only put off
    assert_true(server >= 0);
}

static void a_socket_pair_is_local(void **state)
{
    (void)state;
    int ends[2];
    struct net_address address;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(net_local_address(ends[0], &address), 0);
    assert_int_equal(address.family, 1);
    net_close(ends[0]);
    net_close(ends[1]);
    assert_int_equal(net_local_address(ends[0], &address), -EBADF);
}

#define WITH_LISTENER(test) cmocka_unit_test_setup_teardown(test, set_up_listener, tear_down)
#define WITH_CONNECTION(test) cmocka_unit_test_setup_teardown(test, set_up_connection, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LISTENER(the_kernel_chooses_a_port),
        WITH_CONNECTION(both_ends_know_each_other),
        WITH_CONNECTION(an_accepted_connection_is_prepared),
        WITH_CONNECTION(bytes_arrive_in_order_and_end),
        WITH_CONNECTION(a_reader_that_sleeps_stops_the_writer),
        WITH_CONNECTION(more_parts_than_the_kernel_takes_are_cut),
        WITH_CONNECTION(a_reset_is_an_error_and_no_signal),
        WITH_LISTENER(a_port_in_use_is_told),
        WITH_CONNECTION(a_port_is_free_again_at_once),
        cmocka_unit_test(a_name_can_be_listened_on),
        cmocka_unit_test(what_cannot_be_had_is_named),
        cmocka_unit_test(a_refused_connection_is_told),
        cmocka_unit_test(a_server_that_does_not_answer_times_out),
        WITH_LISTENER(no_descriptor_left_is_told),
        cmocka_unit_test(a_socket_pair_is_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
