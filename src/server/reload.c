// SPDX-License-Identifier: MIT
#include "server/reload.h"

#include "base/memory.h"
#include "os/net.h"
#include "server/access_rules.h"
#include "server/door.h"
#include "server/listener.h"
#include "server/listener_tls.h"
#include "server/logins.h"
#include "server/worker.h"
#include "transport/tls_context.h"

#include <errno.h>
#include <string.h>

#define PARTS_MAX 8

const struct reload_part *const reload_parts[] = {&door_part, &access_rules_part, &gates_part,
                                                  NULL};

void server_at_standstill(struct server *server, void (*change)(void *context), void *context)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < server->worker_count; i++) {
        if (server->workers[i]->thread == NULL)
            continue; // the simulator's, or not started yet
        worker_stand(server->workers[i]);
        running++;
    }
    standstill_wait(&server->standstill, running);
    change(context);
    standstill_end(&server->standstill);
}

// What a reload has made so far.
struct plan {
    struct server *server;
    const struct options *options;
    struct net_networks trusted_proxies;
    struct listener *fresh;          // not among the server's yet
    struct listener_change *changes; // of those that stay
    const struct reload_part *const *parts;
    void *made[PARTS_MAX];
};

struct listener_change {
    struct listener *listener;
    const struct listener_options *options; // NULL: it goes
    struct tls_context *tls;
};

static uint32_t listener_count(const struct server *server)
{
    uint32_t count = 0;
    for (const struct listener *listener = server->listeners; listener != NULL;
         listener = listener->next)
        count++;
    return count;
}

static bool is_same_place(const struct listener_options *a, const struct listener_options *b)
{
    if (a->path[0] != 0 || b->path[0] != 0)
        return strcmp(a->path, b->path) == 0;
    return a->port == b->port && a->socket_domain == b->socket_domain &&
           strcmp(a->address, b->address) == 0 && strcmp(a->interface, b->interface) == 0;
}

static struct listener_change *change_in_place(struct plan *plan,
                                               const struct listener_options *options)
{
    uint32_t count = listener_count(plan->server);
    for (uint32_t i = 0; i < count; i++) {
        struct listener_change *change = &plan->changes[i];
        if (change->listener->fd >= 0 && change->options == NULL &&
            is_same_place(change->listener->options, options))
            return change;
    }
    return NULL;
}

static int plan_listener(struct plan *plan, const struct listener_options *options, char *error)
{
    struct listener_change *change = change_in_place(plan, options);
    struct tls_context *tls = listener_tls_new(plan->server, options, error);
    if (tls == NULL && error[0] != 0)
        return -EINVAL;
    if (change != NULL) {
        change->options = options;
        change->tls = tls;
        return 0;
    }
    int fd = listener_open(options, error);
    if (fd < 0) {
        tls_context_unref(tls);
        return fd;
    }
    struct listener *listener = memory_new(sizeof(*listener));
    *listener = (struct listener){.options = options, .fd = fd, .tls = tls, .next = plan->fresh};
    plan->fresh = listener;
    return 0;
}

static int plan_listeners(struct plan *plan, char *error)
{
    struct server *server = plan->server;
    uint32_t place = 0;
    plan->changes = memory_new((listener_count(server) + 1) * sizeof(plan->changes[0]));
    for (struct listener *listener = server->listeners; listener != NULL; listener = listener->next)
        plan->changes[place++].listener = listener;
    for (uint32_t i = 0; i < plan->options->listener_count; i++) {
        int result = plan_listener(plan, &plan->options->listeners[i], error);
        if (result < 0)
            return result;
    }
    // Sockets that were handed over, or are the owner's own, are in no configuration.
    for (uint32_t i = 0; i < place; i++)
        if (plan->changes[i].options == NULL && plan->changes[i].listener->is_given)
            plan->changes[i].options = plan->changes[i].listener->options;
    return 0;
}

