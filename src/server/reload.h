// SPDX-License-Identifier: MIT
// Changing what all workers use, while they serve. Everything new is made beside the old first,
// which may fail: then nothing has changed. Then the workers stand still for a moment, pointers are
// swapped, and they go on; nobody is disconnected by that. Only the thread that started the server
// may call these.
#ifndef BUD_SERVER_RELOAD_H
#define BUD_SERVER_RELOAD_H

#include "server/server.h"

// Runs `change` while every worker stands still between two turns. It must not wait for anything.
void server_at_standstill(struct server *server, void (*change)(void *context), void *context);

void server_add_watch(struct server *server, struct file_watch *watch); // stays the caller's
void server_look_at_files(struct server *server);                       // a few times a second

#endif
