// SPDX-License-Identifier: MIT
// DISCONNECT and AUTH [MQTT5 3.14, 3.15]: a reason and properties, both left out when they say
// nothing. DISCONNECT of 3.x is empty; AUTH exists in 5.0 only.
#include "proto/packet.h"
#include "proto/packet_parts.h"

static bool reason_fits(uint8_t code)
{
    static const uint8_t reasons[] = {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D,
                                      0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
                                      0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};

    return reason_listed(reasons, sizeof(reasons), code);
}

enum bud_reason disconnect_decode(const struct frame *frame, uint8_t version,
                                  struct packet_disconnect *ret_disconnect)
{
    struct reader reader = reader_of(frame->body);
    enum bud_reason reason = BUD_SUCCESS;
    uint8_t code = BUD_SUCCESS;

    ret_disconnect->properties = (struct properties){0};
    if (version >= MQTT_5_0 && reader_left(&reader) > 0)
        code = reader_u8(&reader); // absent it is normal disconnection
    if (version >= MQTT_5_0 && reader_left(&reader) > 0)
        reason = properties_decode(&reader, PACKET_DISCONNECT, &ret_disconnect->properties);
    ret_disconnect->reason = (enum bud_reason)code;
    if (!reason)
        reason = reader_verdict(&reader);
    if (reason)
        return reason;
    return reason_fits(code) ? BUD_SUCCESS : BUD_PROTOCOL_ERROR; // [MQTT-3.14.2-1]
}

enum bud_reason auth_decode(const struct frame *frame, struct packet_auth *ret_auth)
{
    struct reader reader = reader_of(frame->body);
    enum bud_reason reason;

    *ret_auth = (struct packet_auth){0};
    if (frame->body.size == 0) // success and no properties
        return BUD_SUCCESS;
    ret_auth->reason = (enum bud_reason)reader_u8(&reader);
    reason = properties_decode(&reader, PACKET_AUTH, &ret_auth->properties);
    if (!reason)
        reason = reader_verdict(&reader);
    if (reason)
        return reason;
    if (ret_auth->reason != BUD_SUCCESS && ret_auth->reason != BUD_CONTINUE_AUTHENTICATION &&
        ret_auth->reason != BUD_REAUTHENTICATE) // [MQTT-3.15.2-1]
        return BUD_PROTOCOL_ERROR;
    return properties_have(&ret_auth->properties, PROPERTY_AUTHENTICATION_METHOD)
               ? BUD_SUCCESS
               : BUD_PROTOCOL_ERROR; // 3.15.2.2.2
}

static bool says_something(const struct properties *properties)
{
    return properties->present != 0 || properties->user.size > 0;
}

static void write_disconnect(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_disconnect *disconnect = packet;
    bool with_properties = says_something(&disconnect->properties);

    if (version < MQTT_5_0)
        return;
    if (disconnect->reason != BUD_SUCCESS || with_properties)
        writer_u8(writer, (uint8_t)disconnect->reason);
    if (with_properties)
        properties_encode(writer, &disconnect->properties);
}

void packet_encode_disconnect(struct writer *writer, uint8_t version,
                              const struct packet_disconnect *disconnect)
{
    packet_write(writer, PACKET_DISCONNECT, version, write_disconnect, disconnect);
}

static void write_auth(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_auth *auth = packet;

    (void)version;
    if (auth->reason == BUD_SUCCESS && !says_something(&auth->properties))
        return;
    writer_u8(writer, (uint8_t)auth->reason);
    properties_encode(writer, &auth->properties);
}

void packet_encode_auth(struct writer *writer, const struct packet_auth *auth)
{
    packet_write(writer, PACKET_AUTH, MQTT_5_0, write_auth, auth);
}
