// SPDX-License-Identifier: MIT
// What one peer tells the other when something did not go as asked: MQTT 5.0's reason codes
// [MQTT5 2.4]. Below 0x80 is success. Inside the program these are the one language for "the peer
// misbehaves"; for 3.1 and 3.1.1 they are translated at the very edge, in packet encoding.
#ifndef BUD_PROTO_REASON_H
#define BUD_PROTO_REASON_H

#include <stdbool.h>
#include <stdint.h>

enum bud_reason {
    BUD_SUCCESS = 0x00, // also Normal disconnection, Granted QoS 0
    BUD_GRANTED_QOS_1 = 0x01,
    BUD_GRANTED_QOS_2 = 0x02,
    BUD_DISCONNECT_WITH_WILL = 0x04,
    BUD_NO_MATCHING_SUBSCRIBERS = 0x10,
    BUD_NO_SUBSCRIPTION_EXISTED = 0x11,
    BUD_CONTINUE_AUTHENTICATION = 0x18,
    BUD_REAUTHENTICATE = 0x19,
    BUD_UNSPECIFIED_ERROR = 0x80,
    BUD_MALFORMED_PACKET = 0x81,
    BUD_PROTOCOL_ERROR = 0x82,
    BUD_IMPLEMENTATION_SPECIFIC_ERROR = 0x83,
    BUD_UNSUPPORTED_PROTOCOL_VERSION = 0x84,
    BUD_CLIENT_IDENTIFIER_NOT_VALID = 0x85,
    BUD_BAD_USER_NAME_OR_PASSWORD = 0x86,
    BUD_NOT_AUTHORIZED = 0x87,
    BUD_SERVER_UNAVAILABLE = 0x88,
    BUD_SERVER_BUSY = 0x89,
    BUD_BANNED = 0x8A,
    BUD_SERVER_SHUTTING_DOWN = 0x8B,
    BUD_BAD_AUTHENTICATION_METHOD = 0x8C,
    BUD_KEEP_ALIVE_TIMEOUT = 0x8D,
    BUD_SESSION_TAKEN_OVER = 0x8E,
    BUD_TOPIC_FILTER_INVALID = 0x8F,
    BUD_TOPIC_NAME_INVALID = 0x90,
    BUD_PACKET_IDENTIFIER_IN_USE = 0x91,
    BUD_PACKET_IDENTIFIER_NOT_FOUND = 0x92,
    BUD_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
    BUD_TOPIC_ALIAS_INVALID = 0x94,
    BUD_PACKET_TOO_LARGE = 0x95,
    BUD_MESSAGE_RATE_TOO_HIGH = 0x96,
    BUD_QUOTA_EXCEEDED = 0x97,
    BUD_ADMINISTRATIVE_ACTION = 0x98,
    BUD_PAYLOAD_FORMAT_INVALID = 0x99,
    BUD_RETAIN_NOT_SUPPORTED = 0x9A,
    BUD_QOS_NOT_SUPPORTED = 0x9B,
    BUD_USE_ANOTHER_SERVER = 0x9C,
    BUD_SERVER_MOVED = 0x9D,
    BUD_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E,
    BUD_CONNECTION_RATE_EXCEEDED = 0x9F,
    BUD_MAXIMUM_CONNECT_TIME = 0xA0,
    BUD_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1,
    BUD_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2,
};

static inline bool bud_reason_is_error(enum bud_reason reason)
{
    return (unsigned)reason >= 0x80;
}

// The reason in a few plain English words ("packet too large"), never NULL; static storage.
const char *bud_reason_text(enum bud_reason reason);

// The CONNACK return code of 3.1 and 3.1.1 (0–5) that says the same as `reason` [MQTT-3.2.2-6
// of 3.1.1].
uint8_t bud_reason_to_return_code(enum bud_reason reason);

// The reason code that says the same as a 3.x CONNACK return code.
enum bud_reason bud_reason_from_return_code(uint8_t return_code);

#endif
