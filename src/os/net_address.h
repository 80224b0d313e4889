// SPDX-License-Identifier: MIT
// Between the kernel's addresses and ours; os/ only.
#ifndef BUD_OS_NET_ADDRESS_H
#define BUD_OS_NET_ADDRESS_H

#include "os/net.h"

#include <sys/socket.h>

// v4-mapped addresses become family 4; families we do not speak become 0.
struct net_address net_address_from_kernel(const struct sockaddr_storage *storage);

#endif
