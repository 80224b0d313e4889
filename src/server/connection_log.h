// SPDX-License-Identifier: MIT
// One line for a connect, one for a disconnect, one for a refusal: who, from where, why, how long,
// how much.
#ifndef BUD_SERVER_CONNECTION_LOG_H
#define BUD_SERVER_CONNECTION_LOG_H

#include "server/connection.h"

void connection_log_connected(struct connection *connection, bool session_present);
void connection_log_disconnected(struct connection *connection);
void connection_log_refused(struct connection *connection, const struct packet_connect *connect);
struct session;
// Its session is somebody's who is connected, once too often.
void connection_log_fight(struct connection *connection, const struct session *session);
void connection_log_closed_early(struct connection *connection);
const char *connection_version_name(uint8_t version);

#endif
