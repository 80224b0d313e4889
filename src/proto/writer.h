// SPDX-License-Identifier: MIT
// Writes MQTT's data types into memory of the caller's. What does not fit sets `bad`, which stays,
// and writes nothing. With data == NULL a writer only counts: size_max bytes "fit", and `size` says
// how many the same calls would write.
#ifndef BUD_PROTO_WRITER_H
#define BUD_PROTO_WRITER_H

#include "proto/bytes.h"

#define VARINT_MAX 268435455u

struct writer {
    uint8_t *data;
    size_t size;     // written so far
    size_t size_max; // room in all
    bool bad;
};

static inline struct writer writer_of(void *data, size_t size_max);
static inline struct writer writer_counting(void);
static inline void writer_u8(struct writer *writer, uint8_t value);
static inline void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
// Shortest form; value at most VARINT_MAX, else bad.
void writer_varint(struct writer *writer, uint32_t value);
static inline void writer_bytes(struct writer *writer, struct bytes bytes);
// 16-bit length first; at most 65 535 bytes, else bad.
static inline void writer_binary(struct writer *writer, struct bytes bytes);
static inline uint8_t varint_size(uint32_t value); // 1 to 4
static inline bool varint_fits(uint64_t value);    // at most VARINT_MAX

static inline struct writer writer_of(void *data, size_t size_max)
{
    return (struct writer){(uint8_t *)data, 0, size_max, false};
}

static inline struct writer writer_counting(void)
{
    return (struct writer){NULL, 0, SIZE_MAX, false};
}

// Is there room for `size` more bytes? Sets `bad` if not.
static inline bool writer_fits(struct writer *writer, size_t size)
{
    if (size > writer->size_max - writer->size)
        writer->bad = true;
    return !writer->bad;
}

// The place of the next `size` bytes, or NULL when they do not fit or are only counted.
static inline uint8_t *writer_claim(struct writer *writer, size_t size)
{
    uint8_t *place;

    if (!writer_fits(writer, size))
        return NULL;
    place = writer->data ? writer->data + writer->size : NULL;
    writer->size += size;
    return place;
}

static inline void writer_u8(struct writer *writer, uint8_t value)
{
    uint8_t *place = writer_claim(writer, 1);

    if (place)
        place[0] = value;
}

static inline void writer_u16(struct writer *writer, uint16_t value)
{
    uint8_t *place = writer_claim(writer, 2);

    if (place) {
        place[0] = (uint8_t)(value >> 8);
        place[1] = (uint8_t)value;
    }
}

static inline void writer_bytes(struct writer *writer, struct bytes bytes)
{
    uint8_t *place = writer_claim(writer, bytes.size);

    if (place && bytes.size > 0)
        __builtin_memcpy(place, bytes.data, bytes.size);
}

static inline void writer_binary(struct writer *writer, struct bytes bytes)
{
    if (bytes.size > UINT16_MAX)
        writer->bad = true;
    if (!writer_fits(writer, 2 + bytes.size))
        return; // so that not even the length of what does not fit is written
    writer_u16(writer, (uint16_t)bytes.size);
    writer_bytes(writer, bytes);
}

static inline uint8_t varint_size(uint32_t value)
{
    return (uint8_t)(1 + (value > 0x7F) + (value > 0x3FFF) + (value > 0x1FFFFF));
}

static inline bool varint_fits(uint64_t value)
{
    return value <= VARINT_MAX;
}

#endif
