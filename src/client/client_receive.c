// SPDX-License-Identifier: MIT
// client_next: packets in, events out, and the two handshakes of QoS 2 in between. The server
// controls order and identifiers; what it repeats or invents is answered as the specification says
// and is no event.
#include "base/memory.h"
#include "client/client_parts.h"

#include <errno.h>
#include <limits.h>

// One packet may be an event, an end, or neither.
enum outcome { OUTCOME_NONE, OUTCOME_EVENT, OUTCOME_END };

struct receipt {
    enum outcome outcome;
    struct client_status status; // of an end
};

static struct receipt no_event(struct client *client, int error)
{
    if (error)
        return (struct receipt){OUTCOME_END, client_end(client, error, BUD_SUCCESS)};
    return (struct receipt){.outcome = OUTCOME_NONE};
}

static struct receipt refused(struct client *client, enum bud_reason reason)
{
    return (struct receipt){OUTCOME_END, client_refuse(client, reason)};
}

static struct receipt an_event(void)
{
    return (struct receipt){.outcome = OUTCOME_EVENT};
}

#define RECEIVED_SIZE (65536 / 8)

static bool is_received(const struct client *client, uint16_t packet_id)
{
    return client->received && (client->received[packet_id / 32] >> packet_id % 32 & 1);
}

static bool try_note_received(struct client *client, uint16_t packet_id)
{
    if (!client->received)
        client->received = memory_try_new(RECEIVED_SIZE);
    if (client->received)
        client->received[packet_id / 32] |= 1u << packet_id % 32;
    return client->received != NULL;
}

static void forget_received(struct client *client, uint16_t packet_id)
{
    if (client->received)
        client->received[packet_id / 32] &= ~(1u << packet_id % 32);
}

// The acknowledgement is owed until the caller comes back.
static struct receipt on_publish(struct client *client, const struct packet_publish *publish,
                                 struct client_event *event)
{
    struct packet_ack ack = {.packet_id = publish->packet_id};

    if (properties_have(&publish->properties, PROPERTY_TOPIC_ALIAS)) // none was allowed
        return refused(client, BUD_TOPIC_ALIAS_INVALID);
    if (publish->qos == 2 && is_received(client, publish->packet_id)) // [MQTT-4.3.3-10]
        return no_event(client, client_acknowledge(client, PACKET_PUBREC, ack));
    if (publish->qos == 2 && !try_note_received(client, publish->packet_id))
        return no_event(client, -ENOMEM);
    if (publish->qos > 0) {
        client->owed = ack;
        client->owed_type = publish->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC;
    }
    client->message_out = true;
    event->type = CLIENT_MESSAGE;
    event->message = *publish;
    return an_event();
}

static struct receipt on_pubrel(struct client *client, const struct packet_ack *pubrel)
{
    struct packet_ack pubcomp = {.packet_id = pubrel->packet_id};

    if (!is_received(client, pubrel->packet_id))
        pubcomp.reason = BUD_PACKET_IDENTIFIER_NOT_FOUND;
    forget_received(client, pubrel->packet_id);
    return no_event(client, client_acknowledge(client, PACKET_PUBCOMP, pubcomp)); // [MQTT-4.3.3-11]
}

static struct receipt publish_done(struct client *client, struct client_request *request,
                                   const struct packet_ack *ack, struct client_event *event)
{
    *request = (struct client_request){0};
    client_note_reason_string(client, &ack->properties);
    event->type = CLIENT_PUBLISHED;
    event->packet_id = ack->packet_id;
    event->reason = ack->reason;
    return an_event();
}

static struct receipt on_pubrec(struct client *client, const struct packet_ack *pubrec,
                                struct client_event *event)
{
    struct client_request *request = client_request_find(client, pubrec->packet_id, PACKET_PUBREC);
    struct packet_ack pubrel = {.packet_id = pubrec->packet_id};

    if (request && bud_reason_is_error(pubrec->reason))
        return publish_done(client, request, pubrec, event);
    if (request)
        request->awaits = PACKET_PUBCOMP;
    else if (!client_request_find(client, pubrec->packet_id, PACKET_PUBCOMP))
        pubrel.reason = BUD_PACKET_IDENTIFIER_NOT_FOUND;
    return no_event(client, client_acknowledge(client, PACKET_PUBREL, pubrel)); // [MQTT-4.3.3-4]
}

// PUBACK, PUBCOMP
static struct receipt on_final_ack(struct client *client, uint8_t type,
                                   const struct packet_ack *ack, struct client_event *event)
{
    struct client_request *request = client_request_find(client, ack->packet_id, type);

    return request ? publish_done(client, request, ack, event) : no_event(client, 0);
}

static struct receipt on_suback(struct client *client, uint8_t type,
                                const struct packet_suback *suback, struct client_event *event)
{
    struct client_request *request = client_request_find(client, suback->packet_id, type);

    if (!request)
        return no_event(client, 0);
    *request = (struct client_request){0};
    client_note_reason_string(client, &suback->properties);
    event->type = type == PACKET_SUBACK ? CLIENT_SUBSCRIBED : CLIENT_UNSUBSCRIBED;
    event->packet_id = suback->packet_id;
    event->codes = suback->codes;
    return an_event();
}

