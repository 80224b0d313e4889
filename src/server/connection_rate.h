// SPDX-License-Identifier: MIT
// A connection that waits: because it, its user or its listener has sent more than the limits
// allow, because too many connect at once, or because its password was wrong. While it waits it is
// not read from, and what was read already is not handled; then it goes on where it was, and
// nothing is lost. Costs a connection without limits nothing.
#ifndef BUD_SERVER_CONNECTION_RATE_H
#define BUD_SERVER_CONNECTION_RATE_H

#include "server/connection.h"

// Its client was accepted, or there are other limits: finds those that hold for it.
void connection_rate_begin(struct connection *connection);

// It has sent this much; it waits if that was too much.
void connection_rate_charge(struct connection *connection, uint64_t publishes, uint64_t bytes);

// It waits for so long. Without memory for that it does not.
void connection_rate_hold(struct connection *connection, int64_t wait_ms);

// CONNACK with this reason, then the end, but not at once. It was logged already.
void connection_refuse_later(struct connection *connection, enum bud_reason reason, const char *why,
                             int64_t wait_ms);

// It waits, and its peer is gone: what it has sent is still handled, as fast as may be.
void connection_rate_hung_up(struct connection *connection);

void connection_rate_stop(struct connection *connection); // waits no more: it ends
void connection_rate_done(struct connection *connection); // of one that is closed

#endif
