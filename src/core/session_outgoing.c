// SPDX-License-Identifier: MIT
// What goes out to the client: queued, given to the connection when it has room, acknowledged.
#include "core/session_private.h"

#include "base/memory.h"

// The member has one message less to care for, and the delivery no member any more.
static void leave_share(struct delivery *delivery)
{
    if (delivery->extra == NULL || delivery->extra->member == NULL)
        return;
    atomic_fetch_sub_explicit(&delivery->extra->member->in_flight, 1, memory_order_relaxed);
    share_member_unref(delivery->extra->member);
    delivery->extra->member = NULL;
}

// Told once for each delivery that the store has.
static void forget_stored(struct session *session, struct delivery *delivery)
{
    const struct store_port *store = session->router->store;
    if (delivery->number != 0 && session->stored)
        store->delivery_remove(store->context, session, delivery);
    delivery->number = 0;
}

static void keep(struct session *session, struct delivery *delivery)
{
    const struct store_port *store = session->router->store;
    if (!session->stored || delivery->number != 0)
        return;
    delivery->number = ++session->last_number;
    store->delivery_put(store->context, session, delivery);
}

void outgoing_finish(struct session *session, struct delivery *delivery)
{
    forget_stored(session, delivery);
    leave_share(delivery);
    memory_free(delivery->extra);
    message_unref(delivery->message);
    delivery->extra = NULL;
    delivery->message = NULL;
}

void outgoing_drop(struct session *session, struct delivery *delivery, enum counter cause)
{
    const struct ports *ports = session->router->ports;
    ports->dropped(ports->context, session, delivery->message, cause);
    outgoing_finish(session, delivery);
}

void outgoing_forget(struct session *session, const struct delivery *delivery)
{
    struct router *router = session->router;
    counter_subtract(router->counters, COUNTER_QUEUED_MESSAGES, 1);
    counter_subtract(router->counters, COUNTER_QUEUED_BYTES, delivery->message->payload_size);
}

bool outgoing_hand_over(struct session *session, struct delivery *delivery, bool online_only)
{
    struct moved moved = {0};
    if (delivery->number != 0 && session->stored)
        moved = (struct moved){session->number, delivery->number};
    if (delivery->extra == NULL || delivery->extra->member == NULL ||
        !router_pass_on(session->router, delivery->message, delivery->extra->member, online_only,
                        moved))
        return false;
    delivery->number = 0; // who has it now tells the store
    return true;
}

bool outgoing_pass_on(struct session *session, struct delivery *delivery, bool online_only)
{
    if (!outgoing_hand_over(session, delivery, online_only))
        return false;
    outgoing_finish(session, delivery);
    return true;
}

void outgoing_check_anew(struct session *session)
{
    struct queue *queues[] = {&session->fleeting, &session->lasting};
    for (int i = 0; i < 2; i++)
        for (uint32_t k = 0; k < queues[i]->count; k++)
            queue_at(queues[i], k)->generation = 0;
    struct inflight *inflight = &session->inflight;
    for (uint32_t i = 0; i < inflight->capacity; i++)
        inflight->slots[i].delivery.generation = 0;
}

static bool may_have(const struct session *session, struct delivery *delivery)
{
    return router_may_have(session->router, session->principal, delivery);
}

// The user may no longer read it. Another member of the group may.
static void withhold(struct session *session, struct delivery *delivery)
{
    if (!outgoing_pass_on(session, delivery, false))
        outgoing_drop(session, delivery, COUNTER_DROPPED_NOT_AUTHORIZED);
}

static void became_ready(struct session *session)
{
    if (session->connection != NULL)
        session->router->ports->session_ready(session->router->ports->context, session);
}

static bool is_lasting_full(const struct session *session, const struct delivery *delivery)
{
    const struct limits *limits = session->router->limits;
    const struct queue *queue = &session->lasting;
    if (queue->count + session->waiting_count == 0)
        return false;
    return (limits->queue_messages_max > 0 &&
            queue->count + session->waiting_count >= limits->queue_messages_max) ||
           (limits->queue_bytes_max > 0 &&
            queue->bytes + session->waiting_bytes + delivery_weight(delivery) >
                limits->queue_bytes_max);
}

static void push(struct session *session, struct queue *queue, struct delivery delivery)
{
    struct router *router = session->router;
    delivery.arrival = session->next_arrival++;
    if (!queue_try_push(queue, delivery)) {
        outgoing_drop(session, &delivery, COUNTER_DROPPED_NO_MEMORY);
        return;
    }
    counter_add(router->counters, COUNTER_QUEUED_MESSAGES, 1);
    counter_add(router->counters, COUNTER_QUEUED_BYTES, delivery.message->payload_size);
    became_ready(session);
}

