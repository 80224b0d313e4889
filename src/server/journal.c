// SPDX-License-Identifier: MIT
#include "server/journal.h"

#include "base/memory.h"
#include "core/session.h"
#include "server/worker.h"
#include "server/writer.h"

#include <string.h>

#define BEHIND_MS 1000
#define REMOVAL_MS 100 // that nobody waits for
#define REMOVALS_MAX 1000u
#define WAITING_BYTES_MAX ((uint64_t)8 << 20)
#define WAITING_RECORDS_MAX 200000u

static struct bytes topic_key(const void *message)
{
    return message_topic(message);
}

static struct batch *new_batch(uint32_t worker, uint64_t number)
{
    struct batch *batch = memory_new(sizeof(*batch));
    batch->worker = worker;
    batch->number = number;
    return batch;
}

void batch_free(struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        record_done(&batch->records[i]);
    memory_free(batch->records);
    memory_free(batch);
}

void journal_init(struct journal *journal, struct worker *worker, bool keeps)
{
    *journal = (struct journal){.keeps = keeps, .ticket = 1};
    map_init(&journal->behind, worker->server->hash_key, topic_key);
    if (keeps)
        journal->current = new_batch(worker->number, 1);
}

static struct pending_turn *turn_at(struct journal *journal, uint32_t position)
{
    return &journal->turns[(journal->turn_first + position) & (journal->turn_capacity - 1)];
}

static void drop_deferred(struct deferred *deferred)
{
    while (deferred != NULL) {
        struct deferred *next = deferred->next;
        memory_free(deferred);
        deferred = next;
    }
}

void journal_done(struct journal *journal)
{
    size_t position = 0;
    struct message *message;
    while ((message = map_next(&journal->behind, &position)) != NULL)
        message_unref(message);
    map_done(&journal->behind);
    if (journal->current != NULL)
        batch_free(journal->current);
    for (uint32_t i = 0; i < journal->turn_count; i++)
        drop_deferred(turn_at(journal, i)->deferred);
    drop_deferred(journal->deferred);
    memory_free(journal->turns);
    memory_free(journal->asked);
}

// A change that cannot even be noted must not be acknowledged, and nothing after it: the broker
// stops, as it does when the disk fails.
static void *grown(void *memory, size_t size)
{
    void *larger = memory_try_resize(memory, size);
    if (larger == NULL)
        writer_fail("no memory to note what must go to the disk");
    return larger;
}

static struct record *add_unawaited(struct journal *journal, enum record_kind kind,
                                    uint64_t session)
{
    struct batch *batch = journal->current;
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity == 0 ? 64 : batch->capacity * 2;
        batch->records = grown(batch->records, batch->capacity * sizeof(batch->records[0]));
    }
    struct record *record = &batch->records[batch->count++];
    *record = (struct record){.kind = (uint8_t)kind, .session = session};
    return record;
}

static struct record *add(struct journal *journal, enum record_kind kind, uint64_t session)
{
    journal->noted = true;
    journal->batch_in_turn = journal->current->number;
    journal->current->awaited = true;
    return add_unawaited(journal, kind, session);
}

// To be noted when everything else of this turn is on the disk.
static void defer(struct journal *journal, enum record_kind kind, uint64_t session)
{
    struct deferred *deferred = grown(NULL, sizeof(*deferred));
    *deferred = (struct deferred){.next = journal->deferred, .kind = kind, .session = session};
    journal->deferred = deferred;
    journal->noted = true;
}

static void set_text(struct record *record, struct bytes text, struct bytes more)
{
    if (text.size + more.size == 0)
        return;
    record->text = grown(NULL, text.size + more.size);
    if (text.size > 0)
        memcpy(record->text, text.data, text.size);
    if (more.size > 0)
        memcpy(record->text + text.size, more.data, more.size);
    record->text_size = (uint32_t)text.size;
    record->text_more_size = (uint32_t)more.size;
}

static void set_message(struct journal *journal, struct record *record, struct message *message)
{
    record->message = message_ref(message);
    journal->current->bytes += message_size(message);
}

