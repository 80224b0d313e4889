// SPDX-License-Identifier: MIT
// `$SYS/broker/...`: what the broker knows of itself, as retained messages under Mosquitto's names,
// plus what Mosquitto documents and does not publish (packets by type) and why messages and clients
// were turned away. Optional: without it the rest builds and runs.
#ifndef BUD_EDGE_SYS_TOPICS_H
#define BUD_EDGE_SYS_TOPICS_H

#include "server/server.h"

struct sys_topics;

// Registers with the server; call before server_start, free after server_stop. NULL when
// sys_interval is 0.
struct sys_topics *sys_topics_new(struct server *server, const char *version);
void sys_topics_free(struct sys_topics *sys_topics);

#endif
