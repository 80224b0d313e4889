// SPDX-License-Identifier: MIT
// Packets that promise something wait until what they promise is on the disk: PUBACK, PUBREC,
// PUBREL, PUBCOMP, SUBACK, UNSUBACK, CONNACK, and a QoS 2 PUBLISH to a durable session (its
// identifier must survive, or it could be given to another message). Each waits for the ticket of
// the turn it was decided in (journal.h), and they keep their order. Without persistence nothing
// waits.
#ifndef BUD_SERVER_HELD_H
#define BUD_SERVER_HELD_H

#include "server/connection.h"

struct held {
    struct held *next;
    uint64_t ticket;
    struct output output;
};

// What is encoded until held_end waits for the present turn. Without memory connection->failed is
// set.
void held_begin(struct connection *connection);
// The same for an answer, which promises only what its packet changed: when that was nothing, and
// nothing waits that must go before, it does not wait for the disk.
void held_begin_answer(struct connection *connection);
void held_begin_if_waiting(
    struct connection *connection); // only if something waits already that must go before
// What is encoded until held_end goes with what waits for that turn, if something does: not before
// it, and not later either.
void held_begin_behind(struct connection *connection, uint64_t ticket);
void held_end(struct connection *connection);

// If the journal's `durable` has moved, what waited for it goes to the outputs.
void held_release(struct worker *worker);

void held_drop(struct connection *connection); // the connection closes: nothing more is promised

#endif
