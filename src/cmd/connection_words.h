// SPDX-License-Identifier: MIT
// Failures to connect, in words: used by connection.c.
#ifndef BUD_CMD_CONNECTION_WORDS_H
#define BUD_CMD_CONNECTION_WORDS_H

#include "cmd/connection.h"

// No connection came about: `error` is net_connect's.
void connection_complain_unreached(const struct connection *connection, int error);

// One did, but the broker did not accept us.
void connection_complain_refused(const struct connection *connection, struct client_status status);

#endif
