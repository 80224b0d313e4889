// SPDX-License-Identifier: MIT
#include "os/systemd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void set_number(const char *name, long number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%ld", number);
    setenv(name, text, 1);
}

// A socket that stands for systemd's, by an abstract name.
static int listen_as_systemd(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int size = snprintf(name, sizeof(name), "@bud-systemd-test-%ld", (long)getpid());
    memcpy(address.sun_path, name, (size_t)size);
    address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void notes_arrive_as_they_were_given(void **state)
{
    (void)state;
    char text[128] = "";
    int fd = listen_as_systemd();
    assert_int_equal(systemd_notify("READY=1\nSTATUS=fine"), 0);
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "READY=1\nSTATUS=fine");
    memset(text, 0, sizeof(text));
    assert_int_equal(systemd_notify_reloading(), 0);
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "RELOADING=1\nMONOTONIC_USEC="));
    close(fd);
    assert_true(systemd_notify("READY=1") < 0); // nobody is there any more
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(systemd_notify("READY=1"), 0);
}

static void sockets_are_taken_only_by_whom_they_are_for(void **state)
{
    (void)state;
    int first = 0;
    assert_int_equal(systemd_take_sockets(&first), 0);
    setenv("LISTEN_FDS", "1", 1);
    set_number("LISTEN_PID", (long)getpid() + 1);
    assert_int_equal(systemd_take_sockets(&first), 0);
    assert_null(getenv("LISTEN_FDS"));
    setenv("LISTEN_FDS", "many", 1);
    set_number("LISTEN_PID", getpid());
    assert_int_equal(systemd_take_sockets(&first), 0);
}

static void the_watchdog_is_told_twice_in_its_time(void **state)
{
    (void)state;
    assert_int_equal(systemd_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "3000000", 1);
    assert_int_equal(systemd_watchdog_ms(), 1500);
    set_number("WATCHDOG_PID", (long)getpid() + 1);
    assert_int_equal(systemd_watchdog_ms(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_arrive_as_they_were_given),
        cmocka_unit_test(sockets_are_taken_only_by_whom_they_are_for),
        cmocka_unit_test(the_watchdog_is_told_twice_in_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
