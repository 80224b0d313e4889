// SPDX-License-Identifier: MIT
#include "os/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[] = "/tmp/bud-net-unix-XXXXXX";
static char path[128];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/socket", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static int call(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -errno;
}

static void a_caller_is_accepted_and_known_as_local(void **state)
{
    (void)state;
    struct stat status;
    int listener = net_listen_unix(path, 0600, 8);
    assert_true(listener >= 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    int caller = call();
    assert_true(caller >= 0);
    struct net_address peer;
    int fd = net_accept(listener, 1000, &peer);
    assert_true(fd >= 0);
    assert_int_equal(peer.family, 1);
    assert_true(net_address_is_loopback(&peer));
    net_close(fd);
    close(caller);
    net_close(listener);
    net_unlink_unix(path);
    assert_int_equal(access(path, F_OK), -1);
}

static void what_a_dead_process_left_is_taken_over(void **state)
{
    (void)state;
    int dead = net_listen_unix(path, 0600, 8);
    net_close(dead);
    int listener = net_listen_unix(path, 0600, 8);
    assert_true(listener >= 0);
    assert_int_equal(net_listen_unix(path, 0600, 8), -EADDRINUSE); // this one lives
    int caller = call();
    assert_true(caller >= 0);
    close(caller);
    net_close(listener);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(net_listen_unix(path, 0600, 8), -EADDRINUSE);
    net_unlink_unix(path);
    assert_int_equal(access(path, F_OK), 0);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char longer[300];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = 0;
    assert_int_equal(net_listen_unix(longer, 0600, 8), -ENAMETOOLONG);
    assert_int_equal(net_listen_unix("/no/such/directory/socket", 0600, 8), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_caller_is_accepted_and_known_as_local, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_dead_process_left_is_taken_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_socket_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_that_is_too_long_is_refused, set_up, tear_down),
    };
    if (mkdtemp(directory) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
