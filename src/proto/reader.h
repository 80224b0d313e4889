// SPDX-License-Identifier: MIT
// Reads MQTT's data types off a view of bytes. The first read past the end (or of a bad encoding)
// sets `bad`, which stays; every later read then gives zero or an empty view. So a decoder reads
// like the specification's table and asks once at the end. An attacker controls every byte; no read
// ever leaves [cursor, end).
#ifndef BUD_PROTO_READER_H
#define BUD_PROTO_READER_H

#include "proto/bytes.h"

struct reader {
    const uint8_t *cursor;
    const uint8_t *end;
    bool bad;
};

struct reader reader_of(struct bytes bytes);
static inline size_t reader_left(const struct reader *reader);
static inline uint8_t reader_u8(struct reader *reader);
static inline uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint32_t reader_varint(struct reader *reader); // at most 4 bytes, shortest form [MQTT-1.5.5-1]
static inline struct bytes reader_take(struct reader *reader, size_t size); // the next `size` bytes
static inline struct bytes reader_binary(struct reader *reader); // 16-bit length, then those bytes
struct bytes reader_text(struct reader *reader); // as reader_binary, and valid UTF-8 [MQTT-1.5.4-1]
struct bytes reader_rest(struct reader *reader); // all that is left

static inline size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->cursor);
}

// After a bad read nothing is left, so that one comparison guards both.
static inline const uint8_t *reader_advance(struct reader *reader, size_t size)
{
    const uint8_t *place = reader->cursor;

    if (size > reader_left(reader)) {
        reader->cursor = reader->end;
        reader->bad = true;
        return NULL;
    }
    reader->cursor += size;
    return place;
}

static inline uint8_t reader_u8(struct reader *reader)
{
    const uint8_t *place = reader_advance(reader, 1);

    return place ? place[0] : 0;
}

static inline uint16_t reader_u16(struct reader *reader)
{
    const uint8_t *place = reader_advance(reader, 2);

    return place ? (uint16_t)((unsigned)place[0] << 8 | place[1]) : 0;
}

static inline struct bytes reader_take(struct reader *reader, size_t size)
{
    const uint8_t *place = reader_advance(reader, size);

    return place ? bytes_make(place, size) : bytes_make(reader->end, 0);
}

static inline struct bytes reader_binary(struct reader *reader)
{
    return reader_take(reader, reader_u16(reader));
}

#endif
