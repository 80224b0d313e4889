// SPDX-License-Identifier: MIT
// SUBACK and UNSUBACK [MQTT5 3.9, 3.11]: one code for each filter that was asked for. 3.x knows
// only "refused" and gives UNSUBACK no codes at all.
#include "proto/packet.h"
#include "proto/packet_parts.h"

static bool code_fits(uint8_t type, uint8_t version, uint8_t code)
{
    static const uint8_t subscribed[] = {0x00, 0x01, 0x02, 0x80, 0x83, 0x87,
                                         0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};
    static const uint8_t unsubscribed[] = {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};

    if (type == PACKET_UNSUBACK) // [MQTT-3.11.3-2]
        return reason_listed(unsubscribed, sizeof(unsubscribed), code);
    if (version < MQTT_5_0) // [MQTT-3.9.3-2 of 3.1.1]
        return code <= 2 || code == BUD_UNSPECIFIED_ERROR;
    return reason_listed(subscribed, sizeof(subscribed), code); // [MQTT-3.9.3-2]
}

static enum bud_reason judge_codes(uint8_t type, uint8_t version, struct bytes codes)
{
    if (type == PACKET_UNSUBACK && version < MQTT_5_0)
        return codes.size == 0 ? BUD_SUCCESS : BUD_MALFORMED_PACKET;
    if (codes.size == 0)
        return BUD_MALFORMED_PACKET;
    for (size_t i = 0; i < codes.size; i++) {
        if (!code_fits(type, version, codes.data[i]))
            return BUD_PROTOCOL_ERROR;
    }
    return BUD_SUCCESS;
}

enum bud_reason suback_decode(const struct frame *frame, uint8_t version,
                              struct packet_suback *ret_suback)
{
    struct reader reader = reader_of(frame->body);
    enum bud_reason reason;

    ret_suback->packet_id = reader_u16(&reader);
    reason = decode_properties(&reader, version, frame->type, &ret_suback->properties);
    ret_suback->codes = reader_rest(&reader);
    if (reader.bad)
        return BUD_MALFORMED_PACKET;
    if (reason)
        return reason;
    if (ret_suback->packet_id == 0) // no request has this identifier [MQTT-2.2.1-6]
        return BUD_PROTOCOL_ERROR;
    return judge_codes(frame->type, version, ret_suback->codes);
}

static void write_codes(struct writer *writer, uint8_t version, struct bytes codes)
{
    if (version >= MQTT_5_0) {
        writer_bytes(writer, codes);
        return;
    }
    for (size_t i = 0; i < codes.size; i++) {
        bool refused = bud_reason_is_error((enum bud_reason)codes.data[i]);

        writer_u8(writer, refused ? BUD_UNSPECIFIED_ERROR : codes.data[i]);
    }
}

static void write_suback(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_suback *suback = packet;

    writer_u16(writer, suback->packet_id);
    if (version >= MQTT_5_0)
        properties_encode(writer, &suback->properties);
    write_codes(writer, version, suback->codes);
}

static void write_unsuback(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_suback *unsuback = packet;

    if (version >= MQTT_5_0)
        write_suback(writer, version, packet);
    else
        writer_u16(writer, unsuback->packet_id);
}

void packet_encode_suback(struct writer *writer, uint8_t version, uint8_t type,
                          const struct packet_suback *suback)
{
    packet_write(writer, type, version, type == PACKET_SUBACK ? write_suback : write_unsuback,
                 suback);
}
