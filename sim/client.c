// SPDX-License-Identifier: MIT
// What a client does of itself: connecting, publishing, subscribing, pinging, ending. What it does
// with what comes is in client_receive.c.
#include "sim/client_private.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 15000

void client_init(struct client *client, struct oracle *oracle, uint8_t number)
{
    memset(client, 0, sizeof *client);
    client->oracle = oracle;
    client->setup = &oracle->setup->clients[number];
    client->number = number;
}

void client_say(const struct client *client, const char *format, ...)
{
    if (!client->oracle->verbose)
        return;
    printf("%8" PRId64 "    client %u ", machine_now_ms() - MACHINE_START_MS, client->number);
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

// --- the ends of connections ---

static int64_t read_moment(const struct link *link, uint64_t end)
{
    return end == 0 ? -1 : wire_read_moment(link->peer.wire, end);
}

// Both ends are done with it: what the broker read of it is known now.
static void settle_link(struct client *client, struct link *link)
{
    const struct wire_times *times = wire_times(link->peer.wire);
    struct oracle_link *facts = &client->oracle->links[link->number];
    facts->connect_read_ms = read_moment(link, link->connect_end);
    facts->goodbye_read_ms = read_moment(link, link->goodbye_end);
    facts->closed_ms = times->closed_ms;
    facts->last_read_ms = times->read_ms;
    client_say(client, "link %u: CONNECT read %" PRId64 ", closed %" PRId64, link->number,
               facts->connect_read_ms - MACHINE_START_MS, facts->closed_ms - MACHINE_START_MS);
    facts->blocked = times->was_blocked;
    peer_done(&link->peer);
    memory_free(link);
}

static void note_reads(struct client *client, struct link *link)
{
    uint64_t read_bytes = wire_times(link->peer.wire)->read_bytes;
    while (link->noted_count < link->send_count &&
           link->sends[link->noted_count].end <= read_bytes) {
        const struct send_mark *mark = &link->sends[link->noted_count++];
        struct oracle_message *message = &client->oracle->messages[mark->number];
        int64_t read_ms = wire_read_moment(link->peer.wire, mark->end);
        if (read_ms > message->read_ms)
            message->read_ms = read_ms;
    }
}

static void collect_old(struct client *client)
{
    struct link **at = &client->old;
    while (*at != NULL) {
        struct link *link = *at;
        if (wire_times(link->peer.wire)->closed_ms < 0) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        note_reads(client, link);
        settle_link(client, link);
    }
}

void client_done(struct client *client)
{
    if (client->link != NULL)
        client_hang_up(client, BREAK_CLOSE);
    while (client->old != NULL) {
        struct link *link = client->old;
        client->old = link->next;
        note_reads(client, link);
        settle_link(client, link);
    }
}

void client_hang_up(struct client *client, enum break_kind how)
{
    struct link *link = client->link;
    if (link == NULL)
        return;
    client_say(client, "hangs up link %u (%d)", link->number, how);
    peer_flush(&link->peer);
    switch (how) {
    case BREAK_CLOSE: wire_close(link->peer.wire); break;
    case BREAK_RESET: wire_reset(link->peer.wire); break;
    case BREAK_CUT: wire_cut(link->peer.wire); break;
    }
    link->next = client->old;
    client->old = link;
    client->link = NULL;
    client->state = CLIENT_OFFLINE;
    client->ack_count = client->request_count = client->window_used = 0;
}

// --- connecting ---

static void set(struct properties *properties, enum property property, uint32_t *field,
                uint32_t value)
{
    *field = value;
    properties->present |= UINT64_C(1) << property;
}

static uint32_t new_will(struct client *client, const struct action *action)
{
    struct oracle_message will = {
        .publisher = client->number,
        .topic = action->text,
        .qos = action->qos,
        .retain = action->retain,
        .is_will = true,
        .size = action->size,
    };
    return oracle_new_message(client->oracle, &will);
}

static void fill_will(struct client *client, const struct action *action, uint32_t number,
                      struct packet_connect *connect)
{
    static uint8_t payload[64];
    const char *topic = script_topics[action->text];
    if (number == 0)
        return;
    oracle_payload(&client->oracle->messages[number], number, payload);
    connect->has_will = true;
    connect->will = (struct packet_will){
        .topic = bytes_make(topic, strlen(topic)),
        .payload = bytes_make(payload, action->size),
        .qos = action->qos,
        .retain = action->retain,
    };
    if (connect->version == MQTT_5_0 && action->delay_s > 0)
        set(&connect->will.properties, PROPERTY_WILL_DELAY_INTERVAL,
            &connect->will.properties.will_delay_interval, action->delay_s);
}

static void fill_properties(const struct client *client, const struct action *action,
                            struct properties *properties)
{
    const struct client_setup *setup = client->setup;
    if (setup->version < MQTT_5_0)
        return;
    if (action->expiry_s > 0)
        set(properties, PROPERTY_SESSION_EXPIRY_INTERVAL, &properties->session_expiry_interval,
            action->expiry_s);
    if (setup->packet_size_max > 0)
        set(properties, PROPERTY_MAXIMUM_PACKET_SIZE, &properties->maximum_packet_size,
            setup->packet_size_max);
    if (setup->receive_maximum > 0) {
        properties->receive_maximum = setup->receive_maximum;
        properties->present |= UINT64_C(1) << PROPERTY_RECEIVE_MAXIMUM;
    }
    if (setup->alias_maximum > 0) {
        properties->topic_alias_maximum = setup->alias_maximum;
        properties->present |= UINT64_C(1) << PROPERTY_TOPIC_ALIAS_MAXIMUM;
    }
}

static uint32_t tell_of_link(struct client *client, const struct action *action, uint32_t will)
{
    bool v5 = client->setup->version == MQTT_5_0;
    struct oracle_link link = {
        .client = client->number,
        .clean_start = action->clean_start,
        .expiry_s = v5 ? action->expiry_s : 0,
        .goodbye_expiry_s = UINT32_MAX,
        .keep_alive_s = action->keep_alive_s,
        .will = will,
        .delay_s = v5 ? action->delay_s : 0,
        .connect_read_ms = -1,
        .connack_ms = -1,
        .goodbye_read_ms = -1,
        .closed_ms = -1,
    };
    return oracle_connecting(client->oracle, &link);
}

static uint32_t expiry_asked(const struct client *client, const struct action *action)
{
    if (client->setup->version == MQTT_5_0)
        return action->expiry_s;
    return action->clean_start ? 0 : UINT32_MAX;
}

// A CONNECT that was not answered may have begun a new session, at once or because the old one had
// expired. Then Session Present would be taken for the old one, so a careful client begins anew.
static bool is_in_doubt(const struct client *client, const struct action *action)
{
    return client->unanswered &&
           (client->clean_unanswered || client->least_expiry_s != UINT32_MAX ||
            expiry_asked(client, action) != UINT32_MAX);
}

static void note_unanswered(struct client *client, const struct action *action)
{
    uint32_t expiry_s = expiry_asked(client, action);
    client->unanswered = true;
    client->clean_unanswered = client->clean_unanswered || action->clean_start;
    if (expiry_s < client->least_expiry_s)
        client->least_expiry_s = expiry_s;
}

static void call(struct client *client, const struct action *action)
{
    char name[2] = {'c', (char)('0' + client->number)};
    struct packet_connect connect = {
        .version = client->setup->version,
        .clean_start = action->clean_start,
        .keep_alive = action->keep_alive_s,
        .client_id = bytes_make(name, sizeof name),
    };
    struct link *link = memory_new(sizeof *link);
    if (!peer_call(&link->peer, connect.version)) {
        memory_free(link);
        return;
    }
    uint32_t will = action->has_will ? new_will(client, action) : 0;
    fill_will(client, action, will, &connect);
    fill_properties(client, action, &connect.properties);
    link->number = tell_of_link(client, action, will);
    if (will != 0)
        oracle_sent(client->oracle, will, link->number);
    client->link = link;
    client->state = CLIENT_CONNECTING;
    client->since_ms = client->sent_ms = machine_now_ms();
    client->keep_alive_ms = action->keep_alive_s * 1000u;
    client->expiry_s = expiry_asked(client, action);
    note_unanswered(client, action);
    memset(client->aliases, 0, sizeof client->aliases);
    client->alias_maximum = 0;
    memset(client->alias_topics, 0, sizeof client->alias_topics);
    client_say(client, "connects (link %u), clean start %d, expiry %u, will %u, delay %u",
               link->number, action->clean_start, action->expiry_s, will, action->delay_s);
    peer_connect(&link->peer, &connect);
    link->connect_end = link->peer.sent_bytes;
}

// With two of its connections on their way, nobody could say which one came last.
static bool is_under_way(const struct link *link)
{
    const struct wire_times *times = wire_times(link->peer.wire);
    return times->closed_ms < 0 && times->read_bytes < link->connect_end;
}

static bool may_call(const struct client *client)
{
    if (client->link != NULL && is_under_way(client->link))
        return false;
    for (const struct link *link = client->old; link != NULL; link = link->next)
        if (is_under_way(link))
            return false;
    return oracle_has_room(client->oracle) && client->oracle->message_count < MESSAGES_MAX / 2;
}

// Half of the time a connected client comes again without having hung up: a take-over.
static void connect(struct client *client, const struct action *action)
{
    struct action sure = *action;
    sure.clean_start = action->clean_start || is_in_doubt(client, action);
    if (!may_call(client))
        return;
    if (client->state != CLIENT_OFFLINE) {
        if (action->size % 2 == 0)
            return;
        struct link *link = client->link;
        link->next = client->old;
        client->old = link;
        client->link = NULL;
        client->ack_count = client->request_count = client->window_used = 0;
    }
    call(client, &sure);
}

static void say_goodbye(struct client *client, const struct action *action)
{
    if (client->state != CLIENT_ONLINE)
        return;
    struct oracle_link *facts = &client->oracle->links[client->link->number];
    bool v5 = client->setup->version == MQTT_5_0;
    struct packet_disconnect disconnect = {.reason =
                                               v5 ? (enum bud_reason)action->how : BUD_SUCCESS};
    facts->said_goodbye = true;
    facts->goodbye_reason = (uint8_t)disconnect.reason;
    if (v5 && action->expiry_s != UINT32_MAX && client->expiry_s > 0) {
        set(&disconnect.properties, PROPERTY_SESSION_EXPIRY_INTERVAL,
            &disconnect.properties.session_expiry_interval, action->expiry_s);
        facts->goodbye_expiry_s = action->expiry_s;
        client->least_expiry_s = action->expiry_s;
    }
    client_say(client, "says goodbye, reason %u", disconnect.reason);
    peer_disconnect(&client->link->peer, &disconnect);
    client->link->goodbye_end = client->link->peer.sent_bytes;
    client_hang_up(client, BREAK_CLOSE);
}

// --- publishing and subscribing ---

static bool is_in_use(const struct client *client, uint16_t packet_id)
{
    for (uint32_t i = 0; i < client->outgoing_count; i++)
        if (client->outgoing[i].packet_id == packet_id)
            return true;
    for (uint32_t i = 0; i < client->request_count; i++)
        if (client->requests[i].packet_id == packet_id)
            return true;
    return packet_id == 0;
}

static uint16_t new_packet_id(struct client *client)
{
    do
        client->next_packet_id = (uint16_t)(client->next_packet_id % 700 + 1);
    while (is_in_use(client, client->next_packet_id));
    return client->next_packet_id;
}

// Some messages name their topic by an alias, which may have stood for another one before.
static void use_alias(struct client *client, uint32_t number, struct packet_publish *publish)
{
    uint8_t topic = client->oracle->messages[number].topic;
    uint16_t count = client->alias_maximum < 3 ? client->alias_maximum : 3;
    if (number % 3 == 0 || count == 0)
        return;
    uint16_t alias = (uint16_t)(1 + topic % count);
    if (client->alias_topics[alias] == topic + 1)
        publish->topic = (struct bytes){0};
    client->alias_topics[alias] = (uint8_t)(topic + 1);
    publish->properties.topic_alias = alias;
    publish->properties.present |= UINT64_C(1) << PROPERTY_TOPIC_ALIAS;
}

void client_send_message(struct client *client, uint32_t number, uint16_t packet_id, bool dup)
{
    static uint8_t payload[65536];
    struct link *link = client->link;
    const struct oracle_message *message = &client->oracle->messages[number];
    const char *topic = script_topics[message->topic];
    oracle_payload(message, number, payload);
    struct packet_publish publish = {
        .dup = dup,
        .retain = message->retain,
        .qos = message->qos,
        .packet_id = packet_id,
        .topic = bytes_make(topic, strlen(topic)),
        .payload = bytes_make(payload, message->empty ? 0 : message->size),
    };
    use_alias(client, number, &publish);
    if (message->expiry_s > 0)
        set(&publish.properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL,
            &publish.properties.message_expiry_interval, message->expiry_s);
    oracle_sent(client->oracle, number, link->number);
    client_say(client, "sends message %u to %s, QoS %u, retain %d, id %u%s", number, topic,
               message->qos, message->retain, packet_id, dup ? ", again" : "");
    client->sent_ms = machine_now_ms();
    peer_publish(&link->peer, &publish);
    if (link->send_count < SENDS_MAX)
        link->sends[link->send_count++] = (struct send_mark){number, link->peer.sent_bytes};
}

static bool may_speak(const struct client *client)
{
    return client->state == CLIENT_ONLINE && machine_now_ms() >= client->mute_until_ms;
}

static void publish(struct client *client, const struct action *action)
{
    if (!may_speak(client) || !oracle_has_room(client->oracle) ||
        client->outgoing_count == OUTGOING_MAX)
        return;
    struct oracle_message message = {
        .publisher = client->number,
        .topic = action->text,
        .qos = action->qos,
        .retain = action->retain,
        .empty = action->empty,
        .size = action->size,
        .expiry_s = client->setup->version == MQTT_5_0 ? action->expiry_s : 0,
    };
    uint32_t number = oracle_new_message(client->oracle, &message);
    uint16_t packet_id = 0;
    if (action->qos > 0) {
        packet_id = new_packet_id(client);
        client->outgoing[client->outgoing_count++] =
            (struct outgoing){.number = number, .packet_id = packet_id};
    }
    client_send_message(client, number, packet_id, false);
}

static void subscribe(struct client *client, const struct action *action)
{
    if (!may_speak(client) || !oracle_has_room(client->oracle) ||
        client->request_count == REQUESTS_MAX)
        return;
    const char *filter = script_filters[action->text];
    bool v5 = client->setup->version == MQTT_5_0, shared = oracle_is_shared(filter);
    struct subscription_options options = {.qos = action->qos};
    if (v5 && !shared) {
        options.no_local = action->no_local;
        options.retain_handling = action->how;
    }
    options.retain_as_published = v5 && action->retain_as_published;
    struct oracle_subscription subscription = {
        .client = client->number,
        .filter = action->text,
        .qos = action->qos,
        .no_local = options.no_local,
        .retain_as_published = options.retain_as_published,
        .replays = options.retain_handling != 2,
        .identifier = v5 ? action->identifier : 0,
    };
    struct request *request = &client->requests[client->request_count];
    *request = (struct request){.packet_id = new_packet_id(client), .filter = action->text};
    client->request_count++;
    request->subscription = oracle_subscribing(client->oracle, &subscription);
    client->sent_ms = machine_now_ms();
    client_say(client, "subscribes to %s, QoS %u", filter, action->qos);
    peer_subscribe(&client->link->peer, request->packet_id, bytes_make(filter, strlen(filter)),
                   options, subscription.identifier);
}

static void unsubscribe(struct client *client, const struct action *action)
{
    if (!may_speak(client) || client->request_count == REQUESTS_MAX)
        return;
    const char *filter = script_filters[action->text];
    struct request *request = &client->requests[client->request_count];
    *request = (struct request){
        .packet_id = new_packet_id(client), .unsubscribes = true, .filter = action->text};
    client->request_count++;
    oracle_unsubscribing(client->oracle, client->number, action->text);
    request->asked = client->oracle->order;
    client->sent_ms = machine_now_ms();
    client_say(client, "unsubscribes from %s", filter);
    peer_unsubscribe(&client->link->peer, request->packet_id, bytes_make(filter, strlen(filter)));
}

void client_act(struct client *client, const struct action *action)
{
    int64_t until_ms = machine_now_ms() + action->span_ms;
    switch (action->kind) {
    case ACTION_CONNECT: connect(client, action); break;
    case ACTION_DISCONNECT: say_goodbye(client, action); break;
    case ACTION_BREAK: client_hang_up(client, (enum break_kind)action->how); break;
    case ACTION_SUBSCRIBE: subscribe(client, action); break;
    case ACTION_UNSUBSCRIBE: unsubscribe(client, action); break;
    case ACTION_PUBLISH: publish(client, action); break;
    case ACTION_STALL: client->stalled_until_ms = until_ms; break;
    case ACTION_MUTE: client->mute_until_ms = until_ms; break;
    default: break;
    }
}

// --- time ---

static int64_t ping_due_ms(const struct client *client)
{
    if (client->state != CLIENT_ONLINE || client->keep_alive_ms == 0)
        return INT64_MAX;
    int64_t due_ms = client->sent_ms + client->keep_alive_ms / 2;
    return due_ms > client->mute_until_ms ? due_ms : client->mute_until_ms;
}

static bool keep_time(struct client *client)
{
    int64_t now_ms = machine_now_ms();
    if (client->state == CLIENT_CONNECTING && now_ms >= client->since_ms + CONNECT_TIMEOUT_MS) {
        client_hang_up(client, BREAK_CLOSE);
        return true;
    }
    if (now_ms < ping_due_ms(client))
        return false;
    client->sent_ms = now_ms;
    peer_ping(&client->link->peer);
    return true;
}

int64_t client_next_ms(const struct client *client)
{
    int64_t next_ms = ping_due_ms(client);
    if (client->state == CLIENT_CONNECTING)
        next_ms = client->since_ms + CONNECT_TIMEOUT_MS;
    if (client->ack_count > 0 && client->acks[0].due_ms < next_ms)
        next_ms = client->acks[0].due_ms;
    if (client->stalled_until_ms > machine_now_ms() && client->stalled_until_ms < next_ms)
        next_ms = client->stalled_until_ms;
    return next_ms;
}

// What a shared subscription gave to somebody else meanwhile is never finished here.
static bool owes_nothing(const struct client *client)
{
    for (uint32_t i = 0; i < client->incoming_count; i++)
        if (client->incoming[i].qos == 2 || client->incoming[i].link == client->link->number)
            return false;
    return client->ack_count == 0;
}

bool client_is_done(const struct client *client)
{
    return client->state == CLIENT_ONLINE && client->outgoing_count == 0 &&
           client->request_count == 0 && owes_nothing(client) &&
           client->link->peer.output.size == 0;
}

bool client_poll(struct client *client)
{
    collect_old(client);
    bool busy = false;
    if (client->link != NULL)
        note_reads(client, client->link);
    if (client->link != NULL && client->link->peer.output.size > 0) {
        size_t before = client->link->peer.output.size;
        peer_flush(&client->link->peer);
        busy = client->link->peer.output.size < before;
    }
    busy = client_receive(client) || busy;
    busy = client_send_acks(client) || busy;
    return keep_time(client) || busy;
}