static struct receipt on_disconnect(struct client *client,
                                    const struct packet_disconnect *disconnect)
{
    client_note_reason_string(client, &disconnect->properties);
    return (struct receipt){OUTCOME_END, client_end(client, -ECONNRESET, disconnect->reason)};
}

static struct receipt on_packet(struct client *client, const struct packet *packet,
                                struct client_event *event)
{
    switch ((enum packet_type)packet->type) {
    case PACKET_PUBLISH: return on_publish(client, &packet->publish, event);
    case PACKET_PUBACK:
    case PACKET_PUBCOMP: return on_final_ack(client, packet->type, &packet->ack, event);
    case PACKET_PUBREC: return on_pubrec(client, &packet->ack, event);
    case PACKET_PUBREL: return on_pubrel(client, &packet->ack);
    case PACKET_SUBACK:
    case PACKET_UNSUBACK: return on_suback(client, packet->type, &packet->suback, event);
    case PACKET_PINGRESP: client->stalled = false; return no_event(client, 0);
    case PACKET_DISCONNECT: return on_disconnect(client, &packet->disconnect);
    default: return refused(client, BUD_PROTOCOL_ERROR); // the engine lets none of these through
    }
}

static int send_ping(struct client *client)
{
    struct writer writer = client_queue(client, 2);

    packet_encode_ping(&writer, PACKET_PINGREQ);
    if (writer.bad)
        return -ENOMEM;
    client_queued(client, &writer);
    client->stalled = true;
    client->ping_sent_ms = client_now_ms(client);
    return client_flush(client);
}

// Sends a ping when it is time, and tells how long may be waited until the next look: -1 for ever.
// -ETIMEDOUT in *ret_error when the server has not answered the last one.
static int64_t keep_alive(struct client *client, int *ret_error)
{
    int64_t now_ms = client_now_ms(client);

    *ret_error = 0;
    if (client->stalled) {
        int64_t left_ms = client->ping_sent_ms + client->timeout_ms - now_ms;

        *ret_error = left_ms <= 0 ? -ETIMEDOUT : 0;
        return left_ms;
    }
    if (client->ping_interval_ms == 0)
        return -1;
    if (now_ms - client->sent_ms < client->ping_interval_ms)
        return client->sent_ms + client->ping_interval_ms - now_ms;
    *ret_error = send_ping(client);
    return client->timeout_ms;
}

// Waits for bytes until end_ms (-1: for ever), alive. 1 something came, 0 time-out, -errno.
static int wait_for_bytes(struct client *client, size_t needed, int64_t end_ms)
{
    for (;;) {
        int64_t left_ms = end_ms < 0 ? INT_MAX : end_ms - client_now_ms(client);
        int error, filled;
        int64_t look_ms = keep_alive(client, &error);

        if (error)
            return error;
        if (look_ms < 0 || look_ms > left_ms)
            look_ms = left_ms > 0 ? left_ms : 0;
        filled = client_fill(client, needed, look_ms > INT_MAX ? INT_MAX : (int)look_ms);
        if (filled > 0) // any byte is a sign of life: PINGRESP may wait behind a large message
            client->ping_sent_ms = client_now_ms(client);
        if (filled != 0)
            return filled;
        if (end_ms >= 0 && client_now_ms(client) >= end_ms)
            return 0;
    }
}

// The caller is back: its message is done with, and can be acknowledged.
static int settle(struct client *client)
{
    uint8_t type = client->owed_type;

    client->message_out = false;
    buffer_done(&client->held);
    client->owed_type = 0;
    return type ? client_acknowledge(client, type, client->owed) : 0;
}

struct client_status client_next(struct client *client, int timeout_ms,
                                 struct client_event *ret_event)
{
    int64_t end_ms = timeout_ms < 0 ? -1 : client_now_ms(client) + timeout_ms;
    int error;

    *ret_event = (struct client_event){.type = CLIENT_NOTHING};
    if (client->engine.state != ENGINE_OPEN)
        return client_status_error(-ENOTCONN);
    error = settle(client);
    while (!error) {
        struct packet packet;
        struct engine_step step = engine_next(&client->engine, client_input(client), &packet);
        struct receipt receipt;
        int filled;

        if (step.result == ENGINE_ERROR)
            return client_refuse(client, step.reason);
        client->input_taken += step.consumed;
        if (step.result == ENGINE_PACKET) {
            receipt = on_packet(client, &packet, ret_event);
            if (receipt.outcome != OUTCOME_NONE)
                return receipt.outcome == OUTCOME_END ? receipt.status : client_status_ok();
            continue;
        }
        filled = wait_for_bytes(client, step.needed, end_ms);
        if (filled == 0)
            return client_status_ok();
        error = filled < 0 ? filled : 0;
    }
    return client_end(client, error, BUD_SUCCESS);
}