// The newest value is worth most to a reader that cannot keep up, so the oldest QoS 0 message goes.
static void make_room(struct session *session, const struct delivery *delivery)
{
    struct queue *queue = &session->fleeting;
    uint64_t limit = session->router->limits->output_bytes_max;
    while (queue->count > 0 && queue->bytes + delivery_weight(delivery) > limit) {
        struct delivery oldest = queue_pop(queue);
        outgoing_forget(session, &oldest);
        outgoing_drop(session, &oldest, COUNTER_DROPPED_OUTPUT_FULL);
    }
}

void outgoing_requeue(struct session *session, struct delivery delivery)
{
    push(session, &session->lasting, delivery);
}

// Is this one for the disk alone? Not what a shared subscription may have to pass on, but nothing
// overtakes what waits there: the next read would find it a second time.
static bool is_beyond_window(const struct session *session, const struct delivery *delivery)
{
    bool is_shared = delivery->extra != NULL && delivery->extra->member != NULL;
    return session->stored &&
           (session->waiting_count > 0 || (!is_shared && session->lasting.count >= SESSION_WINDOW));
}

static void leave_in_store(struct session *session, struct delivery *delivery)
{
    keep(session, delivery);
    session->waiting_count++;
    session->waiting_bytes += delivery_weight(delivery);
    session->waiting_payload += delivery->message->payload_size;
    counter_add(session->router->counters, COUNTER_QUEUED_MESSAGES, 1);
    counter_add(session->router->counters, COUNTER_QUEUED_BYTES, delivery->message->payload_size);
    delivery->number = 0; // it stays in the store when this lets it go
    outgoing_finish(session, delivery);
}

static void read_on(struct session *session)
{
    const struct store_port *store = session->router->store;
    if (session->waiting_count == 0 || session->is_reading || session->connection == NULL ||
        session->lasting.count > SESSION_WINDOW / 4)
        return;
    session->is_reading = true;
    session->asked_count = session->waiting_count;
    store->deliveries_read(store->context, session, session->window_last,
                           SESSION_WINDOW - session->lasting.count);
}

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void forget_waiting(struct session *session, uint64_t count, uint64_t weight,
                           uint64_t payload)
{
    struct counters *counters = session->router->counters;
    session->waiting_count -= count;
    bool is_empty = session->waiting_count == 0;
    payload = is_empty ? session->waiting_payload : lower(payload, session->waiting_payload);
    session->waiting_payload -= payload;
    session->waiting_bytes -=
        is_empty ? session->waiting_bytes : lower(weight, session->waiting_bytes);
    counter_subtract(counters, COUNTER_QUEUED_MESSAGES, count);
    counter_subtract(counters, COUNTER_QUEUED_BYTES, payload);
}

void outgoing_end_waiting(struct session *session, uint64_t count, enum counter cause)
{
    count = lower(count, session->waiting_count);
    counter_add(session->router->counters, cause, count);
    forget_waiting(session, count, 0, 0);
}

void session_take_read(struct session *session, struct delivery delivery)
{
    if (session->waiting_count > 0)
        forget_waiting(session, 1, delivery_weight(&delivery), delivery.message->payload_size);
    if (session->asked_count > 0)
        session->asked_count--;
    session->window_last = delivery.number;
    push(session, &session->lasting, delivery);
}

void session_read_done(struct session *session, bool is_last)
{
    session->is_reading = false;
    // What was there when the store was asked and was not found has expired. What was put there
    // since waits on.
    if (is_last)
        outgoing_end_waiting(session, session->asked_count, COUNTER_DROPPED_EXPIRED);
    became_ready(session);
}

// QoS 0: nobody who is away is owed it [MQTT5 4.1], but it may be kept.
static void deliver_fleeting(struct session *session, struct delivery delivery)
{
    const struct limits *limits = session->router->limits;
    bool is_away = session->connection == NULL;
    if (is_away && !limits->queues_qos0) {
        outgoing_finish(session, &delivery);
        return;
    }
    if (is_away && limits->queue_messages_max > 0 &&
        session->fleeting.count >= limits->queue_messages_max) {
        outgoing_drop(session, &delivery, COUNTER_DROPPED_QUEUE_FULL);
        return;
    }
    make_room(session, &delivery);
    push(session, &session->fleeting, delivery);
}

void session_deliver(struct session *session, struct delivery delivery)
{
    if (delivery.qos == 0) {
        deliver_fleeting(session, delivery);
        return;
    }
    if (is_lasting_full(session, &delivery)) {
        outgoing_drop(session, &delivery, COUNTER_DROPPED_QUEUE_FULL);
        return;
    }
    if (is_beyond_window(session, &delivery)) {
        leave_in_store(session, &delivery);
        read_on(session);
        return;
    }
    keep(session, &delivery);
    session->window_last = delivery.number;
    push(session, &session->lasting, delivery);
}

