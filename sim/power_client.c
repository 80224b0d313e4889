// SPDX-License-Identifier: MIT
// What clients of a power-cut world do on their own account. Publishers own their topics, so that
// the order of what is published to a topic is the order of sending.
#include "sim/power_world.h"

#include "os/clock.h"

#include <stdio.h>
#include <string.h>

#define WILL_TOPIC POWER_TOPIC_WILL
#define SHORT_EXPIRY_S 5
#define WILL_DELAY_S 3

uint32_t power_clients(const struct power_workload *workload)
{
    return workload->publishers + workload->subscribers + workload->wills;
}

bool power_is_publisher(const struct power_workload *workload, uint32_t client)
{
    return client < workload->publishers;
}

bool power_has_will(const struct power_workload *workload, uint32_t client)
{
    return client >= workload->publishers + workload->subscribers;
}

// Every other client speaks 3.1.1.
static uint8_t version_of(uint32_t client)
{
    return client % 2 == 0 ? MQTT_5_0 : MQTT_3_1_1;
}

uint32_t power_expiry_s(const struct power_workload *workload, uint32_t client)
{
    bool is_short = workload->expires && !power_is_publisher(workload, client) &&
                    !power_has_will(workload, client) && client % 4 == 2;
    return is_short ? SHORT_EXPIRY_S : 100000;
}

uint32_t power_will_delay_s(const struct power_workload *workload, uint32_t client)
{
    return workload->expires && version_of(client) == MQTT_5_0 && client % 4 != 0 ? WILL_DELAY_S
                                                                                  : 0;
}

static uint16_t new_message(struct power_world *world, const struct power_message *message)
{
    struct power_state *state = &world->state;
    if (state->message_count + 1 >= POWER_MESSAGES)
        return 0;
    state->messages[++state->message_count] = *message;
    state->messages[state->message_count].sent = ++state->order;
    return (uint16_t)state->message_count;
}

static void add_will(struct power_world *world, uint32_t client, struct packet_connect *connect,
                     uint8_t *payload)
{
    struct power_session *session = &world->state.sessions[client];
    const char *topic = power_topic(WILL_TOPIC);
    session->will = 0;
    session->will_acknowledged = false;
    if (!power_has_will(world->workload, client))
        return;
    uint8_t qos = (uint8_t)(1 + client % 2);
    session->will = new_message(world, &(struct power_message){.publisher = (uint8_t)client,
                                                               .topic = WILL_TOPIC,
                                                               .qos = qos,
                                                               .is_will = true,
                                                               .size = 40});
    if (session->will == 0)
        return;
    connect->has_will = true;
    connect->will = (struct packet_will){
        .topic = bytes_make(topic, strlen(topic)),
        .payload = bytes_make(payload, power_payload(session->will, 40, payload)),
        .qos = qos,
    };
    if (power_will_delay_s(world->workload, client) == 0)
        return;
    connect->will.properties.present = UINT64_C(1) << PROPERTY_WILL_DELAY_INTERVAL;
    connect->will.properties.will_delay_interval = power_will_delay_s(world->workload, client);
}

void power_connect(struct power_world *world, uint32_t client, bool clean)
{
    struct power_session *session = &world->state.sessions[client];
    struct power_link *link = &world->links[client];
    char name[16];
    uint8_t payload[64];
    (void)snprintf(name, sizeof(name), "client-%u", (unsigned)client);
    struct packet_connect connect = {.version = version_of(client),
                                     .client_id = bytes_make(name, strlen(name))};
    if (link->calls)
        return;
    session->asked = true;
    session->cleans = session->cleans || clean;
    connect.clean_start = session->cleans && connect.version == MQTT_5_0;
    if (connect.version == MQTT_5_0) {
        connect.properties.present = UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL |
                                     UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM;
        connect.properties.session_expiry_interval = power_expiry_s(world->workload, client);
        connect.properties.receive_maximum = world->workload->receive_maximum;
    }
    session->cleans = connect.clean_start; // 3.1.1 has no lasting session that begins clean
    add_will(world, client, &connect, payload);
    if (!peer_call(&link->peer, connect.version)) {
        power_fail(world, "nobody listens");
        return;
    }
    link->calls = true;
    world->state.order++;
    peer_connect(&link->peer, &connect);
}

// A CONNECT that was not answered may have begun another session, if the old one had ended.
void power_went_offline(struct power_world *world, uint32_t client)
{
    struct power_session *session = &world->state.sessions[client];
    if (session->asked) {
        bool may_be_another = session->over || power_expiry_of(world, client) != 0;
        session->over = false;
        session->uncertain = session->uncertain || may_be_another;
        session->ended = session->ended || may_be_another;
    }
    session->asked = false;
    session->offline_ms = clock_wall_ms();
}

void power_drop(struct power_world *world, uint32_t client)
{
    struct power_link *link = &world->links[client];
    struct power_session *session = &world->state.sessions[client];
    if (!link->calls)
        return;
    session->dropped_will = session->will_acknowledged ? session->will : 0;
    session->will = 0;
    power_went_offline(world, client);
    wire_close(link->peer.wire);
    peer_done(&link->peer);
    *link = (struct power_link){0};
    world->state.order++;
}

void power_left(struct power_world *world, uint32_t client)
{
    struct power_session *session = &world->state.sessions[client];
    if (world->links[client].leaves) { // that is an answer: the will is forgotten, the session over
        world->state.messages[session->will].forgotten = session->will != 0;
        session->over = session->ended;
    }
    power_drop(world, client);
}

