// SPDX-License-Identifier: MIT
// For tests, fuzzers and benchmarks only: one valid packet of every kind for every version, and
// encoding again of whatever was decoded. Nothing of the program includes this.
#ifndef BUD_PROTO_SAMPLES_H
#define BUD_PROTO_SAMPLES_H

#include "proto/packet.h"

#define SAMPLE_SIZE_MAX 1024

struct sample {
    const char *name;
    uint8_t versions; // bit 1 << enum mqtt_version
    bool to_server;   // a client may send it
    bool to_client;   // a server may send it
    void (*write)(struct writer *writer, uint8_t version);
};

#define SAMPLE_HAVE(property) ((uint64_t)1 << (property))

static inline struct properties sample_user_properties(void)
{
    static const uint8_t encoded[] = {0x26, 0, 1, 'k', 0, 1, 'v', 0x26, 0, 0, 0, 2, 0xC3, 0xA6};
    struct properties properties = {0};

    properties.user = bytes_make(encoded, sizeof(encoded));
    return properties;
}

static inline struct properties sample_reason_properties(void)
{
    struct properties properties = sample_user_properties();

    properties.present = SAMPLE_HAVE(PROPERTY_REASON_STRING);
    properties.reason_string = BYTES_OF("because");
    return properties;
}

static inline struct properties sample_message_properties(void)
{
    struct properties properties = sample_user_properties();

    properties.present = SAMPLE_HAVE(PROPERTY_PAYLOAD_FORMAT_INDICATOR) |
                         SAMPLE_HAVE(PROPERTY_MESSAGE_EXPIRY_INTERVAL) |
                         SAMPLE_HAVE(PROPERTY_CONTENT_TYPE) | SAMPLE_HAVE(PROPERTY_RESPONSE_TOPIC) |
                         SAMPLE_HAVE(PROPERTY_CORRELATION_DATA);
    properties.payload_format_indicator = 1;
    properties.message_expiry_interval = 3600;
    properties.content_type = BYTES_OF("text/plain");
    properties.response_topic = BYTES_OF("answer/here");
    properties.correlation_data = BYTES_OF("\0\1\2");
    return properties;
}

static inline void sample_connect_least(struct writer *writer, uint8_t version)
{
    struct packet_connect connect = {.version = version, .clean_start = true};

    packet_encode_connect(writer, &connect);
}

static inline struct properties sample_connect_properties(void)
{
    struct properties properties = sample_user_properties();

    properties.present =
        SAMPLE_HAVE(PROPERTY_SESSION_EXPIRY_INTERVAL) |
        SAMPLE_HAVE(PROPERTY_AUTHENTICATION_METHOD) | SAMPLE_HAVE(PROPERTY_AUTHENTICATION_DATA) |
        SAMPLE_HAVE(PROPERTY_REQUEST_PROBLEM_INFORMATION) |
        SAMPLE_HAVE(PROPERTY_REQUEST_RESPONSE_INFORMATION) | SAMPLE_HAVE(PROPERTY_RECEIVE_MAXIMUM) |
        SAMPLE_HAVE(PROPERTY_TOPIC_ALIAS_MAXIMUM) | SAMPLE_HAVE(PROPERTY_MAXIMUM_PACKET_SIZE);
    properties.session_expiry_interval = UINT32_MAX;
    properties.authentication_method = BYTES_OF("SCRAM-SHA-256");
    properties.authentication_data = BYTES_OF("n,,n=user");
    properties.request_problem_information = 0;
    properties.request_response_information = 1;
    properties.receive_maximum = 20;
    properties.topic_alias_maximum = 10;
    properties.maximum_packet_size = 65536;
    return properties;
}

static inline void sample_connect_full(struct writer *writer, uint8_t version)
{
    struct packet_connect connect = {
        .version = version,
        .has_will = true,
        .has_user_name = true,
        .has_password = true,
        .keep_alive = 60,
        .client_id = BYTES_OF("sensor-17"),
        .user_name = BYTES_OF("user"),
        .password = BYTES_OF("\xFFsecret\0"),
        .will = {.topic = BYTES_OF("gone/sensor-17"),
                 .payload = BYTES_OF("offline"),
                 .qos = 2,
                 .retain = true},
    };

    if (version >= MQTT_5_0) {
        connect.properties = sample_connect_properties();
        connect.will.properties = sample_message_properties();
        connect.will.properties.present |= SAMPLE_HAVE(PROPERTY_WILL_DELAY_INTERVAL);
        connect.will.properties.will_delay_interval = 30;
    }
    packet_encode_connect(writer, &connect);
}

static inline void sample_connect_bridge(struct writer *writer, uint8_t version)
{
    struct packet_connect connect = {
        .version = version, .bridge = true, .client_id = BYTES_OF("bridge")};

    packet_encode_connect(writer, &connect);
}

