// SPDX-License-Identifier: MIT
// What clients of a power-cut world do with what comes.
#include "sim/power_world.h"

#include "os/clock.h"

#include <stdio.h>
#include <string.h>

#define TIME_SLACK_MS 1100 // of clocks that count seconds

static const char *const topics[] = {"t/0", "t/1", "t/2", "t/3", "t/4", "t/5", "will"};
static const char *const filters[POWER_FILTERS] = {"t/0", "t/1",  "t/2",          "t/3", "t/4",
                                                   "t/5", "will", "$share/g/t/+", "t/#"};

const char *power_topic(uint8_t topic)
{
    return topics[topic];
}

const char *power_filter(uint8_t filter)
{
    return filters[filter];
}

bool power_matches(uint8_t filter, uint8_t topic)
{
    return filter == topic || (filter > POWER_FILTER_WILLS && topic < POWER_TOPICS);
}

size_t power_payload(uint32_t number, uint32_t size, uint8_t *payload)
{
    for (uint32_t i = 0; i < size; i++)
        payload[i] = (uint8_t)(number * 31 + i * (i >> 8 | 1));
    memcpy(payload, &number, sizeof(number));
    return size;
}

static uint8_t expected[1 << 17];

uint32_t power_message_number(struct power_world *world, const struct packet_publish *publish)
{
    uint32_t number = 0;
    if (publish->payload.size >= sizeof(number))
        memcpy(&number, publish->payload.data, sizeof(number));
    if (number == 0 || number > world->state.message_count) {
        power_fail(world, "message %u was never sent", (unsigned)number);
        return 0;
    }
    const struct power_message *message = &world->state.messages[number];
    size_t size = power_payload(number, message->size, expected);
    const char *topic = topics[message->topic];
    if (!bytes_equal(publish->payload, bytes_make(expected, size)) ||
        !bytes_equal(publish->topic, bytes_make(topic, strlen(topic))))
        power_fail(world, "message %u is not what was sent", (unsigned)number);
    return number;
}

void power_send_outgoing(struct power_world *world, uint32_t client,
                         const struct power_outgoing *outgoing, bool dup)
{
    static uint8_t payload[1 << 17];
    struct power_message *message = &world->state.messages[outgoing->number];
    struct power_link *link = &world->links[client];
    if (outgoing->released) {
        peer_ack(&link->peer, PACKET_PUBREL, outgoing->packet_id, BUD_SUCCESS);
        return;
    }
    if (dup)
        message->sent_again = ++world->state.order;
    size_t size = message->empty ? 0 : power_payload(outgoing->number, message->size, payload);
    const char *topic = topics[message->topic];
    struct packet_publish publish = {
        .dup = dup,
        .retain = message->retain,
        .qos = message->qos,
        .packet_id = outgoing->packet_id,
        .topic = bytes_make(topic, strlen(topic)),
        .payload = bytes_make(payload, size),
    };
    peer_publish(&link->peer, &publish);
}

// The session begins anew: what belonged to the old one is nobody's.
static void begin_session(struct power_session *session)
{
    session->incoming_count = 0;
    session->subscription_count = 0;
    session->outgoing_count = 0; // what was not acknowledged is given up
    memset(session->received, 0, sizeof(session->received));
}

int power_expiry_of(const struct power_world *world, uint32_t client)
{
    const struct power_session *session = &world->state.sessions[client];
    int64_t offline_ms = session->offline_ms == 0 ? 0 : clock_wall_ms() - session->offline_ms;
    int64_t expiry_ms = (int64_t)power_expiry_s(world->workload, client) * 1000;
    if (offline_ms < expiry_ms - TIME_SLACK_MS)
        return 0;
    return offline_ms < expiry_ms + TIME_SLACK_MS ? 1 : 2;
}

// A will whose client is back: was it published meanwhile? After a cut nobody can tell.
static void settle_will(struct power_world *world, uint32_t client)
{
    struct power_session *session = &world->state.sessions[client];
    struct power_message *will = &world->state.messages[session->dropped_will];
    int64_t delay_ms = (int64_t)power_will_delay_s(world->workload, client) * 1000;
    int64_t offline_ms = session->offline_ms == 0 ? 0 : clock_wall_ms() - session->offline_ms;
    if (session->dropped_will != 0 && !world->hurries) {
        will->owed = offline_ms >= delay_ms + (delay_ms == 0 ? 0 : TIME_SLACK_MS);
        will->forgotten = offline_ms < delay_ms - TIME_SLACK_MS;
    }
    session->dropped_will = 0;
}