// The subscriptions of a session that ends: they may be gone from now on.
static void end_session(struct power_world *world, struct power_session *session)
{
    session->uncertain = session->ended = true;
    world->state.member_ended = true;
    for (uint32_t i = 0; i < session->subscription_count; i++)
        if (session->subscriptions[i].gone_asked == 0)
            session->subscriptions[i].gone_asked = world->state.order;
}

void power_goodbye(struct power_world *world, uint32_t client, bool ends_session)
{
    struct power_link *link = &world->links[client];
    struct packet_disconnect disconnect = {.reason = BUD_SUCCESS};
    if (!link->open)
        return;
    world->state.order++;
    world->state.sessions[client].will_acknowledged = false;
    if (ends_session && link->peer.engine.version == MQTT_5_0) {
        disconnect.properties.present = UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL;
        end_session(world, &world->state.sessions[client]);
    }
    peer_disconnect(&link->peer, &disconnect);
    link->open = false;
    link->leaves = true;
    if (machine_below(3) == 0)
        power_drop(world, client); // it does not wait for the end
}

static uint16_t free_packet_id(struct power_session *session)
{
    for (uint16_t id = 1;; id++) { // the lowest: identifiers are used again at once
        bool used = false;
        for (uint32_t i = 0; i < session->outgoing_count; i++)
            used = used || session->outgoing[i].packet_id == id;
        if (!used)
            return id;
    }
}

void power_publish(struct power_world *world, uint32_t client, uint8_t topic, uint8_t qos)
{
    struct power_session *session = &world->state.sessions[client];
    const struct power_workload *workload = world->workload;
    if (!world->links[client].open || session->outgoing_count == POWER_OUTGOING)
        return;
    bool retain = workload->retains && machine_below(2) == 0;
    bool empty = retain && machine_below(4) == 0;
    uint32_t size = 8 + (uint32_t)machine_below(workload->payload_max);
    uint16_t number = new_message(world, &(struct power_message){.publisher = (uint8_t)client,
                                                                 .topic = topic,
                                                                 .qos = qos,
                                                                 .retain = retain,
                                                                 .empty = empty,
                                                                 .size = size});
    if (number == 0)
        return;
    struct power_outgoing *outgoing = &session->outgoing[session->outgoing_count];
    *outgoing =
        (struct power_outgoing){.number = number, .packet_id = free_packet_id(session), .qos = qos};
    session->outgoing_count++;
    power_send_outgoing(world, client, outgoing, false);
}

static struct power_subscription *subscription_for(struct power_session *session, uint8_t filter)
{
    for (uint32_t i = 0; i < session->subscription_count; i++) {
        struct power_subscription *subscription = &session->subscriptions[i];
        if (subscription->filter != filter || subscription->gone_acked != 0)
            continue;
        return subscription->acked == 0 && subscription->gone_asked == 0 ? subscription : NULL;
    }
    if (session->subscription_count == POWER_SUBSCRIPTIONS)
        return NULL;
    session->subscriptions[session->subscription_count] = (struct power_subscription){0};
    return &session->subscriptions[session->subscription_count++];
}

static uint16_t request_id(struct power_session *session)
{
    if (++session->next_packet_id < 1000)
        session->next_packet_id = 1000;
    return session->next_packet_id;
}

void power_subscribe(struct power_world *world, uint32_t client, uint8_t filter, uint8_t qos)
{
    struct power_session *session = &world->state.sessions[client];
    struct power_link *link = &world->links[client];
    const char *text = power_filter(filter);
    if (!link->open)
        return;
    struct power_subscription *subscription = subscription_for(session, filter);
    if (subscription == NULL)
        return; // it is there, or nobody knows
    if (subscription->asked == 0)
        *subscription = (struct power_subscription){
            .filter = filter, .qos = qos, .asked = ++world->state.order};
    subscription->packet_id = request_id(session);
    peer_subscribe(&link->peer, subscription->packet_id, bytes_make(text, strlen(text)),
                   (struct subscription_options){.qos = subscription->qos}, 0);
}

void power_unsubscribe(struct power_world *world, uint32_t client, uint32_t index)
{
    struct power_session *session = &world->state.sessions[client];
    struct power_link *link = &world->links[client];
    if (!link->open || index >= session->subscription_count)
        return;
    struct power_subscription *subscription = &session->subscriptions[index];
    const char *text = power_filter(subscription->filter);
    if (subscription->gone_acked != 0 || subscription->acked == 0)
        return;
    if (subscription->gone_asked == 0)
        subscription->gone_asked = ++world->state.order;
    subscription->packet_id = request_id(session);
    peer_unsubscribe(&link->peer, subscription->packet_id, bytes_make(text, strlen(text)));
}

static bool send_acks(struct power_world *world, struct power_link *link)
{
    uint32_t count = link->ack_count;
    if (!link->open || count == 0)
        return false;
    if (!world->hurries) // some wait: sessions are cut in every state
        count = machine_below(3) == 0 ? (uint32_t)machine_below(count + 1) : 0;
    for (uint32_t i = 0; i < count; i++)
        peer_ack(&link->peer, link->acks[i].type, link->acks[i].packet_id, BUD_SUCCESS);
    link->ack_count -= count;
    memmove(link->acks, link->acks + count, link->ack_count * sizeof(link->acks[0]));
    return count > 0;
}

bool power_read(struct power_world *world)
{
    bool any = false;
    for (uint32_t i = 0; i < power_clients(world->workload); i++) {
        struct power_link *link = &world->links[i];
        if (!link->calls)
            continue;
        while (!world->failed && power_receive(world, i))
            any = true;
        any = send_acks(world, link) || any;
        peer_flush(&link->peer);
        if (link->peer.broken)
            power_fail(world, "client %u cannot read what came", (unsigned)i);
        if (link->peer.ended)
            power_left(world, i);
    }
    return any;
}