static inline void sample_connack_least(struct writer *writer, uint8_t version)
{
    struct packet_connack connack = {.session_present = version != MQTT_3_1};

    packet_encode_connack(writer, version, &connack);
}

static inline void sample_connack_refused(struct writer *writer, uint8_t version)
{
    struct packet_connack connack = {.reason = BUD_NOT_AUTHORIZED};

    packet_encode_connack(writer, version, &connack);
}

static inline void sample_connack_limits(struct properties *properties)
{
    properties->present |=
        SAMPLE_HAVE(PROPERTY_RECEIVE_MAXIMUM) | SAMPLE_HAVE(PROPERTY_MAXIMUM_QOS) |
        SAMPLE_HAVE(PROPERTY_RETAIN_AVAILABLE) | SAMPLE_HAVE(PROPERTY_MAXIMUM_PACKET_SIZE) |
        SAMPLE_HAVE(PROPERTY_TOPIC_ALIAS_MAXIMUM) | SAMPLE_HAVE(PROPERTY_SERVER_KEEP_ALIVE) |
        SAMPLE_HAVE(PROPERTY_SESSION_EXPIRY_INTERVAL) |
        SAMPLE_HAVE(PROPERTY_WILDCARD_SUBSCRIPTION_AVAILABLE) |
        SAMPLE_HAVE(PROPERTY_SUBSCRIPTION_IDENTIFIER_AVAILABLE) |
        SAMPLE_HAVE(PROPERTY_SHARED_SUBSCRIPTION_AVAILABLE);
    properties->receive_maximum = 100;
    properties->maximum_qos = 1;
    properties->retain_available = 1;
    properties->maximum_packet_size = 1000000;
    properties->topic_alias_maximum = 8;
    properties->server_keep_alive = 120;
    properties->session_expiry_interval = 0;
    properties->shared_subscription_available = 1;
}

static inline void sample_connack_full(struct writer *writer, uint8_t version)
{
    struct packet_connack connack = {.properties = sample_reason_properties()};
    struct properties *properties = &connack.properties;

    sample_connack_limits(properties);
    properties->present |=
        SAMPLE_HAVE(PROPERTY_ASSIGNED_CLIENT_IDENTIFIER) |
        SAMPLE_HAVE(PROPERTY_RESPONSE_INFORMATION) | SAMPLE_HAVE(PROPERTY_SERVER_REFERENCE) |
        SAMPLE_HAVE(PROPERTY_AUTHENTICATION_METHOD) | SAMPLE_HAVE(PROPERTY_AUTHENTICATION_DATA);
    properties->assigned_client_identifier = BYTES_OF("auto-1");
    properties->response_information = BYTES_OF("answers/auto-1");
    properties->server_reference = BYTES_OF("other.example:1883");
    properties->authentication_method = BYTES_OF("SCRAM-SHA-256");
    properties->authentication_data = BYTES_OF("v=");
    packet_encode_connack(writer, version, &connack);
}

static inline void sample_publish_qos_0(struct writer *writer, uint8_t version)
{
    struct packet_publish publish = {
        .retain = true, .topic = BYTES_OF("a/b"), .payload = BYTES_OF("21.5")};

    packet_encode_publish(writer, version, &publish);
}

static inline void sample_publish_qos_1(struct writer *writer, uint8_t version)
{
    struct packet_publish publish = {
        .dup = true, .qos = 1, .packet_id = 10, .topic = BYTES_OF("kj\xC3\xB8kken/temperatur")};

    packet_encode_publish(writer, version, &publish);
}

static inline void sample_publish_full(struct writer *writer, uint8_t version)
{
    static const uint8_t payload[200] = {1, 2, 3};
    struct packet_publish publish = {.qos = 2,
                                     .packet_id = 65535,
                                     .topic = BYTES_OF("/"),
                                     .payload = bytes_make(payload, sizeof(payload))};

    if (version >= MQTT_5_0)
        publish.properties = sample_message_properties();
    packet_encode_publish(writer, version, &publish);
}

static inline void sample_publish_alias(struct writer *writer, uint8_t version)
{
    struct packet_publish publish = {.payload = BYTES_OF("x")};

    publish.properties.present = SAMPLE_HAVE(PROPERTY_TOPIC_ALIAS);
    publish.properties.topic_alias = 3;
    packet_encode_publish(writer, version, &publish);
}

// As a server sends it to a client whose subscriptions overlap.
static inline void sample_publish_identified(struct writer *writer, uint8_t version)
{
    static const uint8_t more[] = {0x0B, 0x80, 0x01, 0x26, 0, 1, 'k', 0, 1, 'v'};
    struct packet_publish publish = {.topic = BYTES_OF("$SYS/uptime"), .payload = BYTES_OF("1")};

    publish.properties.present = SAMPLE_HAVE(PROPERTY_SUBSCRIPTION_IDENTIFIER);
    publish.properties.subscription_identifier = 268435455;
    publish.properties.user = bytes_make(more, sizeof(more));
    packet_encode_publish(writer, version, &publish);
}

