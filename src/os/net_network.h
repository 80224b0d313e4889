// SPDX-License-Identifier: MIT
// Networks as people write them: "10.0.0.0/8, fd00::/8, 192.168.1.7". An IPv4 network holds
// v4-mapped addresses too, since those are given as IPv4 everywhere.
#ifndef BUD_OS_NET_NETWORK_H
#define BUD_OS_NET_NETWORK_H

#include "os/net.h"

#define NET_NETWORKS_MAX 64

struct net_network {
    uint8_t family; // 4 or 6
    uint8_t bits;
    uint8_t octets[16];
};

struct net_networks {
    uint32_t count;
    struct net_network networks[NET_NETWORKS_MAX];
};

// Elements are separated by commas or spaces; "" is none. 0, or -EINVAL: *ret_bad is where the
// element begins that is none (it ends before the next comma or space).
int net_networks_parse(const char *text, struct net_networks *ret_networks, const char **ret_bad);

bool net_networks_have(const struct net_networks *networks, const struct net_address *address);

#endif