static void session_put(void *context, const struct session *session)
{
    struct record *record = add(context, RECORD_SESSION_PUT, session->number);
    set_text(record, session->client_id, session->user);
    record->domain = session->principal->domain;
    record->version = session->version;
    record->expiry_interval = session->expiry_interval;
    record->detached_ms = session->connection != NULL ? 0 : session->detached_ms;
}

static void session_remove(void *context, const struct session *session)
{
    struct journal *journal = context;
    if (journal->moves)
        defer(journal, RECORD_SESSION_REMOVE, session->number);
    else
        add(journal, RECORD_SESSION_REMOVE, session->number);
}

static void subscription_put(void *context, const struct session *session, struct bytes filter,
                             const struct subscription *subscription)
{
    struct record *record = add(context, RECORD_SUBSCRIPTION_PUT, session->number);
    set_text(record, filter, (struct bytes){0});
    record->options = subscription->options;
    record->identifier = subscription->identifier;
}

static void subscription_remove(void *context, const struct session *session, struct bytes filter)
{
    struct record *record = add(context, RECORD_SUBSCRIPTION_REMOVE, session->number);
    set_text(record, filter, (struct bytes){0});
}

// The record of a delivery that is still in the current batch, or NULL.
static struct record *unwritten(struct journal *journal, const struct delivery *delivery)
{
    const struct batch *batch = journal->current;
    uint32_t index = (uint32_t)delivery->store_mark;
    if (delivery->store_mark >> 32 != (batch->number & UINT32_MAX) || index >= batch->count)
        return NULL;
    struct record *record = &batch->records[index];
    return record->kind == RECORD_DELIVERY_PUT && record->number == delivery->number ? record
                                                                                     : NULL;
}

// As struct spread names it.
static uint64_t reached_by(const struct session *session, const struct delivery *delivery)
{
    const struct delivery_extra *extra = delivery->extra;
    return extra != NULL && extra->member != NULL ? share_group_id(extra->member->group)
                                                  : session->number;
}

static void delivery_put(void *context, const struct session *session, struct delivery *delivery)
{
    struct journal *journal = context;
    struct record *record = add(journal, RECORD_DELIVERY_PUT, session->number);
    delivery->store_mark = journal->current->number << 32 | (uint64_t)(journal->current->count - 1);
    record->number = delivery->number;
    record->qos = delivery->qos;
    record->retain = delivery->retain;
    record->identifier = delivery->identifier;
    if (delivery->is_noted)
        record->reached = reached_by(session, delivery);
    set_message(journal, record, delivery->message);
    if (delivery->extra != NULL && delivery->extra->count > 0)
        set_text(record, bytes_make(delivery->extra->identifiers, delivery->extra->count * 4),
                 (struct bytes){0});
}

static void delivery_sent(void *context, const struct session *session,
                          const struct delivery *delivery, uint16_t packet_id)
{
    struct record *record = unwritten(context, delivery);
    if (record == NULL) {
        record = add(context, RECORD_DELIVERY_SENT, session->number);
        record->number = delivery->number;
    }
    record->packet_id = packet_id;
}

static void delivery_released(void *context, const struct session *session,
                              const struct delivery *delivery, uint16_t packet_id)
{
    struct record *record = add(context, RECORD_DELIVERY_RELEASED, session->number);
    record->number = delivery->number;
    record->packet_id = packet_id;
}

static void delivery_remove(void *context, const struct session *session,
                            const struct delivery *delivery)
{
    struct record *record = unwritten(context, delivery);
    if (record != NULL) {
        // Delivered before it was written: the disk need never know.
        record_done(record);
        *record = (struct record){.kind = RECORD_NONE};
        return;
    }
    record = delivery->qos == 1 ? add_unawaited(context, RECORD_DELIVERY_REMOVE, session->number)
                                : add(context, RECORD_DELIVERY_REMOVE, session->number);
    record->number = delivery->number;
}

static void moved_remove(void *context, struct moved moved)
{
    struct journal *journal = context;
    add(journal, RECORD_DELIVERY_REMOVE, moved.session)->number = moved.number;
    journal->current->moves = true;
}

static uint64_t last_unwritten_batch(const struct journal *journal);

