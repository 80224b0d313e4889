// SPDX-License-Identifier: MIT
#include "server/worker.h"

#include "base/memory.h"
#include "core/will.h"
#include "os/clock.h"
#include "os/thread.h"
#include "server/connection_login.h"
#include "server/connection_rate.h"
#include "server/fights.h"
#include "server/held.h"
#include "server/listener.h"
#include "server/login_pool.h"
#include "server/shedding.h"
#include "server/writer.h"

#include <errno.h>

#define EVENTS_MAX 256
#define CHUNKS_KEPT 64
#define FIGHTS_MAX 1000
#define SCRATCH_KEPT 65536
#define STOP_TIME_MS 1500
#define STOP_STEP_MS 10

static void session_ready(void *context, struct session *session)
{
    (void)context;
    connection_mark_dirty(session->connection);
}

static void report_drop(void *context, const struct session *session, const struct message *message,
                        enum counter cause)
{
    static const struct {
        enum counter cause;
        const char *text;
    } causes[] = {
        {COUNTER_DROPPED_QUEUE_FULL, "the session's queue is full"},
        {COUNTER_DROPPED_OUTPUT_FULL, "the client reads too slowly"},
        {COUNTER_DROPPED_TOO_LARGE, "larger than the client's maximum packet size"},
        {COUNTER_DROPPED_EXPIRED, "message expired"},
        {COUNTER_DROPPED_NO_MEMORY, "no memory"},
        {COUNTER_DROPPED_SESSION_ENDED, "the session ended"},
        {COUNTER_DROPPED_NOT_AUTHORIZED, "not authorized"},
        {COUNTER_DROPPED_NOT_RETAINED,
         "no room to retain it (max_retained_messages, max_retained_bytes)"},
    };
    struct worker *worker = context;
    counter_add(&worker->counters, cause, 1);
    // What a client leaves behind when it says goodbye, and what expired as asked, is counted but
    // is no news.
    if (cause == COUNTER_DROPPED_SESSION_ENDED || cause == COUNTER_DROPPED_EXPIRED)
        return;
    struct log_line line;
    // Who subscribes to more than it may read is withheld a lot: no news either. A will is.
    bool is_will = session != NULL && session->will_number == message->publisher;
    bool is_withheld = cause == COUNTER_DROPPED_NOT_AUTHORIZED && !is_will;
    log_begin(&line, &worker->server->log, is_withheld ? LOG_WITHHELD : LOG_DROPPED);
    if (session != NULL)
        log_bytes(&line, "client", session->client_id);
    log_bytes(&line, "topic", message_topic(message));
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
        if (causes[i].cause == cause)
            log_text(&line, "cause", causes[i].text);
    log_number(&line, "qos", message->qos);
    log_number(&line, "bytes", message->payload_size);
    log_end(&line);
}

struct post *worker_try_post(struct worker *worker, uint32_t leaf_count)
{
    struct post *post = memory_try_new(sizeof(*post) + leaf_count * sizeof(post->leaves[0]));
    if (post == NULL)
        counter_add(&worker->counters, COUNTER_DROPPED_NO_MEMORY, 1);
    return post;
}

void worker_post(struct worker *worker, uint32_t to, struct post *post)
{
    ASSERT(to < worker->server->worker_count && to != worker->number);
    post_chain_add(&worker->outgoing[to], post);
}

// A post for this message. A durable broker that cannot hand it on must not let its acknowledgement
// out: it stops, as it does when the disk fails. One that keeps nothing counts it as lost.
static struct post *try_post_for(struct worker *worker, const struct message *message,
                                 uint32_t leaf_count)
{
    struct post *post = worker_try_post(worker, leaf_count);
    if (post == NULL && message->qos > 0 && worker->journal.keeps)
        writer_fail("no memory to hand a message to another worker");
    return post;
}

static void post_message(void *context, uint32_t to, struct message *message, struct leaf **leaves,
                         uint32_t count)
{
    struct worker *worker = context;
    struct post *post = try_post_for(worker, message, count);
    if (post == NULL)
        return;
    if (message->qos > 0)
        journal_note_post(&worker->journal, to);
    post->kind = POST_MESSAGE;
    post->message = message_ref(message);
    post->leaf_count = count;
    for (uint32_t i = 0; i < count; i++)
        post->leaves[i] = leaves[i];
    worker_post(worker, to, post);
}

