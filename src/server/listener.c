// SPDX-License-Identifier: MIT
#include "server/listener.h"

#include "server/worker.h"

#include <errno.h>
#include <string.h>

// How many are accepted in one turn: connected clients' traffic goes on in between.
#define ACCEPTED_IN_A_TURN 64
#define USER_TIMEOUT_MS 60000

int listener_watch(struct worker *worker)
{
    if (worker->server->listener < 0)
        return 0;
    int error =
        loop_watch(worker->loop, worker->server->listener, LOOP_READ | LOOP_EXCLUSIVE, worker);
    worker->listening = error == 0;
    return error;
}

void listener_unwatch(struct worker *worker)
{
    if (worker->listening)
        loop_unwatch(worker->loop, worker->server->listener);
    worker->listening = false;
}

static bool has_room(const struct worker *worker)
{
    return atomic_load_explicit(&worker->server->connection_count, memory_order_relaxed) <
           worker->server->descriptor_count_max;
}

void listener_rewatch(struct worker *worker)
{
    if (!worker->listening && worker->stop_by_ms == 0 && has_room(worker))
        (void)listener_watch(worker); // without memory for it now, the next close tries again
}

static void pause_accepting(struct worker *worker)
{
    counter_add(&worker->counters, COUNTER_REFUSED_DESCRIPTORS, 1);
    struct log_line line;
    log_begin(&line, &worker->server->log, LOG_DESCRIPTORS);
    log_number(&line, "connections",
               atomic_load_explicit(&worker->server->connection_count, memory_order_relaxed));
    log_end(&line);
    listener_unwatch(worker);
}

static bool same_host(const struct net_address *a, const struct net_address *b)
{
    return a->family == b->family && memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

// This worker's part of max_pending_connections: at least one, or nobody could come in.
static uint64_t pending_max(const struct worker *worker)
{
    uint64_t part = worker->server->options.pending_max / worker->server->worker_count;
    return part > 0 ? part : 1;
}

// Makes room among those that have not sent CONNECT: the oldest goes first. The list is newest
// first.
static void limit_pending(struct worker *worker, const struct net_address *peer)
{
    const struct options *options = &worker->server->options;
    struct connection *oldest = NULL, *oldest_of_address = NULL;
    uint64_t of_address = 0;
    for (struct connection *connection = worker->pending.first; connection != NULL;
         connection = connection->next) {
        oldest = connection;
        if (same_host(&connection->peer, peer)) {
            of_address++;
            oldest_of_address = connection;
        }
    }
    if (!net_address_is_loopback(peer) && of_address > options->pending_address_max) {
        counter_add(&worker->counters, COUNTER_REFUSED_PENDING_ADDRESS, 1);
        connection_drop(oldest_of_address, BUD_CONNECTION_RATE_EXCEEDED,
                        "too many connections without CONNECT from this address");
    } else if (worker->pending.count > pending_max(worker)) {
        counter_add(&worker->counters, COUNTER_REFUSED_PENDING, 1);
        connection_drop(oldest, BUD_CONNECTION_RATE_EXCEEDED,
                        "too many connections without CONNECT");
    }
}

static void accept_failed(struct worker *worker, int error)
{
    if (error == -EMFILE || error == -ENFILE) {
        pause_accepting(worker);
        return;
    }
    struct log_line line;
    log_begin(&line, &worker->server->log, LOG_ACCEPT_FAILED);
    log_text(&line, "cause", strerror(-error));
    log_end(&line);
}

void listener_on_readable(struct worker *worker)
{
    for (int i = 0; i < ACCEPTED_IN_A_TURN && worker->listening; i++) {
        if (!has_room(worker)) {
            pause_accepting(worker);
            return;
        }
        struct net_address peer;
        int fd = net_accept(worker->server->listener, USER_TIMEOUT_MS, &peer);
        if (fd == -EAGAIN || fd == -ECONNABORTED)
            return;
        if (fd < 0) {
            accept_failed(worker, fd);
            return;
        }
        counter_add(&worker->counters, COUNTER_SOCKETS_ACCEPTED, 1);
        if (connection_try_new(worker, fd, &peer) == NULL) {
            counter_add(&worker->counters, COUNTER_REFUSED_MEMORY, 1);
            net_close_reset(fd);
            continue;
        }
        limit_pending(worker, &peer);
    }
}
