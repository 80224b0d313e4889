// SPDX-License-Identifier: MIT
// Life of a session and its subscriptions. What goes out is in session_outgoing.c.
#include "core/session.h"

#include "base/memory.h"
#include "core/session_private.h"

#include <string.h>

static struct bytes subscription_key(const void *subscription)
{
    const struct subscription *of = subscription;
    return bytes_make(&of->filter_hash, sizeof(of->filter_hash));
}

struct bytes session_key(const void *session)
{
    return ((const struct session *)session)->client_id;
}

static void belong_to(struct session *session, struct principal *principal)
{
    session->principal = principal_ref(principal);
    session->client_id = principal_client_id(principal);
    session->user = principal_user(principal);
}

struct session *session_try_new(struct router *router, uint64_t number, struct principal *principal)
{
    if (!budget_take(router->budget, sizeof(struct session)))
        return NULL;
    struct session *session = memory_try_new(sizeof(*session));
    if (session == NULL) {
        budget_give(router->budget, sizeof(*session));
        return NULL;
    }
    session->router = router;
    session->number = number;
    belong_to(session, principal);
    session->will_expiry_interval = UINT32_MAX;
    session->incoming.budget = router->budget;
    map_init(&session->subscriptions, router->hash_key, subscription_key);
    counter_add(router->counters, COUNTER_SESSIONS, 1);
    return session;
}

static void show_to_shares(struct session *session)
{
    size_t position = 0;
    struct subscription *subscription;
    if (session->shared_count == 0)
        return;
    while ((subscription = map_next(&session->subscriptions, &position)) != NULL)
        if (subscription->member != NULL)
            share_set_principal(subscription->member, session->principal);
}

void session_set_principal(struct session *session, struct principal *principal)
{
    struct principal *before = session->principal;
    if (principal_is_same(before, principal))
        return;
    ASSERT(bytes_equal(session->client_id, principal_client_id(principal)));
    belong_to(session, principal);
    principal_unref(before);
    outgoing_check_anew(session);
    show_to_shares(session);
}

static void drop_all(struct session *session, struct queue *queue, enum counter cause)
{
    while (queue->count > 0) {
        struct delivery delivery = queue_pop(queue);
        outgoing_forget(session, &delivery);
        outgoing_drop(session, &delivery, cause);
    }
}

static void end_with_session(struct session *session, struct delivery *delivery)
{
    delivery->number = 0; // its session's removal says it
    outgoing_drop(session, delivery, COUNTER_DROPPED_SESSION_ENDED);
}

// The session ends: what shared subscriptions gave it and nobody acknowledged goes to others,
// except a QoS 2 message that was already on its way [MQTT-4.8.2-5] [MQTT-4.8.2-6].
static void end_in_flight(struct session *session)
{
    struct inflight *inflight = &session->inflight;
    for (uint32_t i = 0; inflight->count > 0 && i < inflight->capacity; i++) {
        struct inflight_slot *slot = &inflight->slots[i];
        if (slot->state == INFLIGHT_FREE)
            continue;
        struct delivery delivery = inflight_remove(inflight, slot);
        if (delivery.message == NULL)
            continue;
        if (delivery.qos == 2 || !outgoing_pass_on(session, &delivery, false))
            end_with_session(session, &delivery);
    }
    inflight_done(inflight);
}

static void end_queued(struct session *session)
{
    while (session->lasting.count > 0) {
        struct delivery delivery = queue_pop(&session->lasting);
        outgoing_forget(session, &delivery);
        if (!outgoing_pass_on(session, &delivery, false))
            end_with_session(session, &delivery);
    }
}

static void remove_subscription(struct session *session, struct subscription *subscription)
{
    replay_cancel(session, subscription);
    index_remove(session->router->index, subscription);
    counter_subtract(session->router->counters, COUNTER_SUBSCRIPTIONS, 1);
    budget_give(session->router->budget, SUBSCRIPTION_COST);
    memory_free(subscription);
}

