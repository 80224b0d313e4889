// SPDX-License-Identifier: MIT
#include "os/host.h"

#include "os/net_address.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

void host_name(char *name)
{
    if (gethostname(name, HOST_NAME_SIZE) < 0)
        name[0] = '\0';
    name[HOST_NAME_SIZE - 1] = '\0'; // a name that was cut has no end
}

// Link-local: reachable only together with the name of an interface, which no certificate has.
static bool is_of_interest(const struct net_address *address)
{
    bool link_local = address->family == 6
                          ? address->octets[0] == 0xfe && (address->octets[1] & 0xc0) == 0x80
                          : address->octets[0] == 169 && address->octets[1] == 254;
    return (address->family == 4 || address->family == 6) && !link_local &&
           !net_address_is_loopback(address);
}

static struct net_address address_of(const struct ifaddrs *interface)
{
    struct sockaddr_storage storage = {0};
    if (interface->ifa_addr == NULL)
        return (struct net_address){0};
    if (interface->ifa_addr->sa_family == AF_INET)
        memcpy(&storage, interface->ifa_addr, sizeof(struct sockaddr_in));
    else if (interface->ifa_addr->sa_family == AF_INET6)
        memcpy(&storage, interface->ifa_addr, sizeof(struct sockaddr_in6));
    return net_address_from_kernel(&storage);
}

size_t host_addresses(struct net_address *ret_addresses, size_t count_max)
{
    struct ifaddrs *all = NULL;
    size_t count = 0;
    if (getifaddrs(&all) < 0)
        return 0;
    for (struct ifaddrs *next = all; next != NULL && count < count_max; next = next->ifa_next) {
        struct net_address address = address_of(next);
        if (is_of_interest(&address))
            ret_addresses[count++] = address;
    }
    freeifaddrs(all);
    return count;
}
