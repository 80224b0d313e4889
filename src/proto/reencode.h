// SPDX-License-Identifier: MIT
// For tests and fuzzers only: encodes a decoded packet again, and tells whether two decoded packets
// say the same.
#ifndef BUD_PROTO_REENCODE_H
#define BUD_PROTO_REENCODE_H

#include "proto/packet.h"

// What properties_encode cannot say by fields: user properties and all but the first subscription
// identifier of a PUBLISH, in order, gathered in `scratch`.
static inline void reencode_gather(struct properties *properties, struct writer *scratch)
{
    struct bytes rest = properties->raw;
    size_t start = scratch->size;
    struct property_item item;
    bool identified = false;

    while (property_iterate(&rest, &item)) {
        bool repeated = item.identifier == PROPERTY_SUBSCRIPTION_IDENTIFIER && identified;

        if (item.identifier == PROPERTY_SUBSCRIPTION_IDENTIFIER)
            identified = true;
        if (item.identifier == PROPERTY_USER_PROPERTY || repeated)
            writer_bytes(scratch, item.encoded);
    }
    properties->user = bytes_make(scratch->data + start, scratch->size - start);
}

static inline struct properties *reencode_properties_of(struct packet *packet)
{
    switch ((enum packet_type)packet->type) {
    case PACKET_CONNECT: return &packet->connect.properties;
    case PACKET_CONNACK: return &packet->connack.properties;
    case PACKET_PUBLISH: return &packet->publish.properties;
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBREL:
    case PACKET_PUBCOMP: return &packet->ack.properties;
    case PACKET_SUBSCRIBE: return &packet->subscribe.properties;
    case PACKET_UNSUBSCRIBE: return &packet->unsubscribe.properties;
    case PACKET_SUBACK:
    case PACKET_UNSUBACK: return &packet->suback.properties;
    case PACKET_DISCONNECT: return &packet->disconnect.properties;
    case PACKET_AUTH: return &packet->auth.properties;
    case PACKET_PINGREQ:
    case PACKET_PINGRESP: return NULL;
    }
    return NULL;
}

static inline void reencode_write(struct writer *writer, uint8_t version,
                                  const struct packet *packet)
{
    uint8_t type = packet->type;

    switch ((enum packet_type)type) {
    case PACKET_CONNECT: packet_encode_connect(writer, &packet->connect); break;
    case PACKET_CONNACK: packet_encode_connack(writer, version, &packet->connack); break;
    case PACKET_PUBLISH: packet_encode_publish(writer, version, &packet->publish); break;
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBREL:
    case PACKET_PUBCOMP: packet_encode_ack(writer, version, type, &packet->ack); break;
    case PACKET_SUBSCRIBE: packet_encode_subscribe(writer, version, &packet->subscribe); break;
    case PACKET_UNSUBSCRIBE:
        packet_encode_unsubscribe(writer, version, &packet->unsubscribe);
        break;
    case PACKET_SUBACK:
    case PACKET_UNSUBACK: packet_encode_suback(writer, version, type, &packet->suback); break;
    case PACKET_DISCONNECT: packet_encode_disconnect(writer, version, &packet->disconnect); break;
    case PACKET_AUTH: packet_encode_auth(writer, &packet->auth); break;
    case PACKET_PINGREQ:
    case PACKET_PINGRESP: packet_encode_ping(writer, type); break;
    }
}

// `scratch` needs as much room as the packet had. `version` is the connection's, as in
// packet_decode.
static inline void reencode(struct writer *writer, uint8_t version, struct packet packet,
                            struct writer *scratch)
{
    struct properties *properties = reencode_properties_of(&packet);

    if (properties)
        reencode_gather(properties, scratch);
    if (packet.type == PACKET_CONNECT)
        reencode_gather(&packet.connect.will.properties, scratch);
    reencode_write(writer, version, &packet);
}

static inline bool same_numbers(const struct properties *a, const struct properties *b)
{
    return a->payload_format_indicator == b->payload_format_indicator &&
           a->request_problem_information == b->request_problem_information &&
           a->request_response_information == b->request_response_information &&
           a->maximum_qos == b->maximum_qos && a->retain_available == b->retain_available &&
           a->wildcard_subscription_available == b->wildcard_subscription_available &&
           a->subscription_identifier_available == b->subscription_identifier_available &&
           a->shared_subscription_available == b->shared_subscription_available &&
           a->server_keep_alive == b->server_keep_alive &&
           a->receive_maximum == b->receive_maximum &&
           a->topic_alias_maximum == b->topic_alias_maximum && a->topic_alias == b->topic_alias &&
           a->message_expiry_interval == b->message_expiry_interval &&
           a->session_expiry_interval == b->session_expiry_interval &&
           a->will_delay_interval == b->will_delay_interval &&
           a->maximum_packet_size == b->maximum_packet_size &&
           a->subscription_identifier == b->subscription_identifier &&
           a->user_property_count == b->user_property_count &&
           a->subscription_identifier_count == b->subscription_identifier_count;
}

