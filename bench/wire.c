// SPDX-License-Identifier: MIT
// The bench tools' own few lines of MQTT 3.1.1; see wire.h for why they do not use src/proto.

#include "wire.h"

#include <string.h>

void wire_put_u16(uint8_t *out, uint16_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

uint16_t wire_u16(const uint8_t *data)
{
    return (uint16_t)((data[0] << 8) | data[1]);
}

enum wire_state wire_scan(const uint8_t *data, size_t size, struct wire_frame *ret_frame)
{
    size_t remaining = 0;
    size_t header_size = 1;
    for (unsigned shift = 0;; shift += 7) {
        if (header_size == size || size == 0)
            return WIRE_PARTIAL;
        if (header_size == WIRE_HEADER_MAX)
            return WIRE_MALFORMED;
        uint8_t byte = data[header_size++];
        remaining |= (size_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            break;
    }
    if (size - header_size < remaining)
        return WIRE_PARTIAL;
    ret_frame->type = data[0] & 0xf0;
    ret_frame->qos = (data[0] >> 1) & 3;
    ret_frame->header_size = header_size;
    ret_frame->size = header_size + remaining;
    return WIRE_WHOLE;
}

int wire_publish_view(const uint8_t *packet, const struct wire_frame *frame,
                      struct wire_publish *ret_publish)
{
    size_t at = frame->header_size;
    if (frame->size - at < 2)
        return 0;
    ret_publish->topic_size = wire_u16(packet + at);
    ret_publish->topic = at + 2;
    ret_publish->packet_id = ret_publish->topic + ret_publish->topic_size;
    ret_publish->payload = ret_publish->packet_id + (frame->qos ? 2 : 0);
    return ret_publish->payload <= frame->size;
}

static size_t put_name(uint8_t *out, const char *name)
{
    size_t size = strlen(name);
    wire_put_u16(out, (uint16_t)size);
    memcpy(out + 2, name, size);
    return size + 2;
}

static size_t put_header(uint8_t *out, uint8_t first, size_t remaining)
{
    size_t size = 0;
    out[size++] = first;
    do {
        uint8_t byte = remaining & 0x7f;
        remaining >>= 7;
        out[size++] = remaining ? byte | 0x80 : byte;
    } while (remaining);
    return size;
}

size_t wire_put_connect(uint8_t *out, const char *client_id, int clean_session)
{
    uint8_t flags = clean_session ? 2 : 0;
    const uint8_t fixed[] = {0, 4, 'M', 'Q', 'T', 'T', 4, flags, 2, 88}; // keep alive 600 s
    size_t size = put_header(out, WIRE_CONNECT, sizeof fixed + 2 + strlen(client_id));
    memcpy(out + size, fixed, sizeof fixed);
    size += sizeof fixed;
    return size + put_name(out + size, client_id);
}

size_t wire_put_subscribe(uint8_t *out, uint16_t packet_id, const char *topic, uint8_t qos)
{
    size_t size = put_header(out, WIRE_SUBSCRIBE | 2, 2 + 2 + strlen(topic) + 1);
    wire_put_u16(out + size, packet_id);
    size += 2;
    size += put_name(out + size, topic);
    out[size++] = qos;
    return size;
}

size_t wire_put_ack(uint8_t *out, uint8_t type, uint16_t packet_id)
{
    out[0] = type;
    out[1] = 2;
    wire_put_u16(out + 2, packet_id);
    return 4;
}

static size_t publish_remaining(const char *topic, uint8_t qos, size_t payload_size)
{
    return 2 + strlen(topic) + (qos ? 2u : 0u) + payload_size;
}

size_t wire_publish_size(const char *topic, uint8_t qos, size_t payload_size)
{
    uint8_t header[WIRE_HEADER_MAX];
    size_t remaining = publish_remaining(topic, qos, payload_size);
    return put_header(header, WIRE_PUBLISH, remaining) + remaining;
}

size_t wire_put_publish_head(uint8_t *out, const char *topic, uint8_t qos, size_t payload_size)
{
    size_t size = put_header(out, (uint8_t)(WIRE_PUBLISH | (qos << 1)),
                             publish_remaining(topic, qos, payload_size));
    size += put_name(out + size, topic);
    if (qos) {
        wire_put_u16(out + size, 0);
        size += 2;
    }
    return size;
}