static void post_member(void *context, uint32_t to, struct message *message,
                        struct share_member *member, struct moved moved)
{
    struct worker *worker = context;
    struct post *post = try_post_for(worker, message, 0);
    if (post == NULL) { // it will not be busy with this one
        atomic_fetch_sub_explicit(&member->in_flight, 1, memory_order_relaxed);
        return;
    }
    post->kind = POST_MEMBER;
    post->message = message_ref(message);
    post->member = member;
    post->moved = moved;
    post->from = worker->number;
    worker_post(worker, to, post);
    if (message->qos > 0)
        post->ticket = journal_note_member(&worker->journal, worker, to, moved.session != 0);
}

// The member that another worker chose.
static void take_member(struct worker *worker, const struct post *post)
{
    if (router_deliver_member(&worker->router, post->message, post->member, post->moved))
        return;
    struct post *back = try_post_for(worker, post->message, 0);
    if (back == NULL)
        return;
    back->kind = POST_NO_MEMBER;
    back->message = message_ref(post->message);
    back->member = share_member_ref(post->member);
    back->moved = post->moved;
    back->ticket = post->ticket;
    worker_post(worker, post->from, back);
}

// What was given to a member in that turn goes to another one; the turn is durable when it is
// there.
static void choose_another(struct worker *worker, const struct post *post)
{
    struct journal *journal = &worker->journal;
    journal_resume_turn(journal, post->ticket);
    if (!router_pass_on(&worker->router, post->message, post->member, false, post->moved) &&
        post->moved.session != 0) {
        worker->store.moved_remove(&worker->journal, post->moved);
        report_drop(worker, NULL, post->message, COUNTER_DROPPED_SESSION_ENDED);
    }
    journal_leave_turn(journal);
    share_member_unref(post->member);
}

static void init_router(struct worker *worker)
{
    struct server *server = worker->server;
    worker->ports = (struct ports){
        .context = worker,
        .session_ready = session_ready,
        .post = post_message,
        .post_member = post_member,
        .dropped = report_drop,
    };
    worker->router = (struct router){
        .worker = worker->number,
        .spreads_over_workers = server->worker_count > 1,
        .index = server->index,
        .retained = server->retained,
        .budget = &server->budget,
        .counters = &worker->counters,
        .limits = &server->limits,
        .ports = &worker->ports,
        .access = &server->access,
        .last_number = &server->next_session_number,
        .store = &worker->store,
        .hash_key = server->hash_key,
    };
}

int worker_new(struct server *server, uint32_t number, struct worker **ret_worker)
{
    struct worker *worker = memory_new(sizeof(*worker));
    worker->server = server;
    worker->number = number;
    int error = loop_new(&worker->loop);
    if (error < 0) {
        memory_free(worker);
        return error;
    }
    worker->now_ms = clock_monotonic_ms();
    worker->checked_ms = worker->now_ms;
    worker->turned_ms = worker->now_ms;
    worker->wheel = timer_wheel_new(worker->now_ms);
    worker->input = memory_new(WORKER_INPUT_SIZE);
    worker->outgoing = memory_new(server->worker_count * sizeof(worker->outgoing[0]));
    worker->chunks.budget = &server->budget;
    inbox_init(&worker->inbox);
    arena_init(&worker->scratch, SCRATCH_KEPT);
    map_init(&worker->sessions, server->hash_key, session_key);
    worker->fights = fights_new(FIGHTS_MAX, server->hash_key);
    journal_init(&worker->journal, worker, server->options.persistence != 0);
    journal_fill_port(&worker->journal, worker, &worker->store);
    init_router(worker);
    *ret_worker = worker;
    return 0;
}

static void free_closed(struct worker *worker)
{
    while (worker->closed != NULL) {
        struct connection *connection = worker->closed;
        worker->closed = connection->next_dirty;
        connection_free(connection);
    }
}

