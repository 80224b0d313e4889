// SPDX-License-Identifier: MIT
// See reason.h: the words for each reason, and the way to and from the return codes of 3.x.
#include "proto/reason.h"

static const char *success_text(enum bud_reason reason)
{
    switch ((unsigned)reason) {
    case BUD_SUCCESS: return "success";
    case BUD_GRANTED_QOS_1: return "granted QoS 1";
    case BUD_GRANTED_QOS_2: return "granted QoS 2";
    case BUD_DISCONNECT_WITH_WILL: return "disconnect with will message";
    case BUD_NO_MATCHING_SUBSCRIBERS: return "no matching subscribers";
    case BUD_NO_SUBSCRIPTION_EXISTED: return "no subscription existed";
    case BUD_CONTINUE_AUTHENTICATION: return "continue authentication";
    case BUD_REAUTHENTICATE: return "re-authenticate";
    default: return "unknown reason";
    }
}

#define FIRST_ERROR 0x80u

static const char *const error_texts[] = {
    [BUD_UNSPECIFIED_ERROR - FIRST_ERROR] = "unspecified error",
    [BUD_MALFORMED_PACKET - FIRST_ERROR] = "malformed packet",
    [BUD_PROTOCOL_ERROR - FIRST_ERROR] = "protocol error",
    [BUD_IMPLEMENTATION_SPECIFIC_ERROR - FIRST_ERROR] = "implementation specific error",
    [BUD_UNSUPPORTED_PROTOCOL_VERSION - FIRST_ERROR] = "unsupported protocol version",
    [BUD_CLIENT_IDENTIFIER_NOT_VALID - FIRST_ERROR] = "client identifier not valid",
    [BUD_BAD_USER_NAME_OR_PASSWORD - FIRST_ERROR] = "bad user name or password",
    [BUD_NOT_AUTHORIZED - FIRST_ERROR] = "not authorized",
    [BUD_SERVER_UNAVAILABLE - FIRST_ERROR] = "server unavailable",
    [BUD_SERVER_BUSY - FIRST_ERROR] = "server busy",
    [BUD_BANNED - FIRST_ERROR] = "banned",
    [BUD_SERVER_SHUTTING_DOWN - FIRST_ERROR] = "server shutting down",
    [BUD_BAD_AUTHENTICATION_METHOD - FIRST_ERROR] = "bad authentication method",
    [BUD_KEEP_ALIVE_TIMEOUT - FIRST_ERROR] = "keep alive timeout",
    [BUD_SESSION_TAKEN_OVER - FIRST_ERROR] = "session taken over",
    [BUD_TOPIC_FILTER_INVALID - FIRST_ERROR] = "topic filter invalid",
    [BUD_TOPIC_NAME_INVALID - FIRST_ERROR] = "topic name invalid",
    [BUD_PACKET_IDENTIFIER_IN_USE - FIRST_ERROR] = "packet identifier in use",
    [BUD_PACKET_IDENTIFIER_NOT_FOUND - FIRST_ERROR] = "packet identifier not found",
    [BUD_RECEIVE_MAXIMUM_EXCEEDED - FIRST_ERROR] = "receive maximum exceeded",
    [BUD_TOPIC_ALIAS_INVALID - FIRST_ERROR] = "topic alias invalid",
    [BUD_PACKET_TOO_LARGE - FIRST_ERROR] = "packet too large",
    [BUD_MESSAGE_RATE_TOO_HIGH - FIRST_ERROR] = "message rate too high",
    [BUD_QUOTA_EXCEEDED - FIRST_ERROR] = "quota exceeded",
    [BUD_ADMINISTRATIVE_ACTION - FIRST_ERROR] = "administrative action",
    [BUD_PAYLOAD_FORMAT_INVALID - FIRST_ERROR] = "payload format invalid",
    [BUD_RETAIN_NOT_SUPPORTED - FIRST_ERROR] = "retain not supported",
    [BUD_QOS_NOT_SUPPORTED - FIRST_ERROR] = "QoS not supported",
    [BUD_USE_ANOTHER_SERVER - FIRST_ERROR] = "use another server",
    [BUD_SERVER_MOVED - FIRST_ERROR] = "server moved",
    [BUD_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED - FIRST_ERROR] = "shared subscriptions not supported",
    [BUD_CONNECTION_RATE_EXCEEDED - FIRST_ERROR] = "connection rate exceeded",
    [BUD_MAXIMUM_CONNECT_TIME - FIRST_ERROR] = "maximum connect time",
    [BUD_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED - FIRST_ERROR] =
        "subscription identifiers not supported",
    [BUD_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED - FIRST_ERROR] =
        "wildcard subscriptions not supported",
};

const char *bud_reason_text(enum bud_reason reason)
{
    unsigned index = (unsigned)reason - FIRST_ERROR;

    if (!bud_reason_is_error(reason))
        return success_text(reason);
    return index < sizeof(error_texts) / sizeof(error_texts[0]) ? error_texts[index]
                                                                : "unknown reason";
}

enum return_code {
    RETURN_ACCEPTED,
    RETURN_UNACCEPTABLE_PROTOCOL_VERSION,
    RETURN_IDENTIFIER_REJECTED,
    RETURN_SERVER_UNAVAILABLE,
    RETURN_BAD_USER_NAME_OR_PASSWORD,
    RETURN_NOT_AUTHORIZED,
};

uint8_t bud_reason_to_return_code(enum bud_reason reason)
{
    if (!bud_reason_is_error(reason))
        return RETURN_ACCEPTED;
    switch ((unsigned)reason) {
    case BUD_UNSUPPORTED_PROTOCOL_VERSION: return RETURN_UNACCEPTABLE_PROTOCOL_VERSION;
    case BUD_CLIENT_IDENTIFIER_NOT_VALID: return RETURN_IDENTIFIER_REJECTED;
    case BUD_BAD_USER_NAME_OR_PASSWORD:
    case BUD_BAD_AUTHENTICATION_METHOD: return RETURN_BAD_USER_NAME_OR_PASSWORD;
    case BUD_NOT_AUTHORIZED:
    case BUD_BANNED:
    case BUD_TOPIC_NAME_INVALID: // these name what of the will was refused: trying again won't help
    case BUD_PACKET_TOO_LARGE:
    case BUD_RETAIN_NOT_SUPPORTED:
    case BUD_QOS_NOT_SUPPORTED: return RETURN_NOT_AUTHORIZED;
    default: return RETURN_SERVER_UNAVAILABLE;
    }
}

enum bud_reason bud_reason_from_return_code(uint8_t return_code)
{
    switch (return_code) {
    case RETURN_ACCEPTED: return BUD_SUCCESS;
    case RETURN_UNACCEPTABLE_PROTOCOL_VERSION: return BUD_UNSUPPORTED_PROTOCOL_VERSION;
    case RETURN_IDENTIFIER_REJECTED: return BUD_CLIENT_IDENTIFIER_NOT_VALID;
    case RETURN_SERVER_UNAVAILABLE: return BUD_SERVER_UNAVAILABLE;
    case RETURN_BAD_USER_NAME_OR_PASSWORD: return BUD_BAD_USER_NAME_OR_PASSWORD;
    case RETURN_NOT_AUTHORIZED: return BUD_NOT_AUTHORIZED;
    default: return BUD_UNSPECIFIED_ERROR;
    }
}
