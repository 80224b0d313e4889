// SPDX-License-Identifier: MIT
// What clients do, and what each delivery must look like. The judgement of the whole is in
// oracle_end.c.
#include "sim/oracle.h"

#include "base/assert.h"
#include "sim/machine.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MARK 0x62756421u // the first four bytes of every payload
#define SLACK_MS 2000    // a worker that slept, a connection that moved

void oracle_init(struct oracle *oracle, const struct setup *setup)
{
    memset(oracle, 0, sizeof *oracle);
    oracle->setup = setup;
}

void oracle_fail(struct oracle *oracle, const char *format, ...)
{
    if (oracle->failed)
        return;
    oracle->failed = true;
    int size = snprintf(oracle->words, sizeof oracle->words,
                        "%" PRId64 " ms: ", machine_now_ms() - MACHINE_START_MS);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(oracle->words + size, sizeof oracle->words - (size_t)size, format, arguments);
    va_end(arguments);
}

// --- topics ---

bool oracle_is_shared(const char *filter)
{
    return strncmp(filter, "$share/", 7) == 0;
}

static size_t level_size(const char *text)
{
    return strcspn(text, "/");
}

// The definition, level by level [MQTT5 4.7].
bool oracle_matches(const char *filter, const char *topic)
{
    if (oracle_is_shared(filter))
        filter = strchr(filter + 7, '/') + 1;
    if (topic[0] == '$' && (filter[0] == '#' || filter[0] == '+'))
        return false;
    for (;;) {
        if (filter[0] == '#')
            return true;
        size_t filter_size = level_size(filter), topic_size = level_size(topic);
        bool plus = filter_size == 1 && filter[0] == '+';
        if (!plus && (filter_size != topic_size || memcmp(filter, topic, topic_size) != 0))
            return false;
        filter += filter_size;
        topic += topic_size;
        if (*topic == 0)
            return *filter == 0 || strcmp(filter, "/#") == 0;
        if (*filter == 0)
            return false;
        filter++;
        topic++;
    }
}

// --- messages ---

void oracle_payload(const struct oracle_message *message, uint32_t number, uint8_t *memory)
{
    struct writer writer = writer_of(memory, message->size);
    if (message->empty)
        return;
    writer_u32(&writer, MARK);
    writer_u32(&writer, number);
    for (uint32_t i = 8; i < message->size; i++)
        writer_u8(&writer, (uint8_t)(number + i));
    ASSERT(!writer.bad);
}

bool oracle_has_room(const struct oracle *oracle)
{
    return oracle->message_count < MESSAGES_MAX - 1 &&
           oracle->subscription_count < SUBSCRIPTIONS_MAX && oracle->link_count < LINKS_MAX;
}

uint32_t oracle_new_message(struct oracle *oracle, const struct oracle_message *message)
{
    ASSERT(oracle->message_count < MESSAGES_MAX - 1);
    uint32_t number = ++oracle->message_count;
    oracle->messages[number] = *message;
    oracle->messages[number].accepted = oracle->messages[number].settled = NEVER;
    oracle->messages[number].read_ms = -1;
    return number;
}

void oracle_sent(struct oracle *oracle, uint32_t number, uint32_t link)
{
    struct oracle_message *message = &oracle->messages[number];
    message->last_sent = ++oracle->order;
    message->sent_link = link;
    if (message->sent_count++ == 0)
        message->first_sent = message->last_sent;
}

static void note_accepted(struct oracle *oracle, struct oracle_message *message)
{
    uint64_t now = ++oracle->order;
    if (message->accepted == NEVER)
        message->accepted = now;
}

void oracle_acknowledged(struct oracle *oracle, uint32_t number, enum bud_reason reason)
{
    struct oracle_message *message = &oracle->messages[number];
    if (bud_reason_is_error(reason))
        message->refused = true;
    else
        note_accepted(oracle, message);
    if (message->settled == NEVER)
        message->settled = oracle->order;
}

// --- subscriptions ---

