// SPDX-License-Identifier: MIT
// os/net.h over the simulated network: descriptors are numbers of wires, given out lowest first as
// the kernel does, so that a descriptor used after its closing hits somebody else's connection.
#include "os/net.h"

#include "base/assert.h"
#include "sim/machine_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define PORT 1883

struct descriptor *descriptor_at(int fd)
{
    ASSERT(fd >= DESCRIPTOR_FIRST && fd < DESCRIPTORS_MAX);
    ASSERT(machine.descriptors[fd].kind != DESCRIPTOR_FREE);
    return &machine.descriptors[fd];
}

int descriptor_take(enum descriptor_kind kind, struct wire *wire)
{
    for (int fd = DESCRIPTOR_FIRST; fd < (int)machine.options.descriptor_count_max; fd++) {
        if (machine.descriptors[fd].kind != DESCRIPTOR_FREE)
            continue;
        machine.descriptors[fd] = (struct descriptor){kind, wire};
        return fd;
    }
    return -EMFILE;
}

static struct wire *wire_at(int fd)
{
    ASSERT(descriptor_at(fd)->kind == DESCRIPTOR_STREAM);
    return descriptor_at(fd)->wire;
}

int net_listen(const char *host, uint16_t port, int backlog)
{
    (void)host;
    (void)port;
    (void)backlog;
    return descriptor_take(DESCRIPTOR_LISTENER, NULL);
}

int net_listen_where(const struct net_where *where, int backlog)
{
    return net_listen(where->host, where->port, backlog);
}

int net_listen_unix(const char *path, unsigned mode, int backlog)
{
    (void)mode;
    return net_listen(path, 0, backlog);
}

void net_unlink_unix(const char *path)
{
    (void)path;
}

int net_local_address(int fd, struct net_address *ret_address)
{
    ASSERT(descriptor_at(fd)->kind == DESCRIPTOR_LISTENER);
    *ret_address = (struct net_address){.family = 4, .port = PORT};
    return 0;
}

static struct wire *first_caller(void)
{
    struct wire *wire = machine.wires;
    while (wire != NULL && !wire_has_called(wire))
        wire = wire->next;
    return wire;
}

int net_accept(int listener, int user_timeout_ms, struct net_address *ret_peer)
{
    ASSERT(descriptor_at(listener)->kind == DESCRIPTOR_LISTENER);
    struct wire *wire = first_caller();
    if (wire == NULL)
        return -EAGAIN;
    if (machine.fail_accept_count > 0) {
        machine.fail_accept_count--;
        return machine.fail_accept_error;
    }
    int fd = descriptor_take(DESCRIPTOR_STREAM, wire);
    if (fd < 0)
        return fd;
    wire->waiting = false;
    wire->user_timeout_ms = user_timeout_ms;
    wire->times.accepted_ms = machine.now_ms;
    machine_trace('a', wire->number, (struct bytes){0});
    *ret_peer = wire->from;
    return fd;
}

ssize_t net_read(int fd, void *memory, size_t size)
{
    struct wire *wire = wire_at(fd);
    ASSERT(size > 0);
    if (wire_timed_out(wire))
        return -ETIMEDOUT;
    struct wire_times ignored;
    ssize_t got = pipe_read(&wire->to_broker, memory, size, &ignored);
    if (got > 0) {
        wire_note_read(wire, (size_t)got);
        machine_trace('R', wire->number, bytes_make(memory, (size_t)got));
    }
    return got;
}

// The far side has no process any more: its kernel answers with RST.
static void answer_reset(struct wire *wire)
{
    struct pipe *pipe = &wire->to_broker;
    if (pipe->ended && pipe->last != NULL && pipe->last->kind == SEGMENT_RESET)
        return;
    if (pipe->is_reset)
        return;
    pipe->ended = false;
    pipe_send(pipe, SEGMENT_RESET, (struct bytes){0}, machine.now_ms);
}

static size_t write_parts(struct wire *wire, const struct iovec *parts, int count)
{
    size_t written = 0;
    int64_t gathered_ms = wire->blocked ? wire->blocked_ms : machine.now_ms;
    for (int i = 0; i < count; i++) {
        size_t room = pipe_room(&wire->to_far);
        size_t size = parts[i].iov_len < room ? parts[i].iov_len : room;
        struct bytes bytes = bytes_make(parts[i].iov_base, size);
        machine_trace('W', wire->number, bytes);
        if (wire->cut)
            wire->to_far.size += size; // waits for an acknowledgement that does not come
        else if (!wire->far_closed)
            pipe_send(&wire->to_far, SEGMENT_BYTES, bytes, gathered_ms);
        written += size;
        if (size < parts[i].iov_len)
            break;
    }
    return written;
}

ssize_t net_writev(int fd, const struct iovec *parts, int count)
{
    struct wire *wire = wire_at(fd);
    ASSERT(!wire->to_far.ended); // nothing is written after the FIN
    if (wire_timed_out(wire))
        return -ETIMEDOUT;
    if (wire->to_broker.is_reset)
        return -EPIPE;
    size_t asked = 0;
    for (int i = 0; i < count; i++)
        asked += parts[i].iov_len;
    size_t written = write_parts(wire, parts, count);
    if (wire->cut && wire->unanswered_ms == 0)
        wire->unanswered_ms = machine.now_ms;
    if (!wire->cut && wire->far_closed)
        answer_reset(wire);
    if (written < asked && !wire->blocked)
        wire->blocked_ms = machine.now_ms;
    wire->times.was_blocked = wire->times.was_blocked || written < asked;
    wire->blocked = written < asked;
    return written == 0 && asked > 0 ? -EAGAIN : (ssize_t)written;
}

static void send_end(struct wire *wire, enum segment_kind kind)
{
    if (wire->times.closed_ms < 0)
        wire->times.closed_ms = machine.now_ms;
    if (wire->to_far.ended || wire->cut)
        wire->to_far.ended = true;
    else
        pipe_send(&wire->to_far, kind, (struct bytes){0}, machine.now_ms);
}

void net_shutdown_write(int fd)
{
    struct wire *wire = wire_at(fd);
    machine_trace('F', wire->number, (struct bytes){0});
    send_end(wire, SEGMENT_END);
}

static void close_stream(int fd, bool reset)
{
    struct wire *wire = wire_at(fd);
    machine_trace('C', wire->number, (struct bytes){0});
    // Unread bytes make the kernel send RST in place of FIN, and RST overtakes what is under way.
    bool rude = reset || wire->to_broker.size > 0;
    if (rude && !wire->cut) {
        pipe_lose(&wire->to_far);
        wire->to_far.ended = false;
    }
    send_end(wire, rude ? SEGMENT_RESET : SEGMENT_END);
    wire->near_closed = true;
    machine.descriptors[fd] = (struct descriptor){0};
    wire_release(wire);
}

void net_close(int fd)
{
    if (descriptor_at(fd)->kind == DESCRIPTOR_STREAM)
        close_stream(fd, false);
    else
        machine.descriptors[fd] = (struct descriptor){0};
}

void net_close_reset(int fd)
{
    close_stream(fd, true);
}
