// SPDX-License-Identifier: MIT
// After the cut: the broker starts on what the disk kept, the clients come back and resume, and
// what they were acknowledged is compared with what is there.
#include "sim/power_world.h"

#include "os/clock.h"

#include <string.h>

#define WILLS_MS 40000 // the grace of wills at start, and more

// Retained messages as a new client is given them; 0: none for the topic.
struct retained_view {
    uint32_t numbers[POWER_TOPICS];
};

static void take_retained(struct power_world *world, struct peer *peer, struct retained_view *view)
{
    struct packet packet;
    while (!world->failed && peer_take(peer, &packet)) {
        if (packet.type != PACKET_PUBLISH)
            continue;
        uint32_t number = power_message_number(world, &packet.publish);
        uint8_t topic = world->state.messages[number].topic;
        if (topic >= POWER_TOPICS || !packet.publish.retain)
            power_fail(world, "message %u came as a retained one", (unsigned)number);
        else
            view->numbers[topic] = number;
    }
}

static void look_at_retained(struct power_world *world, struct retained_view *view)
{
    struct peer peer;
    struct packet_connect connect = {
        .version = MQTT_5_0, .clean_start = true, .client_id = bytes_make("witness", 7)};
    *view = (struct retained_view){0};
    if (!peer_call(&peer, MQTT_5_0))
        return power_fail(world, "nobody listens");
    peer_connect(&peer, &connect);
    peer_subscribe(&peer, 1, bytes_make("t/+", 3), (struct subscription_options){0}, 0);
    power_settle(world);
    take_retained(world, &peer, view);
    wire_close(peer.wire);
    peer_done(&peer);
    power_settle(world);
}

// A QoS 1 message without an answer is sent again and set again, also over a QoS 2 one that came
// after it, was taken, and is not taken twice.
static bool was_set_again(const struct power_state *state, uint32_t number, uint32_t last)
{
    const struct power_message *message = &state->messages[number];
    return message->retain && message->qos == 1 && state->messages[last].qos == 2 &&
           message->topic == state->messages[last].topic &&
           message->sent_again > state->messages[last].sent;
}

static bool was_removed_again(const struct power_state *state, uint32_t last)
{
    for (uint32_t i = 1; i < last; i++)
        if (state->messages[i].empty && was_set_again(state, i, last))
            return true;
    return false;
}

// What is there must be the last acknowledged one of its topic, or one that was sent later.
static void judge_retained_of(struct power_world *world, uint8_t topic, uint32_t there)
{
    uint32_t last_acked = 0;
    bool may_be_none = true;
    const struct power_message *messages = world->state.messages;
    for (uint32_t i = 1; i <= world->state.message_count; i++) {
        const struct power_message *message = &messages[i];
        if (!message->retain || message->topic != topic)
            continue;
        if (message->acked != 0) {
            last_acked = i;
            may_be_none = was_removed_again(&world->state, i);
        }
        may_be_none = may_be_none || message->empty;
    }
    bool is_right =
        there == 0 ? may_be_none
                   : messages[there].retain && !messages[there].empty &&
                         (there >= last_acked || was_set_again(&world->state, there, last_acked));
    if (!is_right)
        power_fail(world, "retained on %s is message %u, and %u was acknowledged",
                   power_topic(topic), (unsigned)there, (unsigned)last_acked);
}

static void judge_retained(struct power_world *world)
{
    struct retained_view view;
    if (world->failed || !world->workload->retains)
        return;
    look_at_retained(world, &view);
    for (uint8_t i = 0; i < POWER_TOPICS; i++)
        judge_retained_of(world, i, view.numbers[i]);
}

// From when a message must have been accepted; 0: nobody knows.
static uint32_t accepted_by(const struct power_state *state, const struct power_message *message)
{
    if (message->is_will)
        return message->owed ? state->order : 0;
    return message->acked;
}

static bool must_have(const struct power_state *state,
                      const struct power_subscription *subscription,
                      const struct power_message *message)
{
    uint32_t accepted = accepted_by(state, message);
    return accepted != 0 && subscription->acked != 0 && subscription->acked < message->sent &&
           (subscription->gone_asked == 0 || subscription->gone_asked > accepted);
}

static bool may_have(const struct power_subscription *subscription,
                     const struct power_message *message)
{
    return (message->acked == 0 || subscription->asked < message->acked) &&
           (subscription->gone_acked == 0 || subscription->gone_acked > message->sent);
}

// What one client (or one group of a shared subscription) had to get of a message.
struct due {
    bool must, may, once;
    uint32_t received;
};

static void add_due(const struct power_state *state, uint32_t client, uint32_t number, bool shared,
                    struct due *due)
{
    const struct power_session *session = &state->sessions[client];
    const struct power_message *message = &state->messages[number];
    for (uint32_t i = 0; i < session->subscription_count; i++) {
        const struct power_subscription *subscription = &session->subscriptions[i];
        if ((subscription->filter == POWER_FILTER_SHARED) != shared ||
            !power_matches(subscription->filter, message->topic))
            continue;
        due->must = due->must || must_have(state, subscription, message);
        due->may = due->may || may_have(subscription, message);
        due->once = due->once && subscription->qos == 2;
    }
    // What was under way to a member that ended is lost with it at QoS 2 [MQTT-4.8.2-5].
    due->must = due->must && !(shared && message->qos == 2 && state->member_ended);
    if (shared)
        due->received = state->group_received[number];
    else
        due->received += session->received[number];
}