static bool same_filter(const struct oracle_subscription *a, const struct oracle_subscription *b)
{
    return a != b && a->client == b->client && a->life == b->life && a->filter == b->filter;
}

uint32_t oracle_subscribing(struct oracle *oracle, const struct oracle_subscription *subscription)
{
    ASSERT(oracle->subscription_count < SUBSCRIPTIONS_MAX);
    uint32_t position = oracle->subscription_count++;
    struct oracle_subscription *kept = &oracle->subscriptions[position];
    *kept = *subscription;
    kept->life = oracle->sessions[kept->client].life;
    kept->may_from = kept->replay_order = ++oracle->order;
    kept->may_until = kept->must_from = kept->must_until = NEVER;
    // Until the answer comes nobody knows which of the two holds.
    for (uint32_t i = 0; i < position; i++)
        if (same_filter(&oracle->subscriptions[i], kept) &&
            oracle->subscriptions[i].must_until == NEVER)
            oracle->subscriptions[i].must_until = kept->may_from;
    return position;
}

// A subscription takes the place of the one before without a gap [MQTT-3.8.4-3].
static void replace(struct oracle_subscription *older, struct oracle_subscription *newer,
                    uint64_t now)
{
    if (older->may_until != NEVER)
        return;
    older->may_until = now;
    bool held = older->must_from != NEVER && older->must_until == newer->may_from;
    if (held && older->qos > 0 && newer->qos > 0 && older->no_local == newer->no_local &&
        older->must_from < newer->must_from)
        newer->must_from = older->must_from;
}

void oracle_subscribed(struct oracle *oracle, uint32_t position, uint8_t code)
{
    struct oracle_subscription *subscription = &oracle->subscriptions[position];
    uint64_t now = ++oracle->order;
    if (code >= 0x80) {
        if (!oracle->setup->fails_memory)
            oracle_fail(oracle, "client %u may not subscribe to %s: 0x%02x", subscription->client,
                        script_filters[subscription->filter], code);
        subscription->may_until = now;
        return;
    }
    if (code != subscription->qos)
        oracle_fail(oracle, "client %u asked for QoS %u and was granted %u", subscription->client,
                    subscription->qos, code);
    subscription->must_from = now;
    for (uint32_t i = 0; i < position; i++)
        if (same_filter(&oracle->subscriptions[i], subscription))
            replace(&oracle->subscriptions[i], subscription, now);
}

void oracle_unsubscribing(struct oracle *oracle, uint8_t client, uint8_t filter)
{
    uint64_t now = ++oracle->order;
    for (uint32_t i = 0; i < oracle->subscription_count; i++) {
        struct oracle_subscription *subscription = &oracle->subscriptions[i];
        if (subscription->client == client && subscription->filter == filter &&
            subscription->must_until == NEVER)
            subscription->must_until = now;
    }
}

void oracle_unsubscribed(struct oracle *oracle, uint8_t client, uint8_t filter, uint64_t asked)
{
    uint64_t now = ++oracle->order;
    for (uint32_t i = 0; i < oracle->subscription_count; i++) {
        struct oracle_subscription *subscription = &oracle->subscriptions[i];
        if (subscription->client == client && subscription->filter == filter &&
            subscription->may_from < asked && subscription->may_until == NEVER)
            subscription->may_until = now;
    }
}

// --- connections ---

static void end_certainty(struct oracle *oracle, uint8_t client)
{
    for (uint32_t i = 0; i < oracle->subscription_count; i++)
        if (oracle->subscriptions[i].client == client &&
            oracle->subscriptions[i].must_until == NEVER)
            oracle->subscriptions[i].must_until = oracle->order;
}

uint32_t oracle_connecting(struct oracle *oracle, const struct oracle_link *link)
{
    ASSERT(oracle->link_count < LINKS_MAX);
    ++oracle->order;
    oracle->links[oracle->link_count] = *link;
    if (link->clean_start)
        end_certainty(oracle, link->client);
    return oracle->link_count++;
}