static inline void sample_ack(struct writer *writer, uint8_t version, uint8_t type)
{
    struct packet_ack ack = {.packet_id = 0x1234};

    packet_encode_ack(writer, version, type, &ack);
}

static inline void sample_ack_full(struct writer *writer, uint8_t version, uint8_t type)
{
    struct packet_ack ack = {.packet_id = 1, .properties = sample_reason_properties()};

    ack.reason = type == PACKET_PUBACK || type == PACKET_PUBREC ? BUD_QUOTA_EXCEEDED
                                                                : BUD_PACKET_IDENTIFIER_NOT_FOUND;
    packet_encode_ack(writer, version, type, &ack);
}

static inline void sample_puback(struct writer *writer, uint8_t version)
{
    sample_ack(writer, version, PACKET_PUBACK);
}

static inline void sample_puback_full(struct writer *writer, uint8_t version)
{
    sample_ack_full(writer, version, PACKET_PUBACK);
}

static inline void sample_puback_reason(struct writer *writer, uint8_t version)
{
    struct packet_ack ack = {.packet_id = 1, .reason = BUD_NO_MATCHING_SUBSCRIBERS};

    packet_encode_ack(writer, version, PACKET_PUBACK, &ack);
}

static inline void sample_pubrec(struct writer *writer, uint8_t version)
{
    sample_ack(writer, version, PACKET_PUBREC);
}

static inline void sample_pubrec_full(struct writer *writer, uint8_t version)
{
    sample_ack_full(writer, version, PACKET_PUBREC);
}

static inline void sample_pubrel(struct writer *writer, uint8_t version)
{
    sample_ack(writer, version, PACKET_PUBREL);
}

static inline void sample_pubrel_full(struct writer *writer, uint8_t version)
{
    sample_ack_full(writer, version, PACKET_PUBREL);
}

static inline void sample_pubcomp(struct writer *writer, uint8_t version)
{
    sample_ack(writer, version, PACKET_PUBCOMP);
}

static inline void sample_pubcomp_full(struct writer *writer, uint8_t version)
{
    sample_ack_full(writer, version, PACKET_PUBCOMP);
}

static inline void sample_subscribe(struct writer *writer, uint8_t version)
{
    uint8_t memory[64];
    struct writer filters = writer_of(memory, sizeof(memory));
    struct packet_subscribe subscribe = {.packet_id = 2};

    subscribe_write_filter(&filters, version, BYTES_OF("a/+/#"),
                           (struct subscription_options){.qos = 1});
    subscribe.filters = bytes_make(memory, filters.size);
    packet_encode_subscribe(writer, version, &subscribe);
}

static inline void sample_subscribe_full(struct writer *writer, uint8_t version)
{
    uint8_t memory[64];
    struct writer filters = writer_of(memory, sizeof(memory));
    struct packet_subscribe subscribe = {.packet_id = 3, .properties = sample_user_properties()};

    subscribe_write_filter(&filters, version, BYTES_OF("$share/g/a"),
                           (struct subscription_options){.qos = 2, .retain_handling = 2});
    subscribe_write_filter(&filters, version, BYTES_OF("#"),
                           (struct subscription_options){.no_local = true,
                                                         .retain_as_published = true,
                                                         .retain_handling = 1});
    subscribe.filters = bytes_make(memory, filters.size);
    subscribe.properties.present = SAMPLE_HAVE(PROPERTY_SUBSCRIPTION_IDENTIFIER);
    subscribe.properties.subscription_identifier = 128;
    packet_encode_subscribe(writer, version, &subscribe);
}

static inline void sample_suback(struct writer *writer, uint8_t version)
{
    static const uint8_t codes[] = {0, 1, 2, 0x80};
    struct packet_suback suback = {.packet_id = 3, .codes = bytes_make(codes, sizeof(codes))};

    if (version >= MQTT_5_0)
        suback.properties = sample_reason_properties();
    packet_encode_suback(writer, version, PACKET_SUBACK, &suback);
}

static inline void sample_unsubscribe(struct writer *writer, uint8_t version)
{
    uint8_t memory[64];
    struct writer filters = writer_of(memory, sizeof(memory));
    struct packet_unsubscribe unsubscribe = {.packet_id = 4};

    unsubscribe_write_filter(&filters, BYTES_OF("a/+"));
    unsubscribe_write_filter(&filters, BYTES_OF("b"));
    unsubscribe.filters = bytes_make(memory, filters.size);
    if (version >= MQTT_5_0)
        unsubscribe.properties = sample_user_properties();
    packet_encode_unsubscribe(writer, version, &unsubscribe);
}

