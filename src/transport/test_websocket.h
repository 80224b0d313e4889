// SPDX-License-Identifier: MIT
// For tests only: frames byte by byte, and a WebSocket over a socket made of memory.
#ifndef BUD_TRANSPORT_TEST_WEBSOCKET_H
#define BUD_TRANSPORT_TEST_WEBSOCKET_H

#include "proto/writer.h"
#include "transport/memory_stream.h"
#include "transport/websocket.h"

enum { FIN = 0x80, CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

static const uint8_t test_mask[4] = {0x12, 0x00, 0xff, 0x5a};

struct test_websocket {
    struct memory_stream *socket;
    struct stream *stream;
};

static inline struct test_websocket test_websocket_new(bool is_client)
{
    struct websocket_start start = {.is_client = is_client};
    struct test_websocket websocket = {.socket = memory_stream_new()};
    websocket.stream = websocket_try_new(&websocket.socket->stream, &start);
    ASSERT(websocket.stream != NULL);
    return websocket;
}

static inline void test_websocket_free(struct test_websocket *websocket)
{
    stream_free(websocket->stream);
}

// `first`: opcode, FIN, reserved bits. The payload in the shortest form of its length.
static inline void test_frame_header(struct writer *writer, unsigned first, bool masked,
                                     uint64_t size)
{
    uint8_t bit = masked ? 0x80 : 0;
    writer_u8(writer, (uint8_t)first);
    if (size <= 125) {
        writer_u8(writer, (uint8_t)(bit | size));
    } else if (size <= UINT16_MAX) {
        writer_u8(writer, bit | 126);
        writer_u16(writer, (uint16_t)size);
    } else {
        writer_u8(writer, bit | 127);
        writer_u32(writer, (uint32_t)(size >> 32));
        writer_u32(writer, (uint32_t)size);
    }
    if (masked)
        writer_bytes(writer, bytes_make(test_mask, 4));
}

static inline void test_frame(struct writer *writer, unsigned first, bool masked,
                              struct bytes payload)
{
    test_frame_header(writer, first, masked, payload.size);
    for (size_t i = 0; i < payload.size; i++)
        writer_u8(writer, (uint8_t)(payload.data[i] ^ (masked ? test_mask[i % 4] : 0)));
}

// A masked frame for a server to read.
static inline void test_feed_frame(struct test_websocket *websocket, unsigned first,
                                   const void *payload, size_t size)
{
    size_t room = size + 16;
    uint8_t *memory = memory_new(room);
    struct writer writer = writer_of(memory, room);
    test_frame(&writer, first, true, bytes_make(payload, size));
    ASSERT(!writer.bad);
    memory_stream_feed(websocket->socket, memory, writer.size);
    memory_free(memory);
}

// Reads through blocks of just `piece` bytes until there is nothing more. Returns what the last
// read gave; the payload is appended to *ret_payload.
static inline ssize_t test_read_all(struct stream *stream, size_t piece, struct buffer *ret_payload)
{
    ssize_t got;
    for (;;) {
        uint8_t *exact = memory_new(piece);
        got = stream_read(stream, exact, piece);
        if (got > 0)
            ASSERT(buffer_try_append(ret_payload, bytes_make(exact, (size_t)got), SIZE_MAX));
        memory_free(exact);
        if (got == 0 || (got < 0 && (got != -EAGAIN || !stream_has_input(stream))))
            return got;
    }
}

#endif
