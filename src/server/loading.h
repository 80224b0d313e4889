// SPDX-License-Identifier: MIT
// At start: everything in the store becomes sessions, queues and retained messages again, before
// anybody is let in.
#ifndef BUD_SERVER_LOADING_H
#define BUD_SERVER_LOADING_H

struct server;
struct store;
struct store_delivery;
struct delivery_extra;

int loading_run(struct server *server, struct store *store,
                char *error); // 0 or -errno with a sentence

struct delivery_extra *
loading_extra(const struct store_delivery *stored); // more identifiers; NULL: there are none

#endif
