// SPDX-License-Identifier: MIT
#include "core/router.h"

#include "base/memory.h"
#include "core/session.h"
#include "proto/topic.h"

#include <string.h>

#define MEMBERS_TRIED_MAX 8 // of this worker, each of which turns out to be somebody else now

// One session that the present message reaches, with all its matching subscriptions merged
// [MQTT-3.3.4-2].
struct touched {
    struct session *session;
    struct delivery delivery;
};

void router_done(struct router *router)
{
    hits_done(&router->hits);
    memory_free(router->touched);
    memory_free(router->post_leaves);
}

static bool is_below(struct bytes topic, struct bytes root)
{
    return topic.size >= root.size && memcmp(topic.data, root.data, root.size) == 0 &&
           (topic.size == root.size || topic.data[root.size] == '/');
}

static bool is_system_topic(struct bytes topic)
{
    return is_below(topic, BYTES_OF("$SYS"));
}

// What has no rule: orders to a broker are nobody's to read or give.
static bool is_open_to_all(struct bytes topic)
{
    return !is_below(topic, BYTES_OF("$CONTROL"));
}

bool router_may_read(const struct router *router, const struct principal *principal,
                     struct bytes topic)
{
    const struct access_port *access = router->access;
    return access->may_read == NULL ? is_open_to_all(topic)
                                    : access->may_read(access->context, principal, topic);
}

bool router_may_write(const struct router *router, const struct principal *principal,
                      struct bytes topic)
{
    // The broker's own namespace is never a client's to write, whatever the access rules say; but
    // a bridge of another broker says there whether it is up.
    if (is_system_topic(topic) && !topic_matches(BYTES_OF("$SYS/broker/connection/+/state"), topic))
        return false;
    const struct access_port *access = router->access;
    return access->may_write == NULL ? is_open_to_all(topic)
                                     : access->may_write(access->context, principal, topic);
}

bool router_may_have(const struct router *router, const struct principal *principal,
                     struct delivery *delivery)
{
    const struct access_port *access = router->access;
    if (delivery->generation != 0 && delivery->generation == access->generation)
        return true;
    if (!router_may_read(router, principal, message_topic(delivery->message)))
        return false;
    delivery->generation = access->generation;
    return true;
}

bool router_is_known(const struct router *router, const struct principal *principal)
{
    const struct access_port *access = router->access;
    return access->is_known == NULL || access->is_known(access->context, principal);
}

bool router_may_still_write(const struct router *router, const struct principal *principal,
                            struct bytes topic)
{
    return router_is_known(router, principal) && router_may_write(router, principal, topic);
}

bool router_source_may_write(const struct router *router, const struct message *message)
{
    const struct access_port *access = router->access;
    return !access->checks_retain_source || message->principal == NULL ||
           router_may_still_write(router, message->principal, message_topic(message));
}

