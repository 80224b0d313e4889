// SPDX-License-Identifier: MIT
// See reader.h. The parts that are too large to repeat at each use.
#include "proto/reader.h"

#include "proto/utf8.h"

#define VARINT_SIZE_MAX 4

struct reader reader_of(struct bytes bytes)
{
    static const uint8_t nothing[1];
    // Arithmetic on a null pointer is undefined even by zero, so an empty view gets an address.
    const uint8_t *start = bytes.size ? bytes.data : nothing;

    return (struct reader){start, start + bytes.size, false};
}

uint32_t reader_u32(struct reader *reader)
{
    const uint8_t *place = reader_advance(reader, 4);

    if (!place)
        return 0;
    return (uint32_t)place[0] << 24 | (uint32_t)place[1] << 16 | (uint32_t)place[2] << 8 | place[3];
}

static uint32_t refuse(struct reader *reader)
{
    reader->cursor = reader->end;
    reader->bad = true;
    return 0;
}

uint32_t reader_varint(struct reader *reader)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < VARINT_SIZE_MAX; i++) {
        uint8_t byte = reader_u8(reader);

        value |= (uint32_t)(byte & 0x7F) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0) // a shorter form says the same [MQTT-1.5.5-1]
            return refuse(reader);
        return reader->bad ? 0 : value;
    }
    return refuse(reader);
}

struct bytes reader_text(struct reader *reader)
{
    struct bytes text = reader_binary(reader);

    if (utf8_valid(text)) // [MQTT-1.5.4-1] [MQTT-1.5.4-2]
        return text;
    refuse(reader);
    return bytes_make(reader->end, 0);
}

struct bytes reader_rest(struct reader *reader)
{
    return reader_take(reader, reader_left(reader));
}