bool session_restore_delivery(struct session *session, struct delivery delivery, uint16_t packet_id)
{
    if (delivery.number > session->last_number)
        session->last_number = delivery.number;
    if (packet_id != 0 && inflight_try_restore(&session->inflight, delivery, packet_id))
        return true;
    if (packet_id == 0 && delivery.message != NULL) {
        session->window_last = delivery.number;
        push(session, &session->lasting, delivery);
        return true;
    }
    outgoing_finish(session, &delivery);
    return false;
}

static bool window_is_open(const struct session *session)
{
    const struct inflight *inflight = &session->inflight;
    const struct limits *limits = session->router->limits;
    // A new connection has all of its quota again, while what it released before may still be here:
    // the count keeps a client that never finishes from piling those up.
    return inflight->resend == NULL && inflight->quota_used < session->receive_maximum &&
           inflight->count < limits->in_flight_max &&
           (inflight->count == 0 || inflight->bytes < limits->in_flight_bytes_max);
}

static struct session_outgoing send_slot(struct session *session, struct inflight_slot *slot)
{
    struct session_outgoing outgoing = {.packet_id = slot->packet_id};
    if (slot->state == INFLIGHT_RELEASED) {
        outgoing.type = PACKET_PUBREL;
        return outgoing;
    }
    outgoing.type = PACKET_PUBLISH;
    outgoing.dup = slot->sent; // [MQTT-3.3.1-1]
    outgoing.delivery = &slot->delivery;
    slot->sent = true;
    slot->holds_quota = true;
    session->inflight.quota_used++;
    return outgoing;
}

// PUBREC, or as good as that: the message goes, its identifier stays until PUBCOMP.
static struct delivery release(struct session *session, struct inflight_slot *slot)
{
    const struct store_port *store = session->router->store;
    if (session->stored)
        store->delivery_released(store->context, session, &slot->delivery, slot->packet_id);
    struct delivery delivery = inflight_release(&session->inflight, slot);
    delivery.number = 0; // the store keeps it until PUBCOMP
    return delivery;
}

// A message was sent on an earlier connection, and its user may no longer read it: it is not sent
// again. Whether the client had it is not known. At QoS 2 it then remembers the identifier and
// would take the next message under it for a repetition, so PUBREL goes out in its place; who does
// not know the identifier says so in PUBCOMP, "not an error during recovery" [MQTT5 3.7.2.1].
static void withhold_sent(struct session *session, struct inflight_slot *slot)
{
    struct delivery delivery;
    if (slot->delivery.qos == 1) {
        delivery = inflight_remove(&session->inflight, slot);
        withhold(session, &delivery);
        return;
    }
    delivery = release(session, slot);
    outgoing_drop(session, &delivery, COUNTER_DROPPED_NOT_AUTHORIZED);
}

// The next one to be sent again that its user may have; NULL none.
static struct inflight_slot *next_resend(struct session *session)
{
    struct inflight_slot *slot;
    while ((slot = inflight_next_resend(&session->inflight)) != NULL) {
        if (slot->state == INFLIGHT_RELEASED || may_have(session, &slot->delivery))
            return slot;
        withhold_sent(session, slot);
    }
    return NULL;
}

// After a reconnection, before anything new.
static bool resend(struct session *session, struct session_outgoing *ret_outgoing)
{
    struct inflight *inflight = &session->inflight;
    if (inflight->resend == NULL)
        return false;
    struct inflight_slot *slot = next_resend(session);
    if (slot == NULL)
        return false;
    if (slot->state == INFLIGHT_PUBLISHED && inflight->quota_used >= session->receive_maximum)
        return false; // the client's window is full: wait, and keep the order; QoS 0 goes on
    inflight_resent(inflight);
    *ret_outgoing = send_slot(session, slot);
    return true;
}

// Which queue is next? By arrival, unless the window is closed to QoS 1 and 2; QoS 0 never waits
// for those.
static struct queue *next_queue(struct session *session)
{
    struct delivery *fleeting = queue_front(&session->fleeting);
    struct delivery *lasting = queue_front(&session->lasting);
    if (lasting != NULL && !window_is_open(session))
        lasting = NULL;
    if (fleeting == NULL || lasting == NULL)
        return fleeting != NULL ? &session->fleeting : lasting != NULL ? &session->lasting : NULL;
    return (int32_t)(fleeting->arrival - lasting->arrival) < 0 ? &session->fleeting
                                                               : &session->lasting;
}

static bool take_queued(struct session *session, int64_t now_ms, struct delivery *ret_delivery)
{
    struct queue *queue;
    read_on(session);
    while ((queue = next_queue(session)) != NULL) {
        struct delivery delivery = queue_pop(queue);
        outgoing_forget(session, &delivery);
        if (message_expired(delivery.message, now_ms)) {
            outgoing_drop(session, &delivery, COUNTER_DROPPED_EXPIRED); // [MQTT-3.3.2-5]
        } else if (!may_have(session, &delivery)) {
            withhold(session, &delivery);
        } else {
            *ret_delivery = delivery;
            return true;
        }
    }
    return false;
}