static void remove_subscriptions(struct session *session)
{
    size_t position = 0;
    struct subscription *subscription;
    while ((subscription = map_next(&session->subscriptions, &position)) != NULL)
        remove_subscription(session, subscription);
    map_done(&session->subscriptions);
}

void session_free(struct session *session)
{
    ASSERT(session->connection == NULL && !timer_is_set(&session->timer));
    struct router *router = session->router;
    // Leave the groups first, so that nothing that is passed on comes back here.
    remove_subscriptions(session);
    drop_all(session, &session->fleeting, COUNTER_DROPPED_SESSION_ENDED);
    end_in_flight(session);
    end_queued(session);
    // One word to the store for all that was not passed on.
    session_end_storage(session);
    outgoing_end_waiting(session, session->waiting_count, COUNTER_DROPPED_SESSION_ENDED);
    packet_id_set_done(&session->incoming);
    while (session->spreads != NULL)
        memory_free(session_take_spread(session, session->spreads->packet_id));
    message_unref(session->will);
    counter_subtract(router->counters, COUNTER_SESSIONS, 1);
    principal_unref(session->principal);
    budget_give(router->budget, sizeof(*session));
    memory_free(session);
}

bool session_try_attach(struct session *session, void *connection, uint8_t version,
                        uint16_t receive_maximum)
{
    ASSERT(session->connection == NULL);
    if (!inflight_try_resume(&session->inflight))
        return false;
    session->connection = connection;
    session->version = version;
    session->receive_maximum = receive_maximum;
    shares_set_online(session, true);
    return true;
}

// Another online member takes over what this one has not acknowledged; without one it stays for the
// reconnection.
static void pass_on_shared(struct session *session)
{
    struct inflight *inflight = &session->inflight;
    for (uint32_t i = 0; i < inflight->capacity; i++) {
        struct inflight_slot *slot = &inflight->slots[i];
        if (slot->state != INFLIGHT_PUBLISHED || slot->delivery.qos != 1)
            continue;
        if (!outgoing_hand_over(session, &slot->delivery, true))
            continue;
        struct delivery delivery = inflight_remove(inflight, slot);
        outgoing_finish(session, &delivery);
    }
    for (uint32_t left = session->lasting.count; left > 0; left--) {
        struct delivery delivery = queue_pop(&session->lasting);
        outgoing_forget(session, &delivery);
        if (!outgoing_pass_on(session, &delivery, true))
            outgoing_requeue(session, delivery);
    }
}

void session_detach(struct session *session, int64_t now_ms)
{
    ASSERT(session->connection != NULL);
    session->connection = NULL;
    session->detached_ms = now_ms;
    if (!session->router->limits->queues_qos0)
        drop_all(session, &session->fleeting, COUNTER_DROPPED_SESSION_ENDED);
    if (session->shared_count > 0) {
        shares_set_online(session, false);
        pass_on_shared(session);
    }
}

void session_keep(struct session *session)
{
    const struct store_port *store = session->router->store;
    if (!store->keeps || (!session->stored && !session_is_durable(session)))
        return;
    session->stored = true;
    store->session_put(store->context, session);
}

void session_end_storage(struct session *session)
{
    const struct store_port *store = session->router->store;
    if (session->will_stored)
        store->will_remove(store->context, session, false);
    if (session->stored)
        store->session_remove(store->context, session);
    session->stored = session->will_stored = false;
}

void shares_set_online(struct session *session, bool online)
{
    size_t position = 0;
    struct subscription *subscription;
    if (session->shared_count == 0)
        return;
    while ((subscription = map_next(&session->subscriptions, &position)) != NULL)
        if (subscription->member != NULL)
            share_set_online(subscription->member, online);
}

