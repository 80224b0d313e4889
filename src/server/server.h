// SPDX-License-Identifier: MIT
// The broker: what all workers share. Made before the first worker starts, freed after the last one
// ended.
#ifndef BUD_SERVER_SERVER_H
#define BUD_SERVER_SERVER_H

#include "base/epoch.h"
#include "base/standstill.h"
#include "core/budget.h"
#include "core/counters.h"
#include "core/index.h"
#include "core/ports.h"
#include "core/retained.h"
#include "os/net_network.h"
#include "server/auth.h"
#include "server/listener_options.h"
#include "server/log.h"
#include "server/options.h"
#include "transport/certificate.h"

#define SERVER_ERROR_MAX 640
#define SERVER_PENDING_PLACES 4096u

struct access_rules;
struct door;
struct http_handler;
struct ticket_keys;
struct listener;
struct logins;
struct server;
struct worker;
struct writer_thread;

// Something that is done by worker 0 at regular times: $SYS, for one. Optional parts register
// themselves.
struct chore {
    struct chore *next;
    int64_t interval_ms;
    int64_t due_ms;
    void (*run)(struct chore *chore, struct worker *worker, int64_t now_ms);
};

// A file that is read again when it changes: certificates, our own users. See server/reload.h.
struct file_watch {
    struct file_watch *next;
    // Looks whether it has changed, and if so takes the new contents on (server_at_standstill), or
    // says in the log why not and keeps the old.
    void (*look)(struct file_watch *watch, struct server *server);
};

struct server {
    struct options options;
    struct limits limits;
    struct log log;
    struct auth auth;
    struct access_port access;
    struct access_rules *access_rules; // behind it
    struct door *door;                 // bans and rates
    struct hash_key hash_key;
    struct epoch epoch;
    struct index *index;
    struct retained *retained;
    struct budget budget;
    struct worker **workers;
    uint32_t worker_count;
    struct listener *listeners;
    struct listener_options owners_listener; // of the socket in the data directory
    char owners_path[108];
    struct listener_options bare_listener; // without a configuration
    uint32_t listener_count_ever;
    struct writer_thread *writer;    // NULL without persistence
    const struct http_handler *http; // NULL: nothing but WebSocket
    struct net_networks trusted_proxies;
    struct logins *logins;
    struct chore *chores;
    struct ticket_keys *ticket_keys;                // NULL: nobody speaks TLS
    char fingerprint[CERTIFICATE_FINGERPRINT_SIZE]; // of our own certificate; "" none is used
    struct file_watch tls_watch;
    struct file_watch *watches;
    struct standstill standstill;
    int64_t started_ms;
    _Atomic uint64_t next_session_number;
    _Atomic uint64_t connection_count; // accepted sockets now open
    _Atomic uint64_t client_count;     // with an accepted CONNECT
    _Atomic uint64_t session_count;
    // Connections without an accepted CONNECT: all, and by a hash of the address. Addresses that
    // fall together share their limit.
    _Atomic uint64_t pending_count;
    _Atomic uint32_t pending_of[SERVER_PENDING_PLACES];
    _Atomic bool memory_short;    // beyond 70 % of the budget
    _Atomic int64_t slow_shed_ms; // when a slow client was last closed to make room
    uint64_t descriptor_count_max;
};

// 0 or -errno with a sentence in `error` (of SERVER_ERROR_MAX bytes). `options` is copied.
int server_new(const struct options *options, struct server **ret_server, char *error);
void server_free(struct server *server);

void server_add_chore(struct server *server,
                      struct chore *chore); // before server_start; the chore stays the caller's

int server_start(struct server *server, char *error); // starts the workers' threads; 0 or -errno
void server_stop(struct server *server); // says goodbye to all clients, waits for the workers

uint64_t server_count(const struct server *server, enum counter counter); // over all workers
int server_read_proxies(const struct options *options, struct net_networks *ret_networks,
                        char *error); // trusted_proxies; 0 or -EINVAL
_Atomic uint32_t *server_pending_of(struct server *server, const struct net_address *peer);
uint32_t server_home_of(const struct server *server, struct bytes client_id);

#endif
