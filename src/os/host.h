// SPDX-License-Identifier: MIT
// What this machine is called and where it can be reached.
#ifndef BUD_OS_HOST_H
#define BUD_OS_HOST_H

#include "os/net.h"

#include <stddef.h>

#define HOST_NAME_SIZE 256

void host_name(char *name); // of HOST_NAME_SIZE bytes; "" when it has none

// The addresses of its interfaces, without loopback and link-local ones, at most `count_max`.
// Returns how many.
size_t host_addresses(struct net_address *ret_addresses, size_t count_max);

#endif