static void begin_life(struct oracle *oracle, uint8_t client)
{
    struct oracle_session *session = &oracle->sessions[client];
    for (uint32_t i = 0; i < oracle->subscription_count; i++)
        if (oracle->subscriptions[i].client == client &&
            oracle->subscriptions[i].may_until == NEVER)
            oracle->subscriptions[i].may_until = oracle->order;
    end_certainty(oracle, client);
    uint32_t life = session->life + 1;
    memset(session, 0, sizeof *session);
    session->life = life;
}

void oracle_connected(struct oracle *oracle, uint32_t position, bool session_present)
{
    struct oracle_link *link = &oracle->links[position];
    struct oracle_session *session = &oracle->sessions[link->client];
    ++oracle->order;
    link->accepted = true;
    link->session_present = session_present;
    link->connack_ms = machine_now_ms();
    if (!session_present)
        begin_life(oracle, link->client);
    session->online_since = oracle->order;
    session->link_count++;
}

void oracle_suspended(struct oracle *oracle, int64_t from_ms, int64_t to_ms)
{
    ASSERT(oracle->suspend_count < SUSPENDS_MAX);
    oracle->suspends[oracle->suspend_count++] = (struct suspend){from_ms, to_ms};
}

// --- deliveries ---

struct delivery_check {
    uint8_t client;
    uint32_t number;
    const struct oracle_message *message;
    const struct packet_publish *publish;
};

// The moment after which the broker cannot have taken the message any more, if it is known: at
// QoS 1 every sending is a taking.
static uint64_t last_taken(const struct oracle_message *message)
{
    return message->qos == 1 && message->sent_count > 1 ? message->settled : message->accepted;
}

static bool is_shared(const struct oracle_subscription *subscription)
{
    return oracle_is_shared(script_filters[subscription->filter]);
}

// May this subscription have brought the message as live traffic? What a member of a shared one
// left undone may come much later, to a member that joined later.
static bool may_be_live(const struct oracle_subscription *subscription,
                        const struct delivery_check *check)
{
    const struct oracle_message *message = check->message;
    bool in_time = is_shared(subscription) || last_taken(message) > subscription->may_from;
    bool own = subscription->no_local && message->publisher == check->client;
    return in_time && message->first_sent < subscription->may_until && !own;
}

static bool may_be_replay(const struct oracle_subscription *subscription,
                          const struct delivery_check *check)
{
    const struct oracle_message *message = check->message;
    return subscription->replays && !is_shared(subscription) && message->retain &&
           check->publish->retain && message->first_sent < subscription->may_until;
}

static bool is_candidate(const struct oracle *oracle,
                         const struct oracle_subscription *subscription,
                         const struct delivery_check *check)
{
    return subscription->client == check->client &&
           subscription->life == oracle->sessions[check->client].life &&
           oracle_matches(script_filters[subscription->filter],
                          script_topics[check->message->topic]);
}

// What can explain a delivery.
struct causes {
    uint32_t live, shared, replay;
    bool qos_fits, retain_fits;
};

static void add_cause(struct causes *causes, const struct oracle_subscription *subscription,
                      const struct delivery_check *check)
{
    const struct oracle_message *message = check->message;
    uint8_t qos = message->qos < subscription->qos ? message->qos : subscription->qos;
    bool live = may_be_live(subscription, check), replay = may_be_replay(subscription, check);
    bool retain = message->retain && subscription->retain_as_published;
    if (live && is_shared(subscription))
        causes->shared++;
    else if (live)
        causes->live++;
    causes->replay += replay;
    // A replay goes on with the options of the SUBSCRIBE that came after the one it is for.
    causes->qos_fits = causes->qos_fits || (qos == check->publish->qos &&
                                            message->first_sent < subscription->may_until);
    causes->retain_fits =
        causes->retain_fits || replay || (live && retain == check->publish->retain);
}

static struct causes causes_of(const struct oracle *oracle, const struct delivery_check *check)
{
    struct causes causes = {0};
    for (uint32_t i = 0; i < oracle->subscription_count; i++)
        if (is_candidate(oracle, &oracle->subscriptions[i], check))
            add_cause(&causes, &oracle->subscriptions[i], check);
    return causes;
}