static void deliveries_read(void *context, const struct session *session, uint64_t after,
                            uint32_t count)
{
    struct journal *journal = context;
    struct read_request *request = memory_new(sizeof(*request) + session->client_id.size);
    struct worker *worker = session->router->ports->context;
    request->worker = worker->number;
    request->batch = last_unwritten_batch(journal);
    request->session = session->number;
    request->after = after;
    request->count = count;
    request->deliveries = memory_new(count * sizeof(request->deliveries[0]));
    request->client_id_size = (uint32_t)session->client_id.size;
    memcpy(request->client_id, session->client_id.data, session->client_id.size);
    writer_ask(worker->server->writer, request);
}

static void incoming_put(void *context, const struct session *session, uint16_t packet_id)
{
    add(context, RECORD_INCOMING_PUT, session->number)->packet_id = packet_id;
}

static void incoming_remove(void *context, const struct session *session, uint16_t packet_id)
{
    add(context, RECORD_INCOMING_REMOVE, session->number)->packet_id = packet_id;
}

static void keep_for_later(struct journal *journal, struct message *message)
{
    struct message *before = map_remove(&journal->behind, message_topic(message));
    message_unref(before);
    if (map_try_put(&journal->behind, message))
        message_ref(message);
    else
        set_message(journal, add(journal, RECORD_RETAINED_PUT, 0), message);
}

static void retained_put(void *context, struct message *message)
{
    struct journal *journal = context;
    if (message->qos == 0)
        keep_for_later(journal, message);
    else
        set_message(journal, add(journal, RECORD_RETAINED_PUT, 0), message);
}

static void will_put(void *context, const struct session *session)
{
    struct journal *journal = context;
    struct record *record = add(journal, RECORD_WILL_PUT, session->will_number);
    set_text(record, session->client_id, session->user);
    record->domain = session->principal->domain;
    record->delay_interval = session->will_delay_interval;
    record->expiry_interval = session->will_expiry_interval;
    set_message(journal, record, session->will);
}

static bool has_posted(const struct journal *journal)
{
    uint64_t any = 0;
    for (size_t i = 0; i < sizeof(journal->posted_to) / sizeof(journal->posted_to[0]); i++)
        any |= journal->posted_to[i];
    return any != 0;
}

static void will_remove(void *context, const struct session *session, bool published)
{
    struct journal *journal = context;
    if (published && has_posted(journal))
        defer(journal, RECORD_WILL_REMOVE, session->will_number);
    else
        add(journal, RECORD_WILL_REMOVE, session->will_number);
}

void journal_fill_port(struct journal *journal, struct worker *worker, struct store_port *ret_port)
{
    (void)worker;
    *ret_port = (struct store_port){0};
    if (!journal->keeps)
        return;
    *ret_port = (struct store_port){
        .keeps = true,
        .context = journal,
        .session_put = session_put,
        .session_remove = session_remove,
        .subscription_put = subscription_put,
        .subscription_remove = subscription_remove,
        .delivery_put = delivery_put,
        .delivery_sent = delivery_sent,
        .delivery_released = delivery_released,
        .delivery_remove = delivery_remove,
        .moved_remove = moved_remove,
        .deliveries_read = deliveries_read,
        .incoming_put = incoming_put,
        .incoming_remove = incoming_remove,
        .retained_put = retained_put,
        .will_put = will_put,
        .will_remove = will_remove,
    };
}

void journal_write_behind(struct journal *journal, struct worker *worker, bool now)
{
    if (journal->behind.count == 0) {
        journal->behind_since_ms = worker->now_ms;
        return;
    }
    if (!now && worker->now_ms - journal->behind_since_ms < BEHIND_MS)
        return;
    journal->behind_since_ms = worker->now_ms;
    size_t position = 0;
    struct message *message;
    while ((message = map_next(&journal->behind, &position)) != NULL)
        set_message(journal, add(journal, RECORD_RETAINED_PUT, 0), message);
    position = 0;
    while ((message = map_next(&journal->behind, &position)) != NULL)
        message_unref(message); // the records hold them now
    map_done(&journal->behind);
    map_init(&journal->behind, worker->server->hash_key, topic_key);
}

