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
size_t reader_left(const struct reader *reader);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint32_t reader_varint(struct reader *reader); // at most 4 bytes, shortest form [MQTT-1.5.5-1]
struct bytes reader_take(struct reader *reader, size_t size); // the next `size` bytes
struct bytes reader_binary(struct reader *reader);            // 16-bit length, then that many bytes
struct bytes reader_text(struct reader *reader); // as reader_binary, and valid UTF-8 [MQTT-1.5.4-1]
struct bytes reader_rest(struct reader *reader); // all that is left

#endif
