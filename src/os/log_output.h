// SPDX-License-Identifier: MIT
// Where log lines go besides standard error: a file, standard output, the system's log.
#ifndef BUD_OS_LOG_OUTPUT_H
#define BUD_OS_LOG_OUTPUT_H

#include <stddef.h>

// Opens the file to append to it, or makes it (0640). A descriptor, or -errno.
int log_output_open(const char *path);
// What was written to `descriptor` goes to where `fresh` leads from now on, without a gap.
void log_output_replace(int descriptor, int fresh);
void log_output_close(int descriptor);
void log_output_write(int descriptor, const char *text, size_t size); // what fails is lost

enum { LOG_OUTPUT_STDOUT = 1 };

// `facility`: 0 to 7 for LOCAL0 to LOCAL7, anything else DAEMON. Once for the process.
void log_output_open_system(int facility);
// `level` as in syslog: 3 an error, 4 a warning, 6 information, 7 debugging.
void log_output_system(int level, const char *text, size_t size);

#endif
