// SPDX-License-Identifier: MIT
// The judgement of a whole run: what had to be delivered, wills, sessions, what is retained.
#include "sim/oracle.h"

#include "sim/machine.h"

#include <inttypes.h>

#define LINGER_MS 1500 // the broker may take so long to write its goodbye
#define SLACK_MS 2000  // a worker that slept, a connection that moved
#define EXPIRY_MAX_S UINT32_C(1209600)

static bool was_received(const struct oracle *oracle, uint8_t client, uint32_t number)
{
    const struct oracle_receipt *receipt = &oracle->sessions[client].receipts[number];
    return receipt->live_count + receipt->retained_count > 0;
}

// --- deliveries ---

// Was this subscription in force from before the message was sent until the broker had it?
static bool must_bring(const struct oracle *oracle, const struct oracle_subscription *subscription,
                       const struct oracle_message *message)
{
    const struct oracle_session *session = &oracle->sessions[subscription->client];
    uint32_t packet_size_max = oracle->setup->clients[subscription->client].packet_size_max;
    const char *filter = script_filters[subscription->filter];
    if (subscription->life != session->life || oracle_is_shared(filter) ||
        !oracle_matches(filter, script_topics[message->topic]))
        return false;
    if (subscription->no_local && message->publisher == subscription->client)
        return false;
    if (packet_size_max != 0 && message->size + 100 > packet_size_max)
        return false;
    bool lasting = message->qos > 0 && subscription->qos > 0;
    bool online = session->online_since < message->first_sent;
    return subscription->must_from < message->first_sent &&
           message->accepted < subscription->must_until && (lasting || online);
}

// Are all who ever shared this filter still there, with sessions that lose nothing? Then each
// message must have reached one of them.
static bool group_is_whole(const struct oracle *oracle, uint8_t filter)
{
    for (uint32_t i = 0; i < oracle->subscription_count; i++) {
        const struct oracle_subscription *member = &oracle->subscriptions[i];
        uint32_t packet_size_max = oracle->setup->clients[member->client].packet_size_max;
        if (member->filter == filter &&
            (member->life != oracle->sessions[member->client].life || member->qos == 0 ||
             member->may_until != NEVER || packet_size_max != 0))
            return false;
    }
    return true;
}

static bool group_has(const struct oracle *oracle, uint8_t filter, uint32_t number)
{
    for (uint32_t i = 0; i < oracle->subscription_count; i++)
        if (oracle->subscriptions[i].filter == filter &&
            was_received(oracle, oracle->subscriptions[i].client, number))
            return true;
    return false;
}

static void judge_sharing(struct oracle *oracle, const struct oracle_subscription *subscription,
                          uint32_t number)
{
    const struct oracle_message *message = &oracle->messages[number];
    const char *filter = script_filters[subscription->filter];
    if (oracle_is_shared(filter) && message->qos > 0 &&
        oracle_matches(filter, script_topics[message->topic]) &&
        subscription->must_from < message->first_sent &&
        message->accepted < subscription->must_until &&
        group_is_whole(oracle, subscription->filter) &&
        !group_has(oracle, subscription->filter, number))
        oracle_fail(oracle, "message %u (%s, QoS %u) reached nobody of %s", number,
                    script_topics[message->topic], message->qos, filter);
}

static void judge_deliveries(struct oracle *oracle, uint64_t dropped)
{
    for (uint32_t number = 1; number <= oracle->message_count; number++) {
        const struct oracle_message *message = &oracle->messages[number];
        bool known = message->accepted != NEVER && !message->empty && message->expiry_s == 0 &&
                     !message->refused;
        for (uint32_t i = 0; known && i < oracle->subscription_count; i++) {
            const struct oracle_subscription *subscription = &oracle->subscriptions[i];
            if (dropped == 0)
                judge_sharing(oracle, subscription, number);
            if (must_bring(oracle, subscription, message) && dropped == 0 &&
                !was_received(oracle, subscription->client, number))
                oracle_fail(oracle, "client %u never got message %u (%s, QoS %u, filter %s QoS %u)",
                            subscription->client, number, script_topics[message->topic],
                            message->qos, script_filters[subscription->filter], subscription->qos);
        }
    }
}

// --- time ---

// When something that is due at `due_ms` can happen at the latest: not while the machine slept.
static int64_t latest(const struct oracle *oracle, int64_t due_ms)
{
    for (uint32_t i = 0; i < oracle->suspend_count; i++) {
        const struct suspend *suspend = &oracle->suspends[i];
        if (suspend->from_ms <= due_ms && due_ms < suspend->to_ms)
            due_ms = suspend->to_ms;
    }
    return due_ms + SLACK_MS;
}

static uint32_t expiry_of(const struct oracle *oracle, const struct oracle_link *link)
{
    uint32_t expiry_s = link->expiry_s;
    if (oracle->setup->clients[link->client].version < MQTT_5_0)
        return link->clean_start ? 0 : EXPIRY_MAX_S;
    return expiry_s < EXPIRY_MAX_S ? expiry_s : EXPIRY_MAX_S;
}

