// SPDX-License-Identifier: MIT
// What a client does with what comes, and what it checks of it.
#include "sim/client_private.h"

#include <string.h>

#define STALLED_MS 60000         // the broker's stalled_output_timeout
#define CONNECT_TIMEOUT_MS 10000 // and connect_timeout

static void fail(struct client *client, const char *what, uint32_t number)
{
    oracle_fail(client->oracle, "client %u: %s (%u)", client->number, what, number);
}

// --- acknowledgements of ours, late but in order ---

static void acknowledge(struct client *client, uint8_t type, uint16_t packet_id)
{
    int64_t due_ms = machine_now_ms();
    if (!client->hurries)
        due_ms += (int64_t)machine_below(client->setup->ack_delay_ms + 1u);
    if (client->ack_count > 0 && client->acks[client->ack_count - 1].due_ms > due_ms &&
        !client->hurries)
        due_ms = client->acks[client->ack_count - 1].due_ms;
    if (client->ack_count == ACKS_MAX) {
        fail(client, "the broker sends more than it may", client->ack_count);
        return;
    }
    client->acks[client->ack_count++] = (struct late_ack){due_ms, type, packet_id};
}

static struct incoming *find_incoming(struct client *client, uint16_t packet_id)
{
    for (uint32_t i = 0; i < client->incoming_count; i++)
        if (client->incoming[i].packet_id == packet_id)
            return &client->incoming[i];
    return NULL;
}

static void forget_incoming(struct client *client, struct incoming *incoming)
{
    if (incoming->link == client->link->number)
        client->window_used--;
    *incoming = client->incoming[--client->incoming_count];
}

static void send_ack(struct client *client, const struct late_ack *ack)
{
    struct incoming *incoming = find_incoming(client, ack->packet_id);
    if (ack->type == PACKET_PUBREC && incoming != NULL)
        incoming->recorded = true;
    if ((ack->type == PACKET_PUBACK || ack->type == PACKET_PUBCOMP) && incoming != NULL)
        forget_incoming(client, incoming);
    client->sent_ms = machine_now_ms();
    client_say(client, "sends %s (%u)", packet_type_name(ack->type), ack->packet_id);
    peer_ack(&client->link->peer, ack->type, ack->packet_id, BUD_SUCCESS);
}

bool client_send_acks(struct client *client)
{
    bool sent = false;
    int64_t now_ms = machine_now_ms();
    while (client->state == CLIENT_ONLINE && client->ack_count > 0 &&
           client->acks[0].due_ms <= now_ms && now_ms >= client->mute_until_ms) {
        struct late_ack ack = client->acks[0];
        client->ack_count--;
        memmove(client->acks, client->acks + 1, client->ack_count * sizeof ack);
        send_ack(client, &ack);
        sent = true;
    }
    return sent;
}

// --- messages ---

static struct bytes resolve_alias(struct client *client, const struct packet_publish *publish)
{
    if (!properties_have(&publish->properties, PROPERTY_TOPIC_ALIAS))
        return publish->topic;
    uint16_t alias = publish->properties.topic_alias;
    if (alias > client->setup->alias_maximum || alias >= ALIASES_MAX) {
        fail(client, "an alias beyond its maximum", alias);
        return publish->topic;
    }
    char *topic = client->aliases[alias];
    if (publish->topic.size > 0 && publish->topic.size < sizeof client->aliases[0]) {
        memset(topic, 0, sizeof client->aliases[0]);
        memcpy(topic, publish->topic.data, publish->topic.size);
    }
    if (topic[0] == 0)
        fail(client, "an alias that stands for nothing", alias);
    return bytes_make(topic, strlen(topic));
}

static uint32_t number_in(struct bytes payload)
{
    struct reader reader = reader_of(bytes_from(payload, payload.size < 4 ? payload.size : 4));
    uint32_t number = reader_u32(&reader);
    return reader.bad ? 0 : number;
}

static void check_window(struct client *client)
{
    uint32_t window_max = client->oracle->setup->in_flight_max;
    if (client->setup->receive_maximum > 0 && client->setup->receive_maximum < window_max)
        window_max = client->setup->receive_maximum;
    if (++client->window_used > window_max)
        fail(client, "more in flight than its Receive Maximum", client->window_used);
}