void journal_note_post(struct journal *journal, uint32_t to)
{
    if (!journal->keeps)
        return;
    journal->posted_to[to / 64] |= UINT64_C(1) << to % 64;
    journal->noted = true;
}

void journal_asked(struct journal *journal, uint32_t from, uint64_t ticket)
{
    if (journal->asked_count == journal->asked_capacity) {
        journal->asked_capacity = journal->asked_capacity == 0 ? 16 : journal->asked_capacity * 2;
        journal->asked = grown(journal->asked, journal->asked_capacity * sizeof(journal->asked[0]));
    }
    // Its batch is known at the end of the turn: 0 until then.
    journal->asked[journal->asked_count++] = (struct asked_sync){.from = from, .ticket = ticket};
}

static void post_sync(struct worker *worker, enum post_kind kind, uint32_t to, uint64_t ticket)
{
    struct post *post = memory_new(sizeof(*post));
    post->kind = (uint8_t)kind;
    post->from = worker->number;
    post->ticket = ticket;
    worker_post(worker, to, post);
}

static uint32_t ask_others(struct journal *journal, struct worker *worker)
{
    uint32_t asked = 0;
    for (uint32_t to = 0; to < worker->server->worker_count; to++) {
        if ((journal->posted_to[to / 64] >> to % 64 & 1) == 0)
            continue;
        post_sync(worker, POST_SYNC, to, journal->ticket);
        asked++;
    }
    memset(journal->posted_to, 0, sizeof(journal->posted_to));
    return asked;
}

static bool is_writing(const struct journal *journal)
{
    return journal->committed + 1 < journal->current->number;
}

// The youngest batch that somebody may wait for; 0: none.
static uint64_t last_unwritten_batch(const struct journal *journal)
{
    if (journal->current->awaited)
        return journal->current->number;
    return is_writing(journal) ? journal->current->number - 1 : 0;
}

static struct pending_turn *turn_of(struct journal *journal, uint64_t ticket)
{
    ASSERT(journal->turn_count > 0); // tickets follow one another
    uint64_t position = ticket - turn_at(journal, 0)->ticket;
    ASSERT(position < journal->turn_count);
    return turn_at(journal, (uint32_t)position);
}

uint64_t journal_note_member(struct journal *journal, struct worker *worker, uint32_t to,
                             bool moves)
{
    if (!journal->keeps)
        return 0;
    journal->moves = journal->moves || moves;
    if (journal->resumed == 0) {
        journal_note_post(journal, to);
        return journal->ticket;
    }
    turn_of(journal, journal->resumed)->syncs++;
    post_sync(worker, POST_SYNC, to, journal->resumed);
    return journal->resumed;
}

// Whose turn waits for an answer is in `turns`.
void journal_resume_turn(struct journal *journal, uint64_t ticket)
{
    journal->resumed = journal->keeps ? ticket : 0;
    journal->batch_before = journal->batch_in_turn;
    journal->batch_in_turn = 0;
}

void journal_leave_turn(struct journal *journal)
{
    if (journal->resumed != 0 && journal->batch_in_turn != 0)
        turn_of(journal, journal->resumed)->batch = journal->batch_in_turn;
    if (journal->batch_in_turn == 0)
        journal->batch_in_turn = journal->batch_before;
    journal->resumed = 0;
}

static void answer_others(struct journal *journal, struct worker *worker)
{
    uint64_t last = last_unwritten_batch(journal);
    uint32_t left = 0;
    for (uint32_t i = 0; i < journal->asked_count; i++) {
        struct asked_sync asked = journal->asked[i];
        if (asked.batch == 0 && last != 0)
            asked.batch = last;
        if (asked.batch > journal->committed)
            journal->asked[left++] = asked;
        else
            post_sync(worker, POST_SYNCED, asked.from, asked.ticket);
    }
    journal->asked_count = left;
}

static void hand_over(struct journal *journal, struct worker *worker)
{
    struct batch *batch = journal->current;
    if (batch->count == 0)
        return;
    journal->current = new_batch(worker->number, batch->number + 1);
    writer_give(worker->server->writer, batch);
}

