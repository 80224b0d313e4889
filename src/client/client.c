// SPDX-License-Identifier: MIT
// See client.h: coming, going and asking. What arrives is client_receive.c's.
#include "base/assert.h"
#include "base/memory.h"
#include "client/client_parts.h"

#include <errno.h>
#include <string.h>

#define COPIED_PAYLOAD_MAX 16384u // larger ones are sent from where they are

void client_init(struct client *client, struct client_transport transport, int timeout_ms)
{
    ASSERT(timeout_ms > 0);
    *client = (struct client){
        .packet_size_max = CLIENT_PACKET_SIZE_MAX,
        .transport = transport,
        .timeout_ms = timeout_ms,
        .connected = true,
        .publishes_max = CLIENT_WINDOW_MAX,
    };
}

static void close_transport(struct client *client)
{
    if (client->connected)
        client->transport.close(client->transport.context);
    client->connected = false;
    client->engine.state = ENGINE_CLOSED;
}

struct client_status client_end(struct client *client, int error, enum bud_reason reason)
{
    close_transport(client);
    return (struct client_status){error, reason};
}

void client_note_reason_string(struct client *client, const struct properties *properties)
{
    struct bytes text = properties->reason_string;
    size_t size = text.size < sizeof(client->reason_string) - 1 ? text.size
                                                                : sizeof(client->reason_string) - 1;

    if (!properties_have(properties, PROPERTY_REASON_STRING))
        return;
    memcpy(client->reason_string, text.data, size);
    client->reason_string[size] = '\0';
}

// Sends what `writer` holds. -EMSGSIZE if the packet could not be made.
static int send_packet(struct client *client, const struct writer *writer)
{
    if (writer->bad)
        return -EMSGSIZE;
    client_queued(client, writer);
    return client_flush(client);
}

static int send_disconnect(struct client *client, enum bud_reason reason)
{
    struct packet_disconnect disconnect = {.reason = reason};
    struct writer writer = client_queue(client, 8);

    packet_encode_disconnect(&writer, client->engine.version, &disconnect);
    return send_packet(client, &writer);
}

struct client_status client_refuse(struct client *client, enum bud_reason reason)
{
    if (client->engine.version >= MQTT_5_0)
        send_disconnect(client, reason); // whether or not it arrives, the connection is over
    return client_end(client, -EPROTO, reason);
}

int client_acknowledge(struct client *client, uint8_t type, struct packet_ack ack)
{
    struct writer writer = client_queue(client, 8);

    packet_encode_ack(&writer, client->engine.version, type, &ack);
    return send_packet(client, &writer);
}

static int send_connect(struct client *client, const struct packet_connect *connect)
{
    struct writer count = writer_counting(), writer;

    packet_encode_connect(&count, connect);
    if (count.bad)
        return -EMSGSIZE;
    writer = client_queue(client, count.size);
    packet_encode_connect(&writer, connect);
    return send_packet(client, &writer);
}

static void apply_connack(struct client *client, const struct packet_connack *connack,
                          uint16_t keep_alive)
{
    const struct properties *properties = &connack->properties;

    client->connack = *connack;
    if (properties_have(properties, PROPERTY_RECEIVE_MAXIMUM) &&
        properties->receive_maximum < CLIENT_WINDOW_MAX)
        client->publishes_max = properties->receive_maximum;
    if (properties_have(properties, PROPERTY_SERVER_KEEP_ALIVE)) // [MQTT-3.2.2-21]
        keep_alive = properties->server_keep_alive;
    // With a quarter of the time to spare a late ping is still in time [MQTT-3.1.2-20].
    client->ping_interval_ms = keep_alive * (int64_t)750;
}

static struct client_status take_connack(struct client *client, const struct packet *packet,
                                         uint16_t keep_alive)
{
    const struct packet_connack *connack = &packet->connack;

    if (packet->type != PACKET_CONNACK) // AUTH, which was not asked for
        return client_end(client, -EPROTO, BUD_BAD_AUTHENTICATION_METHOD);
    client_note_reason_string(client, &connack->properties);
    if (bud_reason_is_error(connack->reason))
        return client_end(client, 0, connack->reason);
    apply_connack(client, connack, keep_alive);
    client->engine.state = ENGINE_OPEN;
    return client_status_ok();
}

static struct client_status await_connack(struct client *client, uint16_t keep_alive)
{
    int64_t end_ms = client_now_ms(client) + client->timeout_ms;

    for (;;) {
        struct packet packet;
        struct engine_step step = engine_next(&client->engine, client_input(client), &packet);
        int64_t left_ms = end_ms - client_now_ms(client);
        int filled;

        if (step.result == ENGINE_ERROR)
            return client_end(client, -EPROTO, step.reason);
        client->input_taken += step.consumed;
        if (step.result == ENGINE_PACKET)
            return take_connack(client, &packet, keep_alive);
        filled = left_ms > 0 ? client_fill(client, step.needed, (int)left_ms) : -ETIMEDOUT;
        if (filled < 0)
            return client_end(client, filled, BUD_SUCCESS);
    }
}

struct client_status client_connect(struct client *client, const struct packet_connect *connect)
{
    int error;