static void check_identifiers(struct oracle *oracle, const struct delivery_check *check)
{
    struct bytes rest = check->publish->properties.raw;
    struct property_item item;
    while (property_iterate(&rest, &item)) {
        if (item.identifier != PROPERTY_SUBSCRIPTION_IDENTIFIER)
            continue;
        bool known = false;
        for (uint32_t i = 0; i < oracle->subscription_count; i++)
            known = known || (is_candidate(oracle, &oracle->subscriptions[i], check) &&
                              oracle->subscriptions[i].identifier == item.number);
        if (!known)
            oracle_fail(oracle, "client %u got message %u with a Subscription Identifier %u",
                        check->client, check->number, item.number);
    }
}

// How often may one copy of the message come? It may have been subscribed to at other QoS before.
static uint32_t repeats_of(const struct oracle_session *session, const struct delivery_check *check)
{
    const struct oracle_message *message = check->message;
    uint32_t taken = message->qos == 1 && !message->is_will ? message->sent_count : 1;
    return taken * (message->qos > 0 ? session->link_count : 1);
}

static bool comes_once(const struct delivery_check *check)
{
    return !check->publish->retain && check->publish->qos == 2 && check->message->qos == 2;
}

static void check_cause(struct oracle *oracle, const struct delivery_check *check,
                        const struct causes *causes)
{
    const struct oracle_session *session = &oracle->sessions[check->client];
    const struct oracle_receipt *receipt = &session->receipts[check->number];
    if (causes->live + causes->replay + causes->shared == 0 || !causes->qos_fits ||
        !causes->retain_fits) {
        oracle_fail(oracle, "client %u got message %u (%s, QoS %u, retain %d): nothing it wants",
                    check->client, check->number, script_topics[check->message->topic],
                    check->publish->qos, check->publish->retain);
        return;
    }
    // Overlapping subscriptions give one copy; each shared one may give its own, and again when a
    // member could not finish it.
    uint32_t received = 1u + receipt->live_count + receipt->retained_count;
    uint32_t copies = (causes->live > 0) + causes->replay;
    if (causes->shared == 0 && check->publish->retain &&
        received > copies * repeats_of(session, check))
        oracle_fail(oracle, "client %u got message %u (QoS %u of %u) %u times", check->client,
                    check->number, check->publish->qos, check->message->qos, received);
    if (causes->shared == 0 && !check->publish->retain &&
        (receipt->live_count >= repeats_of(session, check) ||
         (comes_once(check) && receipt->once_count > 0)))
        oracle_fail(oracle, "client %u got message %u (QoS %u of %u) %u times live", check->client,
                    check->number, check->publish->qos, check->message->qos,
                    receipt->live_count + 1u);
}

// In the order of publication, for each publisher, topic and QoS [MQTT-4.6.0-5]. What was sent
// again may have been lost for this client the first time.
static void check_order(struct oracle *oracle, const struct delivery_check *check,
                        const struct causes *causes)
{
    struct oracle_session *session = &oracle->sessions[check->client];
    const struct oracle_message *message = check->message;
    if (message->is_will || check->publish->retain || causes->shared > 0)
        return;
    uint32_t *last =
        &session->last[message->publisher][message->topic][message->qos][check->publish->qos];
    bool again = session->receipts[check->number].live_count > 0 || message->sent_count > 1;
    if (!again && check->number < *last)
        oracle_fail(oracle, "client %u got message %u after %u of the same publisher and topic",
                    check->client, check->number, *last);
    if (check->number > *last)
        *last = check->number;
}

