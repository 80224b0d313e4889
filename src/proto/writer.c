// SPDX-License-Identifier: MIT
// See writer.h. The parts that are too large to repeat at each use.
#include "proto/writer.h"

void writer_u32(struct writer *writer, uint32_t value)
{
    uint8_t *place = writer_claim(writer, 4);

    if (!place)
        return;
    place[0] = (uint8_t)(value >> 24);
    place[1] = (uint8_t)(value >> 16);
    place[2] = (uint8_t)(value >> 8);
    place[3] = (uint8_t)value;
}

void writer_varint(struct writer *writer, uint32_t value)
{
    uint8_t *place;

    if (!varint_fits(value))
        writer->bad = true;
    place = writer_claim(writer, varint_size(value));
    if (!place)
        return;
    for (; value > 0x7F; value >>= 7)
        *place++ = (uint8_t)(value | 0x80);
    *place = (uint8_t)value;
}
