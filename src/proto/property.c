// SPDX-License-Identifier: MIT
// See property.h. One table says of each property what it looks like on the wire, where it may
// stand and which field of struct properties holds it; decoding, encoding and walking all read it.
// An attacker controls number, order and contents; the work is linear in the section's size.
#include "proto/property.h"

#include "proto/topic.h"

enum kind {
    KIND_NONE,
    KIND_BYTE,
    KIND_U16,
    KIND_U32,
    KIND_VARINT,
    KIND_TEXT,
    KIND_BINARY,
    KIND_PAIR
};

struct rule {
    uint32_t owners; // bit 1 << packet type or PROPERTY_OWNER_WILL
    uint8_t kind;    // enum kind
    uint16_t offset; // into struct properties
};

#define ON(owner) ((uint32_t)1 << (owner))
#define ON_WILL ON(PROPERTY_OWNER_WILL)
#define ON_ACKS                                                                                    \
    (ON(PACKET_PUBACK) | ON(PACKET_PUBREC) | ON(PACKET_PUBREL) | ON(PACKET_PUBCOMP) |              \
     ON(PACKET_SUBACK) | ON(PACKET_UNSUBACK))
#define ON_MESSAGE (ON(PACKET_PUBLISH) | ON_WILL)
#define ON_BOTH_ENDS (ON(PACKET_CONNECT) | ON(PACKET_CONNACK))
#define AT(field) offsetof(struct properties, field)

#define PROPERTY_COUNT 43

static const struct rule rules[PROPERTY_COUNT] = {
    [PROPERTY_PAYLOAD_FORMAT_INDICATOR] = {ON_MESSAGE, KIND_BYTE, AT(payload_format_indicator)},
    [PROPERTY_MESSAGE_EXPIRY_INTERVAL] = {ON_MESSAGE, KIND_U32, AT(message_expiry_interval)},
    [PROPERTY_CONTENT_TYPE] = {ON_MESSAGE, KIND_TEXT, AT(content_type)},
    [PROPERTY_RESPONSE_TOPIC] = {ON_MESSAGE, KIND_TEXT, AT(response_topic)},
    [PROPERTY_CORRELATION_DATA] = {ON_MESSAGE, KIND_BINARY, AT(correlation_data)},
    [PROPERTY_SUBSCRIPTION_IDENTIFIER] = {ON(PACKET_PUBLISH) | ON(PACKET_SUBSCRIBE), KIND_VARINT,
                                          AT(subscription_identifier)},
    [PROPERTY_SESSION_EXPIRY_INTERVAL] = {ON_BOTH_ENDS | ON(PACKET_DISCONNECT), KIND_U32,
                                          AT(session_expiry_interval)},
    [PROPERTY_ASSIGNED_CLIENT_IDENTIFIER] = {ON(PACKET_CONNACK), KIND_TEXT,
                                             AT(assigned_client_identifier)},
    [PROPERTY_SERVER_KEEP_ALIVE] = {ON(PACKET_CONNACK), KIND_U16, AT(server_keep_alive)},
    [PROPERTY_AUTHENTICATION_METHOD] = {ON_BOTH_ENDS | ON(PACKET_AUTH), KIND_TEXT,
                                        AT(authentication_method)},
    [PROPERTY_AUTHENTICATION_DATA] = {ON_BOTH_ENDS | ON(PACKET_AUTH), KIND_BINARY,
                                      AT(authentication_data)},
    [PROPERTY_REQUEST_PROBLEM_INFORMATION] = {ON(PACKET_CONNECT), KIND_BYTE,
                                              AT(request_problem_information)},
    [PROPERTY_WILL_DELAY_INTERVAL] = {ON_WILL, KIND_U32, AT(will_delay_interval)},
    [PROPERTY_REQUEST_RESPONSE_INFORMATION] = {ON(PACKET_CONNECT), KIND_BYTE,
                                               AT(request_response_information)},
    [PROPERTY_RESPONSE_INFORMATION] = {ON(PACKET_CONNACK), KIND_TEXT, AT(response_information)},
    [PROPERTY_SERVER_REFERENCE] = {ON(PACKET_CONNACK) | ON(PACKET_DISCONNECT), KIND_TEXT,
                                   AT(server_reference)},
    [PROPERTY_REASON_STRING] = {ON_ACKS | ON(PACKET_CONNACK) | ON(PACKET_DISCONNECT) |
                                    ON(PACKET_AUTH),
                                KIND_TEXT, AT(reason_string)},
    [PROPERTY_RECEIVE_MAXIMUM] = {ON_BOTH_ENDS, KIND_U16, AT(receive_maximum)},
    [PROPERTY_TOPIC_ALIAS_MAXIMUM] = {ON_BOTH_ENDS, KIND_U16, AT(topic_alias_maximum)},
    [PROPERTY_TOPIC_ALIAS] = {ON(PACKET_PUBLISH), KIND_U16, AT(topic_alias)},
    [PROPERTY_MAXIMUM_QOS] = {ON(PACKET_CONNACK), KIND_BYTE, AT(maximum_qos)},
    [PROPERTY_RETAIN_AVAILABLE] = {ON(PACKET_CONNACK), KIND_BYTE, AT(retain_available)},
    [PROPERTY_USER_PROPERTY] = {ON_MESSAGE | ON_BOTH_ENDS | ON_ACKS | ON(PACKET_SUBSCRIBE) |
                                    ON(PACKET_UNSUBSCRIBE) | ON(PACKET_DISCONNECT) |
                                    ON(PACKET_AUTH),
                                KIND_PAIR, 0},
    [PROPERTY_MAXIMUM_PACKET_SIZE] = {ON_BOTH_ENDS, KIND_U32, AT(maximum_packet_size)},
    [PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE] = {ON(PACKET_CONNACK), KIND_BYTE,
                                                  AT(wildcard_subscription_available)},
    [PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE] = {ON(PACKET_CONNACK), KIND_BYTE,
                                                    AT(subscription_identifier_available)},
    [PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE] = {ON(PACKET_CONNACK), KIND_BYTE,
                                                AT(shared_subscription_available)},
};

