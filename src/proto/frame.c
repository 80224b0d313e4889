// SPDX-License-Identifier: MIT
// See frame.h. The attacker chooses the claimed length; nothing here acts on it.
#include "proto/frame.h"

#define REMAINING_LENGTH_SIZE_MAX 4

static bool flags_fit(uint8_t type, uint8_t flags)
{
    switch (type) {
    case 0: return false;
    case PACKET_PUBLISH: return true;
    case PACKET_PUBREL:
    case PACKET_SUBSCRIBE:
    case PACKET_UNSUBSCRIBE:
        return (flags & 7) == 2; // [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
    default: return flags == 0;  // [MQTT-2.1.3-1]
    }
}

static enum frame_state scan_length(struct bytes input, struct frame *frame)
{
    uint32_t value = 0;

    for (uint8_t i = 0; i < REMAINING_LENGTH_SIZE_MAX; i++) {
        uint8_t byte;

        if (1u + i >= input.size)
            return FRAME_PARTIAL;
        byte = input.data[1 + i];
        value |= (uint32_t)(byte & 0x7F) << (7 * i);
        if (byte & 0x80)
            continue;
        frame->header_size = (uint8_t)(2 + i);
        frame->body_size = value;
        return FRAME_HEADER;
    }
    return FRAME_MALFORMED;
}

enum frame_state frame_scan(struct bytes input, struct frame *ret_frame)
{
    enum frame_state state;

    *ret_frame = (struct frame){0};
    if (input.size == 0)
        return FRAME_PARTIAL;
    ret_frame->type = input.data[0] >> 4;
    ret_frame->flags = input.data[0] & 15;
    if (!flags_fit(ret_frame->type, ret_frame->flags))
        return FRAME_MALFORMED;
    state = scan_length(input, ret_frame);
    if (state != FRAME_HEADER || input.size - ret_frame->header_size < ret_frame->body_size)
        return state;
    ret_frame->body = bytes_make(input.data + ret_frame->header_size, (size_t)ret_frame->body_size);
    return FRAME_WHOLE;
}

const char *packet_type_name(uint8_t type)
{
    static const char *const names[16] = {
        "reserved", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
        "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
        "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH",
    };

    return names[type & 15];
}
