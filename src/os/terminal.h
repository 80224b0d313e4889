// SPDX-License-Identifier: MIT
// Lines from standard input, and from a terminal without showing them.
#ifndef BUD_OS_TERMINAL_H
#define BUD_OS_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

bool terminal_is_there(void); // standard input is one

// Reads one line of standard input, without its end (LF or CRLF) and without reading beyond it. On
// a terminal `prompt` is shown (on standard error) and what is typed is not. Its size, 0 also for
// an empty one; -ENODATA at the end of the input, -EMSGSIZE longer than `size_max`, other -errno.
ssize_t terminal_read_secret(const char *prompt, char *line, size_t size_max);

#endif
