// SPDX-License-Identifier: MIT
// Changing what all workers use, while they serve. Everything new is made beside the old first,
// which may fail: then nothing has changed. Then the workers stand still for a moment, pointers are
// swapped, and they go on; nobody is disconnected by that. Only the thread that started the server
// may call these.
#ifndef BUD_SERVER_RELOAD_H
#define BUD_SERVER_RELOAD_H

#include "server/server.h"

// Runs `change` while every worker stands still between two turns. It must not wait for anything.
// After it each worker looks at its connections again: see connection_recheck.
void server_at_standstill(struct server *server, void (*change)(void *context), void *context);

// Takes other options on: those that need no restart, listeners that come, go and stay, TLS, and
// every part below. 0, or -errno with a sentence in `error` (SERVER_ERROR_MAX bytes): then nothing
// has changed. Texts of the options before may still be in use: they must live as long as the
// server.
int server_reload(struct server *server, const struct options *options, char *error);

// Something that is made of options, kept by the server, and made anew by a reload.
struct reload_part {
    // 0, or -errno with a sentence in `error`.
    int (*make)(struct server *server, const struct options *options, void **ret_made, char *error);
    // At the standstill: takes *made on and gives what was there before in its place.
    void (*swap)(struct server *server, void **made);
    void (*free)(struct server *server, void *made);
};

// The parts, made at start in this order and freed in the reverse one. Ends with NULL.
extern const struct reload_part *const reload_parts[];

int server_make_parts(struct server *server, char *error); // at start
void server_free_parts(struct server *server);

void server_add_watch(struct server *server, struct file_watch *watch); // stays the caller's
void server_look_at_files(struct server *server);                       // a few times a second

#endif
