// SPDX-License-Identifier: MIT
#include "os/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_DESCRIPTOR 3
#define SOCKETS_MAX 64

// A number in the environment from 1 to `maximum`; 0: there is none.
static int64_t number_of(const char *name, int64_t maximum)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return errno != 0 || *end != 0 || number > maximum ? 0 : number;
}

// Is it said to this process, and not to one above it?
static bool is_for_us(const char *name)
{
    return getenv(name) == NULL || number_of(name, INT_MAX) == getpid();
}

static bool prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

int systemd_take_sockets(int *ret_first)
{
    int count = 0;
    if (getenv("LISTEN_PID") != NULL && is_for_us("LISTEN_PID"))
        count = (int)number_of("LISTEN_FDS", SOCKETS_MAX);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    *ret_first = FIRST_DESCRIPTOR;
    for (int i = 0; i < count; i++)
        if (!prepare(FIRST_DESCRIPTOR + i))
            return i;
    return count;
}

int systemd_notify(const char *lines)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || path[0] == 0)
        return 0;
    size_t size = strlen(path);
    if (size >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') // a name that is no file
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    ssize_t sent =
        sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&address, length);
    int error = sent < 0 ? -errno : 0;
    close(fd);
    return error;
}

int systemd_notify_reloading(void)
{
    struct timespec now;
    char text[64];
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        return -errno;
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                   (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    return systemd_notify(text);
}

int64_t systemd_watchdog_ms(void)
{
    if (!is_for_us("WATCHDOG_PID"))
        return 0;
    return number_of("WATCHDOG_USEC", INT64_MAX) / 2000;
}