// What the session was left to live, at least and at most: a goodbye may have changed it.
static void expiry_range(const struct oracle *oracle, const struct oracle_link *link,
                         uint32_t *ret_least, uint32_t *ret_most)
{
    uint32_t before = expiry_of(oracle, link), after = link->goodbye_expiry_s;
    *ret_least = *ret_most = before;
    if (!link->said_goodbye || after == UINT32_MAX || before == 0)
        return;
    after = after < EXPIRY_MAX_S ? after : EXPIRY_MAX_S;
    *ret_least = before < after ? before : after;
    *ret_most = before < after ? after : before;
}

// When can the broker have given the connection up at the earliest? With a full socket it lingers.
static int64_t earliest_end(const struct oracle *oracle, const struct oracle_link *link)
{
    if (!link->blocked)
        return link->closed_ms;
    int64_t earliest_ms = link->closed_ms - LINGER_MS;
    for (uint32_t i = oracle->suspend_count; i > 0; i--) {
        const struct suspend *suspend = &oracle->suspends[i - 1];
        if (suspend->from_ms < link->closed_ms && suspend->to_ms > earliest_ms)
            earliest_ms = suspend->from_ms - LINGER_MS;
    }
    return earliest_ms;
}

// --- sessions ---

// The link of the same client before this one; NULL: none, or what it did to the session is not
// known.
static const struct oracle_link *link_before(const struct oracle *oracle,
                                             const struct oracle_link *link, bool *ret_first)
{
    *ret_first = true;
    for (const struct oracle_link *before = link - 1; before >= oracle->links; before--) {
        if (before->client != link->client || before->connect_read_ms < 0)
            continue;
        *ret_first = false;
        return before->accepted ? before : NULL;
    }
    return NULL;
}

static void judge_session(struct oracle *oracle, const struct oracle_link *link)
{
    bool first;
    const struct oracle_link *before = link_before(oracle, link, &first);
    if (link->session_present && (first || link->clean_start))
        oracle_fail(oracle, "client %u: Session Present without a session", link->client);
    if (before == NULL || link->clean_start)
        return;
    uint32_t least, most;
    expiry_range(oracle, before, &least, &most);
    bool lives =
        least > 0 && link->connack_ms < earliest_end(oracle, before) + (int64_t)least * 1000;
    bool ended = most == 0 ||
                 link->connect_read_ms > latest(oracle, before->closed_ms + (int64_t)most * 1000);
    if (lives && !link->session_present)
        oracle_fail(oracle, "client %u: its session was lost, it had %u s to live", link->client,
                    least);
    if (ended && link->session_present)
        oracle_fail(oracle, "client %u: its session outlived its %u s", link->client, most);
}

// --- wills ---

struct will_window {
    bool must, may;
    int64_t from_ms, to_ms;
};

static bool closed_by_other(const struct oracle *oracle, const struct oracle_link *link)
{
    for (const struct oracle_link *after = link + 1; after < oracle->links + oracle->link_count;
         after++)
        if (after->client == link->client && after->connect_read_ms >= 0 &&
            after->connect_read_ms <= link->closed_ms)
            return true;
    return false;
}

static const struct oracle_link *link_after(const struct oracle *oracle,
                                            const struct oracle_link *link)
{
    for (const struct oracle_link *after = link + 1; after < oracle->links + oracle->link_count;
         after++)
        if (after->client == link->client && after->connect_read_ms >= 0)
            return after;
    return NULL;
}

// What a next connection of the same client does to a will that is due later.
static void come_back(const struct oracle *oracle, const struct oracle_link *back,
                      struct will_window *window)
{
    if (back == NULL || back->connect_read_ms > window->to_ms)
        return;
    bool in_time = back->connack_ms >= 0 && back->connack_ms < window->from_ms;
    if (!in_time || !back->accepted) {
        window->must = false;
        if (back->connect_read_ms < window->from_ms)
            window->from_ms = back->connect_read_ms; // it may end the session
        return;
    }
    if (back->session_present) {
        window->must = window->may = false;
        return;
    }
    window->from_ms = back->connect_read_ms;
    window->to_ms = latest(oracle, back->connack_ms);
}

static struct will_window will_window(const struct oracle *oracle, const struct oracle_link *link)
{
    struct will_window window = {false, link->connect_read_ms >= 0, link->connect_read_ms,
                                 INT64_MAX};
    if (link->refused)
        window.may = false;
    if (!link->accepted || !window.may || link->closed_ms < 0)
        return window;
    bool goodbye =
        link->said_goodbye && link->goodbye_reason == BUD_SUCCESS && link->goodbye_read_ms >= 0;
    bool certain = link->goodbye_read_ms <= link->closed_ms && !link->blocked &&
                   !closed_by_other(oracle, link);
    uint32_t least, most;
    expiry_range(oracle, link, &least, &most);
    least = least < link->delay_s ? least : link->delay_s;
    most = most < link->delay_s ? most : link->delay_s;
    window.from_ms = earliest_end(oracle, link) + (int64_t)least * 1000;
    window.to_ms = latest(oracle, link->closed_ms + (int64_t)most * 1000);
    window.must = !goodbye;
    window.may = !(goodbye && certain);
    if (most > 0)
        come_back(oracle, link_after(oracle, link), &window);
    return window;
}

