// SPDX-License-Identifier: MIT
// Names to addresses; os/ only.
#ifndef BUD_OS_NET_RESOLVE_H
#define BUD_OS_NET_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

// 0 and a list for freeaddrinfo, or -errno (-ENOENT: no such name). Asks the system's resolver and
// may block for as long as that is configured to.
int net_resolve(const char *host, uint16_t port, struct addrinfo **ret_list);

#endif
