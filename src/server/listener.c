// SPDX-License-Identifier: MIT
#include "server/listener.h"

#include "access/login.h"
#include "base/memory.h"
#include "os/systemd.h"
#include "server/door.h"
#include "server/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BACKLOG 4096
#define UNIX_MODE 0666 // as a port: who may come in is decided at CONNECT

// How many are accepted in one turn: connected clients' traffic goes on in between.
#define ACCEPTED_IN_A_TURN 64
#define USER_TIMEOUT_MS 60000

void listener_name(const struct listener *listener, char *text, size_t size)
{
    struct net_address address;
    char where[NET_ADDRESS_TEXT_MAX] = "closed";
    if (listener->options->path[0] != 0) {
        (void)snprintf(text, size, "%s", listener->options->path);
        return;
    }
    if (listener->fd >= 0 && net_local_address(listener->fd, &address) == 0)
        net_address_text(&address, where);
    (void)snprintf(text, size, "%s", where);
}

// In words, for an error: before there is a socket to ask.
static void describe(const struct listener_options *options, char *text, size_t size)
{
    if (options->path[0] != 0)
        (void)snprintf(text, size, "%s", options->path);
    else
        (void)snprintf(text, size, "port %u of %s", (unsigned)options->port,
                       options->address[0] == 0 ? "every interface" : options->address);
}

static const char *remedy_for(const struct listener_options *options, int cause)
{
    if (options->path[0] != 0)
        return cause == -EADDRINUSE     ? "another program listens there, or it is no socket"
               : cause == -ENAMETOOLONG ? "a Unix socket's path has at most 107 bytes"
                                        : "see the path of this listener";
    switch (cause) {
    case -EADDRINUSE:
        return "another program has this port: stop it, or choose another one with --port";
    case -EACCES: return "ports below 1024 need root: choose another one with --port";
    case -EADDRNOTAVAIL:
    case -ENOENT: return "this machine has no such address: see --bind";
    case -ENODEV: return "this machine has no such network device: see bind_interface";
    default: return "see --port and --bind";
    }
}

static int open_socket(const struct listener_options *options)
{
    static const uint8_t families[] = {[SOCKET_ANY] = 0, [SOCKET_IPV4] = 4, [SOCKET_IPV6] = 6};
    struct net_where where = {.host = options->address,
                              .device = options->interface,
                              .port = options->port,
                              .family = families[options->socket_domain]};
    return options->path[0] != 0 ? net_listen_unix(options->path, UNIX_MODE, BACKLOG)
                                 : net_listen_where(&where, BACKLOG);
}

void listener_add(struct server *server, struct listener *listener)
{
    struct listener **last = &server->listeners;
    while (*last != NULL)
        last = &(*last)->next;
    *last = listener;
    listener->next = NULL;
    listener->number = ++server->listener_count_ever;
    listener_name(listener, listener->name, sizeof(listener->name));
}

static struct listener *add(struct server *server, const struct listener_options *options, int fd)
{
    struct listener *listener = memory_new(sizeof(*listener));
    listener->options = options;
    listener->fd = fd;
    listener_add(server, listener);
    return listener;
}

