// SPDX-License-Identifier: MIT
// The name of a client, and what the listener it came by says about it. What it chose itself is
// looked at here before it decides anything.
#ifndef BUD_SERVER_CONNECTION_NAME_H
#define BUD_SERVER_CONNECTION_NAME_H

#include "server/connection.h"
#include "server/listener_options.h"

#define CLIENT_NAME_ROOM 80 // for a name that is given out

const struct listener_options *connection_listener(const struct connection *connection);

// May it connect with its version of MQTT, and under its name? Gives it one if it brings none.
enum bud_reason connection_name_check(struct connection *connection,
                                      const struct packet_connect *connect, const char **ret_why);

// Its client identifier: its own, its user name, or one that was given, which is written to `room`.
struct bytes connection_name_of(const struct connection *connection,
                                const struct packet_connect *connect, char *room);

#endif
