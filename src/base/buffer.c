// SPDX-License-Identifier: MIT
// Growing bytes. The attacker controls what is appended and how much of it, `size_max` bounds it.
// Growth goes through realloc: the C library moves large blocks by remapping pages, not by copying.
#include "base/buffer.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

enum { CAPACITY_MIN = 64 }; // below it a reallocation costs more than the bytes

static size_t next_capacity(const struct buffer *buffer, size_t needed, size_t size_max)
{
    size_t half = buffer->capacity / 2;
    size_t capacity = buffer->capacity > size_max - half ? size_max : buffer->capacity + half;
    capacity = capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity;
    capacity = capacity > size_max ? size_max : capacity;
    return capacity < needed ? needed : capacity;
}

bool buffer_try_reserve(struct buffer *buffer, size_t more, size_t size_max)
{
    if (buffer->size > size_max || more > size_max - buffer->size) {
        return false;
    }
    size_t needed = buffer->size + more;
    if (needed <= buffer->capacity) {
        return true;
    }
    size_t capacity = next_capacity(buffer, needed, size_max);
    uint8_t *data = memory_try_resize(buffer->data, capacity);
    if (data == NULL) {
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool buffer_try_append(struct buffer *buffer, struct bytes bytes, size_t size_max)
{
    if (!buffer_try_reserve(buffer, bytes.size, size_max)) {
        return false;
    }
    if (bytes.size > 0) {
        memcpy(buffer->data + buffer->size, bytes.data, bytes.size);
        buffer->size += bytes.size;
    }
    return true;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    ASSERT(size <= buffer->size);
    if (size == buffer->size) {
        buffer_done(buffer);
        return;
    }
    buffer->size -= size;
    memmove(buffer->data, buffer->data + size, buffer->size);
}

void buffer_done(struct buffer *buffer)
{
    memory_free(buffer->data);
    *buffer = (struct buffer){0};
}
