// SPDX-License-Identifier: MIT
// Writes MQTT's data types into memory of the caller's. What does not fit sets `bad`, which stays,
// and writes nothing. With data == NULL a writer only counts: size_max bytes "fit", and `size` says
// how many the same calls would write.
#ifndef BUD_PROTO_WRITER_H
#define BUD_PROTO_WRITER_H

#include "proto/bytes.h"

struct writer {
    uint8_t *data;
    size_t size;     // written so far
    size_t size_max; // room in all
    bool bad;
};

struct writer writer_of(void *data, size_t size_max);
struct writer writer_counting(void);
void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_varint(struct writer *writer,
                   uint32_t value); // shortest form; value at most 268 435 455, else bad
void writer_bytes(struct writer *writer, struct bytes bytes);
void writer_binary(struct writer *writer,
                   struct bytes bytes); // 16-bit length first; at most 65 535 bytes, else bad
uint32_t varint_size(uint32_t value);   // 1 to 4

#endif
