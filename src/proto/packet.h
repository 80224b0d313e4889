// SPDX-License-Identifier: MIT
// Every MQTT control packet of 3.1, 3.1.1 and 5.0, both directions: decoded into views of the
// input, encoded minimally. The decoder judges what one packet alone can show (encoding, flags,
// UTF-8, topic rules); order and state are the engine's.
#ifndef BUD_PROTO_PACKET_H
#define BUD_PROTO_PACKET_H

#include "proto/bytes.h"
#include "proto/frame.h"
#include "proto/property.h"
#include "proto/reason.h"
#include "proto/writer.h"

enum mqtt_version {
    MQTT_3_1 = 3,
    MQTT_3_1_1 = 4,
    MQTT_5_0 = 5,
};

#define PACKET_SIZE_MAX (268435455u + 5u) // the largest Remaining Length and its header

struct packet_will {
    struct bytes topic;
    struct bytes payload;
    uint8_t qos;
    bool retain;
    struct properties properties;
};

struct packet_connect {
    uint8_t version;  // enum mqtt_version
    bool clean_start; // Clean Session in 3.x
    bool bridge;      // the private high bit of the protocol level that bridges set (0x83, 0x84);
                      // version is without it
    bool has_will;
    bool has_user_name;
    bool has_password;
    uint16_t keep_alive; // seconds; 0 none
    struct bytes client_id;
    struct bytes user_name;
    struct bytes password;
    struct packet_will will;
    struct properties properties;
};

struct packet_connack {
    bool session_present;
    enum bud_reason reason; // a 5.0 reason; translated for 3.x
    struct properties properties;
};

struct packet_publish {
    bool dup;
    bool retain;
    uint8_t qos;
    uint16_t packet_id; // 0 with QoS 0
    struct bytes topic; // may be empty in 5.0 when a topic alias is given
    struct bytes payload;
    struct properties properties;
};

// PUBACK, PUBREC, PUBREL, PUBCOMP
struct packet_ack {
    uint16_t packet_id;
    enum bud_reason reason;
    struct properties properties;
};

struct packet_subscribe {
    uint16_t packet_id;
    uint32_t count;       // at least 1 [MQTT-3.8.3-2]
    struct bytes filters; // for subscribe_iterate
    struct properties properties;
};

struct subscription_options {
    uint8_t qos;
    bool no_local;
    bool retain_as_published;
    uint8_t retain_handling; // 0 send, 1 send if new, 2 do not send
};

struct packet_unsubscribe {
    uint16_t packet_id;
    uint32_t count;
    struct bytes filters; // for unsubscribe_iterate
    struct properties properties;
};

// SUBACK, UNSUBACK (in 3.x an UNSUBACK has no codes)
struct packet_suback {
    uint16_t packet_id;
    struct bytes codes; // one reason code byte a filter
    struct properties properties;
};

struct packet_disconnect {
    enum bud_reason reason;
    struct properties properties;
};

struct packet_auth {
    enum bud_reason reason;
    struct properties properties;
};

struct packet {
    uint8_t type; // enum packet_type
    union {
        struct packet_connect connect;
        struct packet_connack connack;
        struct packet_publish publish;
        struct packet_ack ack;
        struct packet_subscribe subscribe;
        struct packet_unsubscribe unsubscribe;
        struct packet_suback suback;
        struct packet_disconnect disconnect;
        struct packet_auth auth;
    };
};

// Decodes a whole frame. `version` is the connection's; ignored for CONNECT, which brings its own.
// Every filter and its options in SUBSCRIBE/UNSUBSCRIBE is walked and checked here for encoding,
// UTF-8 and reserved option bits (so the iterators cannot fail), but an invalid wildcard is left to
// the caller, who answers 0x8F for that filter alone. Returns BUD_SUCCESS, or why not:
// BUD_MALFORMED_PACKET, BUD_PROTOCOL_ERROR, BUD_UNSUPPORTED_PROTOCOL_VERSION,
// BUD_TOPIC_NAME_INVALID (PUBLISH and will with a wildcard or an empty topic; in 5.0 an empty topic
// without an alias is BUD_PROTOCOL_ERROR), BUD_TOPIC_ALIAS_INVALID. BUD_CLIENT_IDENTIFIER_NOT_VALID
// is the caller's, and so is a password without a user name in 3.x. On failure *ret_packet holds
// nothing of use but connect.version: 0, or the level that was asked for once it was read.
enum bud_reason packet_decode(const struct frame *frame, uint8_t version,
                              struct packet *ret_packet);

// Walk the filters of a decoded packet; `*rest` starts as .filters. False at the end.
bool subscribe_iterate(struct bytes *rest, uint8_t version, struct bytes *ret_filter,
                       struct subscription_options *ret_options);
bool unsubscribe_iterate(struct bytes *rest, struct bytes *ret_filter);

// Encoders write one whole packet, header included, shortest forms; acks of 5.0 leave reason and
// properties out where they may; acks to 3.x are always the minimum. What does not fit (or exceeds
// 65 535 / 268 435 455) sets writer->bad.
void packet_encode_connect(struct writer *writer, const struct packet_connect *connect);
void packet_encode_connack(struct writer *writer, uint8_t version,
                           const struct packet_connack *connack);
void packet_encode_publish(struct writer *writer, uint8_t version,
                           const struct packet_publish *publish);
void packet_encode_ack(struct writer *writer, uint8_t version, uint8_t type,
                       const struct packet_ack *ack);
void packet_encode_subscribe(struct writer *writer, uint8_t version,
                             const struct packet_subscribe *subscribe);
void packet_encode_unsubscribe(struct writer *writer, uint8_t version,
                               const struct packet_unsubscribe *unsubscribe);
void packet_encode_suback(struct writer *writer, uint8_t version, uint8_t type,
                          const struct packet_suback *suback); // SUBACK or UNSUBACK
void packet_encode_disconnect(struct writer *writer, uint8_t version,
                              const struct packet_disconnect *disconnect);
void packet_encode_auth(struct writer *writer, const struct packet_auth *auth);
void packet_encode_ping(struct writer *writer, uint8_t type); // PINGREQ or PINGRESP

// Everything of a PUBLISH before its payload: the caller sends `payload_size` bytes of payload
// after it by other means. publish->payload is ignored.
void packet_encode_publish_head(struct writer *writer, uint8_t version,
                                const struct packet_publish *publish, size_t payload_size);

// The size on the wire of a PUBLISH with these fields, header included [MQTT-3.1.2-24].
size_t packet_publish_size(uint8_t version, const struct packet_publish *publish);

// One entry of a SUBSCRIBE / UNSUBSCRIBE filter list in wire form, to build .filters with.
void subscribe_write_filter(struct writer *writer, uint8_t version, struct bytes filter,
                            struct subscription_options options);
void unsubscribe_write_filter(struct writer *writer, struct bytes filter);

#endif