// The same identifier again before we were done with it: it must be the same message, and say so.
static void check_again(struct client *client, const struct incoming *incoming,
                        const struct packet_publish *publish)
{
    if (incoming->number != number_in(publish->payload))
        fail(client, "a packet identifier in use for another message", publish->packet_id);
    if (!publish->dup)
        fail(client, "a message sent again without DUP", publish->packet_id);
    if (incoming->link == client->link->number)
        fail(client, "a message sent again on the same connection", publish->packet_id);
}

// Notes it; true if the application has not had it yet.
static bool note_incoming(struct client *client, const struct packet_publish *publish)
{
    struct incoming *incoming = find_incoming(client, publish->packet_id);
    bool stale = incoming != NULL && incoming->qos == 1 && !publish->dup &&
                 incoming->link != client->link->number;
    if (stale) { // acknowledged on the old connection, just before that ended
        forget_incoming(client, incoming);
        incoming = NULL;
    }
    check_window(client);
    if (incoming != NULL) {
        check_again(client, incoming, publish);
        incoming->link = client->link->number;
        return publish->qos == 1;
    }
    if (client->incoming_count == OUTGOING_MAX) {
        fail(client, "too much comes", client->incoming_count);
        return true;
    }
    client->incoming[client->incoming_count++] = (struct incoming){
        .number = number_in(publish->payload),
        .packet_id = publish->packet_id,
        .qos = publish->qos,
        .link = client->link->number,
    };
    return true;
}

static void on_publish(struct client *client, const struct packet_publish *publish)
{
    struct link *link = client->link;
    bool is_new = true;
    struct bytes topic = resolve_alias(client, publish);
    client_say(client, "gets message %u on %.*s, QoS %u, id %u%s%s", number_in(publish->payload),
               (int)topic.size, (const char *)topic.data, publish->qos, publish->packet_id,
               publish->dup ? ", again" : "", publish->retain ? ", retained" : "");
    if (client->setup->packet_size_max > 0 && link->peer.taken > client->setup->packet_size_max)
        fail(client, "a packet beyond its maximum", (uint32_t)link->peer.taken);
    if (publish->qos > 0)
        is_new = note_incoming(client, publish);
    if (is_new)
        oracle_received(client->oracle, client->number, publish, topic,
                        wire_times(link->peer.wire));
    if (publish->qos == 1)
        acknowledge(client, PACKET_PUBACK, publish->packet_id);
    else if (publish->qos == 2)
        acknowledge(client, PACKET_PUBREC, publish->packet_id);
}

// --- what we published ---

static struct outgoing *find_outgoing(struct client *client, uint16_t packet_id)
{
    for (uint32_t i = 0; i < client->outgoing_count; i++)
        if (client->outgoing[i].packet_id == packet_id)
            return &client->outgoing[i];
    return NULL;
}

static void finish_outgoing(struct client *client, struct outgoing *outgoing)
{
    uint32_t left = (uint32_t)(client->outgoing + client->outgoing_count - outgoing) - 1;
    memmove(outgoing, outgoing + 1, left * sizeof *outgoing);
    client->outgoing_count--;
}

static void on_ack(struct client *client, uint8_t type, const struct packet_ack *ack)
{
    struct outgoing *outgoing = find_outgoing(client, ack->packet_id);
    uint8_t qos = outgoing == NULL ? 0 : client->oracle->messages[outgoing->number].qos;
    if (outgoing == NULL || qos != (type == PACKET_PUBACK ? 1 : 2) ||
        (type == PACKET_PUBCOMP) != outgoing->released) {
        // PUBREC comes twice when the first was lost with its connection.
        if (outgoing == NULL || type != PACKET_PUBREC || qos != 2)
            fail(client, "an acknowledgement of nothing", ack->packet_id);
        return;
    }
    if (type != PACKET_PUBCOMP)
        oracle_acknowledged(client->oracle, outgoing->number, ack->reason);
    if (type == PACKET_PUBREC && !bud_reason_is_error(ack->reason)) {
        outgoing->released = true;
        acknowledge(client, PACKET_PUBREL, ack->packet_id);
        return;
    }
    finish_outgoing(client, outgoing);
}

static void resume(struct client *client)
{
    for (uint32_t i = 0; i < client->outgoing_count; i++) {
        const struct outgoing *outgoing = &client->outgoing[i];
        if (outgoing->released)
            peer_ack(&client->link->peer, PACKET_PUBREL, outgoing->packet_id, BUD_SUCCESS);
        else
            client_send_message(client, outgoing->number, outgoing->packet_id, true);
    }
}

