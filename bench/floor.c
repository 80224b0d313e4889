// SPDX-License-Identifier: MIT
// bench_floor: the least a process can do and still carry messages. It accepts connections, answers
// CONNECT, SUBSCRIBE and PINGREQ with fixed bytes, and forwards each PUBLISH as it came to those
// who subscribed to exactly its topic: one read for each readable connection, then one writev for
// each destination, once a turn. No sessions, no wildcards, no checks, no limits, no renumbering
// (a packet id reaches the subscriber as its publisher chose it: right as long as a subscriber
// hears one publisher). What a broker costs above this is its own doing; what this costs is the
// kernel's. It trusts its peers, which bench/run starts on 127.0.0.1: never serve others with it.

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire.h"

#define READ_SIZE_MAX 65536u
#define TURN_SIZE_MAX (16u * READ_SIZE_MAX)
#define EVENTS_MAX 256
#define PARTS_MAX 16
#define TOPICS_MAX 4096u // a power of two

struct client {
    int fd;
    bool open;
    bool dirty; // stands in turn.dirty
    bool wants_writable;
    uint8_t *tail; // the start of a packet that is not whole
    size_t tail_size;
    uint8_t *out; // what the socket did not take
    size_t out_size;
    struct iovec parts[PARTS_MAX];
    int parts_count;
};

struct route {
    char topic[WIRE_NAME_MAX + 1];
    size_t topic_size; // 0: a free place
    struct client **subscribers;
    size_t subscribers_count;
};

// What is read in a turn stays here until the turn's writes are done.
static struct {
    uint8_t read[TURN_SIZE_MAX];
    size_t read_size;
    uint8_t acks[TURN_SIZE_MAX];
    size_t acks_size;
    struct client **dirty;
    size_t dirty_count;
} turn;

static struct client **clients; // by descriptor
static size_t clients_max;
static struct route routes[TOPICS_MAX];
static int epoll_fd;

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void *grow(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory)
        give_up("bench_floor: realloc");
    return memory;
}

static struct route *find_route(const uint8_t *topic, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ topic[i]) * 16777619u;
    for (size_t step = 0; step < TOPICS_MAX; step++) {
        struct route *route = &routes[(hash + step) & (TOPICS_MAX - 1)];
        if (route->topic_size == 0)
            return route;
        if (route->topic_size == size && memcmp(route->topic, topic, size) == 0)
            return route;
    }
    errno = ENOSPC;
    give_up("bench_floor: topics");
    return NULL;
}

static void close_client(struct client *client)
{
    if (!client->open)
        return;
    client->open = false;
    close(client->fd);
    for (size_t i = 0; i < TOPICS_MAX; i++) {
        struct route *route = &routes[i];
        for (size_t j = 0; j < route->subscribers_count; j++)
            if (route->subscribers[j] == client)
                route->subscribers[j--] = route->subscribers[--route->subscribers_count];
    }
    free(client->tail);
    free(client->out);
    client->tail = client->out = NULL;
    client->tail_size = client->out_size = 0;
    client->parts_count = 0;
}

static void want_writable(struct client *client, bool wanted)
{
    if (client->wants_writable == wanted)
        return;
    client->wants_writable = wanted;
    struct epoll_event event = {.events = EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0u),
                                .data.ptr = client};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

// Puts aside the bytes of `parts` after the first `taken`.
static void keep_unsent(struct client *client, size_t taken)
{
    for (int i = 0; i < client->parts_count; i++) {
        struct iovec part = client->parts[i];
        size_t skip = taken < part.iov_len ? taken : part.iov_len;
        taken -= skip;
        if (skip == part.iov_len)
            continue;
        size_t rest = part.iov_len - skip;
        client->out = grow(client->out, client->out_size + rest);
        memcpy(client->out + client->out_size, (uint8_t *)part.iov_base + skip, rest);
        client->out_size += rest;
    }
    want_writable(client, client->out_size > 0);
}

static void flush_client(struct client *client)
{
    if (!client->open || client->parts_count == 0)
        return;
    ssize_t taken = 0;
    if (client->out_size == 0)
        taken = writev(client->fd, client->parts, client->parts_count);
    if (taken < 0 && errno != EAGAIN) {
        close_client(client);
        return;
    }
    keep_unsent(client, taken < 0 ? 0 : (size_t)taken);
    client->parts_count = 0;
}

static void flush_out(struct client *client)
{
    ssize_t taken = send(client->fd, client->out, client->out_size, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN) {
        close_client(client);
        return;
    }
    size_t done = taken < 0 ? 0 : (size_t)taken;
    client->out_size -= done;
    memmove(client->out, client->out + done, client->out_size);
    want_writable(client, client->out_size > 0);
}

static void flush_turn(void)
{
    for (size_t i = 0; i < turn.dirty_count; i++) {
        turn.dirty[i]->dirty = false;
        flush_client(turn.dirty[i]);
    }
    turn.dirty_count = 0;
    turn.read_size = 0;
    turn.acks_size = 0;
}

// Bytes that follow the last part in memory prolong it: a run of messages is one part.
static void queue_part(struct client *client, uint8_t *data, size_t size)
{
    if (!client->dirty) {
        client->dirty = true;
        turn.dirty[turn.dirty_count++] = client;
    }
    if (client->parts_count > 0) {
        struct iovec *last = &client->parts[client->parts_count - 1];
        if ((uint8_t *)last->iov_base + last->iov_len == data) {
            last->iov_len += size;
            return;
        }
    }
    if (client->parts_count == PARTS_MAX)
        flush_client(client);
    client->parts[client->parts_count++] = (struct iovec){data, size};
}