    ASSERT(!properties_have(&connect->properties, PROPERTY_TOPIC_ALIAS_MAXIMUM));
    ASSERT(!properties_have(&connect->properties, PROPERTY_AUTHENTICATION_METHOD));
    engine_init(&client->engine, ENGINE_CLIENT, client->packet_size_max);
    client->engine.version = connect->version;
    client->engine.state = ENGINE_CONNECTING;
    error = send_connect(client, connect);
    if (error)
        return client_end(client, error, BUD_SUCCESS);
    return await_connack(client, connect->keep_alive);
}

// What the server said in CONNACK that it would not take.
static enum bud_reason judge_publish(const struct client *client,
                                     const struct packet_publish *publish)
{
    const struct properties *limits = &client->connack.properties;
    size_t size = packet_publish_size(client->engine.version, publish);

    if (size > PACKET_SIZE_MAX)
        return BUD_PACKET_TOO_LARGE;
    if (properties_have(limits, PROPERTY_MAXIMUM_PACKET_SIZE) &&
        size > limits->maximum_packet_size) // [MQTT-3.2.2-15]
        return BUD_PACKET_TOO_LARGE;
    if (properties_have(limits, PROPERTY_MAXIMUM_QOS) &&
        publish->qos > limits->maximum_qos) // [MQTT-3.2.2-11]
        return BUD_QOS_NOT_SUPPORTED;
    if (properties_have(limits, PROPERTY_RETAIN_AVAILABLE) && !limits->retain_available &&
        publish->retain) // [MQTT-3.2.2-14]
        return BUD_RETAIN_NOT_SUPPORTED;
    return BUD_SUCCESS;
}

static int send_publish(struct client *client, const struct packet_publish *publish)
{
    uint8_t version = client->engine.version;
    bool copied = publish->payload.size <= COPIED_PAYLOAD_MAX;
    size_t size = packet_publish_size(version, publish);
    struct writer writer = client_queue(client, copied ? size : size - publish->payload.size);

    if (copied)
        packet_encode_publish(&writer, version, publish);
    else
        packet_encode_publish_head(&writer, version, publish, publish->payload.size);
    if (writer.bad)
        return -ENOMEM;
    client_queued(client, &writer);
    return copied ? client_flush(client) : client_send_through(client, publish->payload);
}

// A failed send ends the connection: half a packet may be on its way.
static struct client_status sent(struct client *client, int error)
{
    return error ? client_end(client, error, BUD_SUCCESS) : client_status_ok();
}

struct client_status client_publish(struct client *client, struct packet_publish *publish)
{
    enum bud_reason reason = judge_publish(client, publish);

    ASSERT(publish->qos <= 2);
    if (client->engine.state != ENGINE_OPEN)
        return client_status_error(-ENOTCONN);
    if (reason)
        return client_status_reason(reason);
    publish->packet_id = 0;
    if (publish->qos > 0) {
        publish->packet_id =
            client_request_new(client, publish->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC);
        if (publish->packet_id == 0)
            return client_status_error(-EAGAIN);
    }
    return sent(client, send_publish(client, publish));
}

static size_t filters_packet_size(struct bytes filters, const struct properties *properties)
{
    return 5 + 2 + properties_size(properties) + filters.size;
}

struct client_status client_subscribe(struct client *client, struct packet_subscribe *subscribe)
{
    struct writer writer;

    if (client->engine.state != ENGINE_OPEN)
        return client_status_error(-ENOTCONN);
    subscribe->packet_id = client_request_new(client, PACKET_SUBACK);
    if (subscribe->packet_id == 0)
        return client_status_error(-EAGAIN);
    writer = client_queue(client, filters_packet_size(subscribe->filters, &subscribe->properties));
    packet_encode_subscribe(&writer, client->engine.version, subscribe);
    return sent(client, send_packet(client, &writer));
}

struct client_status client_unsubscribe(struct client *client,
                                        struct packet_unsubscribe *unsubscribe)
{
    struct writer writer;

    if (client->engine.state != ENGINE_OPEN)
        return client_status_error(-ENOTCONN);
    unsubscribe->packet_id = client_request_new(client, PACKET_UNSUBACK);
    if (unsubscribe->packet_id == 0)
        return client_status_error(-EAGAIN);
    writer =
        client_queue(client, filters_packet_size(unsubscribe->filters, &unsubscribe->properties));
    packet_encode_unsubscribe(&writer, client->engine.version, unsubscribe);
    return sent(client, send_packet(client, &writer));
}

void client_withhold(struct client *client)
{
    client->owed_type = 0;
}

struct client_status client_disconnect(struct client *client, enum bud_reason reason)
{
    int error = 0;

    if (client->engine.state != ENGINE_OPEN)
        return client_status_error(-ENOTCONN);
    if (client->owed_type != 0)
        error = client_acknowledge(client, client->owed_type, client->owed);
    if (!error)
        error = send_disconnect(client, reason);
    return client_end(client, error, BUD_SUCCESS);
}

void client_done(struct client *client)
{
    close_transport(client);
    buffer_done(&client->held);
    buffer_done(&client->input);
    buffer_done(&client->output);
    memory_free(client->received);
    client->received = NULL;
}
