// SPDX-License-Identifier: MIT
// What stands at the door: who is banned does not come in, and not everybody at once. Asked when a
// connection is accepted, and again when a proxy has said whose it is. Also kept here: what
// clients, users and listeners may send (see connection_rate.h). One for the broker; a reload
// changes its limits and forgets nothing.
#ifndef BUD_SERVER_DOOR_H
#define BUD_SERVER_DOOR_H

#include "access/ban.h"
#include "access/rate.h"
#include "server/reload.h"

struct connection;

struct door {
    struct bans *bans;
    struct rate_table *listener_connects, *network_connects;
    struct rate_table *clients, *users, *listeners; // what they send
};

extern const struct reload_part door_part;

// May this connection go on? True also for one that waits a moment, or that its CONNECT will be
// refused for. False: it was closed. `is_known`: the address is not that of a proxy which will
// still say whose connection it is.
bool door_let_in(struct connection *connection, bool is_known);

// Of a CONNECT, before anything is checked. BUD_SUCCESS, or the reason to refuse it and why.
enum bud_reason door_check(struct connection *connection, bool has_user, struct bytes user,
                           const char **ret_why);

// A password was wrong: for how many milliseconds to hold the answer back.
uint32_t door_on_wrong_password(const struct connection *connection, bool has_user,
                                struct bytes user);
void door_on_login(struct connection *connection, struct bytes user);

#endif