static const struct rule *rule_of(uint32_t identifier)
{
    return &rules[identifier < PROPERTY_COUNT ? identifier : 0];
}

// Reads identifier and value. An unknown identifier makes the reader bad.
static void read_item(struct reader *reader, struct property_item *ret_item)
{
    struct property_item item = {0};
    const uint8_t *start = reader->cursor;
    uint32_t identifier = reader_varint(reader);
    const struct rule *rule = rule_of(identifier);

    switch ((enum kind)rule->kind) {
    case KIND_BYTE: item.number = reader_u8(reader); break;
    case KIND_U16: item.number = reader_u16(reader); break;
    case KIND_U32: item.number = reader_u32(reader); break;
    case KIND_VARINT: item.number = reader_varint(reader); break;
    case KIND_TEXT: item.value = reader_text(reader); break;
    case KIND_BINARY: item.value = reader_binary(reader); break;
    case KIND_PAIR:
        item.name = reader_text(reader);
        item.value = reader_text(reader);
        break;
    case KIND_NONE: reader->bad = true; break;
    }
    item.identifier = (uint8_t)identifier;
    item.encoded = bytes_make(start, (size_t)(reader->cursor - start));
    *ret_item = item;
}

// Does the specification allow this value of a property at all?
static enum bud_reason judge_value(const struct property_item *item)
{
    switch (item->identifier) {
    case PROPERTY_PAYLOAD_FORMAT_INDICATOR:
    case PROPERTY_REQUEST_PROBLEM_INFORMATION:
    case PROPERTY_REQUEST_RESPONSE_INFORMATION:
    case PROPERTY_MAXIMUM_QOS:
    case PROPERTY_RETAIN_AVAILABLE:
    case PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE:
    case PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE:
    case PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE:
        return item->number <= 1 ? BUD_SUCCESS : BUD_PROTOCOL_ERROR;
    case PROPERTY_RECEIVE_MAXIMUM:
    case PROPERTY_MAXIMUM_PACKET_SIZE:
    case PROPERTY_SUBSCRIPTION_IDENTIFIER:
        return item->number != 0 ? BUD_SUCCESS : BUD_PROTOCOL_ERROR;
    case PROPERTY_TOPIC_ALIAS: // [MQTT-3.3.2-8]
        return item->number != 0 ? BUD_SUCCESS : BUD_TOPIC_ALIAS_INVALID;
    case PROPERTY_RESPONSE_TOPIC: // [MQTT-3.3.2-14]
        return topic_name_valid(item->value) ? BUD_SUCCESS : BUD_PROTOCOL_ERROR;
    default: return BUD_SUCCESS;
    }
}

static void store(const struct property_item *item, struct properties *properties)
{
    const struct rule *rule = rule_of(item->identifier);
    void *field = (uint8_t *)properties + rule->offset;

    properties->present |= (uint64_t)1 << item->identifier;
    switch ((enum kind)rule->kind) {
    case KIND_BYTE: *(uint8_t *)field = (uint8_t)item->number; break;
    case KIND_U16: *(uint16_t *)field = (uint16_t)item->number; break;
    case KIND_U32:
    case KIND_VARINT: *(uint32_t *)field = item->number; break;
    case KIND_TEXT:
    case KIND_BINARY: *(struct bytes *)field = item->value; break;
    case KIND_PAIR:
    case KIND_NONE: break;
    }
}

// Takes one property in, or says why not.
static enum bud_reason accept(const struct property_item *item, uint8_t owner,
                              struct properties *properties)
{
    bool repeated = properties_have(properties, (enum property)item->identifier);
    enum bud_reason reason;