static void check_expiry(struct oracle *oracle, const struct delivery_check *check,
                         int64_t gathered_ms)
{
    const struct oracle_message *message = check->message;
    const struct properties *properties = &check->publish->properties;
    bool told = properties_have(properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL);
    if (message->expiry_s == 0) {
        if (told)
            oracle_fail(oracle, "message %u does not expire, and is said to", check->number);
        return;
    }
    if (told && properties->message_expiry_interval > message->expiry_s)
        oracle_fail(oracle, "message %u gained life: %u of %u s", check->number,
                    properties->message_expiry_interval, message->expiry_s);
    if (!told && oracle->setup->clients[check->client].version == MQTT_5_0)
        oracle_fail(oracle, "message %u lost its expiry", check->number);
    // Once its delivery has begun a message does not expire [MQTT-3.3.2-5].
    if (!check->publish->dup && message->read_ms >= 0 && message->sent_count == 1 &&
        gathered_ms >= message->read_ms + (int64_t)message->expiry_s * 1000 + SLACK_MS)
        oracle_fail(oracle, "client %u got message %u %" PRId64 " ms after it expired",
                    check->client, check->number,
                    gathered_ms - message->read_ms - (int64_t)message->expiry_s * 1000);
}

// The number in the payload of a message of ours; 0 if it is not as it was sent.
static uint32_t number_of(const struct oracle *oracle, struct bytes payload, struct bytes topic)
{
    struct reader reader = reader_of(payload);
    if (reader_u32(&reader) != MARK)
        return 0;
    uint32_t number = reader_u32(&reader);
    if (reader.bad || number == 0 || number > oracle->message_count)
        return 0;
    const struct oracle_message *message = &oracle->messages[number];
    const char *sent_to = script_topics[message->topic];
    bool same = message->size == payload.size && !message->empty &&
                bytes_equal(topic, bytes_make(sent_to, strlen(sent_to)));
    for (uint32_t i = 8; same && i < message->size; i++)
        same = payload.data[i] == (uint8_t)(number + i);
    return same ? number : 0;
}

// An order to forget what is retained bears no number. It is passed on as it came, and is never
// retained itself [MQTT-3.3.1-6].
static void check_empty(struct oracle *oracle, uint8_t client, const struct packet_publish *publish,
                        struct bytes topic)
{
    bool as_published = false;
    char text[32] = {0};
    memcpy(text, topic.data, topic.size < sizeof text ? topic.size : sizeof text - 1);
    for (uint32_t i = 0; i < oracle->subscription_count; i++) {
        const struct oracle_subscription *subscription = &oracle->subscriptions[i];
        as_published =
            as_published || (subscription->client == client && subscription->retain_as_published &&
                             oracle_matches(script_filters[subscription->filter], text));
    }
    if (publish->retain && !as_published)
        oracle_fail(oracle, "client %u got an empty message on %s as retained", client, text);
}

void oracle_received(struct oracle *oracle, uint8_t client, const struct packet_publish *publish,
                     struct bytes topic, const struct wire_times *times)
{
    if (publish->payload.size == 0) {
        check_empty(oracle, client, publish, topic);
        return;
    }
    uint32_t number = number_of(oracle, publish->payload, topic);
    if (number == 0) {
        oracle_fail(oracle, "client %u got what nobody sent, on %.*s", client, (int)topic.size,
                    (const char *)topic.data);
        return;
    }
    struct oracle_message *message = &oracle->messages[number];
    struct delivery_check check = {client, number, message, publish};
    if (publish->qos > message->qos)
        oracle_fail(oracle, "client %u got message %u at QoS %u, published at %u", client, number,
                    publish->qos, message->qos);
    struct causes causes = causes_of(oracle, &check);
    check_cause(oracle, &check, &causes);
    check_order(oracle, &check, &causes);
    check_identifiers(oracle, &check);
    check_expiry(oracle, &check, times->gathered_ms);
    struct oracle_receipt *receipt = &oracle->sessions[client].receipts[number];
    receipt->once_count = (uint16_t)(receipt->once_count + comes_once(&check));
    if (publish->retain)
        receipt->retained_count++;
    else
        receipt->live_count++;
    if (client == 0 && !publish->retain) {
        message->witnessed_ms = times->written_ms;
        message->witnessed_count++;
    }
    note_accepted(oracle, message);
}