static void read_again(struct worker *worker)
{
    struct connection *connection = worker->again;
    worker->again = NULL;
    while (connection != NULL) {
        struct connection *next = connection->next_again;
        connection->again = false;
        if (connection->state == CONNECTION_CLOSED)
            connection_bury(connection);
        else if (!connection->is_waiting) // it is put here again when it goes on
            connection_on_readable(connection);
        connection = next;
    }
}

// Posts to a worker that has stopped.
static void discard_posts(struct worker *worker, struct post *post)
{
    while (post != NULL) {
        struct post *next = post->next;
        if (post->kind == POST_READ)
            read_request_free(post->read);
        if (post->kind == POST_NO_MEMBER)
            share_member_unref(post->member);
        if (post->kind == POST_VERDICT) {
            budget_give(&worker->server->budget, post->login->size);
            login_job_free(post->login);
        }
        if (post->kind == POST_CONNECTION) {
            connection_arrive(post->connection, worker); // which a stopped worker turns away
            free_closed(worker);
        }
        message_unref(post->message);
        memory_free(post);
        post = next;
    }
}

void worker_free(struct worker *worker)
{
    ASSERT(worker->connections.first == NULL && worker->pending.first == NULL);
    read_again(worker); // they are all closed
    free_closed(worker);
    discard_posts(worker, inbox_take(&worker->inbox));
    size_t position = 0;
    struct session *session;
    while ((session = map_next(&worker->sessions, &position)) != NULL) {
        timer_cancel(worker->wheel, &session->timer);
        session->stored = session->will_stored = false; // the store keeps it
        session_free(session);
    }
    map_done(&worker->sessions);
    fights_free(worker->fights);
    // What was passed on among sessions that all end has nowhere to go.
    for (uint32_t i = 0; i < worker->server->worker_count; i++)
        discard_posts(worker, worker->outgoing[i].first);
    discard_posts(worker, inbox_take(&worker->inbox));
    journal_done(&worker->journal);
    router_done(&worker->router);
    inbox_done(&worker->inbox);
    chunk_pool_trim(&worker->chunks, 0);
    arena_done(&worker->scratch);
    timer_wheel_free(worker->wheel);
    loop_free(worker->loop);
    memory_free(worker->outgoing);
    memory_free(worker->input);
    memory_free(worker);
}

// Stopping takes two steps, so that what was acknowledged is delivered: first nobody reads any more
// and each tells the others so; who has heard it from all of them has everything that was posted to
// its clients, and says goodbye.
static void begin_stop(struct worker *worker)
{
    worker->stop_by_ms = worker->now_ms + STOP_TIME_MS;
    listener_unwatch(worker);
    while (worker->pending.first != NULL)
        connection_drop(worker->pending.first, BUD_SERVER_SHUTTING_DOWN, NULL);
    for (uint32_t i = 0; i < worker->server->worker_count; i++) {
        if (i == worker->number)
            continue;
        struct post *post = memory_new(sizeof(*post));
        post->kind = POST_QUIET;
        worker_post(worker, i, post);
    }
}

static void say_goodbye(struct worker *worker)
{
    const char *reference = worker->server->options.server_reference;
    enum bud_reason reason = reference[0] != 0 ? BUD_USE_ANOTHER_SERVER : BUD_SERVER_SHUTTING_DOWN;
    struct connection *next;
    worker->said_goodbye = true;
    for (struct connection *connection = worker->connections.first; connection != NULL;
         connection = next) {
        next = connection->next;
        if (connection->state == CONNECTION_AUTHENTICATING)
            connection_drop(connection, BUD_SERVER_SHUTTING_DOWN, NULL);
        // What it is owed goes first, so it is flushed before the goodbye.
        if (connection->state == CONNECTION_OPEN)
            connection_flush(connection);
        if (connection->state == CONNECTION_OPEN)
            connection_end(connection, reason, NULL);
    }
}

// Queued deliveries that the store had alone; the session may have ended meanwhile, or be another's
// by now.
static void take_read(struct worker *worker, struct read_request *request)
{
    struct session *session =
        worker_find_session(worker, bytes_make(request->client_id, request->client_id_size));
    if (session != NULL && session->number == request->session) {
        for (uint32_t i = 0; i < request->got; i++)
            session_take_read(session, request->deliveries[i]);
        request->got = 0;
        session_read_done(session, request->is_last);
    }
    read_request_free(request);
}

