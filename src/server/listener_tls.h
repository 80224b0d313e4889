// SPDX-License-Identifier: MIT
// TLS of the listeners: contexts made from their options, made anew when a file changes, and the
// certificate of our own for a start without any. Called by the thread that started the server.
#ifndef BUD_SERVER_LISTENER_TLS_H
#define BUD_SERVER_LISTENER_TLS_H

#include "server/reload.h"

struct listener;

// What a listener with these options needs for TLS; NULL with an empty `error`: it speaks none.
// NULL with a sentence in `error` (SERVER_ERROR_MAX bytes): it should and cannot.
struct tls_context *listener_tls_new(struct server *server, const struct listener_options *options,
                                     char *error);

// Its context is new: from now on changes of its files count, and what is odd is logged.
void listener_note_tls(struct server *server, struct listener *listener);

// For all listeners at start: 0, or -EINVAL with a sentence. What is odd is logged.
int listeners_start_tls(struct server *server, char *error);
void listeners_stop_tls(struct server *server);

// A new certificate is taken on when its file changes; what expires soon is said.
void listeners_watch_tls(struct server *server);

#endif
