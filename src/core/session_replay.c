// SPDX-License-Identifier: MIT
// Retained messages for a new subscription: a cursor that moves when the client has room, never a
// queue.
#include "core/session_private.h"

#include "base/memory.h"

// How many nodes of the retained tree one step may look at while it holds the tree's lock, and how
// many messages one search may pass over.
#define STEPS_MAX 64

static void end(struct session *session, struct replay *replay)
{
    struct replay **link = &session->replays;
    while (*link != replay)
        link = &(*link)->next;
    *link = replay->next;
    retained_cursor_close(&replay->cursor);
    message_unref(replay->held);
    memory_free(replay);
}

bool replay_try_start(struct session *session, struct subscription *subscription,
                      struct bytes filter, bool is_new)
{
    // Asked for again before the last replay ended: this one covers all of it.
    replay_cancel(session, subscription);
    struct replay *replay = memory_try_new(sizeof(*replay));
    if (replay == NULL)
        return false;
    if (!retained_cursor_try_open(&replay->cursor, session->router->retained, filter)) {
        memory_free(replay);
        return false;
    }
    replay->subscription = subscription;
    // Who subscribes again is owed what other workers posted before, even if its value is gone by
    // the time the cursor comes there [MQTT-3.8.4-3].
    if (is_new)
        subscription->replay_sequence = replay->cursor.sequence;
    struct replay **last = &session->replays;
    while (*last != NULL)
        last = &(*last)->next;
    *last = replay;
    return true;
}

void replay_cancel(struct session *session, const struct subscription *subscription)
{
    for (struct replay *replay = session->replays; replay != NULL; replay = replay->next) {
        if (replay->subscription == subscription) {
            end(session, replay);
            return;
        }
    }
}

static bool may_have(const struct session *session, struct message *message, int64_t now_ms)
{
    if (message_expired(message, now_ms)) {
        retained_drop(session->router->retained, message);
        return false;
    }
    return router_may_read(session->router, session->principal, message_topic(message)) &&
           router_source_may_write(session->router, message);
}

// Finds the next message for this replay and holds it; one that was held already is looked at
// again, for it may have expired while the window was shut. False: none within the steps;
// *ret_more tells whether to come again.
static bool find(struct session *session, struct replay *replay, int64_t now_ms, bool *ret_more)
{
    struct message *message = replay->held;
    replay->held = NULL;
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        if (message == NULL)
            message = retained_cursor_next(&replay->cursor, STEPS_MAX, ret_more);
        if (message == NULL)
            return false;
        if (may_have(session, message, now_ms)) {
            replay->held = message;
            return true;
        }
        message_unref(message);
        message = NULL;
    }
    *ret_more = true; // so many that it may not have: others have their turn first
    return false;
}

bool replay_next(struct session *session, int64_t now_ms, bool window_open,
                 struct delivery *ret_delivery, bool *ret_again)
{
    struct replay *replay = session->replays;
    while (replay != NULL) {
        struct replay *next = replay->next;
        bool more = false;
        if (!find(session, replay, now_ms, &more)) {
            if (more) {
                *ret_again = true;
                return false;
            }
            end(session, replay);
            replay = next;
            continue;
        }
        uint8_t granted = replay->subscription->options.qos;
        bool upgrades = session->router->limits->upgrades_qos;
        uint8_t qos = replay->held->qos < granted && !upgrades ? replay->held->qos : granted;
        if (qos > 0 && !window_open)
            return false;
        *ret_delivery = (struct delivery){
            .message = replay->held,
            .identifier = replay->subscription->identifier,
            .qos = qos,
            .retain = true, // [MQTT-3.3.1-8]
        };
        replay->held = NULL;
        return true;
    }
    return false;
}
