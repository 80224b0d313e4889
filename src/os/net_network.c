// SPDX-License-Identifier: MIT
#include "os/net_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define SEPARATORS ", \t"
#define ELEMENT_MAX 64

// "/24" behind an address: its number, or -1.
static int bits_of(const char *text, int maximum)
{
    int bits = 0;
    if (*text == 0)
        return maximum;
    if (*text != '/' || text[1] == 0 || strlen(text) > 4)
        return -1;
    for (text++; *text != 0; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        bits = bits * 10 + (*text - '0');
    }
    return bits <= maximum ? bits : -1;
}

static bool parse_one(const char *text, size_t size, struct net_network *ret_network)
{
    char host[ELEMENT_MAX];
    if (size >= sizeof(host))
        return false;
    memcpy(host, text, size);
    host[size] = 0;
    char rest[ELEMENT_MAX];
    size_t host_size = strcspn(host, "/");
    memcpy(rest, host + host_size, size - host_size + 1);
    host[host_size] = 0;
    *ret_network = (struct net_network){.family = strchr(host, ':') == NULL ? 4 : 6};
    int maximum = ret_network->family == 4 ? 32 : 128;
    int bits = bits_of(rest, maximum);
    ret_network->bits = (uint8_t)(bits < 0 ? 0 : bits);
    return bits >= 0 &&
           inet_pton(ret_network->family == 4 ? AF_INET : AF_INET6, host, ret_network->octets) == 1;
}

int net_networks_parse(const char *text, struct net_networks *ret_networks, const char **ret_bad)
{
    *ret_networks = (struct net_networks){0};
    for (text += strspn(text, SEPARATORS); *text != 0; text += strspn(text, SEPARATORS)) {
        size_t size = strcspn(text, SEPARATORS);
        *ret_bad = text;
        if (ret_networks->count == NET_NETWORKS_MAX ||
            !parse_one(text, size, &ret_networks->networks[ret_networks->count++]))
            return -EINVAL;
        text += size;
    }
    return 0;
}

static bool has(const struct net_network *network, const struct net_address *address)
{
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (network->family != address->family || memcmp(network->octets, address->octets, whole) != 0)
        return false;
    return rest == 0 || (network->octets[whole] ^ address->octets[whole]) >> (8 - rest) == 0;
}

bool net_networks_have(const struct net_networks *networks, const struct net_address *address)
{
    for (uint32_t i = 0; i < networks->count; i++)
        if (has(&networks->networks[i], address))
            return true;
    return false;
}
