// SPDX-License-Identifier: MIT
// One connection of the load generator. It is set up by blocking calls (connect, CONNECT,
// SUBSCRIBE, each waiting for its answer), then runs non-blocking under the caller's epoll. Reading
// happens in a buffer of the caller's; only a packet that is not whole yet stays with the link, and
// only bytes that the socket did not take wait in `out`.
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_bytes {
    uint8_t *data;
    size_t size;
    size_t size_max;
};

struct link {
    int fd;
    int epoll; // -1 until link_run
    bool wants_writable;
    struct link_bytes tail; // the start of a packet that is not whole
    struct link_bytes out;  // what the socket did not take
    void *owner;            // for the loop that gets this link from epoll
};

// All return 0 or -errno; -EPROTO when the answer is not the one expected, -EAGAIN when none came.
int link_open(struct link *link, uint16_t port, const char *client_id);
int link_open_kept(struct link *link, uint16_t port, const char *client_id); // a session that stays
int link_subscribe(struct link *link, const char *topic, uint8_t qos);
int link_ping(struct link *link);
int link_disconnect(struct link *link); // and waits for the broker to close; then link_close
int link_run(struct link *link, int epoll, void *owner);
void link_close(struct link *link);

// Sends as much as the socket takes and keeps the rest for link_flush.
int link_send(struct link *link, const uint8_t *data, size_t size);
int link_flush(struct link *link);
bool link_is_blocked(const struct link *link);

// Puts the kept tail and what one read brings into `buffer`; returns the bytes there, or -errno
// (-ECONNRESET at the end of the stream). What the caller does not use up goes to link_keep.
ptrdiff_t link_receive(struct link *link, uint8_t *buffer, size_t size_max);
void link_keep(struct link *link, const uint8_t *rest, size_t size);

#endif
