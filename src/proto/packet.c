// SPDX-License-Identifier: MIT
// See packet.h: which decoder reads a frame, and the frame around what an encoder writes.
#include "proto/packet.h"

#include "proto/packet_parts.h"

#define FLAG_DUP 8u

// What the frame shows wrong once the version is known.
static bool frame_fits_version(const struct frame *frame, uint8_t version)
{
    // Only 3.1 has DUP on PUBREL, SUBSCRIBE and UNSUBSCRIBE [MQTT-3.6.1-1] [MQTT-3.8.1-1]
    // [MQTT-3.10.1-1].
    if (frame->type != PACKET_PUBLISH && (frame->flags & FLAG_DUP) && version != MQTT_3_1)
        return false;
    // 3.x did not say that the Remaining Length takes the shortest form [MQTT-1.5.5-1].
    return version < MQTT_5_0 || frame->header_size == 1 + varint_size(frame->body_size);
}

static enum bud_reason ping_decode(const struct frame *frame)
{
    return frame->body.size == 0 ? BUD_SUCCESS : BUD_MALFORMED_PACKET;
}

enum bud_reason packet_decode(const struct frame *frame, uint8_t version, struct packet *ret_packet)
{
    ret_packet->type = frame->type;
    if (frame->type != PACKET_CONNECT && !frame_fits_version(frame, version))
        return BUD_MALFORMED_PACKET;
    switch ((enum packet_type)frame->type) {
    case PACKET_PUBLISH: return publish_decode(frame, version, &ret_packet->publish);
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBREL:
    case PACKET_PUBCOMP: return ack_decode(frame, version, &ret_packet->ack);
    case PACKET_PINGREQ:
    case PACKET_PINGRESP: return ping_decode(frame);
    case PACKET_SUBSCRIBE: return subscribe_decode(frame, version, &ret_packet->subscribe);
    case PACKET_UNSUBSCRIBE: return unsubscribe_decode(frame, version, &ret_packet->unsubscribe);
    case PACKET_SUBACK:
    case PACKET_UNSUBACK: return suback_decode(frame, version, &ret_packet->suback);
    case PACKET_CONNECT: return connect_decode(frame, &ret_packet->connect);
    case PACKET_CONNACK: return connack_decode(frame, version, &ret_packet->connack);
    case PACKET_DISCONNECT: return disconnect_decode(frame, version, &ret_packet->disconnect);
    case PACKET_AUTH:
        return version >= MQTT_5_0 ? auth_decode(frame, &ret_packet->auth) : BUD_PROTOCOL_ERROR;
    }
    return BUD_MALFORMED_PACKET;
}

bool packet_begin(struct writer *writer, uint8_t type, uint8_t flags, size_t body_size,
                  size_t present_size)
{
    if (!varint_fits(body_size)) {
        writer->bad = true;
        return false;
    }
    if (!writer_fits(writer, 1 + varint_size((uint32_t)body_size) + present_size))
        return false;
    writer_u8(writer, (uint8_t)(type << 4 | flags));
    if (body_size <= 0x7F)
        writer_u8(writer, (uint8_t)body_size);
    else
        writer_varint(writer, (uint32_t)body_size);
    return true;
}

// The flags that every packet but PUBLISH has always [MQTT-2.1.3-1].
static uint8_t fixed_flags(uint8_t type)
{
    return type == PACKET_PUBREL || type == PACKET_SUBSCRIBE || type == PACKET_UNSUBSCRIBE ? 2 : 0;
}

void packet_write(struct writer *writer, uint8_t type, uint8_t version, packet_body *write_body,
                  const void *packet)
{
    struct writer body = writer_counting();

    write_body(&body, version, packet);
    if (body.bad)
        writer->bad = true;
    if (!writer->bad && packet_begin(writer, type, fixed_flags(type), body.size, body.size))
        write_body(writer, version, packet);
}

static void write_nothing(struct writer *writer, uint8_t version, const void *packet)
{
    (void)writer, (void)version, (void)packet;
}

void packet_encode_ping(struct writer *writer, uint8_t type)
{
    packet_write(writer, type, MQTT_5_0, write_nothing, NULL);
}