static void handle_post(struct worker *worker, struct post *post)
{
    switch ((enum post_kind)post->kind) {
    case POST_MESSAGE:
        router_deliver(&worker->router, post->message, post->leaves, post->leaf_count);
        break;
    case POST_MEMBER: take_member(worker, post); break;
    case POST_NO_MEMBER: choose_another(worker, post); break;
    case POST_CONNECTION: connection_arrive(post->connection, worker); break;
    case POST_STOP: begin_stop(worker); break;
    case POST_SYNC: journal_asked(&worker->journal, post->from, post->ticket); break;
    case POST_SYNCED: journal_on_synced(&worker->journal, post->ticket); break;
    case POST_COMMITTED: journal_on_committed(&worker->journal, post->ticket); break;
    case POST_READ: take_read(worker, post->read); break;
    case POST_VERDICT:
        budget_give(&worker->server->budget, post->login->size);
        connection_on_verdict(post->login);
        break;
    case POST_QUIET: worker->quiet_count++; break;
    case POST_STAND: worker->is_to_stand = true; break;
    }
    message_unref(post->message);
    memory_free(post);
}

static void drain_inbox(struct worker *worker)
{
    struct post *post = inbox_take(&worker->inbox);
    while (post != NULL) {
        struct post *next = post->next;
        handle_post(worker, post);
        post = next;
    }
}

static void send_posts(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->server->worker_count; i++) {
        struct worker *to = worker->server->workers[i];
        if (worker->outgoing[i].first != NULL && inbox_append(&to->inbox, &worker->outgoing[i]))
            loop_wake(to->loop);
    }
}

// Connections that have more than their share to write go to the next turn, so the list is taken
// off first.
static void flush_dirty(struct worker *worker)
{
    struct connection *connection = worker->dirty_first;
    worker->dirty_first = worker->dirty_last = NULL;
    while (connection != NULL) {
        struct connection *next = connection->next_dirty;
        connection->next_dirty = NULL;
        connection->dirty = false;
        connection_flush(connection);
        connection = next;
    }
    message_unref(worker->encoded.message);
    worker->encoded.message = NULL;
    arena_reset(&worker->scratch);
}

static void run_chores(struct worker *worker)
{
    for (struct chore *chore = worker->server->chores; chore != NULL && worker->number == 0;
         chore = chore->next) {
        if (worker->now_ms < chore->due_ms)
            continue;
        chore->due_ms = worker->now_ms + chore->interval_ms;
        chore->run(chore, worker, worker->now_ms);
    }
}

static int time_to_wait(const struct worker *worker)
{
    if (worker->dirty_first != NULL || worker->again != NULL || worker->is_to_recheck)
        return 0;
    int64_t due_ms =
        worker->stop_by_ms != 0 ? worker->now_ms + STOP_STEP_MS : worker->checked_ms + 1000;
    int64_t timer_ms = timer_wheel_next_ms(worker->wheel);
    if (timer_ms >= 0 && timer_ms < due_ms)
        due_ms = timer_ms;
    int64_t journal_ms = journal_due_ms(&worker->journal);
    if (journal_ms >= 0 && journal_ms < due_ms)
        due_ms = journal_ms;
    for (struct chore *chore = worker->server->chores; chore != NULL && worker->number == 0;
         chore = chore->next)
        if (chore->due_ms < due_ms)
            due_ms = chore->due_ms;
    int64_t now_ms = clock_monotonic_ms();
    return due_ms <= now_ms ? 0 : (int)(due_ms - now_ms);
}

static void handle_events(struct worker *worker, const struct loop_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].owner;
        struct listener *listener = listener_of_owner(events[i].owner);
        if (listener != NULL) {
            listener_on_readable(worker, listener);
            continue;
        }
        if ((events[i].events & LOOP_HANGUP) != 0 && connection->login_job != NULL) {
            connection_drop(connection, BUD_UNSPECIFIED_ERROR, "the client went away");
            continue;
        }
        if ((events[i].events & LOOP_WRITE) != 0)
            connection_on_writable(connection);
        if ((events[i].events & (LOOP_READ | LOOP_HANGUP)) != 0)
            connection_on_readable(connection);
    }
}

