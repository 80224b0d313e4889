// SPDX-License-Identifier: MIT
// Where connections come from: one listening socket, watched by every worker; whoever is free
// accepts. Without file descriptors, or with too many connections waiting, accepting stops until
// something closes: no spinning.
#ifndef BUD_SERVER_LISTENER_H
#define BUD_SERVER_LISTENER_H

struct worker;
struct connection;

int listener_watch(struct worker *worker); // 0 or -errno
void listener_unwatch(struct worker *worker);
void listener_rewatch(struct worker *worker); // after a pause, if there is room again
void listener_on_readable(struct worker *worker);

#endif
