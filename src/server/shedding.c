// SPDX-License-Identifier: MIT
#include "server/shedding.h"

#include "server/listener.h"
#include "server/worker.h"
#include "server/writer.h"

#define CHECKS_APART_MS 2500 // two checks, and some

static void close_stalled(struct worker *worker)
{
    int64_t limit_ms = (int64_t)worker->server->options.stalled_output_s * 1000;
    struct connection *next;
    for (struct connection *connection = worker->connections.first;
         connection != NULL && worker->blocked_count > 0; connection = next) {
        next = connection->next;
        if (!connection->wants_write || worker->now_ms - connection->progress_ms < limit_ms)
            continue;
        counter_add(&worker->counters, COUNTER_REFUSED_SLOW, 1);
        connection_drop(connection, BUD_UNSPECIFIED_ERROR,
                        "the client reads nothing (stalled_output_timeout)");
    }
}

static void pause_publishers(struct worker *worker, bool paused)
{
    for (struct connection *connection = worker->connections.first; connection != NULL;
         connection = connection->next)
        if (connection->has_published)
            connection_set_paused(connection, paused);
}

static uint64_t waiting_bytes(const struct connection *connection)
{
    const struct session *session = connection->session;
    return connection->output.size + (session == NULL ? 0 : session->fleeting.bytes);
}

// The order is one for all workers: before somebody who does nothing wrong is closed, each worker
// has had the time of a whole check to find somebody slow.
static bool may_close_healthy(struct worker *worker)
{
    int64_t slow_ms = atomic_load_explicit(&worker->server->slow_shed_ms, memory_order_relaxed);
    return worker->short_checks > 2 && worker->now_ms - slow_ms > CHECKS_APART_MS;
}

// Slow and not durable, with most waiting; else a newcomer, and then the one that published most.
static struct connection *choose(struct worker *worker)
{
    struct connection *slowest = NULL, *loudest = NULL;
    for (struct connection *connection = worker->connections.first; connection != NULL;
         connection = connection->next) {
        if (connection->session == NULL)
            continue;
        if (!session_is_durable(connection->session) && waiting_bytes(connection) > 0 &&
            (slowest == NULL || waiting_bytes(connection) > waiting_bytes(slowest)))
            slowest = connection;
        bool keeps_up = waiting_bytes(connection) == 0;
        if (connection->messages_received > 0 &&
            !(keeps_up && session_is_durable(connection->session)) &&
            (loudest == NULL || connection->messages_received > loudest->messages_received))
            loudest = connection;
    }
    if (slowest != NULL) {
        atomic_store_explicit(&worker->server->slow_shed_ms, worker->now_ms, memory_order_relaxed);
        return slowest;
    }
    if (!may_close_healthy(worker))
        return NULL;
    return worker->pending.first != NULL ? worker->pending.first : loudest;
}

static void shed_one(struct worker *worker)
{
    struct connection *connection = choose(worker);
    if (connection == NULL)
        return;
    struct log_line line;
    log_begin(&line, &worker->server->log, LOG_MEMORY_SHED);
    if (connection->session != NULL)
        log_bytes(&line, "client", connection->session->client_id);
    log_number(&line, "waiting_bytes", waiting_bytes(connection));
    log_number(&line, "memory_used", (uint64_t)budget_used(&worker->server->budget));
    log_end(&line);
    counter_add(&worker->counters, COUNTER_SHED_CLOSED, 1);
    // Who still reads is told; what waits for one who does not is the memory that is wanted.
    const char *why = "closed to make room (memory_limit)";
    if (connection->state == CONNECTION_OPEN && waiting_bytes(connection) == 0)
        connection_end(connection, BUD_QUOTA_EXCEEDED, why);
    else
        connection_drop(connection, BUD_QUOTA_EXCEEDED, why);
}

static void say_memory_is_short(struct worker *worker, int64_t used)
{
    struct log_line line;
    log_begin(&line, &worker->server->log, LOG_MEMORY_SHORT);
    log_number(&line, "memory_used", (uint64_t)used);
    log_number(&line, "memory_limit", (uint64_t)worker->server->budget.limit);
    log_end(&line);
}

void shedding_check(struct worker *worker)
{
    struct server *server = worker->server;
    int64_t used = budget_used(&server->budget);
    bool is_short = used > server->budget.limit / 10 * 7;
    bool was_short =
        atomic_exchange_explicit(&server->memory_short, is_short, memory_order_relaxed);
    if (is_short && !was_short)
        say_memory_is_short(worker, used);
    worker->publishers_paused = is_short && !worker->publishers_paused;
    bool is_low = writer_is_low(server->writer);
    if (is_short || worker->was_short || (worker->was_low && !is_low))
        pause_publishers(worker, worker->publishers_paused || worker->deaf);
    worker->was_short = is_short;
    worker->was_low = is_low;
    bool is_very_short = used > server->budget.limit / 100 * 85;
    worker->short_checks = is_very_short ? worker->short_checks + 1 : 0;
    if (is_very_short)
        shed_one(worker);
    close_stalled(worker);
    listener_rewatch(worker);
}

void shedding_on_deaf(struct worker *worker, bool deaf)
{
    pause_publishers(worker, deaf || worker->publishers_paused);
}
