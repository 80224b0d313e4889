// SPDX-License-Identifier: MIT
// Into the background, in two steps: whoever started it waits until it is known whether it works,
// and sees what it has to say until then.
#ifndef BUD_OS_DAEMON_H
#define BUD_OS_DAEMON_H

// Before any thread is started. Returns in the new process: 0, or -errno in the old one. The old
// one ends when the new one is ready (status 0) or has ended (its status, or 1).
int daemon_begin(void);

// It works: the old process ends, and from here on nobody reads standard error.
void daemon_ready(void);

#endif
