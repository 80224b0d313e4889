// SPDX-License-Identifier: MIT
// Bytes that grow by what really came, up to a limit. Empty it owns nothing. Growth is geometric
// (at least by half).
#ifndef BUD_BASE_BUFFER_H
#define BUD_BASE_BUFFER_H

#include "proto/bytes.h"

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

// Room for `more` bytes behind the present ones; false without memory, or when size + more >
// size_max. Contents untouched then.
bool buffer_try_reserve(struct buffer *buffer, size_t more, size_t size_max);
bool buffer_try_append(struct buffer *buffer, struct bytes bytes, size_t size_max);
void buffer_consume(
    struct buffer *buffer,
    size_t size); // drops bytes at the front (moves the rest down; frees when empty)
void buffer_done(struct buffer *buffer); // frees; the buffer is empty and usable again
static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_make(buffer->data, buffer->size);
}

#endif
