// SPDX-License-Identifier: MIT
// The client's side: find the server, connect to it within a time. Called by the tools, the client
// library and bridges, never on a worker's loop. An attacker controls what a name resolves to.
#include "base/assert.h"
#include "os/clock.h"
#include "os/net.h"
#include "os/net_resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

int net_wait(int fd, bool for_write, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = for_write ? POLLOUT : POLLIN};
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    int left_ms = timeout_ms;
    for (;;) {
        int count = poll(&poll_fd, 1, left_ms);
        if (count >= 0) {
            return count;
        }
        if (errno != EINTR) {
            return -errno;
        }
        int64_t left = end_ms - clock_monotonic_ms();
        left_ms = timeout_ms < 0 ? -1 : left < 0 ? 0 : (int)left;
    }
}

static int await_connection(int fd, int timeout_ms)
{
    int ready = net_wait(fd, true, timeout_ms);
    if (ready <= 0) {
        return ready < 0 ? ready : -ETIMEDOUT;
    }
    int error = 0;
    socklen_t size = sizeof error;
    ASSERT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
    return -error;
}

static int start_connection(int fd, const struct addrinfo *target)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        return -errno;
    }
    return connect(fd, target->ai_addr, target->ai_addrlen) == 0 ? 0 : -errno;
}

static int connect_to(const struct addrinfo *target, int timeout_ms)
{
    int fd = socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = start_connection(fd, target);
    // An interrupted connect goes on by itself, as one in progress does.
    if (error == -EINPROGRESS || error == -EINTR) {
        error = await_connection(fd, timeout_ms);
    }
    if (error != 0) {
        net_close(fd);
        return error;
    }
    return fd;
}

static int count_targets(const struct addrinfo *list)
{
    int count = 0;
    for (; list != NULL; list = list->ai_next) {
        count++;
    }
    return count;
}

// Each address gets an equal part of the time that is left: one that swallows packets must not
// keep us from the next.
int net_connect(const char *host, uint16_t port, int timeout_ms)
{
    struct addrinfo *list;
    int result = net_resolve(host, port, &list);
    if (result != 0) {
        return result;
    }
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    int targets = count_targets(list);
    result = -ENOENT;
    for (const struct addrinfo *target = list; target != NULL && result < 0;
         target = target->ai_next, targets--) {
        int64_t left_ms = end_ms - clock_monotonic_ms();
        int part_ms = left_ms > 0 ? (int)(left_ms / targets) : 0;
        result = connect_to(target, timeout_ms < 0 ? -1 : part_ms);
    }
    freeaddrinfo(list);
    return result;
}