static uint8_t lower(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

// Does this subscription want this message, apart from its filter?
static bool is_wanted(const struct subscription *subscription, const struct message *message)
{
    const struct session *session = subscription->session;
    if (subscription->options.no_local &&
        (message->publisher == session->number || message->publisher == session->will_number))
        return false; // [MQTT-3.8.3-3]
    // The retained replay of this subscription gives (or gave) it: see retained.h.
    return message->sequence == 0 || message->sequence > subscription->replay_sequence;
}

static struct delivery delivery_for(const struct subscription *subscription,
                                    struct message *message)
{
    bool upgrades = subscription->session->router->limits->upgrades_qos;
    return (struct delivery){
        .message = message,
        .identifier = subscription->identifier,
        .qos =
            upgrades ? subscription->options.qos : lower(message->qos, subscription->options.qos),
        .retain = message->retain && subscription->options.retain_as_published,
        .is_noted = message->packet_id != 0,
    };
}

static void deliver(struct router *router, struct session *session, struct delivery delivery)
{
    if (spread_has(delivery.message->spread, session->number)) {
        memory_free(delivery.extra);
        return;
    }
    if (!router_may_have(router, session->principal, &delivery)) {
        router->ports->dropped(router->ports->context, session, delivery.message,
                               COUNTER_DROPPED_NOT_AUTHORIZED);
        memory_free(delivery.extra);
        return;
    }
    message_ref(delivery.message);
    session_deliver(session, delivery);
}

static bool add_identifier(struct delivery *delivery, uint32_t identifier)
{
    if (identifier == 0)
        return true;
    if (delivery->identifier == 0) {
        delivery->identifier = identifier;
        return true;
    }
    uint32_t count = delivery->extra == NULL ? 0 : delivery->extra->count;
    struct delivery_extra *extra = memory_try_resize(
        delivery->extra, sizeof(*extra) + (count + 1) * sizeof(extra->identifiers[0]));
    if (extra == NULL)
        return false;
    extra->member = NULL;
    extra->count = count + 1;
    extra->identifiers[count] = identifier;
    delivery->extra = extra;
    return true;
}

// Overlapping filters of one session: one copy at the highest QoS, with every identifier
// [MQTT-3.3.4-3].
static void merge(struct delivery *into, const struct delivery *from)
{
    if (from->qos > into->qos)
        into->qos = from->qos;
    into->retain = into->retain || from->retain;
    // Without memory for one more identifier the message still goes out, with those it has.
    (void)add_identifier(into, from->identifier);
}

static bool room_to_touch(struct router *router)
{
    if (router->touched_count < router->touched_capacity)
        return true;
    uint32_t capacity = router->touched_capacity == 0 ? 64 : router->touched_capacity * 2;
    struct touched *touched = memory_try_resize(router->touched, capacity * sizeof(*touched));
    if (touched == NULL)
        return false;
    router->touched = touched;
    router->touched_capacity = capacity;
    return true;
}

static void touch(struct router *router, const struct subscription *subscription,
                  struct message *message)
{
    struct session *session = subscription->session;
    struct delivery delivery = delivery_for(subscription, message);
    bool is_first = session->touched_serial != router->touched_serial;
    if (!is_first && !router->limits->keeps_duplicates) {
        merge(&router->touched[session->touched_position].delivery, &delivery);
        return;
    }
    if (!room_to_touch(router)) {
        router->ports->dropped(router->ports->context, session, message, COUNTER_DROPPED_NO_MEMORY);
        return;
    }
    delivery.is_noted = delivery.is_noted && is_first; // whom it reached is noted once
    session->touched_serial = router->touched_serial;
    session->touched_position = router->touched_count;
    router->touched[router->touched_count++] = (struct touched){session, delivery};
}

// Several leaves can name one session, so they are merged (unless each is to have its copy) before
// anything is queued.
static void deliver_merged(struct router *router, struct message *message, struct leaf **leaves,
                           uint32_t count)
{
    router->touched_serial++;
    router->touched_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < leaves[i]->count; k++) {
            const struct subscription *subscription = leaves[i]->subscriptions[k];
            if (is_wanted(subscription, message))
                touch(router, subscription, message);
        }
    }
    for (uint32_t i = 0; i < router->touched_count; i++)
        deliver(router, router->touched[i].session, router->touched[i].delivery);
}

void router_deliver(struct router *router, struct message *message, struct leaf **leaves,
                    uint32_t count)
{
    if (count > 1) {
        deliver_merged(router, message, leaves, count);
        return;
    }
    // One filter: no session is in it twice.
    for (uint32_t k = 0; count == 1 && k < leaves[0]->count; k++) {
        const struct subscription *subscription = leaves[0]->subscriptions[k];
        if (is_wanted(subscription, message))
            deliver(router, subscription->session, delivery_for(subscription, message));
    }
}

static void forget_moved(const struct router *router, struct moved moved)
{
    if (moved.session != 0)
        router->store->moved_remove(router->store->context, moved);
}

bool router_deliver_member(struct router *router, struct message *message,
                           struct share_member *member, struct moved moved)
{
    const struct subscription *subscription = member->subscription;
    if (subscription == NULL)
        return false; // it unsubscribed while the post was on its way
    struct session *session = subscription->session;
    struct delivery delivery = delivery_for(subscription, message);
    // It was chosen as one who may read this; but it may be somebody else by now.
    if (!router_may_have(router, session->principal, &delivery)) {
        atomic_fetch_sub_explicit(&member->in_flight, 1, memory_order_relaxed);
        return false;
    }
    // What was noted with its first owner may be forgotten by now: its publisher knows.
    delivery.is_noted = delivery.is_noted && moved.session == 0;
    delivery.extra = memory_try_new(sizeof(*delivery.extra));
    if (delivery.extra != NULL) {
        delivery.extra->member = share_member_ref(member);
        message_ref(message);
        session_deliver(session, delivery);
    } else {
        atomic_fetch_sub_explicit(&member->in_flight, 1, memory_order_relaxed);
        router->ports->dropped(router->ports->context, session, message, COUNTER_DROPPED_NO_MEMORY);
    }
    forget_moved(router, moved);
    return true;
}

struct reader_wanted {
    struct router *router;
    struct bytes topic;
    bool was_refused; // somebody may not have it
};

static bool may_be_given(void *context, const struct principal *principal)
{
    struct reader_wanted *wanted = context;
    // Who was removed would keep it for nobody.
    bool allowed = router_may_read(wanted->router, principal, wanted->topic) &&
                   router_is_known(wanted->router, principal);
    wanted->was_refused = wanted->was_refused || !allowed;
    return allowed;
}

