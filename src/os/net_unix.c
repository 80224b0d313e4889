// SPDX-License-Identifier: MIT
// Unix sockets to listen on. A file that a dead process left behind is taken over; one that
// somebody still listens on is not.
#include "os/net.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int address_of(const char *path, struct sockaddr_un *ret_address)
{
    size_t size = strlen(path);
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size >= sizeof ret_address->sun_path)
        return -ENAMETOOLONG;
    memcpy(ret_address->sun_path, path, size);
    return 0;
}

// True: nobody answers there any more.
static bool is_left_behind(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused =
        connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
    net_close(fd);
    return refused;
}

static int bind_to(int fd, const struct sockaddr_un *address)
{
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return 0;
    if (errno != EADDRINUSE || !is_left_behind(address))
        return -errno;
    if (unlink(address->sun_path) < 0)
        return -errno;
    return bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : -errno;
}

int net_listen_unix(const char *path, unsigned mode, int backlog)
{
    struct sockaddr_un address;
    int error = address_of(path, &address);
    if (error < 0)
        return error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    // Whom the file is for is decided before anybody can connect: listen comes last.
    error = bind_to(fd, &address);
    if (error == 0 && chmod(path, mode) < 0)
        error = -errno;
    if (error == 0 && listen(fd, backlog) < 0)
        error = -errno;
    if (error < 0) {
        net_close(fd);
        return error;
    }
    return fd;
}

// Connecting to a Unix socket does not wait, unless its backlog is full.
int net_connect_unix(const char *path)
{
    struct sockaddr_un address;
    int error = address_of(path, &address);
    if (error < 0)
        return error;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error = -errno;
    net_close(fd);
    return error;
}

void net_unlink_unix(const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        (void)unlink(path); // the next start takes it over in any case
}
