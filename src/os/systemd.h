// SPDX-License-Identifier: MIT
// What systemd and a service say to each other, by their protocol and without a library: sockets
// that are handed over at start, and notes about how it goes. Without systemd nothing happens.
#ifndef BUD_OS_SYSTEMD_H
#define BUD_OS_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

// Listening sockets handed over: how many, and the first descriptor; the rest follow it. 0: none.
// They are made non-blocking and close-on-exec. The environment is cleared, so that no child takes
// them for its own: only the first call tells.
int systemd_take_sockets(int *ret_first);

// Notes by name, one a line: "READY=1", "STOPPING=1", "STATUS=...". 0, also without systemd, or
// -errno: then nobody was told.
int systemd_notify(const char *lines);
int systemd_notify_reloading(void); // until the next READY=1

// How often WATCHDOG=1 has to come, in milliseconds (half of the limit); 0: never.
int64_t systemd_watchdog_ms(void);

#endif