static struct share_member *pick_reader(struct reader_wanted *wanted, struct share_group *group,
                                        struct share_choice choice)
{
    choice.context = wanted;
    const struct access_port *access = wanted->router->access;
    bool asks = access->may_read != NULL || access->is_known != NULL;
    choice.may_be_given = asks ? may_be_given : NULL;
    return share_pick(group, &choice);
}

// To a member of the group, if there is one.
static bool give(struct reader_wanted *wanted, struct message *message, struct share_group *group,
                 struct share_choice choice, struct moved moved)
{
    struct router *router = wanted->router;
    for (int tries = 0; tries < MEMBERS_TRIED_MAX; tries++) {
        struct share_member *member = pick_reader(wanted, group, choice);
        if (member == NULL)
            return false;
        if (member->worker != router->worker) {
            router->ports->post_member(router->ports->context, member->worker, message, member,
                                       moved);
            return true;
        }
        if (router_deliver_member(router, message, member, moved))
            return true;
        wanted->was_refused = true;
        choice.except = member;
    }
    return false;
}

// Nobody of the group being there is no loss; nobody being allowed to read it is one.
static void give_to_group(struct router *router, struct message *message, struct share_group *group)
{
    struct reader_wanted wanted = {.router = router, .topic = message_topic(message)};
    struct share_choice choice = {.qos = message->qos};
    if (spread_has(message->spread, share_group_id(group)))
        return;
    if (!give(&wanted, message, group, choice, (struct moved){0}) && wanted.was_refused)
        router->ports->dropped(router->ports->context, NULL, message,
                               COUNTER_DROPPED_NOT_AUTHORIZED);
}

bool router_pass_on(struct router *router, struct message *message, const struct share_member *from,
                    bool online_only, struct moved moved)
{
    struct reader_wanted wanted = {.router = router, .topic = message_topic(message)};
    struct share_choice choice = {.except = from, .online_only = online_only, .qos = message->qos};
    return give(&wanted, message, from->group, choice, moved);
}

static bool room_to_post(struct router *router)
{
    if (router->post_capacity >= router->hits.leaf_count)
        return true;
    uint32_t capacity = router->hits.leaf_capacity;
    struct leaf **leaves = memory_try_resize(router->post_leaves, capacity * sizeof(*leaves));
    if (leaves == NULL)
        return false;
    router->post_leaves = leaves;
    router->post_capacity = capacity;
    return true;
}

// Moves the leaves of `worker` out of the hits into post_leaves; returns how many. What is left
// stays in the hits.
static uint32_t take_leaves(struct router *router, uint32_t worker)
{
    struct hits *hits = &router->hits;
    uint32_t taken = 0, left = 0;
    for (uint32_t i = 0; i < hits->leaf_count; i++) {
        struct leaf *leaf = hits->leaves[i];
        if (leaf->worker == worker)
            router->post_leaves[taken++] = leaf;
        else
            hits->leaves[left++] = leaf;
    }
    hits->leaf_count = left;
    return taken;
}

static void spread(struct router *router, struct message *message)
{
    struct hits *hits = &router->hits;
    while (hits->leaf_count > 0) {
        uint32_t worker = hits->leaves[0]->worker;
        uint32_t count = take_leaves(router, worker);
        if (worker == router->worker)
            router_deliver(router, message, router->post_leaves, count);
        else
            router->ports->post(router->ports->context, worker, message, router->post_leaves,
                                count);
    }
    for (uint32_t i = 0; i < hits->group_count; i++)
        give_to_group(router, message, hits->groups[i]);
}

enum bud_reason router_publish(struct router *router, struct message *message)
{
    // Retained first, index second: a subscriber that is not in the index yet finds it in the tree.
    // See retained.h.
    if (message->retain) {
        enum bud_reason reason = retained_set(router->retained, message);
        if (bud_reason_is_error(reason)) {
            counter_add(router->counters, COUNTER_REFUSED_RETAINED, 1);
            return reason;
        }
        if (router->store->keeps && !is_system_topic(message_topic(message)))
            router->store->retained_put(router->store->context, message);
    }
    if (!index_match(router->index, message_topic(message), &router->hits) ||
        !room_to_post(router)) {
        counter_add(router->counters, COUNTER_REFUSED_MEMORY, 1);
        return BUD_QUOTA_EXCEEDED;
    }
    if (router->hits.leaf_count == 0 && router->hits.group_count == 0)
        return BUD_NO_MATCHING_SUBSCRIBERS;
    spread(router, message);
    return BUD_SUCCESS;
}
