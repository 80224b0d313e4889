// SPDX-License-Identifier: MIT
// For tests and fuzzers only: a socket made of memory. What a peer sends is fed in and comes out in
// pieces of the test's choosing; what is written is kept, as far as there is room. Everything is
// in the open for a test to set and to look at. Freed with the chain that stands on it.
#ifndef BUD_TRANSPORT_MEMORY_STREAM_H
#define BUD_TRANSPORT_MEMORY_STREAM_H

#include "base/buffer.h"
#include "base/memory.h"
#include "transport/stream.h"

#include <errno.h>
#include <string.h>

struct memory_stream {
    struct stream stream;
    struct buffer input;
    size_t input_read;    // so much of it was read
    struct buffer output; // all that was written; consume it as you like
    size_t read_max;      // bytes a read gives at most
    size_t input_allowed; // bytes all reads together still give, then -EAGAIN
    size_t write_max;     // bytes a writev takes at most
    size_t room;          // bytes all writes together still take, then -EAGAIN
    bool ended;           // behind the input is the end and not -EAGAIN
    int read_error;       // what reads give behind the input: -ECONNRESET, ...; 0: nothing special
    int write_error;      // what every write gives; 0: nothing special
    bool shut;
};

static inline struct memory_stream *memory_stream_of(struct stream *stream)
{
    return (struct memory_stream *)(void *)stream;
}

static inline size_t memory_stream_left(const struct memory_stream *self)
{
    return self->input.size - self->input_read;
}

static inline size_t memory_stream_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline ssize_t memory_stream_read(struct stream *stream, void *memory, size_t size)
{
    struct memory_stream *self = memory_stream_of(stream);
    size_t left = memory_stream_left(self);
    size_t given = memory_stream_least(left, memory_stream_least(size, self->read_max));
    if (left == 0 && self->read_error != 0)
        return self->read_error;
    if (left == 0 && self->ended)
        return 0;
    given = memory_stream_least(given, self->input_allowed);
    if (given == 0)
        return -EAGAIN;
    memcpy(memory, self->input.data + self->input_read, given);
    self->input_read += given;
    self->input_allowed -= given;
    return (ssize_t)given;
}

static inline ssize_t memory_stream_writev(struct stream *stream, const struct iovec *parts,
                                           int count)
{
    struct memory_stream *self = memory_stream_of(stream);
    size_t left = memory_stream_least(self->write_max, self->room);
    size_t taken = 0;
    ASSERT(!self->shut);
    if (self->write_error != 0)
        return self->write_error;
    if (left == 0)
        return -EAGAIN;
    for (int i = 0; i < count && left > 0; i++) {
        size_t size = memory_stream_least(parts[i].iov_len, left);
        ASSERT(buffer_try_append(&self->output, bytes_make(parts[i].iov_base, size), SIZE_MAX));
        left -= size;
        taken += size;
    }
    self->room -= taken;
    return (ssize_t)taken;
}

static inline void memory_stream_shut(struct stream *stream)
{
    memory_stream_of(stream)->shut = true;
}

static inline void memory_stream_free(struct stream *stream)
{
    struct memory_stream *self = memory_stream_of(stream);
    buffer_done(&self->input);
    buffer_done(&self->output);
    memory_free(self);
}

// Without any limit, and open.
static inline struct memory_stream *memory_stream_new(void)
{
    static const struct stream_class class = {
        .name = "memory",
        .read = memory_stream_read,
        .writev = memory_stream_writev,
        .shut = memory_stream_shut,
        .free = memory_stream_free,
    };
    struct memory_stream *self = memory_new(sizeof(*self));
    self->stream.class = &class;
    self->read_max = self->input_allowed = self->write_max = self->room = SIZE_MAX;
    return self;
}

static inline void memory_stream_feed(struct memory_stream *self, const void *data, size_t size)
{
    ASSERT(buffer_try_append(&self->input, bytes_make(data, size), SIZE_MAX));
}

// What one has written becomes what the other reads.
static inline void memory_stream_carry(struct memory_stream *from, struct memory_stream *to)
{
    memory_stream_feed(to, from->output.data, from->output.size);
    buffer_consume(&from->output, from->output.size);
}

#endif
