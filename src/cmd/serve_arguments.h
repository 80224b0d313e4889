// SPDX-License-Identifier: MIT
// What `bud serve` was told: Mosquitto's flags, and every option of the table as a flag.
#ifndef BUD_CMD_SERVE_ARGUMENTS_H
#define BUD_CMD_SERVE_ARGUMENTS_H

#include "server/config.h"

enum serve_task { TASK_SERVE, TASK_CHECK, TASK_DUMP, TASK_HELP, TASK_MANUAL, TASK_VERSION };

struct serve_arguments {
    struct config *config; // with the command line, not read yet
    const char *file;      // NULL: none
    enum serve_task task;
    bool daemon, quiet, verbose;
    bool as_mosquitto; // called by this name: without a file it is for this machine alone
};

// EXIT_DONE, or EXIT_USAGE and it said why. `config` is the caller's to free in both cases.
int serve_arguments_read(int argc, char **argv, struct serve_arguments *arguments);

#endif
