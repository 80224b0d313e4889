// SPDX-License-Identifier: MIT
// PUBACK, PUBREC, PUBREL, PUBCOMP [MQTT5 3.4 to 3.7]: the four of one shape.
#include "proto/packet.h"
#include "proto/packet_parts.h"

static bool reason_fits(uint8_t type, uint8_t code)
{
    static const uint8_t received[] = {0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};

    if (code == BUD_SUCCESS)
        return true;
    if (type == PACKET_PUBACK || type == PACKET_PUBREC) // [MQTT-3.4.2-1] [MQTT-3.5.2-1]
        return reason_listed(received, sizeof(received), code);
    return code == BUD_PACKET_IDENTIFIER_NOT_FOUND; // [MQTT-3.6.2-1] [MQTT-3.7.2-1]
}

enum bud_reason ack_decode(const struct frame *frame, uint8_t version, struct packet_ack *ret_ack)
{
    struct reader reader = reader_of(frame->body);
    enum bud_reason reason = BUD_SUCCESS;
    uint8_t code = BUD_SUCCESS;

    ret_ack->packet_id = reader_u16(&reader);
    ret_ack->properties = (struct properties){0};
    if (version >= MQTT_5_0 && reader_left(&reader) > 0)
        code = reader_u8(&reader); // absent it is success
    if (version >= MQTT_5_0 && reader_left(&reader) > 0)
        reason = properties_decode(&reader, frame->type, &ret_ack->properties);
    ret_ack->reason = (enum bud_reason)code;
    if (!reason)
        reason = reader_verdict(&reader);
    if (reason)
        return reason;
    if (ret_ack->packet_id == 0 || !reason_fits(frame->type, code)) // [MQTT-2.2.1-5]
        return BUD_PROTOCOL_ERROR;
    return BUD_SUCCESS;
}

static void write_body(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_ack *ack = packet;
    bool with_properties =
        version >= MQTT_5_0 && (ack->properties.present || ack->properties.user.size);

    writer_u16(writer, ack->packet_id);
    if (version >= MQTT_5_0 && (ack->reason != BUD_SUCCESS || with_properties))
        writer_u8(writer, (uint8_t)ack->reason);
    if (with_properties)
        properties_encode(writer, &ack->properties);
}

void packet_encode_ack(struct writer *writer, uint8_t version, uint8_t type,
                       const struct packet_ack *ack)
{
    packet_write(writer, type, version, write_body, ack);
}
