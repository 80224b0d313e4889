// SPDX-License-Identifier: MIT
// `$SYS/broker/log/...`: the log as messages, with `log_dest topic`. Lines of any thread are put
// aside, as far as there is room, and published by worker 0. Optional: without it the rest builds
// and runs.
#ifndef BUD_EDGE_LOG_TOPICS_H
#define BUD_EDGE_LOG_TOPICS_H

#include "server/server.h"

struct log_topics;

// Registers with the server; call before server_start, free after server_stop.
struct log_topics *log_topics_new(struct server *server);
void log_topics_free(struct log_topics *log_topics);

#endif