static enum bud_reason check_filter(const struct session *session, struct bytes filter)
{
    const struct limits *limits = session->router->limits;
    if (!topic_filter_valid(filter))
        return BUD_TOPIC_FILTER_INVALID;
    if (filter.size > limits->topic_bytes_max ||
        topic_level_count(filter) > limits->topic_levels_max) {
        counter_add(session->router->counters, COUNTER_REFUSED_TOPIC, 1);
        return BUD_TOPIC_FILTER_INVALID;
    }
    const struct access_port *access = session->router->access;
    if (access->may_subscribe != NULL &&
        !access->may_subscribe(access->context, session->principal, filter))
        return BUD_NOT_AUTHORIZED;
    return BUD_SUCCESS;
}

static struct subscription *find(const struct session *session, struct bytes filter)
{
    uint64_t hash = hash_bytes(session->router->hash_key, 0, filter);
    return map_find(&session->subscriptions, bytes_make(&hash, sizeof(hash)));
}

// A new subscription in the index and in the session, or the reason why not; nothing has changed
// then.
static enum bud_reason add(struct session *session, struct bytes whole, struct bytes filter,
                           struct bytes group, struct subscription **ret_subscription)
{
    struct router *router = session->router;
    if (session->subscriptions.count >= router->limits->subscriptions_max ||
        index_subscription_count(router->index) + index_shared_count(router->index) >=
            router->limits->subscriptions_all_max) {
        counter_add(router->counters, COUNTER_REFUSED_SUBSCRIPTIONS, 1);
        return BUD_QUOTA_EXCEEDED;
    }
    if (!budget_take(router->budget, SUBSCRIPTION_COST)) {
        counter_add(router->counters, COUNTER_REFUSED_MEMORY, 1);
        return BUD_QUOTA_EXCEEDED;
    }
    struct subscription *subscription = memory_try_new(sizeof(*subscription));
    if (subscription != NULL) {
        subscription->session = session;
        subscription->filter_hash = hash_bytes(router->hash_key, 0, whole);
        if (map_try_put(&session->subscriptions, subscription)) {
            if (index_try_add(router->index, router->worker, filter, group, subscription)) {
                counter_add(router->counters, COUNTER_SUBSCRIPTIONS, 1);
                *ret_subscription = subscription;
                return BUD_SUCCESS;
            }
            map_remove(&session->subscriptions, subscription_key(subscription));
        }
        memory_free(subscription);
    }
    budget_give(router->budget, SUBSCRIPTION_COST);
    counter_add(router->counters, COUNTER_REFUSED_MEMORY, 1);
    return BUD_QUOTA_EXCEEDED;
}

static enum bud_reason add_shared(struct session *session, struct bytes whole, struct bytes filter,
                                  struct bytes group, struct subscription **ret_subscription)
{
    enum bud_reason reason = add(session, whole, filter, group, ret_subscription);
    if (!bud_reason_is_error(reason)) {
        session->shared_count++;
        share_set_principal((*ret_subscription)->member, session->principal);
        share_set_online((*ret_subscription)->member, true);
    }
    return reason;
}

enum bud_reason session_subscribe(struct session *session, struct bytes whole,
                                  struct subscription_options options, uint32_t identifier)
{
    struct bytes filter = whole, group = {0};
    if (topic_share_parse(whole, &group, &filter) == TOPIC_SHARE_INVALID)
        return BUD_TOPIC_FILTER_INVALID;
    enum bud_reason reason = check_filter(session, filter);
    if (bud_reason_is_error(reason))
        return reason;
    struct subscription *subscription = find(session, whole);
    bool existed = subscription != NULL;
    if (!existed) {
        reason = group.size > 0 ? add_shared(session, whole, filter, group, &subscription)
                                : add(session, whole, filter, group, &subscription);
        if (bud_reason_is_error(reason))
            return reason;
    }
    // An existing subscription is replaced without a gap: only its options change [MQTT-3.8.4-3].
    subscription->options = options;
    subscription->identifier = identifier;
    const struct store_port *store = session->router->store;
    if (session->stored)
        store->subscription_put(store->context, session, whole, subscription);
    bool wants_retained = group.size == 0 && options.retain_handling != 2 &&
                          !(options.retain_handling == 1 && existed);
    if (wants_retained && !replay_try_start(session, subscription, filter, !existed))
        counter_add(session->router->counters, COUNTER_REFUSED_MEMORY, 1);
    return (enum bud_reason)options.qos;
}

