// SPDX-License-Identifier: MIT
// CONNECT [MQTT5 3.1]: the one packet that says itself which version it is of, and the first that a
// stranger sends.
#include "proto/packet.h"
#include "proto/packet_parts.h"
#include "proto/topic.h"

#define BRIDGE_BIT 0x80u

enum connect_flags {
    FLAG_RESERVED = 0x01,
    FLAG_CLEAN_START = 0x02,
    FLAG_WILL = 0x04,
    WILL_QOS_SHIFT = 3,
    FLAG_WILL_RETAIN = 0x20,
    FLAG_PASSWORD = 0x40,
    FLAG_USER_NAME = 0x80,
};

static const struct bytes name_3_1 = {(const uint8_t *)"MQIsdp", 6};
static const struct bytes name_3_1_1 = {(const uint8_t *)"MQTT", 4};

// Only 3.1 and 3.1.1 have bridges that mark themselves.
static enum bud_reason decode_version(struct reader *reader, struct packet_connect *connect)
{
    struct bytes name = reader_binary(reader);
    uint8_t level = reader_u8(reader);
    bool is_3_1 = bytes_equal(name, name_3_1);

    if (reader->bad || (!is_3_1 && !bytes_equal(name, name_3_1_1))) // [MQTT-3.1.2-1]
        return BUD_MALFORMED_PACKET;
    connect->bridge = level == (BRIDGE_BIT | MQTT_3_1) || level == (BRIDGE_BIT | MQTT_3_1_1);
    connect->version = connect->bridge ? level & (uint8_t)~BRIDGE_BIT : level;
    if (is_3_1 ? connect->version == MQTT_3_1
               : connect->version == MQTT_3_1_1 || connect->version == MQTT_5_0)
        return BUD_SUCCESS;
    return BUD_UNSUPPORTED_PROTOCOL_VERSION; // [MQTT-3.1.2-2]
}

static bool flags_fit(uint8_t version, uint8_t flags)
{
    uint8_t will_bits = flags & (3 << WILL_QOS_SHIFT | FLAG_WILL_RETAIN);

    if (flags & FLAG_WILL)
        return (will_bits >> WILL_QOS_SHIFT & 3) != 3 && // [MQTT-3.1.2-12]
               (version == MQTT_3_1 || !(flags & FLAG_RESERVED));
    // 3.1 disregards the will's bits without a will, and the reserved bit altogether.
    return version == MQTT_3_1 ||
           (will_bits == 0 && !(flags & FLAG_RESERVED)); // [MQTT-3.1.2-3] [MQTT-3.1.2-11]
}

static void apply_flags(uint8_t flags, struct packet_connect *connect)
{
    connect->clean_start = flags & FLAG_CLEAN_START;
    connect->has_will = flags & FLAG_WILL;
    connect->has_user_name = flags & FLAG_USER_NAME;
    connect->has_password = flags & FLAG_PASSWORD;
    if (connect->has_will) {
        connect->will.qos = flags >> WILL_QOS_SHIFT & 3;
        connect->will.retain = flags & FLAG_WILL_RETAIN;
    }
}

static enum bud_reason decode_will(struct reader *reader, uint8_t version, struct packet_will *will)
{
    enum bud_reason reason =
        decode_properties(reader, version, PROPERTY_OWNER_WILL, &will->properties);

    if (reason)
        return reason;
    will->topic = reader_text(reader);
    will->payload = reader_binary(reader);
    if (reader->bad)
        return BUD_MALFORMED_PACKET;
    return topic_name_valid(will->topic) ? BUD_SUCCESS : BUD_TOPIC_NAME_INVALID;
}

// For 3.1 the Remaining Length takes precedence over the flags: old clients announce a user name or
// a password and send none.
static void decode_credentials(struct reader *reader, struct packet_connect *connect)
{
    bool may_lack = connect->version == MQTT_3_1 && !reader->bad;

    if (may_lack && reader_left(reader) == 0)
        connect->has_user_name = connect->has_password = false;
    if (connect->has_user_name)
        connect->user_name = reader_text(reader); // [MQTT-3.1.3-11]
    if (may_lack && reader_left(reader) == 0)
        connect->has_password = false;
    if (connect->has_password)
        connect->password = reader_binary(reader);
}

static enum bud_reason decode_payload(struct reader *reader, struct packet_connect *connect)
{
    connect->client_id = reader_text(reader); // [MQTT-3.1.3-4]
    if (connect->has_will) {
        enum bud_reason reason = decode_will(reader, connect->version, &connect->will);

        if (reason)
            return reason;
    }
    decode_credentials(reader, connect);
    return reader_verdict(reader);
}

enum bud_reason connect_decode(const struct frame *frame, struct packet_connect *ret_connect)
{
    struct reader reader = reader_of(frame->body);
    enum bud_reason reason;
    uint8_t flags;

    *ret_connect = (struct packet_connect){0};
    reason = decode_version(&reader, ret_connect);
    if (reason)
        return reason;
    if (ret_connect->version == MQTT_5_0 &&
        frame->header_size != 1 + varint_size(frame->body_size)) // [MQTT-1.5.5-1]
        return BUD_MALFORMED_PACKET;
    flags = reader_u8(&reader);
    ret_connect->keep_alive = reader_u16(&reader);
    if (reader.bad || !flags_fit(ret_connect->version, flags))
        return BUD_MALFORMED_PACKET;
    apply_flags(flags, ret_connect);
    reason =
        decode_properties(&reader, ret_connect->version, PACKET_CONNECT, &ret_connect->properties);
    return reason ? reason : decode_payload(&reader, ret_connect);
}

static uint8_t flags_of(const struct packet_connect *connect)
{
    unsigned flags = 0;

    if (connect->clean_start)
        flags |= FLAG_CLEAN_START;
    if (connect->has_user_name)
        flags |= FLAG_USER_NAME;
    if (connect->has_password)
        flags |= FLAG_PASSWORD;
    if (connect->has_will) {
        flags |= FLAG_WILL | (unsigned)(connect->will.qos << WILL_QOS_SHIFT);
        if (connect->will.retain)
            flags |= FLAG_WILL_RETAIN;
    }
    return (uint8_t)flags;
}

static void write_body(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_connect *connect = packet;

    writer_binary(writer, version == MQTT_3_1 ? name_3_1 : name_3_1_1);
    writer_u8(writer, connect->bridge ? (uint8_t)(version | BRIDGE_BIT) : version);
    writer_u8(writer, flags_of(connect));
    writer_u16(writer, connect->keep_alive);
    if (version >= MQTT_5_0)
        properties_encode(writer, &connect->properties);
    writer_binary(writer, connect->client_id);
    if (connect->has_will) {
        if (version >= MQTT_5_0)
            properties_encode(writer, &connect->will.properties);
        writer_binary(writer, connect->will.topic);
        writer_binary(writer, connect->will.payload);
    }
    if (connect->has_user_name)
        writer_binary(writer, connect->user_name);
    if (connect->has_password)
        writer_binary(writer, connect->password);
}

void packet_encode_connect(struct writer *writer, const struct packet_connect *connect)
{
    packet_write(writer, PACKET_CONNECT, connect->version, write_body, connect);
}
