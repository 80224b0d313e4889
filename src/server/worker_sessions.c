// SPDX-License-Identifier: MIT
// The sessions whose home a worker is: found, made, put to rest, ended.
#include "core/will.h"
#include "server/worker.h"

#include <stddef.h>

static struct session *session_of(struct timer *timer)
{
    return (struct session *)(void *)((char *)timer - offsetof(struct session, timer));
}

static struct worker *worker_of(const struct session *session)
{
    return session->router->ports->context;
}

// When does an offline session need care next? Its delayed will, or its end.
static int64_t due_ms(const struct session *session)
{
    int64_t end_ms = session->expiry_interval == SESSION_NEVER_EXPIRES
                         ? INT64_MAX
                         : session->detached_ms + (int64_t)session->expiry_interval * 1000;
    return session->will_due_ms != 0 && session->will_due_ms < end_ms ? session->will_due_ms
                                                                      : end_ms;
}

static void on_timer(struct timer *timer)
{
    struct session *session = session_of(timer);
    struct worker *worker = worker_of(session);
    if (session->will_due_ms != 0 && session->will_due_ms <= worker->now_ms) {
        will_publish(session, worker->now_ms);
        worker_session_offline(worker, session);
        return;
    }
    counter_add(&worker->counters, COUNTER_SESSIONS_EXPIRED, 1);
    struct log_line line;
    log_begin(&line, &worker->server->log, LOG_SESSION_EXPIRED);
    log_bytes(&line, "client", session->client_id);
    log_number(&line, "offline_s", (uint64_t)(worker->now_ms - session->detached_ms) / 1000);
    log_number(&line, "queued", session_queued_count(session));
    log_end(&line);
    worker_end_session(worker, session);
}

// Timers are looked at when a turn has read its sockets. Whoever comes back in the very turn in
// which the session's time is up (the first one after a start, say) is too late all the same.
struct session *worker_find_session(struct worker *worker, struct bytes client_id)
{
    struct session *session = map_find(&worker->sessions, client_id);
    while (session != NULL && timer_is_set(&session->timer) &&
           session->timer.deadline_ms <= worker->now_ms) {
        timer_cancel(worker->wheel, &session->timer);
        on_timer(&session->timer);
        session = map_find(&worker->sessions, client_id);
    }
    return session;
}

void worker_session_offline(struct worker *worker, struct session *session)
{
    int64_t due = due_ms(session);
    if (due <= session->detached_ms) {
        worker_end_session(worker, session);
        return;
    }
    session->timer.fire = on_timer;
    if (due != INT64_MAX)
        timer_set(worker->wheel, &session->timer, due);
}

struct session *worker_try_new_session(struct worker *worker, struct principal *principal)
{
    uint64_t number = 1 + atomic_fetch_add_explicit(&worker->server->next_session_number, 1,
                                                    memory_order_relaxed);
    return worker_try_restore_session(worker, number, principal);
}

void worker_session_loaded(struct worker *worker, struct session *session)
{
    int64_t due = due_ms(session);
    session->timer.fire = on_timer;
    if (due != INT64_MAX)
        timer_set(worker->wheel, &session->timer, due);
}

struct session *worker_try_restore_session(struct worker *worker, uint64_t number,
                                           struct principal *principal)
{
    struct server *server = worker->server;
    struct session *session = session_try_new(&worker->router, number, principal);
    if (session == NULL)
        return NULL;
    session->created_ms = worker->now_ms;
    if (!map_try_put(&worker->sessions, session)) {
        session_free(session);
        return NULL;
    }
    atomic_fetch_add_explicit(&server->session_count, 1, memory_order_relaxed);
    return session;
}

void worker_end_session(struct worker *worker, struct session *session)
{
    // A will that still waits for its delay is due when the session ends [MQTT-3.1.3-9].
    if (worker->stop_by_ms == 0)
        will_publish(session, worker->now_ms);
    else
        session->will_stored =
            false; // stays in the store: after the restart it is seen who comes back
    timer_cancel(worker->wheel, &session->timer);
    map_remove(&worker->sessions, session->client_id);
    atomic_fetch_sub_explicit(&worker->server->session_count, 1, memory_order_relaxed);
    session_free(session);
}