static uint8_t *answer(struct client *client, const uint8_t *data, size_t size)
{
    uint8_t *place = turn.acks + turn.acks_size;
    memcpy(place, data, size);
    turn.acks_size += size;
    queue_part(client, place, size);
    return place;
}

static bool on_publish(struct client *client, uint8_t *packet, const struct wire_frame *frame)
{
    struct wire_publish publish;
    if (!wire_publish_view(packet, frame, &publish))
        return false;
    if (frame->qos == 1) {
        uint8_t ack[4];
        wire_put_ack(ack, WIRE_PUBACK, wire_u16(packet + publish.packet_id));
        answer(client, ack, sizeof ack);
    }
    const struct route *route = find_route(packet + publish.topic, publish.topic_size);
    for (size_t i = 0; i < route->subscribers_count; i++)
        queue_part(route->subscribers[i], packet, frame->size);
    return true;
}

// One filter a SUBSCRIBE, and that is a topic.
static bool on_subscribe(struct client *client, const uint8_t *packet,
                         const struct wire_frame *frame)
{
    const uint8_t *body = packet + frame->header_size;
    size_t body_size = frame->size - frame->header_size;
    if (body_size < 5 || wire_u16(body + 2) > WIRE_NAME_MAX ||
        body_size != 5u + wire_u16(body + 2) || body_size == 5)
        return false;
    struct route *route = find_route(body + 4, wire_u16(body + 2));
    route->topic_size = wire_u16(body + 2);
    memcpy(route->topic, body + 4, route->topic_size);
    route->subscribers_count++;
    route->subscribers = grow(route->subscribers, route->subscribers_count * sizeof(void *));
    route->subscribers[route->subscribers_count - 1] = client;
    answer(client, (const uint8_t[]){WIRE_SUBACK, 3, body[0], body[1], body[body_size - 1]}, 5);
    return true;
}

static bool on_packet(struct client *client, uint8_t *packet, const struct wire_frame *frame)
{
    switch (frame->type) {
    case WIRE_PUBLISH: return on_publish(client, packet, frame);
    case WIRE_PUBACK: return true;
    case WIRE_CONNECT: answer(client, (const uint8_t[]){WIRE_CONNACK, 2, 0, 0}, 4); return true;
    case WIRE_SUBSCRIBE: return on_subscribe(client, packet, frame);
    case WIRE_PINGREQ: answer(client, (const uint8_t[]){WIRE_PINGRESP, 0}, 2); return true;
    default: return false;
    }
}

static void keep_tail(struct client *client, const uint8_t *rest, size_t size)
{
    client->tail_size = size;
    if (size == 0)
        return;
    client->tail = grow(client->tail, size);
    memcpy(client->tail, rest, size);
}

static void on_readable(struct client *client)
{
    if (turn.read_size + 2 * READ_SIZE_MAX > TURN_SIZE_MAX)
        flush_turn();
    uint8_t *at = turn.read + turn.read_size;
    size_t size = client->tail_size;
    if (size)
        memcpy(at, client->tail, size);
    ssize_t received = recv(client->fd, at + size, READ_SIZE_MAX, 0);
    if (received <= 0) {
        if (received == 0 || errno != EAGAIN)
            close_client(client);
        return;
    }
    size += (size_t)received;
    turn.read_size += size;
    struct wire_frame frame;
    enum wire_state state;
    while ((state = wire_scan(at, size, &frame)) == WIRE_WHOLE) {
        if (!on_packet(client, at, &frame)) {
            close_client(client);
            return;
        }
        at += frame.size;
        size -= frame.size;
    }
    if (state == WIRE_MALFORMED || size > READ_SIZE_MAX)
        close_client(client);
    else
        keep_tail(client, at, size);
}

static struct client *client_of(int fd)
{
    if ((size_t)fd >= clients_max) {
        size_t wanted = 2 * (size_t)fd + 64;
        clients = grow(clients, wanted * sizeof *clients);
        memset(clients + clients_max, 0, (wanted - clients_max) * sizeof *clients);
        turn.dirty = grow(turn.dirty, wanted * sizeof *turn.dirty);
        clients_max = wanted;
    }
    if (!clients[fd])
        clients[fd] = grow(NULL, sizeof *clients[fd]);
    return clients[fd];
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct client *client = client_of(fd);
        memset(client, 0, sizeof *client);
        client->fd = fd;
        client->open = true;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
            close_client(client);
    }
}

static int listen_anywhere(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        give_up("bench_floor: listen");
    fprintf(stderr, "bench_floor: listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    return listener;
}

// New connections come last: a descriptor closed in this turn may not be met again in it.
static void run_turn(int listener)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
    bool accepting = false;
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (!client)
            accepting = true;
        if (client && client->open && (events[i].events & EPOLLOUT))
            flush_out(client);
        if (client && client->open && (events[i].events & ~(uint32_t)EPOLLOUT))
            on_readable(client);
    }
    flush_turn();
    if (accepting)
        accept_all(listener);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_anywhere();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event))
        give_up("bench_floor: epoll");
    for (;;)
        run_turn(listener);
}
