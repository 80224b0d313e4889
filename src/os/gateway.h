// SPDX-License-Identifier: MIT
// The default gateways of this machine, by the kernel's tables. Who comes from one of them may be
// anybody: a router that hides the addresses of whom it lets through, or the host of a container.
#ifndef BUD_OS_GATEWAY_H
#define BUD_OS_GATEWAY_H

#include "os/net.h"

#define GATEWAYS_MAX 8

struct gateways {
    uint32_t count;
    struct net_address addresses[GATEWAYS_MAX];
};

void gateways_read(struct gateways *ret_gateways); // none where they cannot be told
// Of the texts of /proc/net/route and /proc/net/ipv6_route, for tests.
void gateways_parse(const char *route, const char *ipv6_route, struct gateways *ret_gateways);
bool gateways_have(const struct gateways *gateways, const struct net_address *address);

#endif