static void on_connack(struct client *client, const struct packet_connack *connack)
{
    struct oracle_link *facts = &client->oracle->links[client->link->number];
    if (bud_reason_is_error(connack->reason)) {
        facts->refused = true;
        if (!client->oracle->setup->fails_memory)
            fail(client, "refused", connack->reason);
        return;
    }
    oracle_connected(client->oracle, client->link->number, connack->session_present);
    client->state = CLIENT_ONLINE;
    client->window_used = 0;
    client->unanswered = client->clean_unanswered = false;
    client->least_expiry_s = client->expiry_s;
    if (properties_have(&connack->properties, PROPERTY_TOPIC_ALIAS_MAXIMUM))
        client->alias_maximum = connack->properties.topic_alias_maximum;
    if (properties_have(&connack->properties, PROPERTY_SERVER_KEEP_ALIVE)) { // [MQTT-3.2.2-21]
        facts->keep_alive_s = connack->properties.server_keep_alive;
        client->keep_alive_ms = facts->keep_alive_s * 1000u;
    }
    if (connack->session_present) {
        resume(client);
        return;
    }
    client->outgoing_count = client->incoming_count = 0;
}

static void on_answer(struct client *client, const struct packet *packet)
{
    const struct packet_suback *answer = &packet->suback;
    for (uint32_t i = 0; i < client->request_count; i++) {
        struct request request = client->requests[i];
        if (request.packet_id != answer->packet_id ||
            request.unsubscribes != (packet->type == PACKET_UNSUBACK))
            continue;
        client->requests[i] = client->requests[--client->request_count];
        if (request.unsubscribes)
            oracle_unsubscribed(client->oracle, client->number, request.filter, request.asked);
        else
            oracle_subscribed(client->oracle, request.subscription, answer->codes.data[0]);
        return;
    }
    fail(client, "an answer to nothing it asked", answer->packet_id);
}

static void on_packet(struct client *client, const struct packet *packet)
{
    struct incoming *incoming;
    if (packet->type == PACKET_CONNACK)
        client_say(client, "gets CONNACK, reason %u, session present %d", packet->connack.reason,
                   packet->connack.session_present);
    else if (packet->type != PACKET_PUBLISH)
        client_say(client, "gets %s (%u)", packet_type_name(packet->type),
                   packet->type == PACKET_DISCONNECT ? packet->disconnect.reason
                                                     : packet->ack.packet_id);
    switch (packet->type) {
    case PACKET_CONNACK: on_connack(client, &packet->connack); break;
    case PACKET_PUBLISH: on_publish(client, &packet->publish); break;
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBCOMP: on_ack(client, packet->type, &packet->ack); break;
    case PACKET_PUBREL:
        incoming = find_incoming(client, packet->ack.packet_id);
        if (incoming != NULL && incoming->qos == 2 && !incoming->recorded)
            fail(client, "PUBREL before PUBREC", packet->ack.packet_id);
        acknowledge(client, PACKET_PUBCOMP, packet->ack.packet_id);
        break;
    case PACKET_SUBACK:
    case PACKET_UNSUBACK: on_answer(client, packet); break;
    default: break; // PINGRESP; DISCONNECT, which the end follows
    }
}

// May the broker have ended this connection by itself?
static void check_end(struct client *client)
{
    const struct oracle_link *facts = &client->oracle->links[client->link->number];
    const struct wire_times *times = wire_times(client->link->peer.wire);
    bool silent = facts->keep_alive_s > 0 &&
                  times->closed_ms >= times->read_ms + (int64_t)facts->keep_alive_s * 1500;
    bool stalled = times->was_blocked && times->closed_ms - times->gathered_ms >= STALLED_MS;
    bool late = client->state == CLIENT_CONNECTING &&
                times->closed_ms >= times->accepted_ms + CONNECT_TIMEOUT_MS;
    if (!silent && !stalled && !late && !facts->refused && !client->oracle->setup->fails_memory)
        fail(client, "the broker ended the connection", client->link->number);
}

bool client_receive(struct client *client)
{
    struct packet packet;
    bool busy = false;
    if (machine_now_ms() < client->stalled_until_ms)
        return false;
    while (client->link != NULL && peer_take(&client->link->peer, &packet)) {
        on_packet(client, &packet);
        busy = true;
    }
    if (client->link == NULL)
        return busy;
    if (client->link->peer.broken)
        fail(client, "not MQTT", client->link->peer.reason);
    if (client->link->peer.ended || client->link->peer.broken) {
        check_end(client);
        client_hang_up(client, BREAK_CLOSE);
        return true;
    }
    return busy;
}
