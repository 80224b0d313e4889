// SPDX-License-Identifier: MIT
#include "server/connection_rate.h"

#include "base/memory.h"
#include "server/door.h"
#include "server/listener.h"
#include "server/worker.h"

#include <stddef.h>

struct connection_rate {
    struct timer timer;
    struct connection *connection;
    struct rate *client, *user, *listener; // NULL: no limit
    bool is_told;
    bool is_to_refuse; // when the time is over
};

static void on_timer(struct timer *timer)
{
    struct connection_rate *rate =
        (struct connection_rate *)(void *)((char *)timer - offsetof(struct connection_rate, timer));
    struct connection *connection = rate->connection;
    if (!rate->is_to_refuse) {
        connection_go_on(connection);
        return;
    }
    enum bud_reason reason = connection->reason;
    const char *why = connection->why;
    connection_send_connack(connection, &(struct packet_connack){.reason = reason});
    connection_end(connection, reason, why);
}

static struct connection_rate *try_rate(struct connection *connection)
{
    if (connection->rate != NULL)
        return connection->rate;
    struct connection_rate *rate = memory_try_new(sizeof(*rate));
    if (rate == NULL)
        return NULL;
    rate->timer.fire = on_timer;
    rate->connection = connection;
    connection->rate = rate;
    return rate;
}

// What it has already follows its table's limits.
static void take(struct rate_table *table, struct bytes name, int64_t now_ms,
                 struct rate **ret_rate)
{
    struct rate_limits limits = rate_table_limits(table);
    if (*ret_rate == NULL && rate_limits_any(&limits))
        *ret_rate = rate_try_take(table, name, now_ms);
}

static bool any_limits(const struct options *options)
{
    return options->client_publish_rate > 0 || options->client_byte_rate > 0 ||
           options->user_publish_rate > 0 || options->user_byte_rate > 0 ||
           options->listener_publish_rate > 0 || options->listener_byte_rate > 0;
}

void connection_rate_begin(struct connection *connection)
{
    struct worker *worker = connection->worker;
    const struct door *door = worker->server->door;
    if (door == NULL || connection->listener == NULL || !any_limits(&worker->server->options))
        return;
    struct connection_rate *rate = try_rate(connection);
    if (rate == NULL)
        return;
    const struct principal *principal = connection->session->principal;
    uint32_t number = connection->listener->number;
    take(door->clients, principal_client_id(principal), worker->now_ms, &rate->client);
    if (principal->has_user)
        take(door->users, principal_user(principal), worker->now_ms, &rate->user);
    take(door->listeners, bytes_make(&number, sizeof(number)), worker->now_ms, &rate->listener);
}

// Once for each connection, and while it is slow it is counted.
static void tell(struct connection *connection, const char *limit)
{
    struct worker *worker = connection->worker;
    counter_add(&worker->counters, COUNTER_SLOWED_DOWN, 1);
    if (connection->rate->is_told)
        return;
    connection->rate->is_told = true;
    struct log_line line;
    log_begin(&line, &worker->server->log, LOG_SLOWED_DOWN);
    log_bytes(&line, "client", connection->session->client_id);
    log_text(&line, "limit", limit);
    log_end(&line);
}

void connection_rate_charge(struct connection *connection, uint64_t publishes, uint64_t bytes)
{
    struct connection_rate *rate = connection->rate;
    if (rate == NULL || connection->state != CONNECTION_OPEN)
        return;
    const struct {
        struct rate *rate;
        const char *name;
    } limits[] = {
        {rate->client, "of one client (max_client_publish_rate, max_client_byte_rate)"},
        {rate->user, "of one user (max_user_publish_rate, max_user_byte_rate)"},
        {rate->listener, "of one listener (max_listener_publish_rate, max_listener_byte_rate)"},
    };
    int64_t longest_ms = 0;
    const char *limit = NULL;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        int64_t wait_ms = limits[i].rate == NULL ? 0
                                                 : rate_charge(limits[i].rate, publishes, bytes,
                                                               connection->worker->now_ms);
        if (wait_ms > longest_ms) {
            longest_ms = wait_ms;
            limit = limits[i].name;
        }
    }
    if (longest_ms == 0)
        return;
    tell(connection, limit);
    connection_rate_hold(connection, longest_ms);
}

void connection_rate_hold(struct connection *connection, int64_t wait_ms)
{
    struct connection_rate *rate = try_rate(connection);
    if (rate == NULL)
        return;
    timer_set(connection->worker->wheel, &rate->timer, connection->worker->now_ms + wait_ms);
    connection_set_waiting(connection, true);
}

void connection_refuse_later(struct connection *connection, enum bud_reason reason, const char *why,
                             int64_t wait_ms)
{
    connection_rate_hold(connection, wait_ms);
    connection->reason = reason;
    connection->why = why;
    if (connection->is_waiting) {
        connection->rate->is_to_refuse = true;
        return;
    }
    connection_send_connack(connection, &(struct packet_connack){.reason = reason});
    connection_end(connection, reason, why);
}

void connection_rate_hung_up(struct connection *connection)
{
    if (connection->rate != NULL && connection->rate->is_to_refuse) {
        connection_drop(connection, connection->reason, connection->why);
        return;
    }
    connection_go_on(connection);
    if (connection->state != CONNECTION_CLOSED && !connection->is_waiting)
        connection_on_readable(connection);
}

void connection_rate_stop(struct connection *connection)
{
    if (connection->rate != NULL)
        timer_cancel(connection->worker->wheel, &connection->rate->timer);
    connection_set_waiting(connection, false);
}

void connection_rate_done(struct connection *connection)
{
    struct connection_rate *rate = connection->rate;
    struct door *door = connection->worker->server->door;
    if (rate == NULL)
        return;
    timer_cancel(connection->worker->wheel, &rate->timer);
    if (door != NULL) {
        rate_give(door->clients, rate->client);
        rate_give(door->users, rate->user);
        rate_give(door->listeners, rate->listener);
    }
    memory_free(rate);
    connection->rate = NULL;
}
