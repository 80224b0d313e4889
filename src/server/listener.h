// SPDX-License-Identifier: MIT
// Where connections come from: listening sockets, each watched by every worker; whoever is free
// accepts. Without file descriptors, or with too many connections waiting, accepting stops until
// something closes: no spinning. A listener that a reload removes is closed at once and freed with
// the broker: connections that came by it still point to it.
#ifndef BUD_SERVER_LISTENER_H
#define BUD_SERVER_LISTENER_H

#include "server/listener_options.h"

#include <stdatomic.h>
#include <stddef.h>

struct worker;
struct server;
struct connection;
struct tls_context;
struct login_gate;

struct listener {
    struct listener *next;
    const struct listener_options *options;
    uint32_t number; // from 1, and never given again: whose rules hold for who comes in by it
    int fd;          // -1: closed
    char name[192];  // see listener_name; stays when it is closed
    struct tls_context *tls; // NULL: none
    struct login_gate *gate; // whom logins by it are checked against
    bool is_given;           // its socket is not from the configuration: no reload closes it
    bool is_owners; // the socket in the data directory: only the owner of the broker can open it
    uint64_t tls_state;            // of its files, when they were read
    int64_t tls_judged_ms;         // when its certificate was looked at last
    _Atomic uint64_t client_count; // with an accepted CONNECT
};

// Opens every listener of the options and those that systemd handed over. 0, or -errno with a
// sentence in `error` (SERVER_ERROR_MAX bytes).
int listeners_open(struct server *server, char *error);
void listeners_free(struct server *server);

// The owner's own way in: a Unix socket `bud.sock` in the data directory, for its user alone. When
// it cannot be made, that is logged: commands for a running broker will not find it.
void listeners_open_owners(struct server *server);

// For a reload: a socket for these options, or -errno with a sentence in `error`; a listener that
// is made joins the others; the socket (and the file of a Unix socket) goes.
int listener_open(const struct listener_options *options, char *error);
void listener_add(struct server *server, struct listener *listener);
void listener_close(struct listener *listener);

// "127.0.0.1:1883", "[::]:8883", "/run/bud.sock"; at least NET_ADDRESS_TEXT_MAX + 108 bytes.
void listener_name(const struct listener *listener, char *text, size_t size);

int listener_watch(struct worker *worker); // all of them; 0 or -errno
void listener_unwatch(struct worker *worker);
void listener_rewatch(struct worker *worker); // after a pause, if there is room again

// Makes room among those that have not sent CONNECT, after one more of `peer` (which is among them)
// came: the oldest of this worker goes first.
struct net_address;
void listener_limit_pending(struct worker *worker, const struct net_address *peer);

// What the loop gives back for a listener, told apart from a connection.
void *listener_owner(struct listener *listener);
struct listener *listener_of_owner(void *owner); // NULL: it is a connection
void listener_on_readable(struct worker *worker, struct listener *listener);

#endif
