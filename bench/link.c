// SPDX-License-Identifier: MIT
// One connection of the load generator; see link.h. Memory is sized by what we ourselves sent, so
// a failed allocation stops the generator.

#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "wire.h"

#define ANSWER_SECONDS_MAX 10

static void append(struct link_bytes *bytes, const uint8_t *data, size_t size)
{
    if (bytes->size + size > bytes->size_max) {
        bytes->size_max = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->size_max);
        if (!bytes->data) {
            fputs("bench_load: out of memory\n", stderr);
            abort();
        }
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    struct timeval patience = {.tv_sec = ANSWER_SECONDS_MAX};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        connect(fd, (struct sockaddr *)&address, sizeof address)) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

// Sends a request while the socket still blocks, and reads exactly the answer.
static int ask(int fd, const uint8_t *request, size_t size, uint8_t *answer, size_t answer_size)
{
    if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
        return -EPIPE;
    ssize_t received = recv(fd, answer, answer_size, MSG_WAITALL);
    if (received < 0)
        return -errno;
    return received == (ssize_t)answer_size ? 0 : -ECONNRESET;
}

static int open_as(struct link *link, uint16_t port, const char *client_id, int clean_session)
{
    uint8_t packet[WIRE_SMALL_MAX];
    uint8_t answer[4];
    *link = (struct link){.epoll = -1};
    link->fd = dial(port);
    if (link->fd < 0)
        return link->fd;
    size_t size = wire_put_connect(packet, client_id, clean_session);
    int error = ask(link->fd, packet, size, answer, sizeof answer);
    if (!error && (answer[0] != WIRE_CONNACK || answer[3] != 0))
        error = -EPROTO;
    return error;
}

int link_open(struct link *link, uint16_t port, const char *client_id)
{
    return open_as(link, port, client_id, 1);
}

int link_open_kept(struct link *link, uint16_t port, const char *client_id)
{
    return open_as(link, port, client_id, 0);
}

int link_subscribe(struct link *link, const char *topic, uint8_t qos)
{
    uint8_t packet[WIRE_SMALL_MAX];
    uint8_t answer[5];
    size_t size = wire_put_subscribe(packet, 1, topic, qos);
    int error = ask(link->fd, packet, size, answer, sizeof answer);
    if (!error && (answer[0] != WIRE_SUBACK || answer[4] != qos))
        error = -EPROTO;
    return error;
}

int link_ping(struct link *link)
{
    uint8_t answer[2];
    int error = ask(link->fd, (const uint8_t[]){WIRE_PINGREQ, 0}, 2, answer, sizeof answer);
    if (!error && answer[0] != WIRE_PINGRESP)
        error = -EPROTO;
    return error;
}

// Sent, and the broker has closed: it is done with all that the goodbye brings.
int link_disconnect(struct link *link)
{
    uint8_t none;
    if (send(link->fd, (const uint8_t[]){WIRE_DISCONNECT, 0}, 2, MSG_NOSIGNAL) != 2)
        return -EPIPE;
    ssize_t received = recv(link->fd, &none, 1, 0);
    if (received < 0)
        return -errno;
    return received == 0 ? 0 : -EPROTO;
}

int link_run(struct link *link, int epoll, void *owner)
{
    link->epoll = epoll;
    link->owner = owner;
    int flags = fcntl(link->fd, F_GETFL);
    if (flags < 0 || fcntl(link->fd, F_SETFL, flags | O_NONBLOCK))
        return -errno;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, link->fd, &event) ? -errno : 0;
}

void link_close(struct link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    free(link->tail.data);
    free(link->out.data);
}

static int want_writable(struct link *link, bool wanted)
{
    if (link->wants_writable == wanted)
        return 0;
    link->wants_writable = wanted;
    uint32_t events = EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0u);
    struct epoll_event event = {.events = events, .data.ptr = link};
    return epoll_ctl(link->epoll, EPOLL_CTL_MOD, link->fd, &event) ? -errno : 0;
}

// How much the socket took; "not now" is 0.
static ssize_t offer(int fd, const uint8_t *data, size_t size)
{
    ssize_t taken = send(fd, data, size, MSG_NOSIGNAL);
    if (taken >= 0)
        return taken;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int link_send(struct link *link, const uint8_t *data, size_t size)
{
    ssize_t taken = link->out.size ? 0 : offer(link->fd, data, size);
    if (taken < 0)
        return (int)taken;
    if ((size_t)taken == size)
        return 0;
    append(&link->out, data + taken, size - (size_t)taken);
    return want_writable(link, true);
}

int link_flush(struct link *link)
{
    ssize_t taken = offer(link->fd, link->out.data, link->out.size);
    if (taken < 0)
        return (int)taken;
    link->out.size -= (size_t)taken;
    memmove(link->out.data, link->out.data + taken, link->out.size);
    return want_writable(link, link->out.size > 0);
}

bool link_is_blocked(const struct link *link)
{
    return link->out.size > 0;
}

ptrdiff_t link_receive(struct link *link, uint8_t *buffer, size_t size_max)
{
    size_t kept = link->tail.size;
    if (kept >= size_max)
        return -EMSGSIZE;
    if (kept)
        memcpy(buffer, link->tail.data, kept);
    ssize_t received = recv(link->fd, buffer + kept, size_max - kept, 0);
    if (received == 0)
        return -ECONNRESET;
    if (received < 0)
        return errno == EAGAIN || errno == EINTR ? (ptrdiff_t)kept : -errno;
    return (ptrdiff_t)kept + received;
}

void link_keep(struct link *link, const uint8_t *rest, size_t size)
{
    link->tail.size = 0;
    if (size)
        append(&link->tail, rest, size);
}
