// SPDX-License-Identifier: MIT
// The main thread of a running broker: waits for signals, looks at watched files, and tells systemd
// how it goes.
#ifndef BUD_CMD_SERVICE_H
#define BUD_CMD_SERVICE_H

#include "server/server.h"

struct service {
    struct server *server;
    void *context;
    void (*reload)(void *context); // SIGHUP
    void (*dump)(void *context);   // SIGUSR1; NULL: it means nothing
};

void service_run(const struct service *service); // returns on SIGTERM or SIGINT

#endif