static void judge_will(struct oracle *oracle, const struct oracle_link *link, uint64_t dropped)
{
    const struct oracle_message *will = &oracle->messages[link->will];
    struct will_window window = will_window(oracle, link);
    if (will->witnessed_count > 0 && !window.may)
        oracle_fail(oracle, "will %u of client %u was published, and was not due", link->will,
                    link->client);
    // The witness reads at once, but a small window or a small socket makes it wait for others'
    // messages.
    const struct setup *setup = oracle->setup;
    bool slow = setup->in_flight_max < 32 || setup->socket_bytes_max < 65536;
    int64_t wait_ms = slow ? 60000 : 2000;
    int64_t at_ms = will->witnessed_ms;
    int64_t latest_ms = window.to_ms == INT64_MAX
                            ? INT64_MAX
                            : latest(oracle, latest(oracle, window.to_ms) + wait_ms);
    if (will->witnessed_count > 0 && (at_ms < window.from_ms || at_ms > latest_ms))
        oracle_fail(oracle,
                    "will %u of client %u came at %" PRId64 " ms, due from %" PRId64 " to %" PRId64,
                    link->will, link->client, at_ms - MACHINE_START_MS,
                    window.from_ms - MACHINE_START_MS, window.to_ms - MACHINE_START_MS);
    if (will->witnessed_count == 0 && window.must && dropped == 0)
        oracle_fail(oracle, "will %u of client %u never came, due from %" PRId64 " to %" PRId64,
                    link->will, link->client, window.from_ms - MACHINE_START_MS,
                    window.to_ms - MACHINE_START_MS);
}

// Whoever was silent for one and a half times its interval is gone [MQTT-3.1.2-22].
static void judge_keep_alive(struct oracle *oracle, const struct oracle_link *link)
{
    int64_t silent_ms = (int64_t)link->keep_alive_s * 1500;
    if (link->keep_alive_s > 0 &&
        link->closed_ms >
            latest(oracle, latest(oracle, link->last_read_ms + silent_ms) + LINGER_MS))
        oracle_fail(oracle, "client %u was silent for %" PRId64 " ms with a keep-alive of %u s",
                    link->client, link->closed_ms - link->last_read_ms, link->keep_alive_s);
}

void oracle_judge(struct oracle *oracle, uint64_t dropped)
{
    judge_deliveries(oracle, dropped);
    for (uint32_t i = 0; i < oracle->link_count; i++) {
        const struct oracle_link *link = &oracle->links[i];
        if (link->accepted)
            judge_keep_alive(oracle, link);
        if (link->accepted && !oracle->setup->fails_memory)
            judge_session(oracle, link);
        if (link->will != 0 && !oracle->setup->fails_memory)
            judge_will(oracle, link, dropped);
    }
}

// --- retained ---

// Did `later` surely come to the broker after the last of `earlier`?
static bool surely_later(const struct oracle_message *earlier, const struct oracle_message *later)
{
    if (later->accepted == NEVER || later->refused)
        return false;
    bool after_settled = earlier->settled != NEVER && later->first_sent > earlier->settled;
    bool once = earlier->sent_count == 1 || earlier->qos == 2 || earlier->is_will;
    bool after_accepted = once && later->first_sent > earlier->accepted;
    bool same_link = !earlier->is_will && !later->is_will &&
                     earlier->sent_link == later->sent_link &&
                     earlier->last_sent < later->first_sent;
    return after_settled || (after_accepted && !later->is_will) || same_link;
}

static bool may_be_last(const struct oracle *oracle, const struct oracle_message *message)
{
    for (uint32_t number = 1; number <= oracle->message_count; number++) {
        const struct oracle_message *other = &oracle->messages[number];
        if (other != message && other->retain && other->topic == message->topic &&
            surely_later(message, other))
            return false;
    }
    return true;
}

void oracle_judge_retained(struct oracle *oracle, uint8_t topic, uint32_t number)
{
    bool something = false, never_nothing = true;
    for (uint32_t i = 1; i <= oracle->message_count; i++) {
        const struct oracle_message *message = &oracle->messages[i];
        if (!message->retain || message->topic != topic || message->sent_count == 0 ||
            !may_be_last(oracle, message))
            continue;
        something = something || message->accepted != NEVER;
        if (number == i && !message->empty)
            return;
        never_nothing =
            never_nothing && !message->empty && message->expiry_s == 0 && !message->refused;
    }
    if (number != 0)
        oracle_fail(oracle, "retained on %s is message %u, which was not the last",
                    script_topics[topic], number);
    else if (something && never_nothing && !oracle->setup->fails_memory)
        oracle_fail(oracle, "nothing is retained on %s, and something should be",
                    script_topics[topic]);
}