static int plan_parts(struct plan *plan, char *error)
{
    for (uint32_t i = 0; plan->parts[i] != NULL; i++) {
        ASSERT(i < PARTS_MAX);
        int result = plan->parts[i]->make(plan->server, plan->options, &plan->made[i], error);
        if (result < 0)
            return result;
    }
    return 0;
}

// What is in the plan now is of no use to anybody: the new that was not taken on, or the old.
static void plan_done(struct plan *plan)
{
    uint32_t count = plan->changes == NULL ? 0 : listener_count(plan->server);
    for (uint32_t i = 0; i < count && plan->changes[i].listener != NULL; i++)
        tls_context_unref(plan->changes[i].tls);
    memory_free(plan->changes);
    while (plan->fresh != NULL) {
        struct listener *listener = plan->fresh;
        plan->fresh = listener->next;
        listener_close(listener);
        tls_context_unref(listener->tls);
        memory_free(listener);
    }
    for (uint32_t i = 0; plan->parts[i] != NULL; i++)
        if (plan->made[i] != NULL)
            plan->parts[i]->free(plan->server, plan->made[i]);
}

static void swap_listener(struct server *server, struct listener_change *change)
{
    struct listener *listener = change->listener;
    if (change->options == NULL) {
        listener_close(listener);
        return;
    }
    if (listener->is_given)
        return;
    struct tls_context *before = listener->tls;
    listener->options = change->options;
    listener->tls = change->tls;
    change->tls = before;
    listener_note_tls(server, listener);
}

static void swap_listeners(struct plan *plan)
{
    struct server *server = plan->server;
    uint32_t count = listener_count(server);
    for (uint32_t i = 0; i < count; i++)
        swap_listener(server, &plan->changes[i]);
    while (plan->fresh != NULL) {
        struct listener *listener = plan->fresh;
        plan->fresh = listener->next;
        listener_add(server, listener);
        listener_note_tls(server, listener);
    }
}

static void swap(void *context)
{
    struct plan *plan = context;
    struct server *server = plan->server;
    options_take_on(&server->options, plan->options);
    options_fill_limits(&server->options, &server->limits);
    server->trusted_proxies = plan->trusted_proxies;
    swap_listeners(plan);
    for (uint32_t i = 0; plan->parts[i] != NULL; i++)
        plan->parts[i]->swap(server, &plan->made[i]);
}

int server_reload(struct server *server, const struct options *options, char *error)
{
    struct plan plan = {.server = server, .options = options, .parts = reload_parts};
    uint32_t before = listener_count(server);
    int result = server_read_proxies(options, &plan.trusted_proxies, error);
    if (result == 0)
        result = plan_listeners(&plan, error);
    if (result == 0)
        result = plan_parts(&plan, error);
    if (result == 0)
        server_at_standstill(server, swap, &plan);
    // The changes are of those that were there before: a new one is behind them.
    if (plan.changes != NULL)
        plan.changes[before].listener = NULL;
    plan_done(&plan);
    return result;
}

// ---- the parts, at start and at the end ----

int server_make_parts(struct server *server, char *error)
{
    for (uint32_t i = 0; reload_parts[i] != NULL; i++) {
        void *made = NULL;
        int result = reload_parts[i]->make(server, &server->options, &made, error);
        if (result < 0)
            return result;
        reload_parts[i]->swap(server, &made);
        ASSERT(made == NULL);
    }
    return 0;
}

void server_free_parts(struct server *server)
{
    uint32_t count = 0;
    while (reload_parts[count] != NULL)
        count++;
    while (count-- > 0) {
        void *nothing = NULL;
        reload_parts[count]->swap(server, &nothing);
        if (nothing != NULL)
            reload_parts[count]->free(server, nothing);
    }
}

// ---- watched files ----

void server_add_watch(struct server *server, struct file_watch *watch)
{
    watch->next = server->watches;
    server->watches = watch;
}

void server_look_at_files(struct server *server)
{
    for (struct file_watch *watch = server->watches; watch != NULL; watch = watch->next)
        watch->look(watch, server);
}
