// SPDX-License-Identifier: MIT
// Bytes to and from a peer, whatever is in between: a socket, TLS, WebSocket, each a stream over
// the one below. The one who holds the uppermost owns the whole chain. Never blocks, starts no
// thread, and may be handed to another thread between calls. An attacker controls all bytes from
// below and how they are cut: no stream takes memory by what a header promises.
#ifndef BUD_TRANSPORT_STREAM_H
#define BUD_TRANSPORT_STREAM_H

#include "base/assert.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct stream;

struct stream_class {
    const char *name;
    // Bytes, 0 at an orderly end, -EAGAIN nothing now (also while a handshake goes on), -EPROTO the
    // peer broke the rules, other -errno. What a read makes the stream want to say (handshake,
    // pong, close) is sent by itself as far as the one below takes it; the rest is for `flush`.
    ssize_t (*read)(struct stream *stream, void *memory, size_t size);
    // How many bytes it has taken, maybe fewer; -EAGAIN none until `flush` went through; -errno.
    ssize_t (*writev)(struct stream *stream, const struct iovec *parts, int count);
    // Sends what the stream itself still holds: 0 nothing is left, -EAGAIN wait until the socket
    // takes more, -errno. NULL: it never holds anything.
    int (*flush)(struct stream *stream);
    // Would a read give something without anything new from below? NULL: never.
    bool (*has_input)(const struct stream *stream);
    // Nothing more will be written: says so in its own way (close frame, close_notify) and below.
    void (*shut)(struct stream *stream);
    void (*free)(struct stream *stream); // itself alone: stream_free takes the chain
};

struct stream {
    const struct stream_class *class;
    struct stream *below; // NULL: this is the socket
};

static inline ssize_t stream_read(struct stream *stream, void *memory, size_t size)
{
    return stream->class->read(stream, memory, size);
}

static inline ssize_t stream_writev(struct stream *stream, const struct iovec *parts, int count)
{
    return stream->class->writev(stream, parts, count);
}

static inline int stream_flush(struct stream *stream)
{
    return stream->class->flush == NULL ? 0 : stream->class->flush(stream);
}

// True if this stream or one below holds input.
static inline bool stream_has_input(const struct stream *stream)
{
    for (; stream != NULL; stream = stream->below)
        if (stream->class->has_input != NULL && stream->class->has_input(stream))
            return true;
    return false;
}

static inline void stream_shut(struct stream *stream)
{
    stream->class->shut(stream);
}

static inline void stream_free(struct stream *stream)
{
    while (stream != NULL) {
        struct stream *below = stream->below;
        stream->class->free(stream);
        stream = below;
    }
}

#endif