static void on_connack(struct power_world *world, uint32_t client, const struct packet *packet)
{
    struct power_session *session = &world->state.sessions[client];
    bool present = packet->connack.session_present;
    if (packet->connack.reason != BUD_SUCCESS)
        power_fail(world, "client %u is refused: 0x%02x", (unsigned)client,
                   (unsigned)packet->connack.reason);
    int expiry = power_expiry_of(world, client);
    if (present && (session->over || (expiry == 2 && !world->hurries)))
        power_fail(world, "client %u was given a session that has ended", (unsigned)client);
    if (session->cleans && present)
        power_fail(world, "client %u began clean and was given a session", (unsigned)client);
    if (!session->cleans && session->acknowledged && !session->uncertain && !present && expiry == 0)
        power_fail(world, "the session of client %u is lost", (unsigned)client);
    session->asked = false;
    if (session->ended && present) { // not what it knows: it begins anew [MQTT-3.2.2-4]
        power_drop(world, client);
        power_connect(world, client, true);
        return;
    }
    if (!present) {
        world->state.member_ended = world->state.member_ended || session->acknowledged;
        begin_session(session);
    }
    session->ended = session->over = false;
    session->acknowledged = true;
    session->uncertain = session->cleans = false;
    world->links[client].open = true;
    world->state.order++;
    settle_will(world, client);
    session->offline_ms = 0;
    session->will_acknowledged = session->will != 0;
    for (uint32_t i = 0; i < session->outgoing_count; i++)
        power_send_outgoing(world, client, &session->outgoing[i], true);
}

static void add_ack(struct power_world *world, uint32_t client, uint8_t type, uint16_t packet_id)
{
    struct power_link *link = &world->links[client];
    if (link->ack_count == POWER_INCOMING)
        power_fail(world, "client %u was sent more than it takes", (unsigned)client);
    else
        link->acks[link->ack_count++] = (struct power_ack){type, packet_id};
}

// True if this identifier is new.
static bool note_incoming(struct power_session *session, uint16_t packet_id)
{
    for (uint32_t i = 0; i < session->incoming_count; i++)
        if (session->incoming[i] == packet_id)
            return false;
    if (session->incoming_count < POWER_INCOMING)
        session->incoming[session->incoming_count++] = packet_id;
    return true;
}

static void on_publish(struct power_world *world, uint32_t client,
                       const struct packet_publish *publish)
{
    struct power_session *session = &world->state.sessions[client];
    bool is_new = publish->qos < 2 || note_incoming(session, publish->packet_id);
    if (publish->payload.size > 0) {
        uint32_t number = power_message_number(world, publish);
        if (is_new && !publish->retain && session->received[number] < UINT8_MAX) {
            session->received[number]++;
            world->state.group_received[number]++;
        }
    }
    if (publish->qos > 0)
        add_ack(world, client, publish->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
                publish->packet_id);
}

static void on_pubrel(struct power_world *world, uint32_t client, uint16_t packet_id)
{
    struct power_session *session = &world->state.sessions[client];
    for (uint32_t i = 0; i < session->incoming_count; i++)
        if (session->incoming[i] == packet_id) {
            session->incoming[i] = session->incoming[--session->incoming_count];
            break;
        }
    add_ack(world, client, PACKET_PUBCOMP, packet_id);
}

static void forget_outgoing(struct power_session *session, uint32_t index)
{
    session->outgoing_count--;
    memmove(&session->outgoing[index], &session->outgoing[index + 1],
            (session->outgoing_count - index) * sizeof(session->outgoing[0]));
}

static void on_ack(struct power_world *world, uint32_t client, uint8_t type,
                   const struct packet_ack *ack)
{
    struct power_session *session = &world->state.sessions[client];
    uint32_t index = 0;
    while (index < session->outgoing_count && session->outgoing[index].packet_id != ack->packet_id)
        index++;
    if (index == session->outgoing_count)
        return power_fail(world, "%s for nothing", packet_type_name(type));
    struct power_outgoing *outgoing = &session->outgoing[index];
    struct power_message *message = &world->state.messages[outgoing->number];
    bool found = !(type == PACKET_PUBCOMP && ack->reason == BUD_PACKET_IDENTIFIER_NOT_FOUND);
    if (found && bud_reason_is_error(ack->reason))
        return power_fail(world, "%s 0x%02x", packet_type_name(type), (unsigned)ack->reason);
    if (message->acked == 0)
        message->acked = ++world->state.order;
    if (type != PACKET_PUBREC)
        return forget_outgoing(session, index);
    outgoing->released = true;
    power_send_outgoing(world, client, outgoing, false);
}

static void on_suback(struct power_world *world, uint32_t client,
                      const struct packet_suback *suback)
{
    struct power_session *session = &world->state.sessions[client];
    for (uint32_t i = 0; i < session->subscription_count; i++) {
        struct power_subscription *subscription = &session->subscriptions[i];
        if (subscription->packet_id != suback->packet_id)
            continue;
        subscription->packet_id = 0;
        if (subscription->acked == 0)
            subscription->acked = ++world->state.order;
        else
            subscription->gone_acked = ++world->state.order;
    }
}

bool power_receive(struct power_world *world, uint32_t client)
{
    struct packet packet;
    if (!peer_take(&world->links[client].peer, &packet))
        return false;
    switch (packet.type) {
    case PACKET_CONNACK: on_connack(world, client, &packet); break;
    case PACKET_PUBLISH: on_publish(world, client, &packet.publish); break;
    case PACKET_PUBREL: on_pubrel(world, client, packet.ack.packet_id); break;
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBCOMP: on_ack(world, client, packet.type, &packet.ack); break;
    case PACKET_SUBACK:
    case PACKET_UNSUBACK: on_suback(world, client, &packet.suback); break;
    case PACKET_DISCONNECT: // the broker stops
    case PACKET_PINGRESP: break;
    default: power_fail(world, "a %s came", packet_type_name(packet.type)); break;
    }
    return true;
}