static void go_on_stopping(struct worker *worker)
{
    bool all_quiet = worker->quiet_count + 1 >= worker->server->worker_count &&
                     worker->journal.turn_count == 0; // and what was promised is on the disk
    if (!worker->said_goodbye && (all_quiet || worker->now_ms >= worker->stop_by_ms))
        say_goodbye(worker);
    bool has_work = worker->connections.first != NULL || worker->journal.asked_count > 0 ||
                    worker->journal.turn_count > 0;
    if (has_work && worker->now_ms < worker->stop_by_ms)
        return;
    while (worker->connections.first != NULL)
        connection_drop(worker->connections.first, BUD_SERVER_SHUTTING_DOWN, NULL);
    worker->stopped = true;
}

static void end_turn(struct worker *worker)
{
    journal_end_turn(&worker->journal, worker);
    // What waited for nothing is written in the next turn, which comes at once.
    held_release(worker);
    bool deaf = journal_is_behind(&worker->journal);
    if (deaf != worker->deaf) {
        worker->deaf = deaf;
        shedding_on_deaf(worker, deaf);
    }
}

// What was changed at the standstill may concern who is connected.
static void recheck(struct worker *worker)
{
    struct connection *next;
    worker->is_to_recheck = false;
    for (struct connection *connection = worker->connections.first; connection != NULL;
         connection = next) {
        next = connection->next;
        if (connection->state != CONNECTION_OPEN)
            continue;
        connection_rate_begin(connection);
        connection_recheck(connection);
    }
}

// Between two turns, holding nothing. Listeners may come and go meanwhile.
static void stand_still(struct worker *worker)
{
    worker->is_to_stand = false;
    listener_unwatch(worker);
    standstill_stand(&worker->server->standstill);
    listener_rewatch(worker);
    worker->is_to_recheck = true;
}

bool worker_turn(struct worker *worker)
{
    struct loop_event events[EVENTS_MAX];
    struct epoch *epoch = &worker->server->epoch;
    int timeout_ms = time_to_wait(worker);
    int count = loop_wait(worker->loop, timeout_ms, events, EVENTS_MAX);
    epoch_online(epoch, worker->number);
    worker->now_ms = clock_monotonic_ms();
    atomic_store_explicit(&worker->turned_ms, worker->now_ms, memory_order_relaxed);

    worker->handshake_steps = 0;
    if (worker->is_to_recheck)
        recheck(worker);
    drain_inbox(worker);
    handle_events(worker, events, count);
    read_again(worker);
    timer_wheel_advance(worker->wheel, worker->now_ms);
    run_chores(worker);
    if (worker->now_ms >= worker->checked_ms + 1000) {
        worker->checked_ms = worker->now_ms;
        shedding_check(worker);
        chunk_pool_trim(&worker->chunks, CHUNKS_KEPT);
    }
    if (worker->stop_by_ms != 0)
        go_on_stopping(worker);
    journal_write_behind(&worker->journal, worker, false);
    held_release(worker);
    journal_before_posts(&worker->journal, worker);
    // Posts leave before sockets are written: who reacts to an acknowledgement finds its effect
    // posted already.
    send_posts(worker);
    flush_dirty(worker);
    // Sending is a change too: identifiers were given. So a delivery is noted once, with its own.
    end_turn(worker);
    send_posts(worker);
    free_closed(worker);
    epoch_quiescent(epoch, worker->number);
    epoch_offline(epoch, worker->number); // between turns it holds nothing
    if (worker->is_to_stand)
        stand_still(worker);
    return !worker->stopped;
}

void worker_run(void *argument)
{
    struct worker *worker = argument;
    while (worker_turn(worker))
        ;
}

static void tell(struct worker *worker, enum post_kind kind)
{
    struct post *post = memory_new(sizeof(*post));
    post->kind = (uint8_t)kind;
    struct post_chain chain = {0};
    post_chain_add(&chain, post);
    if (inbox_append(&worker->inbox, &chain))
        loop_wake(worker->loop);
}

void worker_stop(struct worker *worker)
{
    tell(worker, POST_STOP);
}

void worker_stand(struct worker *worker)
{
    tell(worker, POST_STAND);
}
