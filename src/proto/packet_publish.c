// SPDX-License-Identifier: MIT
// PUBLISH [MQTT5 3.3]: the packet everything else is for, hence the one whose path is kept short.
// The payload is never looked at nor, with packet_encode_publish_head, copied.
#include "proto/packet.h"
#include "proto/packet_parts.h"
#include "proto/topic.h"

#define FLAG_RETAIN 1u
#define FLAG_DUP 8u
#define QOS_SHIFT 1

static enum bud_reason judge_topic(uint8_t version, const struct packet_publish *publish)
{
    if (topic_name_valid(publish->topic))
        return BUD_SUCCESS;
    if (publish->topic.size > 0 || version < MQTT_5_0) // [MQTT-3.3.2-2] [MQTT-4.7.3-1]
        return BUD_TOPIC_NAME_INVALID;
    // An alias stands in for an empty topic; the specification names lack of both (3.3.2.1).
    return properties_have(&publish->properties, PROPERTY_TOPIC_ALIAS) ? BUD_SUCCESS
                                                                       : BUD_PROTOCOL_ERROR;
}

enum bud_reason publish_decode(const struct frame *frame, uint8_t version,
                               struct packet_publish *ret_publish)
{
    struct packet_publish *publish = ret_publish;
    struct reader reader = reader_of(frame->body);
    enum bud_reason reason;

    publish->dup = frame->flags & FLAG_DUP;
    publish->retain = frame->flags & FLAG_RETAIN;
    publish->qos = frame->flags >> QOS_SHIFT & 3;
    publish->topic = reader_text(&reader); // [MQTT-3.3.2-1]
    publish->packet_id = publish->qos ? reader_u16(&reader) : 0;
    reason = decode_properties(&reader, version, PACKET_PUBLISH, &publish->properties);
    publish->payload = reader_rest(&reader);
    if (reader.bad || publish->qos == 3) // [MQTT-3.3.1-4]
        return BUD_MALFORMED_PACKET;
    if (reason)
        return reason;
    if (publish->qos == 0 && publish->dup) // [MQTT-3.3.1-2]
        return BUD_MALFORMED_PACKET;
    if (publish->qos > 0 && publish->packet_id == 0) // [MQTT-2.2.1-3]
        return BUD_PROTOCOL_ERROR;
    return judge_topic(version, publish);
}

// What stands between the fixed header and the payload.
static size_t variable_header_size(uint8_t version, const struct packet_publish *publish)
{
    size_t size = 2 + publish->topic.size + (publish->qos ? 2u : 0u);

    return version >= MQTT_5_0 ? size + properties_size(&publish->properties) : size;
}

// SIZE_MAX if no packet can hold it.
static size_t body_size_of(uint8_t version, const struct packet_publish *publish,
                           size_t payload_size, size_t *ret_head_size)
{
    size_t head;

    *ret_head_size = 0;
    if (publish->topic.size > UINT16_MAX || !varint_fits(payload_size))
        return SIZE_MAX;
    if (version >= MQTT_5_0 && !varint_fits(properties_size(&publish->properties)))
        return SIZE_MAX;
    head = variable_header_size(version, publish);
    *ret_head_size = head;
    return head + payload_size;
}

static uint8_t flags_of(const struct packet_publish *publish)
{
    return (uint8_t)((publish->dup && publish->qos ? FLAG_DUP : 0) |
                     (unsigned)publish->qos << QOS_SHIFT | (publish->retain ? FLAG_RETAIN : 0));
}

static void write_publish(struct writer *writer, uint8_t version,
                          const struct packet_publish *publish, size_t payload_size,
                          bool with_payload)
{
    size_t head_size;
    size_t body_size = body_size_of(version, publish, payload_size, &head_size);

    if (!packet_begin(writer, PACKET_PUBLISH, flags_of(publish), body_size,
                      with_payload ? body_size : head_size))
        return;
    writer_binary(writer, publish->topic);
    if (publish->qos)
        writer_u16(writer, publish->packet_id);
    if (version >= MQTT_5_0)
        properties_encode(writer, &publish->properties);
    if (with_payload)
        writer_bytes(writer, publish->payload);
}

void packet_encode_publish(struct writer *writer, uint8_t version,
                           const struct packet_publish *publish)
{
    write_publish(writer, version, publish, publish->payload.size, true);
}

void packet_encode_publish_head(struct writer *writer, uint8_t version,
                                const struct packet_publish *publish, size_t payload_size)
{
    write_publish(writer, version, publish, payload_size, false);
}

size_t packet_publish_size(uint8_t version, const struct packet_publish *publish)
{
    size_t head_size;
    size_t body_size = body_size_of(version, publish, publish->payload.size, &head_size);

    return varint_fits(body_size) ? 1 + varint_size((uint32_t)body_size) + body_size : SIZE_MAX;
}