static void judge_due(struct power_world *world, uint32_t client, uint32_t number,
                      const struct due *due)
{
    const char *who = power_has_will(world->workload, client) ? "(will client)" : "client";
    const struct power_message *message = &world->state.messages[number];
    if (due->must && due->received == 0)
        power_fail(world, "message %u (QoS %u, %s) is lost to %s %u", (unsigned)number,
                   (unsigned)message->qos, power_topic(message->topic), who, (unsigned)client);
    if (due->once && message->qos == 2 && due->received > 1)
        power_fail(world, "message %u (QoS 2, %s) came %u times to %s %u", (unsigned)number,
                   power_topic(message->topic), (unsigned)due->received, who, (unsigned)client);
    if (message->forgotten && due->received > 0)
        power_fail(world, "message %u (a will that was taken back) came to %s %u", (unsigned)number,
                   who, (unsigned)client);
    if (!due->may && due->received > 0)
        power_fail(world, "message %u (%s) came to %s %u, which was not subscribed",
                   (unsigned)number, power_topic(message->topic), who, (unsigned)client);
}

static void judge_message(struct power_world *world, uint32_t number)
{
    const struct power_state *state = &world->state;
    bool shares = world->workload->shares;
    struct due group = {.once = true};
    if (state->messages[number].empty)
        return;
    for (uint32_t i = 0; i < power_clients(world->workload); i++) {
        struct due due = {.once = true};
        add_due(state, i, number, shares, shares ? &group : &due);
        if (!shares)
            judge_due(world, i, number, &due);
    }
    if (shares)
        judge_due(world, 0, number, &group);
}

static bool stays_away(const struct power_world *world, uint32_t client)
{
    return power_has_will(world->workload, client) && client % 4 < 2;
}

// Who had a will and does not come back: it is published.
static void owe_wills(struct power_world *world)
{
    struct power_state *state = &world->state;
    for (uint32_t i = 0; i < power_clients(world->workload); i++) {
        const struct power_session *session = &state->sessions[i];
        if (!stays_away(world, i))
            continue;
        if (session->will_acknowledged)
            state->messages[session->will].owed = true;
        if (session->dropped_will != 0)
            state->messages[session->dropped_will].owed = true;
    }
}

static void come_back(struct power_world *world, bool all)
{
    for (uint32_t i = 0; i < power_clients(world->workload); i++) {
        if (!all && stays_away(world, i))
            continue;
        power_connect(world, i, false);
        power_turns(world, (uint32_t)machine_below(4));
    }
    power_settle(world);
}

// New messages show what is subscribed.
static void probe(struct power_world *world)
{
    for (uint8_t topic = 0; topic < POWER_TOPICS; topic++)
        power_publish(world, topic % world->workload->publishers, topic, 2);
    power_settle(world);
}

static void forget_links(struct power_world *world)
{
    for (uint32_t i = 0; i < POWER_CLIENTS; i++) {
        struct power_session *session = &world->state.sessions[i];
        if (session->will_acknowledged)
            session->dropped_will = session->will;
        if (session->offline_ms == 0 || session->asked)
            power_went_offline(world, i);
        session->will = 0;
        session->will_acknowledged = false;
        world->links[i] = (struct power_link){0};
    }
}

static void judge_clients(struct power_world *world)
{
    for (uint32_t i = 0; i < power_clients(world->workload); i++) {
        const struct power_session *session = &world->state.sessions[i];
        if (!world->links[i].open)
            power_fail(world, "client %u is not connected", (unsigned)i);
        if (session->outgoing_count > 0)
            power_fail(world, "%u messages of client %u are not acknowledged",
                       (unsigned)session->outgoing_count, (unsigned)i);
        if (session->incoming_count > 0)
            power_fail(world, "%u messages to client %u are not released",
                       (unsigned)session->incoming_count, (unsigned)i);
    }
    for (uint32_t i = 1; i <= world->state.message_count; i++)
        judge_message(world, i);
}

bool power_recover(struct power_world *world, struct disk_fault *disk, const char *directory)
{
    world->hurries = true;
    forget_links(world);
    if (!power_start(world, disk, directory))
        return false;
    come_back(world, false);
    probe(world);
    return true;
}

void power_judge(struct power_world *world, struct disk_fault *disk, const char *directory)
{
    world->hurries = true;
    owe_wills(world);
    forget_links(world);
    if (!power_start(world, disk, directory))
        return;
    judge_retained(world);
    come_back(world, false);
    if (world->workload->wills > 0)
        power_wait(world, WILLS_MS);
    come_back(world, true);
    probe(world);
    judge_retained(world);
    judge_clients(world);
    power_stop(world);
}