bool session_restore_subscription(struct session *session, struct bytes whole,
                                  struct subscription_options options, uint32_t identifier)
{
    struct bytes filter = whole, group = {0};
    struct subscription *subscription;
    if (topic_share_parse(whole, &group, &filter) == TOPIC_SHARE_INVALID ||
        !topic_filter_valid(filter) ||
        bud_reason_is_error(add(session, whole, filter, group, &subscription)))
        return false;
    if (group.size > 0) {
        session->shared_count++; // and offline, until its client is back
        share_set_principal(subscription->member, session->principal);
    }
    subscription->options = options;
    subscription->identifier = identifier;
    return true;
}

enum bud_reason session_unsubscribe(struct session *session, struct bytes filter)
{
    struct subscription *subscription = find(session, filter);
    if (subscription == NULL)
        return BUD_NO_SUBSCRIPTION_EXISTED;
    map_remove(&session->subscriptions, subscription_key(subscription));
    if (subscription->member != NULL)
        session->shared_count--;
    remove_subscription(session, subscription);
    const struct store_port *store = session->router->store;
    if (session->stored)
        store->subscription_remove(store->context, session, filter);
    return BUD_SUCCESS;
}

bool session_incoming_begin(struct session *session, uint16_t packet_id, bool *ret_duplicate)
{
    *ret_duplicate = packet_id_set_has(&session->incoming, packet_id);
    if (*ret_duplicate)
        return false;
    if (!packet_id_set_try_add(&session->incoming, packet_id))
        return false;
    const struct store_port *store = session->router->store;
    // With several workers the sessions that got the message are noted instead, each with its
    // delivery: what is noted is then whole or not there for each of them, whichever worker's part
    // reached the disk.
    if (session->stored && !session->router->spreads_over_workers)
        store->incoming_put(store->context, session, packet_id);
    return true;
}

bool session_has_spread(const struct session *session, uint16_t packet_id)
{
    const struct spread *spread = session->spreads;
    while (spread != NULL && spread->packet_id != packet_id)
        spread = spread->next;
    return spread != NULL;
}

struct spread *session_take_spread(struct session *session, uint16_t packet_id)
{
    for (struct spread **link = &session->spreads; *link != NULL; link = &(*link)->next) {
        struct spread *spread = *link;
        if (spread->packet_id == packet_id) {
            *link = spread->next;
            spread->next = NULL;
            return spread;
        }
    }
    return NULL;
}

void session_put_spread(struct session *session, struct spread *spread)
{
    spread->next = session->spreads;
    session->spreads = spread;
}

bool session_restore_spread(struct session *session, uint16_t packet_id, uint64_t reached)
{
    struct spread *spread = session_take_spread(session, packet_id);
    struct spread *larger = spread_try_add(spread, packet_id, reached);
    if (larger == NULL) {
        memory_free(spread);
        return false;
    }
    session_put_spread(session, larger);
    return true;
}

bool session_incoming_end(struct session *session, uint16_t packet_id)
{
    struct spread *spread = session_take_spread(session, packet_id);
    bool was_spread = spread != NULL;
    memory_free(spread);
    if (!packet_id_set_remove(&session->incoming, packet_id) && !was_spread)
        return false;
    const struct store_port *store = session->router->store;
    if (session->stored)
        store->incoming_remove(store->context, session, packet_id);
    return true;
}

uint64_t session_queued_count(const struct session *session)
{
    return session->lasting.count + session->fleeting.count + session->inflight.count +
           session->waiting_count;
}
