// SPDX-License-Identifier: MIT
// The server's side of sockets. Every descriptor from here is non-blocking and close-on-exec.
// An attacker controls when connections come, break and stop reading; what the kernel reports of
// that is an errno for the caller, never an assertion.
#include "os/net.h"

#include "base/assert.h"
#include "os/net_address.h"
#include "os/net_resolve.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

static int bind_to_device(int fd, const char *device)
{
    if (device == NULL || device[0] == '\0') {
        return 0;
    }
    int result = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device));
    return result == 0 ? 0 : -errno;
}

static int bind_and_listen(int fd, const struct sockaddr *address, socklen_t size, int backlog)
{
    int error = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error != 0) {
        return error;
    }
    if (bind(fd, address, size) < 0 || listen(fd, backlog) < 0) {
        return -errno;
    }
    return 0;
}

// v6_only says whether an IPv6 socket leaves IPv4 to others; it means nothing to an IPv4 one.
static int listen_on(const struct sockaddr *address, socklen_t size, bool v6_only,
                     const char *device, int backlog)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = 0;
    if (address->sa_family == AF_INET6) {
        error = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only);
    }
    if (error == 0) {
        error = bind_to_device(fd, device);
    }
    if (error == 0) {
        error = bind_and_listen(fd, address, size, backlog);
    }
    if (error != 0) {
        net_close(fd);
        return error;
    }
    return fd;
}

static int listen_everywhere(const struct net_where *where, int backlog)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(where->port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(where->port)};
    int fd = -EAFNOSUPPORT;
    if (where->family != 4) {
        fd = listen_on((const struct sockaddr *)&v6, sizeof v6, where->family == 6, where->device,
                       backlog);
    }
    // Only a kernel without IPv6 answers so. A port in use must not become "IPv4 only" silently.
    if (where->family == 6 || (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)) {
        return fd;
    }
    return listen_on((const struct sockaddr *)&v4, sizeof v4, false, where->device, backlog);
}

static bool is_wanted(const struct addrinfo *item, uint8_t family)
{
    return family == 0 || item->ai_family == (family == 4 ? AF_INET : AF_INET6);
}

// Of a name's addresses the first that can be listened on. "::" given by name is IPv6 alone, so
// that "0.0.0.0" can stand beside it.
int net_listen_where(const struct net_where *where, int backlog)
{
    if (where->host == NULL || where->host[0] == '\0') {
        return listen_everywhere(where, backlog);
    }
    struct addrinfo *list;
    int result = net_resolve(where->host, where->port, &list);
    if (result != 0) {
        return result;
    }
    result = -ENOENT;
    for (const struct addrinfo *item = list; item != NULL && result < 0; item = item->ai_next) {
        if (is_wanted(item, where->family)) {
            result = listen_on(item->ai_addr, item->ai_addrlen, true, where->device, backlog);
        }
    }
    freeaddrinfo(list);
    return result;
}

int net_listen(const char *host, uint16_t port, int backlog)
{
    return net_listen_where(&(struct net_where){.host = host, .port = port}, backlog);
}

int net_local_address(int fd, struct net_address *ret_address)
{
    struct sockaddr_storage storage = {0};
    socklen_t size = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) < 0) {
        return -errno;
    }
    *ret_address = net_address_from_kernel(&storage);
    return 0;
}

// Linux hands errors that already hit the new connection to accept(): it is gone, the listener is
// well, and the caller shall see one name for it.
static int accept_error(int error)
{
    switch (error) {
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPERM: // a firewall rule
        return -ECONNABORTED;
    default: return -error;
    }
}

static int prepare_connection(int fd, int user_timeout_ms)
{
    int error = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (error == 0) {
        error = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    }
    if (error == 0 && user_timeout_ms > 0) {
        error = set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
    }
    return error;
}

int net_accept(int listener, int user_timeout_ms, struct net_address *ret_peer)
{
    struct sockaddr_storage storage;
    socklen_t size;
    int fd;
    do {
        storage = (struct sockaddr_storage){0};
        size = sizeof storage;
        fd = accept4(listener, (struct sockaddr *)&storage, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return accept_error(errno);
    }
    struct net_address peer = net_address_from_kernel(&storage);
    int error = peer.family == 1 ? 0 : prepare_connection(fd, user_timeout_ms);
    if (error != 0) {
        net_close(fd);
        return error;
    }
    *ret_peer = peer;
    return fd;
}

ssize_t net_read(int fd, void *memory, size_t size)
{
    ssize_t count;
    do {
        count = recv(fd, memory, size, 0);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

ssize_t net_writev(int fd, const struct iovec *parts, int count)
{
    // The cast drops const for the kernel's sake, which does not write there. More parts than it
    // takes at once are left for the caller's next call.
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)parts,
        .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX),
    };
    ssize_t size;
    do {
        size = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : size;
}

void net_shutdown_write(int fd)
{
    // Fails when the peer has reset the connection: then there is nobody to send the FIN to.
    int result = shutdown(fd, SHUT_WR);
    ASSERT(result == 0 || errno != EBADF);
}

void net_close(int fd)
{
    // Linux frees the descriptor whatever close says, so there is nothing to retry.
    int result = close(fd);
    ASSERT(result == 0 || errno != EBADF);
}

void net_close_reset(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    // Should it fail, the connection ends with a FIN instead, and ends.
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    net_close(fd);
}
