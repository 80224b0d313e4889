// SPDX-License-Identifier: MIT
// TCP and Unix sockets, non-blocking. Errors are negative errno; -EAGAIN means "not now".
// sim/ implements the same calls over a simulated network.
#ifndef BUD_OS_NET_H
#define BUD_OS_NET_H

#include "proto/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct net_address {
    uint8_t family; // 4, 6, or 1 for a Unix socket; 0 unknown
    uint16_t port;
    uint8_t octets[16]; // network order; a v4-mapped v6 address is given as family 4
};

#define NET_ADDRESS_TEXT_MAX 64
void net_address_text(const struct net_address *address,
                      char *text); // "10.0.0.7:51234", "[fe80::1]:1883", "unix"
void net_address_host_text(const struct net_address *address, char *text); // without the port
bool net_address_is_loopback(const struct net_address *address);           // 127/8, ::1, Unix
bool net_address_is_private(const struct net_address *address); // RFC 1918, 100.64/10 excluded,
                                                                // fc00::/7, 169.254/16, fe80::/10
// A numeric IPv4 or IPv6 address, nothing before or behind it, no port (0 is given), no zone.
// False, and *ret_address untouched, if `host` is anything else.
bool net_address_parse(struct bytes host, struct net_address *ret_address);
bool net_address_same_host(const struct net_address *a, const struct net_address *b);

// Listens on a numeric address or a host name ("" or NULL: every interface, IPv6 and IPv4 in one
// socket where the kernel can, else IPv4). Port 0 lets the kernel choose. SO_REUSEADDR,
// non-blocking, close-on-exec. An IPv6 address, "::" too, leaves IPv4 to others; of a name's
// addresses the first that works is taken; asking for a name may block. Returns the descriptor or
// -errno
// (-EADDRINUSE, -EACCES, -EADDRNOTAVAIL; -ENOENT when a name does not resolve).
int net_listen(const char *host, uint16_t port, int backlog);

// The same, held to one family (4, 6; 0: whatever the name means) and to one network device (NULL
// or "": any; -ENODEV: there is none of this name).
struct net_where {
    const char *host;
    const char *device;
    uint16_t port;
    uint8_t family;
};
int net_listen_where(const struct net_where *where, int backlog);

// A Unix socket at this path, for those whom `mode` lets in. What a dead process left there is
// taken over; -EADDRINUSE: somebody listens on it, or it is no socket. -ENAMETOOLONG.
int net_listen_unix(const char *path, unsigned mode, int backlog);
int net_connect_unix(const char *path); // the descriptor, non-blocking; -errno
void net_unlink_unix(const char *path); // removes the file, if it is a socket

int net_local_address(int fd, struct net_address *ret_address); // 0 or -errno

// Accepts one connection: non-blocking, close-on-exec, TCP_NODELAY, TCP keep-alive on,
// TCP_USER_TIMEOUT user_timeout_ms (0: kernel's). Whatever befell the connection while it waited is
// -ECONNABORTED: try the next. Returns the descriptor or -errno (-EAGAIN,
// -EMFILE, -ENFILE, -ECONNABORTED, ...).
int net_accept(int listener, int user_timeout_ms, struct net_address *ret_peer);

ssize_t net_read(int fd, void *memory, size_t size); // bytes, 0 at the end, -errno
ssize_t net_writev(int fd, const struct iovec *parts,
                   int count);   // bytes (maybe fewer), -errno; never raises SIGPIPE
void net_shutdown_write(int fd); // sends FIN after what was written
void net_close(int fd);
void net_close_reset(int fd); // RST: for connections refused under load

// For clients, blocking with a limit (-1: none): resolves and connects (every address in turn, each
// with its share of the time). Resolving comes on top, by the system's own limit. Returns the
// descriptor (non-blocking, TCP_NODELAY) or -errno (-ENOENT: the name does not resolve;
// -ETIMEDOUT).
int net_connect(const char *host, uint16_t port, int timeout_ms);
int net_wait(int fd, bool for_write, int timeout_ms); // 1 ready, 0 time-out, -errno

#endif
