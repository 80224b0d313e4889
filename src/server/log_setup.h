// SPDX-License-Identifier: MIT
// What is logged and where to, by the options: log_dest, log_type, log_timestamp and their kin.
#ifndef BUD_SERVER_LOG_SETUP_H
#define BUD_SERVER_LOG_SETUP_H

#include "server/log.h"

// At start and at each reload, which opens the file anew (it may have been moved away). 0, or
// -errno with a sentence in `error` (LOG_SETUP_ERROR_MAX bytes): then nothing has changed.
#define LOG_SETUP_ERROR_MAX 512
int log_setup(struct log *log, const struct options *options, char *error);

#endif
