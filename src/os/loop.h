// SPDX-License-Identifier: MIT
// Waiting for sockets: epoll, level-triggered. One loop for one thread; only loop_wake may be
// called from others. sim/ implements the same calls over a simulated network.
#ifndef BUD_OS_LOOP_H
#define BUD_OS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4, LOOP_EXCLUSIVE = 8 };

struct loop;

struct loop_event {
    void *owner;     // as given to loop_watch
    unsigned events; // LOOP_READ, LOOP_WRITE, LOOP_HANGUP (error or both directions closed)
};

int loop_new(struct loop **ret_loop); // 0 or -errno
void loop_free(struct loop *loop);

// 0 or -errno. LOOP_EXCLUSIVE (listeners watched by several loops): a connection wakes one of them;
// cannot be changed later.
int loop_watch(struct loop *loop, int fd, unsigned events, void *owner);
int loop_change(struct loop *loop, int fd, unsigned events, void *owner);
void loop_unwatch(struct loop *loop, int fd); // asserts that it is watched: before closing it

// Waits up to timeout_ms (-1 for ever, 0 not at all). Returns how many events were filled in (a
// wake is not among them), 0 on time-out, wake or signal. Never fails otherwise: a bad epoll
// descriptor is a bug and asserts.
int loop_wait(struct loop *loop, int timeout_ms, struct loop_event *events, int events_max);

void loop_wake(struct loop *loop); // from any thread: the present or next loop_wait returns at once

#endif
