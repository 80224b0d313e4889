// SPDX-License-Identifier: MIT
// The simulated network: wires of two pipes each. A pipe keeps bytes in order and delays them; a
// wire ends with FIN, with RST, or silently. The far side's calls are here; the broker's are
// os_net.c.
#include "base/assert.h"
#include "base/memory.h"
#include "sim/machine_private.h"

#include <errno.h>
#include <string.h>

// --- pipes ---

static bool has_arrived(const struct segment *segment)
{
    return segment != NULL && segment->arrives_ms <= machine.now_ms;
}

bool pipe_is_readable(const struct pipe *pipe)
{
    return pipe->is_reset || pipe->has_end || has_arrived(pipe->first);
}

size_t pipe_room(const struct pipe *pipe)
{
    size_t size_max = machine.options.socket_bytes_max;
    return pipe->size >= size_max ? 0 : size_max - pipe->size;
}

static void drop_first(struct pipe *pipe)
{
    struct segment *segment = pipe->first;
    pipe->first = segment->next;
    if (pipe->first == NULL)
        pipe->last = NULL;
    memory_free(segment);
}

// Takes what has arrived, at most `size` bytes; when the machine shuffles sometimes less.
// Never bytes of two moments: the reader shall know when they were written.
static size_t take_bytes(struct pipe *pipe, uint8_t *memory, size_t size, struct wire_times *times)
{
    size_t taken = 0;
    times->gathered_ms = pipe->first->gathered_ms;
    times->written_ms = pipe->first->written_ms;
    if (machine.options.shuffles && machine_below(4) == 0)
        size = 1 + (size_t)machine_below(size < 64 ? size : 64);
    while (taken < size && has_arrived(pipe->first) && pipe->first->kind == SEGMENT_BYTES &&
           pipe->first->gathered_ms == times->gathered_ms &&
           pipe->first->written_ms == times->written_ms) {
        struct segment *segment = pipe->first;
        size_t left = segment->size - segment->taken;
        size_t part = left < size - taken ? left : size - taken;
        memcpy(memory + taken, segment->bytes + segment->taken, part);
        taken += part;
        segment->taken += part;
        if (part == left)
            drop_first(pipe);
    }
    pipe->size -= taken;
    return taken;
}

ssize_t pipe_read(struct pipe *pipe, void *memory, size_t size, struct wire_times *times)
{
    bool arrived = has_arrived(pipe->first);
    if (arrived && pipe->first->kind == SEGMENT_BYTES)
        return (ssize_t)take_bytes(pipe, memory, size, times);
    if (arrived) { // a reset may still come behind the end
        pipe->is_reset = pipe->first->kind == SEGMENT_RESET;
        pipe->has_end = true;
        drop_first(pipe);
    }
    if (pipe->is_reset)
        return -ECONNRESET;
    return pipe->has_end ? 0 : -EAGAIN;
}

static int64_t arrival_on(const struct pipe *pipe)
{
    const struct machine_options *options = &machine.options;
    uint64_t spread = options->delay_max_ms - options->delay_min_ms;
    uint64_t delay = options->delay_min_ms + (spread > 0 ? machine_below(spread + 1) : 0);
    int64_t arrives_ms = machine.now_ms + (int64_t)delay;
    return pipe->last != NULL && pipe->last->arrives_ms > arrives_ms ? pipe->last->arrives_ms
                                                                     : arrives_ms;
}

static void append(struct pipe *pipe, enum segment_kind kind, struct bytes bytes,
                   int64_t gathered_ms)
{
    struct segment *segment = memory_new(sizeof *segment + bytes.size);
    segment->kind = kind;
    segment->arrives_ms = arrival_on(pipe);
    segment->gathered_ms = gathered_ms;
    segment->written_ms = machine.now_ms;
    segment->size = bytes.size;
    if (bytes.size > 0)
        memcpy(segment->bytes, bytes.data, bytes.size);
    if (pipe->first == NULL)
        pipe->first = segment;
    else
        pipe->last->next = segment;
    pipe->last = segment;
    pipe->size += bytes.size;
}

void pipe_send(struct pipe *pipe, enum segment_kind kind, struct bytes bytes, int64_t gathered_ms)
{
    ASSERT(!pipe->ended);
    size_t part_max = machine.options.segment_bytes_max;
    if (kind != SEGMENT_BYTES) {
        pipe->ended = true;
        append(pipe, kind, (struct bytes){0}, gathered_ms);
        return;
    }
    while (bytes.size > 0) {
        size_t part = part_max == 0 ? bytes.size : 1 + (size_t)machine_below(part_max);
        part = part < bytes.size ? part : bytes.size;
        append(pipe, SEGMENT_BYTES, bytes_make(bytes.data, part), gathered_ms);
        bytes = bytes_from(bytes, part);
    }
}

void pipe_lose(struct pipe *pipe)
{
    struct segment **link = &pipe->first;
    struct segment *last = NULL;
    while (*link != NULL) {
        struct segment *segment = *link;
        if (has_arrived(segment)) {
            last = segment;
            link = &segment->next;
            continue;
        }
        *link = segment->next;
        pipe->size -= segment->size;
        memory_free(segment);
    }
    pipe->last = last;
}

static void empty(struct pipe *pipe)
{
    while (pipe->first != NULL)
        drop_first(pipe);
    pipe->size = 0;
}

// --- wires ---