static void push_turn(struct journal *journal, struct pending_turn turn)
{
    if (journal->turn_count == journal->turn_capacity) {
        uint32_t capacity = journal->turn_capacity == 0 ? 16 : journal->turn_capacity * 2;
        struct pending_turn *turns = grown(NULL, capacity * sizeof(*turns));
        for (uint32_t i = 0; i < journal->turn_count; i++)
            turns[i] = *turn_at(journal, i);
        memory_free(journal->turns);
        journal->turns = turns;
        journal->turn_capacity = capacity;
        journal->turn_first = 0;
    }
    journal->turn_count++;
    *turn_at(journal, journal->turn_count - 1) = turn;
}

static bool is_there(const struct journal *journal, const struct pending_turn *turn)
{
    return turn->batch <= journal->committed && turn->syncs == 0;
}

static void note_deferred(struct journal *journal, struct pending_turn *turn)
{
    for (const struct deferred *one = turn->deferred; one != NULL; one = one->next)
        add(journal, one->kind, one->session);
    drop_deferred(turn->deferred);
    turn->deferred = NULL;
    turn->batch = journal->current->number;
    journal->deferring--;
}

static void note_what_waited(struct journal *journal)
{
    for (uint32_t i = 0; i < journal->turn_count && journal->deferring > 0; i++) {
        struct pending_turn *turn = turn_at(journal, i);
        if (turn->deferred != NULL && is_there(journal, turn))
            note_deferred(journal, turn);
    }
}

static bool advance(struct journal *journal)
{
    uint64_t before = journal->durable;
    note_what_waited(journal);
    while (journal->turn_count > 0) {
        const struct pending_turn *turn = turn_at(journal, 0);
        if (!is_there(journal, turn) || turn->deferred != NULL)
            break;
        journal->durable = turn->ticket;
        journal->turn_first = (journal->turn_first + 1) & (journal->turn_capacity - 1);
        journal->turn_count--;
    }
    return journal->durable != before;
}

int64_t journal_due_ms(const struct journal *journal)
{
    if (!journal->keeps || is_writing(journal) || journal->current->count == 0)
        return -1;
    return journal->current->since_ms + REMOVAL_MS;
}

static bool is_due(const struct batch *batch, int64_t now_ms)
{
    return batch->awaited || batch->count > REMOVALS_MAX || now_ms >= batch->since_ms + REMOVAL_MS;
}

void journal_before_posts(struct journal *journal, struct worker *worker)
{
    if (journal->keeps && journal->moves)
        hand_over(journal, worker);
}

bool journal_end_turn(struct journal *journal, struct worker *worker)
{
    if (!journal->keeps)
        return false;
    struct pending_turn turn = {
        .ticket = journal->ticket,
        .batch = journal->batch_in_turn,
        .syncs = ask_others(journal, worker),
        .deferred = journal->deferred,
    };
    journal->deferring += journal->deferred != NULL;
    journal->deferred = NULL;
    push_turn(journal, turn);
    note_what_waited(journal);
    answer_others(journal, worker);
    if (journal->current->since_ms == 0 && journal->current->count > 0)
        journal->current->since_ms = worker->now_ms;
    if (journal->moves || (!is_writing(journal) && is_due(journal->current, worker->now_ms)))
        hand_over(journal, worker);
    journal->batch_in_turn = 0;
    journal->moves = false;
    journal->ticket++;
    return advance(journal);
}

bool journal_on_committed(struct journal *journal, uint64_t batch)
{
    ASSERT(batch == journal->committed + 1 && batch < journal->current->number);
    journal->committed = batch;
    return advance(journal);
}

bool journal_on_synced(struct journal *journal, uint64_t ticket)
{
    struct pending_turn *turn = turn_of(journal, ticket);
    ASSERT(turn->syncs > 0);
    turn->syncs--;
    return advance(journal);
}

bool journal_is_behind(const struct journal *journal)
{
    return journal->keeps && (journal->current->bytes > WAITING_BYTES_MAX ||
                              journal->current->count > WAITING_RECORDS_MAX);
}

void journal_give_rest(struct journal *journal, struct worker *worker)
{
    if (!journal->keeps)
        return;
    journal_write_behind(journal, worker, true);
    hand_over(journal, worker);
}
