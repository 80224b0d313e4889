// SPDX-License-Identifier: MIT
// CONNACK [MQTT5 3.2]: the server's answer to CONNECT. Reasons are 5.0's on both sides of this
// file; the return codes of 3.x exist only in here.
#include "proto/packet.h"
#include "proto/packet_parts.h"

static bool reason_fits(uint8_t code)
{
    static const uint8_t reasons[] = {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
                                      0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
                                      0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};

    return reason_listed(reasons, sizeof(reasons), code);
}

static enum bud_reason judge(uint8_t version, uint8_t flags, uint8_t code)
{
    if (version == MQTT_3_1) // its first byte means nothing
        return BUD_SUCCESS;
    if (flags & ~1u) // [MQTT-3.2.2-1]
        return BUD_MALFORMED_PACKET;
    if (version >= MQTT_5_0 && !reason_fits(code)) // [MQTT-3.2.2-8]
        return BUD_PROTOCOL_ERROR;
    return flags == 0 || code == 0 ? BUD_SUCCESS : BUD_PROTOCOL_ERROR; // [MQTT-3.2.2-6]
}

enum bud_reason connack_decode(const struct frame *frame, uint8_t version,
                               struct packet_connack *ret_connack)
{
    struct reader reader = reader_of(frame->body);
    uint8_t flags = reader_u8(&reader), code = reader_u8(&reader);
    enum bud_reason reason;

    reason = decode_properties(&reader, version, PACKET_CONNACK, &ret_connack->properties);
    if (!reason)
        reason = reader_verdict(&reader);
    if (reason)
        return reason;
    ret_connack->session_present = version != MQTT_3_1 && (flags & 1);
    ret_connack->reason =
        version >= MQTT_5_0 ? (enum bud_reason)code : bud_reason_from_return_code(code);
    return judge(version, flags, code);
}

static void write_body(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_connack *connack = packet;
    bool present = connack->session_present && !bud_reason_is_error(connack->reason);

    writer_u8(writer, present && version != MQTT_3_1); // [MQTT-3.2.2-4] [MQTT-3.2.2-6]
    if (version < MQTT_5_0) {
        writer_u8(writer, bud_reason_to_return_code(connack->reason));
        return;
    }
    writer_u8(writer, (uint8_t)connack->reason);
    properties_encode(writer, &connack->properties);
}

void packet_encode_connack(struct writer *writer, uint8_t version,
                           const struct packet_connack *connack)
{
    packet_write(writer, PACKET_CONNACK, version, write_body, connack);
}
