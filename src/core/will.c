// SPDX-License-Identifier: MIT
#include "core/will.h"

// UINT32_MAX means none; who gives that many seconds gets one less, in 136 years.
static uint32_t expiry_interval_of(const struct properties *properties)
{
    if (!properties_have(properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL))
        return UINT32_MAX;
    uint32_t given = properties->message_expiry_interval;
    return given < UINT32_MAX ? given : UINT32_MAX - 1;
}

// Rules that somebody brought along are gone after a restart, and the will could not be checked.
static bool may_outlive_rules(const struct session *session)
{
    return session->principal->rules == NULL ||
           router_may_write(session->router, session->principal, message_topic(session->will));
}

bool will_try_set(struct session *session, const struct packet_will *will, int64_t now_ms)
{
    struct message *message = NULL;
    struct router *router = session->router;
    const struct store_port *store = router->store;
    if (will != NULL) {
        struct message_source source = {
            .topic = will->topic,
            .payload = will->payload,
            .properties = &will->properties,
            .qos = will->qos,
            .retain = will->retain,
            .principal = session->principal,
            .now_ms = now_ms,
        };
        message = message_try_new(router->budget, &source);
        if (message == NULL)
            return false;
    }
    will_forget(session);
    session->will = message;
    if (will != NULL) {
        const struct properties *properties = &will->properties;
        session->will_delay_interval = properties_have(properties, PROPERTY_WILL_DELAY_INTERVAL)
                                           ? properties->will_delay_interval
                                           : 0;
        session->will_expiry_interval = expiry_interval_of(properties);
        session->will_stored = store->keeps && may_outlive_rules(session);
        will_name(session,
                  1 + atomic_fetch_add_explicit(router->last_number, 1, memory_order_relaxed));
        if (session->will_stored)
            store->will_put(store->context, session);
    }
    return true;
}

void will_name(struct session *session, uint64_t number)
{
    struct message *message = session->will;
    const struct router *router = session->router;
    session->will_number = message->publisher = number;
    if (session->will_stored && router->spreads_over_workers && message->qos == 2)
        message->packet_id = 1; // so that it is noted whom it reaches
}

static void forget_stored(struct session *session, bool published)
{
    const struct store_port *store = session->router->store;
    if (session->will_stored)
        store->will_remove(store->context, session, published);
    session->will_stored = false;
}

void will_forget(struct session *session)
{
    forget_stored(session, false);
    message_unref(session->will);
    session->will = NULL;
    session->will_due_ms = 0;
}

static int64_t expiry_of(const struct session *session, int64_t now_ms)
{
    return session->will_expiry_interval == UINT32_MAX
               ? MESSAGE_NEVER_EXPIRES
               : now_ms + (int64_t)session->will_expiry_interval * 1000;
}

// Its life begins with its publication, and a published message never changes: what the store may
// still be writing is copied. Takes `will` over; NULL without memory.
static struct message *begin_life(struct session *session, struct message *will, int64_t now_ms)
{
    struct message *message = will;
    if (atomic_load_explicit(&will->references, memory_order_acquire) > 1) {
        struct properties properties = {.raw = message_properties(will)};
        struct message_source source = {
            .topic = message_topic(will),
            .payload = message_payload(will),
            .properties = &properties,
            .qos = will->qos,
            .retain = will->retain,
            .publisher = will->publisher,
            .packet_id = will->packet_id,
            .spread = will->spread,
            .principal = will->principal,
            .now_ms = now_ms,
        };
        message = message_try_new(session->router->budget, &source);
        if (message != NULL)
            will->spread = NULL; // nobody else looks at it
        message_unref(will);
    }
    if (message != NULL)
        message->expires_ms = expiry_of(session, now_ms);
    return message;
}

static void report(const struct session *session, const struct message *message, enum counter cause)
{
    const struct ports *ports = session->router->ports;
    ports->dropped(ports->context, session, message, cause);
}

void will_publish(struct session *session, int64_t now_ms)
{
    struct message *message = session->will;
    if (message == NULL)
        return;
    session->will = NULL;
    session->will_due_ms = 0;
    struct router *router = session->router;
    message = begin_life(session, message, now_ms);
    if (message == NULL) {
        counter_add(router->counters, COUNTER_DROPPED_NO_MEMORY, 1);
        forget_stored(session, false);
        return;
    }
    uint64_t not_retained = counter_read(router->counters, COUNTER_REFUSED_RETAINED);
    if (!router_may_still_write(router, session->principal, message_topic(message)))
        report(session, message, COUNTER_DROPPED_NOT_AUTHORIZED);
    else if (router_publish(router, message) == BUD_QUOTA_EXCEEDED)
        report(session, message,
               counter_read(router->counters, COUNTER_REFUSED_RETAINED) > not_retained
                   ? COUNTER_DROPPED_NOT_RETAINED
                   : COUNTER_DROPPED_NO_MEMORY);
    forget_stored(session, true);
    message_unref(message);
}
