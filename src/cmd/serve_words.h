// SPDX-License-Identifier: MIT
// What a broker says when it has started: where it listens, for whom, what it keeps, and what to
// type next.
#ifndef BUD_CMD_SERVE_WORDS_H
#define BUD_CMD_SERVE_WORDS_H

#include "server/server.h"

void serve_say_started(struct server *server);

#endif