static inline bool same_properties(const struct properties *a, const struct properties *b)
{
    return a->present == b->present && same_numbers(a, b) &&
           bytes_equal(a->content_type, b->content_type) &&
           bytes_equal(a->response_topic, b->response_topic) &&
           bytes_equal(a->correlation_data, b->correlation_data) &&
           bytes_equal(a->assigned_client_identifier, b->assigned_client_identifier) &&
           bytes_equal(a->authentication_method, b->authentication_method) &&
           bytes_equal(a->authentication_data, b->authentication_data) &&
           bytes_equal(a->response_information, b->response_information) &&
           bytes_equal(a->server_reference, b->server_reference) &&
           bytes_equal(a->reason_string, b->reason_string) && a->raw.size == b->raw.size;
}

static inline bool same_connect(const struct packet_connect *a, const struct packet_connect *b)
{
    return a->version == b->version && a->clean_start == b->clean_start && a->bridge == b->bridge &&
           a->has_will == b->has_will && a->has_user_name == b->has_user_name &&
           a->has_password == b->has_password && a->keep_alive == b->keep_alive &&
           bytes_equal(a->client_id, b->client_id) && bytes_equal(a->user_name, b->user_name) &&
           bytes_equal(a->password, b->password) && bytes_equal(a->will.topic, b->will.topic) &&
           bytes_equal(a->will.payload, b->will.payload) && a->will.qos == b->will.qos &&
           a->will.retain == b->will.retain &&
           same_properties(&a->will.properties, &b->will.properties);
}

static inline bool same_publish(const struct packet_publish *a, const struct packet_publish *b)
{
    return a->dup == b->dup && a->retain == b->retain && a->qos == b->qos &&
           a->packet_id == b->packet_id && bytes_equal(a->topic, b->topic) &&
           bytes_equal(a->payload, b->payload);
}

// The return codes of 3.x that say nothing yet all come back as one.
static inline bool same_connack(uint8_t version, const struct packet_connack *a,
                                const struct packet_connack *b)
{
    if (version < MQTT_5_0)
        return bud_reason_to_return_code(a->reason) == bud_reason_to_return_code(b->reason);
    return a->reason == b->reason && a->session_present == b->session_present;
}

static inline bool same_body(uint8_t version, const struct packet *a, const struct packet *b)
{
    switch ((enum packet_type)a->type) {
    case PACKET_CONNECT: return same_connect(&a->connect, &b->connect);
    case PACKET_CONNACK: return same_connack(version, &a->connack, &b->connack);
    case PACKET_PUBLISH: return same_publish(&a->publish, &b->publish);
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBREL:
    case PACKET_PUBCOMP:
        return a->ack.packet_id == b->ack.packet_id && a->ack.reason == b->ack.reason;
    case PACKET_SUBSCRIBE:
        return a->subscribe.packet_id == b->subscribe.packet_id &&
               a->subscribe.count == b->subscribe.count &&
               bytes_equal(a->subscribe.filters, b->subscribe.filters);
    case PACKET_UNSUBSCRIBE:
        return a->unsubscribe.packet_id == b->unsubscribe.packet_id &&
               a->unsubscribe.count == b->unsubscribe.count &&
               bytes_equal(a->unsubscribe.filters, b->unsubscribe.filters);
    case PACKET_SUBACK:
    case PACKET_UNSUBACK:
        return a->suback.packet_id == b->suback.packet_id &&
               bytes_equal(a->suback.codes, b->suback.codes);
    case PACKET_DISCONNECT: return a->disconnect.reason == b->disconnect.reason;
    case PACKET_AUTH: return a->auth.reason == b->auth.reason;
    case PACKET_PINGREQ:
    case PACKET_PINGRESP: return true;
    }
    return false;
}

static inline bool packets_same(uint8_t version, struct packet *a, struct packet *b)
{
    struct properties *of_a = reencode_properties_of(a), *of_b = reencode_properties_of(b);

    return a->type == b->type && same_body(version, a, b) && (!of_a || same_properties(of_a, of_b));
}

#endif
