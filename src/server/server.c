// SPDX-License-Identifier: MIT
#include "server/server.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/random.h"
#include "os/thread.h"
#include "server/listener.h"
#include "server/listener_tls.h"
#include "server/log_setup.h"
#include "server/logins.h"
#include "server/reload.h"
#include "server/worker.h"
#include "server/writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_LIMIT_MIN (INT64_C(64) << 20)

uint32_t server_home_of(const struct server *server, struct bytes client_id)
{
    return (uint32_t)(hash_bytes(server->hash_key, 1, client_id) % server->worker_count);
}

_Atomic uint32_t *server_pending_of(struct server *server, const struct net_address *peer)
{
    struct bytes host = bytes_make(peer->octets, sizeof(peer->octets));
    return &server->pending_of[hash_bytes(server->hash_key, peer->family, host) %
                               SERVER_PENDING_PLACES];
}

uint64_t server_count(const struct server *server, enum counter counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < server->worker_count; i++)
        sum += counter_read(&server->workers[i]->counters, counter);
    return sum;
}

static int64_t memory_limit(const struct options *options)
{
    if (options->memory_limit > 0)
        return (int64_t)options->memory_limit;
    int64_t quarter = (int64_t)(process_memory_bytes() / 4);
    return quarter < MEMORY_LIMIT_MIN ? MEMORY_LIMIT_MIN : quarter;
}

static void fill(struct server *server)
{
    const struct options *options = &server->options;
    options_fill_limits(options, &server->limits);
    // Until log_setup says it better.
    log_init(&server->log, (enum log_format)options->log_format,
             options->quiet > 0     ? LOG_ERROR
             : options->verbose > 0 ? LOG_DEBUG
                                    : LOG_INFO);
    random_bytes(&server->hash_key, sizeof(server->hash_key));
    server->worker_count = options->workers > 0 ? (uint32_t)options->workers : thread_core_count();
    server->budget.limit = memory_limit(options);
    server->started_ms = clock_monotonic_ms();
    standstill_init(&server->standstill);
    epoch_init(&server->epoch, server->worker_count);
    server->index = index_new(&server->epoch, server->hash_key);
    server->retained =
        retained_new(server->hash_key, (struct retained_limits){options->retained_count_max,
                                                                options->retained_bytes_max});
    uint64_t descriptors = process_raise_descriptor_limit();
    uint64_t kept = options->descriptors_reserved + 8 + 2 * server->worker_count;
    server->descriptor_count_max = descriptors > kept ? descriptors - kept : 1;
    server->workers = memory_new(server->worker_count * sizeof(struct worker *));
}

// Each line of trusted_proxies may name several.
int server_read_proxies(const struct options *options, struct net_networks *ret_networks,
                        char *error)
{
    struct net_networks some;
    const char *bad;
    *ret_networks = (struct net_networks){0};
    for (uint32_t i = 0; i < options->trusted_proxies.count; i++) {
        int result = net_networks_parse(options->trusted_proxies.texts[i], &some, &bad);
        if (result == 0 && ret_networks->count + some.count > NET_NETWORKS_MAX) {
            bad = "more than 64 networks";
            result = -EINVAL;
        }
        if (result < 0) {
            (void)snprintf(error, SERVER_ERROR_MAX,
                           "trusted_proxies: '%.80s' is no address or network such as 10.0.0.0/8",
                           bad);
            return result;
        }
        memcpy(&ret_networks->networks[ret_networks->count], some.networks,
               some.count * sizeof(some.networks[0]));
        ret_networks->count += some.count;
    }
    return 0;
}

int server_new(const struct options *options, struct server **ret_server, char *error)
{
    struct server *server = memory_new(sizeof(*server));
    server->options = *options;
    fill(server);
    int result = server_read_proxies(options, &server->trusted_proxies, error);
    if (result == 0)
        result = listeners_open(server, error);
    if (result == 0 && options->on_bound != NULL)
        result = options->on_bound(server, error);
    // Its file is then made by who has to open it again, at each reload.
    if (result == 0)
        result = log_setup(&server->log, options, error);
    for (uint32_t i = 0; result == 0 && i < server->worker_count; i++) {
        result = worker_new(server, i, &server->workers[i]);
        if (result < 0)
            (void)snprintf(error, SERVER_ERROR_MAX, "cannot start worker %u: %s", (unsigned)i,
                           strerror(-result));
    }
    // Whoever connects meanwhile waits in the backlog: nobody is let in before the sessions are
    // there.
    if (result == 0 && server->options.persistence != 0)
        result = writer_new(server, &server->writer, error);
    if (result == 0)
        listeners_open_owners(server);
    if (result == 0)
        result = listeners_start_tls(server, error);
    if (result == 0)
        result = logins_new(server, &server->logins, error);
    if (result == 0)
        result = server_make_parts(server, error);
    for (uint32_t i = 0; result == 0 && i < server->worker_count; i++) {
        result = listener_watch(server->workers[i]);
        if (result < 0)
            (void)snprintf(error, SERVER_ERROR_MAX, "cannot wait for connections: %s",
                           strerror(-result));
    }
    if (result < 0) {
        server_free(server);
        return result;
    }
    *ret_server = server;
    return 0;
}

void server_free(struct server *server)
{
    logins_stop(server->logins);
    for (uint32_t i = 0; i < server->worker_count; i++)
        if (server->workers[i] != NULL)
            worker_free(server->workers[i]);
    server_free_parts(server);
    listeners_stop_tls(server);
    listeners_free(server);
    logins_free(server->logins);
    writer_free(server->writer);
    retained_free(server->retained);
    epoch_drain(&server->epoch);
    index_free(server->index);
    ASSERT(budget_used(&server->budget) == 0);
    standstill_done(&server->standstill);
    log_done(&server->log);
    memory_free(server->workers);
    memory_free(server);
}

void server_add_chore(struct server *server, struct chore *chore)
{
    chore->next = server->chores;
    server->chores = chore;
}

int server_start(struct server *server, char *error)
{
    listeners_watch_tls(server);
    if (server->writer != NULL) {
        int result = writer_start(server->writer);
        if (result < 0) {
            (void)snprintf(error, SERVER_ERROR_MAX, "cannot start a thread: %s", strerror(-result));
            return result;
        }
    }
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct worker *worker = server->workers[i];
        char name[32];
        (void)snprintf(name, sizeof(name), "bud-worker-%u", (unsigned)i);
        int result = thread_start(&worker->thread, name, worker_run, worker);
        if (result < 0) {
            (void)snprintf(error, SERVER_ERROR_MAX, "cannot start a thread: %s", strerror(-result));
            return result;
        }
    }
    return 0;
}

void server_stop(struct server *server)
{
    for (uint32_t i = 0; i < server->worker_count; i++)
        if (server->workers[i]->thread != NULL)
            worker_stop(server->workers[i]);
    for (uint32_t i = 0; i < server->worker_count; i++)
        if (server->workers[i]->thread != NULL)
            thread_join(server->workers[i]->thread);
    if (server->writer == NULL)
        return;
    for (uint32_t i = 0; i < server->worker_count; i++)
        journal_give_rest(&server->workers[i]->journal, server->workers[i]);
    writer_stop(server->writer);
}