static inline void sample_unsuback(struct writer *writer, uint8_t version)
{
    static const uint8_t codes[] = {0, 0x11};
    struct packet_suback unsuback = {.packet_id = 4, .codes = bytes_make(codes, sizeof(codes))};

    packet_encode_suback(writer, version, PACKET_UNSUBACK, &unsuback);
}

static inline void sample_pingreq(struct writer *writer, uint8_t version)
{
    (void)version;
    packet_encode_ping(writer, PACKET_PINGREQ);
}

static inline void sample_pingresp(struct writer *writer, uint8_t version)
{
    (void)version;
    packet_encode_ping(writer, PACKET_PINGRESP);
}

static inline void sample_auth(struct writer *writer, uint8_t version)
{
    struct packet_auth auth = {.reason = BUD_CONTINUE_AUTHENTICATION,
                               .properties = sample_reason_properties()};

    (void)version;
    auth.properties.present |= SAMPLE_HAVE(PROPERTY_AUTHENTICATION_METHOD);
    auth.properties.authentication_method = BYTES_OF("PLAIN");
    packet_encode_auth(writer, &auth);
}

static inline void sample_disconnect(struct writer *writer, uint8_t version)
{
    struct packet_disconnect disconnect = {.reason = BUD_SUCCESS};

    packet_encode_disconnect(writer, version, &disconnect);
}

static inline void sample_disconnect_full(struct writer *writer, uint8_t version)
{
    struct packet_disconnect disconnect = {.reason = BUD_QUOTA_EXCEEDED,
                                           .properties = sample_reason_properties()};

    packet_encode_disconnect(writer, version, &disconnect);
}

#define SAMPLE_V3_1 (1 << MQTT_3_1)
#define SAMPLE_V3 (1 << MQTT_3_1 | 1 << MQTT_3_1_1)
#define SAMPLE_V5 (1 << MQTT_5_0)
#define SAMPLE_ALL (SAMPLE_V3 | SAMPLE_V5)

// In an order that a connection could send them in.
static const struct sample samples[] = {
    {"connect_least", SAMPLE_ALL, true, false, sample_connect_least},
    {"connect_full", SAMPLE_ALL, true, false, sample_connect_full},
    {"connect_bridge", SAMPLE_V3, true, false, sample_connect_bridge},
    {"connack_least", SAMPLE_ALL, false, true, sample_connack_least},
    {"connack_refused", SAMPLE_ALL, false, true, sample_connack_refused},
    {"connack_full", SAMPLE_V5, false, true, sample_connack_full},
    {"publish_qos_0", SAMPLE_ALL, true, true, sample_publish_qos_0},
    {"publish_qos_1", SAMPLE_ALL, true, true, sample_publish_qos_1},
    {"publish_full", SAMPLE_ALL, true, true, sample_publish_full},
    {"publish_alias", SAMPLE_V5, true, true, sample_publish_alias},
    {"publish_identified", SAMPLE_V5, false, true, sample_publish_identified},
    {"puback", SAMPLE_ALL, true, true, sample_puback},
    {"puback_reason", SAMPLE_V5, true, true, sample_puback_reason},
    {"puback_full", SAMPLE_V5, true, true, sample_puback_full},
    {"pubrec", SAMPLE_ALL, true, true, sample_pubrec},
    {"pubrec_full", SAMPLE_V5, true, true, sample_pubrec_full},
    {"pubrel", SAMPLE_ALL, true, true, sample_pubrel},
    {"pubrel_full", SAMPLE_V5, true, true, sample_pubrel_full},
    {"pubcomp", SAMPLE_ALL, true, true, sample_pubcomp},
    {"pubcomp_full", SAMPLE_V5, true, true, sample_pubcomp_full},
    {"subscribe", SAMPLE_ALL, true, false, sample_subscribe},
    {"subscribe_full", SAMPLE_ALL, true, false, sample_subscribe_full},
    {"suback", SAMPLE_ALL, false, true, sample_suback},
    {"unsubscribe", SAMPLE_ALL, true, false, sample_unsubscribe},
    {"unsuback", SAMPLE_ALL, false, true, sample_unsuback},
    {"pingreq", SAMPLE_ALL, true, false, sample_pingreq},
    {"pingresp", SAMPLE_ALL, false, true, sample_pingresp},
    {"auth", SAMPLE_V5, true, true, sample_auth},
    {"disconnect", SAMPLE_ALL, true, false, sample_disconnect},
    {"disconnect_full", SAMPLE_V5, true, true, sample_disconnect_full},
};

#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static inline bool sample_is_of(const struct sample *sample, uint8_t version)
{
    return (sample->versions >> version & 1) != 0;
}

#endif
