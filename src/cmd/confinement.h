// SPDX-License-Identifier: MIT
// What the broker gives up before it reads a client's first byte: root, and whatever of the system
// it has no use for. The order matters. Ports are bound as root; the data directory is made and
// handed over; and only then, as the user, is any file in it opened.
#ifndef BUD_CMD_CONFINEMENT_H
#define BUD_CMD_CONFINEMENT_H

#include "server/server.h"

// For options.on_bound. 0, or -errno and a sentence in `error` (of SERVER_ERROR_MAX bytes) that
// names the user, the file and the command that helps.
int confinement_enter(struct server *server, char *error);

void confinement_say_root(struct server *server); // a line in the log, if it still is

#endif