// Replayed retained messages and live ones take turns, so that neither holds up the other.
static bool take_next(struct session *session, int64_t now_ms, struct delivery *ret_delivery,
                      bool *ret_again)
{
    bool window_open = window_is_open(session);
    session->replay_turn = !session->replay_turn;
    if (session->replays != NULL && session->replay_turn &&
        replay_next(session, now_ms, window_open, ret_delivery, ret_again))
        return true;
    if (take_queued(session, now_ms, ret_delivery))
        return true;
    return session->replays != NULL && !session->replay_turn &&
           replay_next(session, now_ms, window_open, ret_delivery, ret_again);
}

static struct session_outgoing send_lasting(struct session *session, struct delivery delivery)
{
    delivery.is_noted = false;
    keep(session, &delivery); // a retained message comes here unkept
    struct inflight_slot *slot = inflight_try_add(&session->inflight, delivery);
    if (slot == NULL) {
        outgoing_drop(session, &delivery, COUNTER_DROPPED_NO_MEMORY);
        return (struct session_outgoing){.again = true};
    }
    const struct store_port *store = session->router->store;
    if (session->stored)
        store->delivery_sent(store->context, session, &slot->delivery, slot->packet_id);
    return send_slot(session, slot);
}

struct session_outgoing session_next(struct session *session, int64_t now_ms)
{
    struct session_outgoing outgoing = {0};
    ASSERT(session->sending.message == NULL);
    if (resend(session, &outgoing))
        return outgoing;
    struct delivery delivery;
    if (!take_next(session, now_ms, &delivery, &outgoing.again))
        return outgoing;
    if (delivery.qos > 0)
        return send_lasting(session, delivery);
    session->sending = delivery;
    outgoing.type = PACKET_PUBLISH;
    outgoing.delivery = &session->sending;
    return outgoing;
}

void session_sent(struct session *session)
{
    if (session->sending.message != NULL)
        outgoing_finish(session, &session->sending);
}

static void finish_slot(struct session *session, struct inflight_slot *slot)
{
    struct delivery delivery = inflight_remove(&session->inflight, slot);
    outgoing_finish(session, &delivery);
    became_ready(session);
}

void session_discard(struct session *session, uint16_t packet_id)
{
    if (packet_id == 0) {
        outgoing_drop(session, &session->sending, COUNTER_DROPPED_TOO_LARGE);
        return;
    }
    struct inflight_slot *slot = inflight_find(&session->inflight, packet_id);
    ASSERT(slot != NULL && slot->state == INFLIGHT_PUBLISHED);
    struct delivery delivery = inflight_remove(&session->inflight, slot);
    outgoing_drop(session, &delivery, COUNTER_DROPPED_TOO_LARGE);
}

enum bud_reason session_on_puback(struct session *session, uint16_t packet_id)
{
    struct inflight_slot *slot = inflight_find(&session->inflight, packet_id);
    if (slot == NULL)
        return BUD_PACKET_IDENTIFIER_NOT_FOUND;
    if (slot->state != INFLIGHT_PUBLISHED || slot->delivery.qos != 1)
        return BUD_PROTOCOL_ERROR;
    finish_slot(session, slot);
    return BUD_SUCCESS;
}

enum bud_reason session_on_pubrec(struct session *session, uint16_t packet_id,
                                  enum bud_reason reason)
{
    struct inflight_slot *slot = inflight_find(&session->inflight, packet_id);
    if (slot == NULL)
        return BUD_PACKET_IDENTIFIER_NOT_FOUND;
    if (slot->state == INFLIGHT_RELEASED)
        return BUD_SUCCESS; // a repeated PUBREC is answered again [MQTT-4.3.3-4]
    if (slot->delivery.qos != 2)
        return BUD_PROTOCOL_ERROR;
    if (bud_reason_is_error(reason)) {
        finish_slot(session, slot); // the receiver will not have it: done [MQTT-4.3.3-4]
        return BUD_UNSPECIFIED_ERROR;
    }
    struct delivery delivery = release(session, slot);
    outgoing_finish(session, &delivery);
    became_ready(session); // its bytes no longer fill the window
    return BUD_SUCCESS;
}

enum bud_reason session_on_pubcomp(struct session *session, uint16_t packet_id)
{
    struct inflight_slot *slot = inflight_find(&session->inflight, packet_id);
    if (slot == NULL)
        return BUD_PACKET_IDENTIFIER_NOT_FOUND;
    if (slot->state != INFLIGHT_RELEASED)
        return BUD_PROTOCOL_ERROR;
    finish_slot(session, slot);
    return BUD_SUCCESS;
}