struct wire *wire_connect(const struct net_address *from)
{
    bool listens = false;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        listens = listens || machine.descriptors[fd].kind == DESCRIPTOR_LISTENER;
    if (!listens)
        return NULL;
    struct wire *wire = memory_new(sizeof *wire);
    wire->number = ++machine.wire_count;
    wire->from = *from;
    wire->waiting = true;
    wire->times = (struct wire_times){.closed_ms = -1, .accepted_ms = -1};
    wire->previous = machine.wires_last;
    if (machine.wires_last != NULL)
        machine.wires_last->next = wire;
    else
        machine.wires = wire;
    machine.wires_last = wire;
    return wire;
}

// Calling takes no time: a connection without bytes does nothing, so a delay would show nothing.
bool wire_has_called(const struct wire *wire)
{
    return wire->waiting && !wire->cut;
}

void wire_release(struct wire *wire)
{
    if (!wire->far_done || !(wire->near_closed || wire->waiting))
        return;
    if (wire->previous != NULL)
        wire->previous->next = wire->next;
    else
        machine.wires = wire->next;
    if (wire->next != NULL)
        wire->next->previous = wire->previous;
    else
        machine.wires_last = wire->previous;
    empty(&wire->to_broker);
    empty(&wire->to_far);
    memory_free(wire->marks);
    memory_free(wire);
}

size_t wire_write(struct wire *wire, struct bytes bytes)
{
    ASSERT(!wire->far_closed);
    size_t room = pipe_room(&wire->to_broker);
    size_t size = bytes.size < room ? bytes.size : room;
    if (wire->to_broker.ended)
        return bytes.size; // nobody is there to read it; the next read will tell
    wire->times.written_bytes += size;
    if (!wire->cut && !wire->near_closed)
        pipe_send(&wire->to_broker, SEGMENT_BYTES, bytes_make(bytes.data, size), machine.now_ms);
    return size;
}

ssize_t wire_read(struct wire *wire, void *memory, size_t size)
{
    ASSERT(!wire->far_closed);
    if (wire->cut)
        return -EAGAIN;
    ssize_t got = pipe_read(&wire->to_far, memory, size, &wire->times);
    if (got > 0)
        machine_trace('r', wire->number, bytes_make(memory, (size_t)got));
    return got;
}

void wire_close(struct wire *wire)
{
    wire->far_closed = true;
    if (!wire->cut && !wire->to_broker.ended)
        pipe_send(&wire->to_broker, SEGMENT_END, (struct bytes){0}, machine.now_ms);
}

void wire_reset(struct wire *wire)
{
    wire->far_closed = true;
    if (wire->cut || wire->to_broker.ended)
        return;
    pipe_lose(&wire->to_broker);
    pipe_send(&wire->to_broker, SEGMENT_RESET, (struct bytes){0}, machine.now_ms);
}

void wire_cut(struct wire *wire)
{
    wire->cut = true;
    if (wire->waiting) // nobody will ever hear of it
        wire->times.closed_ms = machine.now_ms;
    pipe_lose(&wire->to_broker);
    wire->to_broker.ended = true;
    empty(&wire->to_far);
}

void wire_free(struct wire *wire)
{
    if (!wire->far_closed)
        wire_close(wire);
    wire->far_done = true;
    wire_release(wire);
}

const struct wire_times *wire_times(const struct wire *wire)
{
    return &wire->times;
}

void wire_note_read(struct wire *wire, size_t size)
{
    wire->times.read_bytes += size;
    if (wire->times.closed_ms < 0)
        wire->times.read_ms = machine.now_ms;
    if (wire->mark_count == wire->mark_capacity) {
        size_t capacity = wire->mark_capacity == 0 ? 16 : 2 * wire->mark_capacity;
        struct read_mark *marks = memory_new(capacity * sizeof *marks);
        if (wire->mark_count > 0)
            memcpy(marks, wire->marks, wire->mark_count * sizeof *marks);
        memory_free(wire->marks);
        wire->marks = marks;
        wire->mark_capacity = capacity;
    }
    wire->marks[wire->mark_count++] = (struct read_mark){wire->times.read_bytes, machine.now_ms};
}

int64_t wire_read_moment(const struct wire *wire, uint64_t size)
{
    for (size_t i = 0; i < wire->mark_count; i++)
        if (wire->marks[i].bytes >= size)
            return wire->marks[i].read_ms;
    return -1;
}

bool wire_timed_out(const struct wire *wire)
{
    return wire->cut && wire->unanswered_ms > 0 && wire->user_timeout_ms > 0 &&
           machine.now_ms >= wire->unanswered_ms + wire->user_timeout_ms;
}

// --- time ---

static void sooner(int64_t *next_ms, int64_t candidate_ms)
{
    if (candidate_ms > machine.now_ms && candidate_ms < *next_ms)
        *next_ms = candidate_ms;
}

// Segments arrive in order, so the first that has not arrived is the next of its pipe.
static void sooner_of_pipe(int64_t *next_ms, const struct pipe *pipe)
{
    const struct segment *segment = pipe->first;
    while (has_arrived(segment))
        segment = segment->next;
    if (segment != NULL)
        sooner(next_ms, segment->arrives_ms);
}

int64_t machine_next_ms(void)
{
    int64_t next_ms = INT64_MAX;
    for (const struct wire *wire = machine.wires; wire != NULL; wire = wire->next) {
        sooner_of_pipe(&next_ms, &wire->to_broker);
        sooner_of_pipe(&next_ms, &wire->to_far);
        if (wire->cut && wire->unanswered_ms > 0 && !wire->near_closed)
            sooner(&next_ms, wire->unanswered_ms + wire->user_timeout_ms);
    }
    return next_ms;
}
