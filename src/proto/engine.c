// SPDX-License-Identifier: MIT
// See engine.h. What may come is a set of packet types for each role and state; the type stands in
// the first byte, so a stranger is turned away on one byte.
#include "proto/engine.h"

#define TYPE(type) ((uint32_t)1 << (type))

#define EITHER_WAY                                                                                 \
    (TYPE(PACKET_PUBLISH) | TYPE(PACKET_PUBACK) | TYPE(PACKET_PUBREC) | TYPE(PACKET_PUBREL) |      \
     TYPE(PACKET_PUBCOMP) | TYPE(PACKET_AUTH))
#define TO_SERVER                                                                                  \
    (EITHER_WAY | TYPE(PACKET_SUBSCRIBE) | TYPE(PACKET_UNSUBSCRIBE) | TYPE(PACKET_PINGREQ) |       \
     TYPE(PACKET_DISCONNECT))
#define TO_CLIENT (EITHER_WAY | TYPE(PACKET_SUBACK) | TYPE(PACKET_UNSUBACK) | TYPE(PACKET_PINGRESP))

void engine_init(struct engine *engine, enum engine_role role, uint32_t packet_size_max)
{
    *engine = (struct engine){
        .role = (uint8_t)role,
        .version = MQTT_3_1_1,
        .state = ENGINE_EXPECTS_CONNECT,
        .packet_size_max = packet_size_max,
    };
}

static uint32_t types_for_server(const struct engine *engine)
{
    if (engine->state == ENGINE_EXPECTS_CONNECT) // [MQTT-3.1.0-1]
        return TYPE(PACKET_CONNECT);
    if (engine->state == ENGINE_CONNECTING && engine->enhanced) // [MQTT-3.1.2-30]
        return TYPE(PACKET_AUTH) | TYPE(PACKET_DISCONNECT);
    return TO_SERVER; // a second CONNECT is not among them [MQTT-3.1.0-2]
}

static uint32_t types_for_client(const struct engine *engine)
{
    if (engine->state == ENGINE_EXPECTS_CONNECT)
        return 0;
    if (engine->state == ENGINE_CONNECTING) // [MQTT-3.2.0-1]
        return TYPE(PACKET_CONNACK) | TYPE(PACKET_AUTH);
    return TO_CLIENT | (engine->version >= MQTT_5_0 ? TYPE(PACKET_DISCONNECT) : 0);
}

static bool type_allowed(const struct engine *engine, uint8_t type)
{
    uint32_t types =
        engine->role == ENGINE_SERVER ? types_for_server(engine) : types_for_client(engine);

    if (type == PACKET_AUTH && !engine->enhanced) // set by a CONNECT of 5.0 only [MQTT-4.12.0-1]
        return false;
    return (types & TYPE(type)) != 0;
}

static bool too_large(const struct engine *engine, const struct frame *frame)
{
    uint32_t size = frame->header_size + frame->body_size;

    return size > engine->packet_size_max; // [MQTT-3.1.2-24] [MQTT-3.2.2-15]
}

// What is right in itself but wrong in this direction.
static bool direction_fits(const struct engine *engine, const struct packet *packet)
{
    bool to_server = engine->role == ENGINE_SERVER;

    switch (packet->type) {
    case PACKET_PUBLISH: // [MQTT-3.3.4-6]
        return !to_server || packet->publish.properties.subscription_identifier_count == 0;
    case PACKET_DISCONNECT: // [MQTT-3.14.2-2]
        return to_server ||
               !properties_have(&packet->disconnect.properties, PROPERTY_SESSION_EXPIRY_INTERVAL);
    case PACKET_AUTH: // [MQTT-3.15.2-1]: only the server ends, only the client starts again
        return packet->auth.reason != (to_server ? BUD_SUCCESS : BUD_REAUTHENTICATE);
    default: return true;
    }
}

// The version is noted even of a CONNECT that is refused, so that the refusal can be in its form.
static void note_connect(struct engine *engine, const struct packet_connect *connect)
{
    if (connect->version < MQTT_3_1)
        return;
    engine->version = connect->version < MQTT_5_0 ? connect->version : MQTT_5_0;
    engine->enhanced = properties_have(&connect->properties, PROPERTY_AUTHENTICATION_METHOD);
}

static enum bud_reason decode(struct engine *engine, const struct frame *frame,
                              struct packet *ret_packet)
{
    enum bud_reason reason = packet_decode(frame, engine->version, ret_packet);

    if (frame->type == PACKET_CONNECT)
        note_connect(engine, &ret_packet->connect);
    if (reason)
        return reason;
    return direction_fits(engine, ret_packet) ? BUD_SUCCESS : BUD_PROTOCOL_ERROR;
}

static void advance(struct engine *engine, uint8_t type)
{
    if (type == PACKET_CONNECT)
        engine->state = ENGINE_CONNECTING;
    else if (type == PACKET_DISCONNECT)
        engine->state = ENGINE_CLOSED;
}

static struct engine_step fail(struct engine *engine, enum bud_reason reason, uint8_t type)
{
    engine->state = ENGINE_CLOSED;
    return (struct engine_step){.result = ENGINE_ERROR, .reason = reason, .type = type};
}

static struct engine_step needs_more(struct bytes input, enum frame_state state,
                                     const struct frame *frame)
{
    size_t needed;

    if (state == FRAME_HEADER)
        needed = frame->header_size + (size_t)frame->body_size - input.size;
    else
        needed = input.size < 2 ? 2 - input.size : 1;
    return (struct engine_step){.result = ENGINE_NEEDS_MORE, .needed = needed, .type = frame->type};
}

struct engine_step engine_next(struct engine *engine, struct bytes input, struct packet *ret_packet)
{
    struct frame frame;
    enum frame_state state = frame_scan(input, &frame);
    enum bud_reason reason;

    if (engine->state == ENGINE_CLOSED)
        return (struct engine_step){.result = ENGINE_NEEDS_MORE};
    if (input.size > 0 && frame.type != 0 && !type_allowed(engine, frame.type))
        return fail(engine, BUD_PROTOCOL_ERROR, frame.type);
    if (state == FRAME_MALFORMED)
        return fail(engine, BUD_MALFORMED_PACKET, frame.type);
    if (too_large(engine, &frame))
        return fail(engine, BUD_PACKET_TOO_LARGE, frame.type);
    if (state != FRAME_WHOLE)
        return needs_more(input, state, &frame);
    reason = decode(engine, &frame, ret_packet);
    if (reason)
        return fail(engine, reason, frame.type);
    advance(engine, frame.type);
    return (struct engine_step){.result = ENGINE_PACKET,
                                .consumed = frame.header_size + frame.body.size,
                                .type = frame.type};
}