    if (!(rule_of(item->identifier)->owners & ON(owner)))
        return BUD_MALFORMED_PACKET;
    reason = judge_value(item);
    if (reason)
        return reason;
    if (item->identifier == PROPERTY_USER_PROPERTY)
        properties->user_property_count++;
    else if (item->identifier == PROPERTY_SUBSCRIPTION_IDENTIFIER && owner == PACKET_PUBLISH)
        repeated = properties->subscription_identifier_count++ > 0;
    else if (repeated)
        return BUD_PROTOCOL_ERROR;
    else if (item->identifier == PROPERTY_SUBSCRIPTION_IDENTIFIER)
        properties->subscription_identifier_count++;
    if (!repeated)
        store(item, properties);
    return BUD_SUCCESS;
}

enum bud_reason properties_decode(struct reader *reader, uint8_t owner, struct properties *ret)
{
    struct reader section;
    uint32_t size = reader_varint(reader);

    *ret = (struct properties){0};
    if (reader->bad || size > reader_left(reader)) // before it could be cut to a small size_t
        return BUD_MALFORMED_PACKET;
    ret->raw = reader_take(reader, (size_t)size);
    section = reader_of(ret->raw);
    while (reader_left(&section) > 0) {
        struct property_item item;
        enum bud_reason reason;

        read_item(&section, &item);
        if (section.bad)
            return BUD_MALFORMED_PACKET;
        reason = accept(&item, owner, ret);
        if (reason)
            return reason;
    }
    if (properties_have(ret, PROPERTY_AUTHENTICATION_DATA) &&
        !properties_have(ret, PROPERTY_AUTHENTICATION_METHOD))
        return BUD_PROTOCOL_ERROR;
    return BUD_SUCCESS;
}

static void write_item(struct writer *writer, uint8_t identifier,
                       const struct properties *properties)
{
    const struct rule *rule = rule_of(identifier);
    const void *field = (const uint8_t *)properties + rule->offset;

    if (rule->kind == KIND_NONE || rule->kind == KIND_PAIR)
        return;
    writer_u8(writer, identifier);
    switch ((enum kind)rule->kind) {
    case KIND_BYTE: writer_u8(writer, *(const uint8_t *)field); break;
    case KIND_U16: writer_u16(writer, *(const uint16_t *)field); break;
    case KIND_U32: writer_u32(writer, *(const uint32_t *)field); break;
    case KIND_VARINT: writer_varint(writer, *(const uint32_t *)field); break;
    case KIND_TEXT:
    case KIND_BINARY: writer_binary(writer, *(const struct bytes *)field); break;
    case KIND_PAIR:
    case KIND_NONE: break;
    }
}

static void write_section(struct writer *writer, const struct properties *properties)
{
    uint64_t left = properties->present;

    for (uint8_t identifier = 0; left != 0; identifier++, left >>= 1) {
        if (left & 1)
            write_item(writer, identifier, properties);
    }
    writer_bytes(writer, properties->user);
}

// A section too large or with a bad field gives more than VARINT_MAX, which no length can say.
static size_t section_size(const struct properties *properties)
{
    struct writer writer = writer_counting();

    if (properties->present == 0)
        return properties->user.size;
    write_section(&writer, properties);
    return writer.bad ? SIZE_MAX : writer.size;
}

void properties_encode(struct writer *writer, const struct properties *properties)
{
    size_t size = section_size(properties);

    if (!varint_fits(size)) {
        writer->bad = true;
        return;
    }
    if (!writer_fits(writer, varint_size((uint32_t)size) + size))
        return;
    writer_varint(writer, (uint32_t)size);
    write_section(writer, properties);
}

size_t properties_size(const struct properties *properties)
{
    size_t size = section_size(properties);

    return varint_fits(size) ? size + varint_size((uint32_t)size) : SIZE_MAX;
}

bool property_iterate(struct bytes *rest, struct property_item *ret_item)
{
    struct reader reader;

    if (rest->size == 0)
        return false;
    reader = reader_of(*rest);
    read_item(&reader, ret_item);
    *rest = reader_rest(&reader);
    return !reader.bad;
}

void property_write_user(struct writer *writer, struct bytes name, struct bytes value)
{
    if (name.size > UINT16_MAX || value.size > UINT16_MAX)
        writer->bad = true;
    if (!writer_fits(writer, 5 + name.size + value.size))
        return;
    writer_u8(writer, PROPERTY_USER_PROPERTY);
    writer_binary(writer, name);
    writer_binary(writer, value);
}

void property_write_subscription_identifier(struct writer *writer, uint32_t identifier)
{
    if (identifier == 0 || !varint_fits(identifier))
        writer->bad = true;
    if (!writer_fits(writer, 1 + varint_size(identifier)))
        return;
    writer_u8(writer, PROPERTY_SUBSCRIPTION_IDENTIFIER);
    writer_varint(writer, identifier);
}
