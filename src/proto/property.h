// SPDX-License-Identifier: MIT
// MQTT 5.0 properties [MQTT5 2.2.2]: decoded into one struct of views, checked for the packet they
// are in. An attacker controls number and size; nothing is copied or allocated, and duplicates of
// single properties are refused.
#ifndef BUD_PROTO_PROPERTY_H
#define BUD_PROTO_PROPERTY_H

#include "proto/bytes.h"
#include "proto/frame.h"
#include "proto/reader.h"
#include "proto/reason.h"
#include "proto/writer.h"

enum property {
    PROPERTY_PAYLOAD_FORMAT_INDICATOR = 1,
    PROPERTY_MESSAGE_EXPIRY_INTERVAL = 2,
    PROPERTY_CONTENT_TYPE = 3,
    PROPERTY_RESPONSE_TOPIC = 8,
    PROPERTY_CORRELATION_DATA = 9,
    PROPERTY_SUBSCRIPTION_IDENTIFIER = 11,
    PROPERTY_SESSION_EXPIRY_INTERVAL = 17,
    PROPERTY_ASSIGNED_CLIENT_IDENTIFIER = 18,
    PROPERTY_SERVER_KEEP_ALIVE = 19,
    PROPERTY_AUTHENTICATION_METHOD = 21,
    PROPERTY_AUTHENTICATION_DATA = 22,
    PROPERTY_REQUEST_PROBLEM_INFORMATION = 23,
    PROPERTY_WILL_DELAY_INTERVAL = 24,
    PROPERTY_REQUEST_RESPONSE_INFORMATION = 25,
    PROPERTY_RESPONSE_INFORMATION = 26,
    PROPERTY_SERVER_REFERENCE = 28,
    PROPERTY_REASON_STRING = 31,
    PROPERTY_RECEIVE_MAXIMUM = 33,
    PROPERTY_TOPIC_ALIAS_MAXIMUM = 34,
    PROPERTY_TOPIC_ALIAS = 35,
    PROPERTY_MAXIMUM_QOS = 36,
    PROPERTY_RETAIN_AVAILABLE = 37,
    PROPERTY_USER_PROPERTY = 38,
    PROPERTY_MAXIMUM_PACKET_SIZE = 39,
    PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE = 40,
    PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE = 41,
    PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE = 42,
};

// The packet a property section belongs to: a packet type, or the will inside CONNECT.
#define PROPERTY_OWNER_WILL 16

struct properties {
    uint64_t present; // bit 1 << enum property
    uint8_t payload_format_indicator;
    uint8_t request_problem_information;
    uint8_t request_response_information;
    uint8_t maximum_qos;
    uint8_t retain_available;
    uint8_t wildcard_subscription_available;
    uint8_t subscription_identifier_available;
    uint8_t shared_subscription_available;
    uint16_t server_keep_alive; // seconds
    uint16_t receive_maximum;
    uint16_t topic_alias_maximum;
    uint16_t topic_alias;
    uint32_t message_expiry_interval; // seconds
    uint32_t session_expiry_interval; // seconds; UINT32_MAX never
    uint32_t will_delay_interval;     // seconds
    uint32_t maximum_packet_size;     // bytes
    uint32_t subscription_identifier; // decoded: the first one; a PUBLISH may carry several, see
                                      // property_iterate
    uint32_t user_property_count;     // decoded only
    uint32_t subscription_identifier_count; // decoded only
    struct bytes content_type;
    struct bytes response_topic;
    struct bytes correlation_data;
    struct bytes assigned_client_identifier;
    struct bytes authentication_method;
    struct bytes authentication_data;
    struct bytes response_information;
    struct bytes server_reference;
    struct bytes reason_string;
    struct bytes raw;  // decoded: the whole section without its length, for property_iterate
    struct bytes user; // to encode: finished property encodings (user properties, more subscription
                       // identifiers), copied in verbatim
};

static inline bool properties_have(const struct properties *properties, enum property property)
{
    return (properties->present >> property & 1) != 0;
}

// Decodes a section (length first) from `reader`. `owner` is the packet type or
// PROPERTY_OWNER_WILL. Returns BUD_SUCCESS, BUD_MALFORMED_PACKET (bad encoding, unknown identifier,
// property of another packet) or BUD_PROTOCOL_ERROR (given twice; a value the specification
// forbids, such as Receive Maximum 0, Topic Alias 0 is BUD_TOPIC_ALIAS_INVALID, Payload Format
// Indicator 2, Authentication Data without Method). `*ret` is always initialised.
enum bud_reason properties_decode(struct reader *reader, uint8_t owner, struct properties *ret);

// Writes length and section: each property whose bit is in `present` (not USER_PROPERTY), then
// `user` verbatim.
void properties_encode(struct writer *writer, const struct properties *properties);

// How many bytes properties_encode writes, its length bytes included.
size_t properties_size(const struct properties *properties);

struct property_item {
    uint8_t identifier;   // enum property
    uint32_t number;      // for numeric types
    struct bytes value;   // for text and binary; the value of a user property
    struct bytes name;    // of a user property
    struct bytes encoded; // this one property as it stood in the packet, identifier included
};

// Walks a decoded section (properties.raw) in order. `*rest` starts as the section and is advanced.
// False at the end. The section must have been accepted by properties_decode.
bool property_iterate(struct bytes *rest, struct property_item *ret_item);

// Appends one user property / one subscription identifier in its wire form.
void property_write_user(struct writer *writer, struct bytes name, struct bytes value);
void property_write_subscription_identifier(struct writer *writer, uint32_t identifier);

#endif