static bool same_host(const struct net_address *a, const struct net_address *b)
{
    return a->family == b->family && memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

// The socket among those of systemd that this listener asks for, or -1.
static int take_inherited(const struct listener_options *options, int *sockets, int count)
{
    for (int i = 0; i < count; i++) {
        struct net_address address;
        char host[NET_ADDRESS_TEXT_MAX];
        if (sockets[i] < 0 || net_local_address(sockets[i], &address) < 0)
            continue;
        net_address_host_text(&address, host);
        bool same_port = address.family != 1 && address.port == options->port;
        bool same_place = options->address[0] == 0 || strcmp(options->address, host) == 0;
        if (options->path[0] != 0 ? address.family != 1 : !same_port || !same_place)
            continue;
        int fd = sockets[i];
        sockets[i] = -1;
        return fd;
    }
    return -1;
}

int listener_open(const struct listener_options *options, char *error)
{
    char where[320];
    int fd = open_socket(options);
    if (fd >= 0)
        return fd;
    describe(options, where, sizeof(where));
    (void)snprintf(error, SERVER_ERROR_MAX, "cannot listen on %s: %s (%s)", where, strerror(-fd),
                   remedy_for(options, fd));
    return fd;
}

static int open_one(struct server *server, const struct listener_options *options, int inherited,
                    char *error)
{
    int fd = inherited >= 0 ? inherited : listener_open(options, error);
    if (fd < 0)
        return fd;
    add(server, options, fd);
    return 0;
}

// The loopback address of IPv6 may be missing where there is no IPv6; then the other one will do.
static bool may_be_absent(const struct server *server, const struct listener_options *options,
                          int result)
{
    return server->listeners != NULL && strcmp(options->address, "::1") == 0 &&
           (result == -EADDRNOTAVAIL || result == -EAFNOSUPPORT || result == -ENOENT);
}

#define INHERITED_MAX 64

static const struct listener_options *wanted_listeners(struct server *server, uint32_t *ret_count)
{
    const struct options *options = &server->options;
    *ret_count = options->listener_count > 0 ? options->listener_count : 1;
    if (options->listener_count > 0)
        return options->listeners;
    options_fill_listener(options, &server->bare_listener);
    return &server->bare_listener;
}

int listeners_open(struct server *server, char *error)
{
    uint32_t count;
    const struct listener_options *wanted = wanted_listeners(server, &count);
    int sockets[INHERITED_MAX], first, result = 0;
    int inherited = systemd_take_sockets(&first);
    for (int i = 0; i < inherited; i++)
        sockets[i] = first + i;
    // Without a configuration whatever systemd listens on is what is wanted.
    bool only_inherited = inherited > 0 && wanted[0].file[0] == 0;
    for (uint32_t i = 0; i < count && result == 0 && !only_inherited; i++) {
        result =
            open_one(server, &wanted[i], take_inherited(&wanted[i], sockets, inherited), error);
        if (result < 0 && may_be_absent(server, &wanted[i], result))
            result = 0;
    }
    for (int i = 0; i < inherited; i++)
        if (sockets[i] >= 0)
            add(server, &wanted[0], sockets[i])->is_given = true;
    return result;
}

// Only who can open the data directory gets as far as this socket, so nothing more is asked there.
static bool fill_owners(struct server *server, char *path, size_t size)
{
    struct listener_options *options = &server->owners_listener;
    listener_options_set_defaults(options, false);
    int needed = snprintf(path, size, "%s/bud.sock", server->options.data);
    options->path = path;
    options->tls = LISTENER_TLS_NONE;
    options->allow_anonymous = ANONYMOUS_TRUE;
    return needed > 0 && (size_t)needed < size;
}

void listeners_open_owners(struct server *server)
{
    char *path = server->owners_path;
    if (server->options.persistence == 0 || server->options.data[0] == 0)
        return;
    bool fits = fill_owners(server, path, sizeof(server->owners_path));
    int fd = fits ? net_listen_unix(path, 0600, BACKLOG) : -ENAMETOOLONG;
    if (fd >= 0) {
        struct listener *listener = add(server, &server->owners_listener, fd);
        listener->is_given = listener->is_owners = true;
        return;
    }
    struct log_line line;
    log_begin(&line, &server->log, LOG_OWNERS_SOCKET);
    log_text(&line, "path", path);
    log_text(&line, "cause", strerror(-fd));
    log_end(&line);
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    net_close(listener->fd);
    listener->fd = -1;
    if (listener->options->path[0] != 0)
        net_unlink_unix(listener->options->path);
}

void listeners_free(struct server *server)
{
    while (server->listeners != NULL) {
        struct listener *listener = server->listeners;
        server->listeners = listener->next;
        listener_close(listener);
        login_gate_unref(listener->gate);
        memory_free(listener);
    }
}

// Both are aligned, so the lowest bit is free to tell them apart.
void *listener_owner(struct listener *listener)
{
    return (char *)listener + 1;
}

struct listener *listener_of_owner(void *owner)
{
    return ((uintptr_t)owner & 1) == 0 ? NULL : (struct listener *)(void *)((char *)owner - 1);
}

// Those before `end`.
static void unwatch_until(struct worker *worker, const struct listener *end)
{
    for (struct listener *listener = worker->server->listeners; listener != end;
         listener = listener->next)
        if (listener->fd >= 0)
            loop_unwatch(worker->loop, listener->fd);
    worker->listening = false;
}

int listener_watch(struct worker *worker)
{
    for (struct listener *listener = worker->server->listeners; listener != NULL;
         listener = listener->next) {
        int error = listener->fd < 0
                        ? 0
                        : loop_watch(worker->loop, listener->fd, LOOP_READ | LOOP_EXCLUSIVE,
                                     listener_owner(listener));
        if (error < 0) {
            unwatch_until(worker, listener);
            return error;
        }
    }
    worker->listening = true;
    return 0;
}

void listener_unwatch(struct worker *worker)
{
    if (worker->listening)
        unwatch_until(worker, NULL);
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

static bool is_too_many(const struct server *server)
{
    return atomic_load_explicit(&server->pending_count, memory_order_relaxed) >
           server->options.pending_max;
}

static bool is_too_many_of(struct server *server, const struct net_address *peer)
{
    return !net_address_is_loopback(peer) &&
           atomic_load_explicit(server_pending_of(server, peer), memory_order_relaxed) >
               server->options.pending_address_max;
}

// This worker's that has waited longest; with an address: of that one. The list is newest first.
static struct connection *oldest_pending(const struct worker *worker,
                                         const struct net_address *peer)
{
    struct connection *oldest = NULL;
    for (struct connection *connection = worker->pending.first; connection != NULL;
         connection = connection->next)
        if (peer == NULL || same_host(&connection->peer, peer))
            oldest = connection;
    return oldest;
}

void listener_limit_pending(struct worker *worker, const struct net_address *peer)
{
    if (is_too_many_of(worker->server, peer)) {
        counter_add(&worker->counters, COUNTER_REFUSED_PENDING_ADDRESS, 1);
        connection_drop(oldest_pending(worker, peer), BUD_CONNECTION_RATE_EXCEEDED,
                        "too many connections without CONNECT from this address");
    } else if (is_too_many(worker->server)) {
        counter_add(&worker->counters, COUNTER_REFUSED_PENDING, 1);
        connection_drop(oldest_pending(worker, NULL), BUD_CONNECTION_RATE_EXCEEDED,
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

// Will it still say whose connection it is?
static bool is_proxy(const struct server *server, const struct listener *listener,
                     const struct net_address *peer)
{
    return listener->options->proxy_protocol != 0 ||
           net_networks_have(&server->trusted_proxies, peer);
}

void listener_on_readable(struct worker *worker, struct listener *listener)
{
    for (int i = 0; i < ACCEPTED_IN_A_TURN && worker->listening; i++) {
        if (!has_room(worker)) {
            pause_accepting(worker);
            return;
        }
        struct net_address peer;
        int fd = net_accept(listener->fd, USER_TIMEOUT_MS, &peer);
        if (fd == -EAGAIN || fd == -ECONNABORTED)
            return;
        if (fd < 0) {
            accept_failed(worker, fd);
            return;
        }
        counter_add(&worker->counters, COUNTER_SOCKETS_ACCEPTED, 1);
        struct connection *connection = connection_try_new(worker, listener, fd, &peer);
        if (connection == NULL) {
            counter_add(&worker->counters, COUNTER_REFUSED_MEMORY, 1);
            net_close_reset(fd);
            continue;
        }
        if (door_let_in(connection, !is_proxy(worker->server, listener, &peer)))
            listener_limit_pending(worker, &peer);
    }
}
