// SPDX-License-Identifier: MIT
// What a client needs of the world: a stream of bytes and a clock. TCP is one; TLS, WebSocket, a
// simulated network and a serial line are others.
#ifndef BUD_CLIENT_TRANSPORT_H
#define BUD_CLIENT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct client_transport {
    void *context;
    ssize_t (*read)(void *context, void *memory, size_t size);        // bytes, 0 at the end, -errno
    ssize_t (*write)(void *context, const void *memory, size_t size); // maybe fewer; -errno
    int (*wait)(void *context, bool for_write, int timeout_ms);       // 1 ready, 0 time-out, -errno
    void (*close)(void *context);
    int64_t (*now_ms)(void *context);
};

// Connects over TCP within timeout_ms. 0, or -errno as net_connect.
int client_transport_tcp(const char *host, uint16_t port, int timeout_ms,
                         struct client_transport *ret_transport);

#endif
