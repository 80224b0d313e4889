// SPDX-License-Identifier: MIT
// A borrowed view of bytes: never owned, never NUL-terminated, valid until the next call on its
// owner. Everything below cmd/ passes text and payloads around as this; a C string exists only at
// the edges.
#ifndef BUD_PROTO_BYTES_H
#define BUD_PROTO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

// The bytes of a string literal, without its NUL.
#define BYTES_OF(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct bytes bytes_make(const void *data, size_t size)
{
    return (struct bytes){(const uint8_t *)data, size};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || __builtin_memcmp(a.data, b.data, a.size) == 0);
}

// The first `size` bytes left out. `size` must not exceed bytes.size.
static inline struct bytes bytes_from(struct bytes bytes, size_t size)
{
    // Adding even zero to the null pointer of an empty view would be undefined.
    return (struct bytes){size == 0 ? bytes.data : bytes.data + size, bytes.size - size};
}

#endif
