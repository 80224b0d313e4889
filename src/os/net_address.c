// SPDX-License-Identifier: MIT
// Addresses as values: text, and the two questions that decide who may come in without a
// configuration. A v4-mapped IPv6 address is IPv4 in every answer, however it came here: otherwise
// ::ffff:8.8.8.8 and 8.8.8.8 could be two different strangers.
#include "os/net_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static struct net_address unmap(const struct net_address *address)
{
    struct net_address plain = *address;
    bool mapped = address->family == 6 && memcmp(address->octets, mapped_prefix, 12) == 0;
    if (mapped) {
        plain.family = 4;
        memset(plain.octets, 0, sizeof plain.octets);
        memcpy(plain.octets, address->octets + 12, 4);
    }
    return plain;
}

struct net_address net_address_from_kernel(const struct sockaddr_storage *storage)
{
    struct net_address address = {0};
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
        address.family = 4;
        address.port = ntohs(v4->sin_port);
        memcpy(address.octets, &v4->sin_addr, 4);
    } else if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)storage;
        address.family = 6;
        address.port = ntohs(v6->sin6_port);
        memcpy(address.octets, &v6->sin6_addr, 16);
    } else if (storage->ss_family == AF_UNIX) {
        address.family = 1;
    }
    return unmap(&address);
}

bool net_address_parse(struct bytes host, struct net_address *ret_address)
{
    struct net_address address = {0};
    char text[INET6_ADDRSTRLEN];
    if (host.size >= sizeof text || (host.size > 0 && memchr(host.data, 0, host.size) != NULL)) {
        return false;
    }
    snprintf(text, sizeof text, "%.*s", (int)host.size, (const char *)host.data);
    if (inet_pton(AF_INET, text, address.octets) == 1) {
        address.family = 4;
    } else if (inet_pton(AF_INET6, text, address.octets) == 1) {
        address.family = 6;
    } else {
        return false;
    }
    *ret_address = unmap(&address);
    return true;
}

bool net_address_same_host(const struct net_address *a, const struct net_address *b)
{
    struct net_address one = unmap(a), other = unmap(b);
    size_t size = one.family == 4 ? 4 : 16;
    return one.family == other.family && memcmp(one.octets, other.octets, size) == 0;
}

void net_address_host_text(const struct net_address *address, char *text)
{
    struct net_address plain = unmap(address);
    if (plain.family == 4) {
        inet_ntop(AF_INET, plain.octets, text, NET_ADDRESS_TEXT_MAX);
    } else if (plain.family == 6) {
        inet_ntop(AF_INET6, plain.octets, text, NET_ADDRESS_TEXT_MAX);
    } else {
        snprintf(text, NET_ADDRESS_TEXT_MAX, "%s", plain.family == 1 ? "unix" : "unknown");
    }
}

void net_address_text(const struct net_address *address, char *text)
{
    struct net_address plain = unmap(address);
    char host[INET6_ADDRSTRLEN];
    _Static_assert(sizeof "[]:65535" - 1 + sizeof host <= NET_ADDRESS_TEXT_MAX, "text fits");
    if (plain.family == 4) {
        inet_ntop(AF_INET, plain.octets, host, sizeof host);
        snprintf(text, NET_ADDRESS_TEXT_MAX, "%s:%u", host, (unsigned)plain.port);
    } else if (plain.family == 6) {
        inet_ntop(AF_INET6, plain.octets, host, sizeof host);
        snprintf(text, NET_ADDRESS_TEXT_MAX, "[%s]:%u", host, (unsigned)plain.port);
    } else {
        net_address_host_text(&plain, text);
    }
}

bool net_address_is_loopback(const struct net_address *address)
{
    struct net_address plain = unmap(address);
    if (plain.family == 4) {
        return plain.octets[0] == 127;
    }
    if (plain.family == 6) {
        return memcmp(plain.octets, &in6addr_loopback, 16) == 0;
    }
    return plain.family == 1;
}

struct range {
    uint8_t family;
    uint8_t prefix_bits;
    uint8_t octets[2]; // no prefix here is longer
};

static const struct range private_ranges[] = {
    {4, 8, {10, 0}},     {4, 12, {172, 16}},   {4, 16, {192, 168}},
    {4, 16, {169, 254}}, {6, 7, {0xfc, 0x00}}, {6, 10, {0xfe, 0x80}},
};

static bool in_range(const struct net_address *address, const struct range *range)
{
    unsigned differing = (unsigned)(address->octets[0] ^ range->octets[0]) << 8 |
                         (unsigned)(address->octets[1] ^ range->octets[1]);
    return address->family == range->family && differing >> (16 - range->prefix_bits) == 0;
}

bool net_address_is_private(const struct net_address *address)
{
    struct net_address plain = unmap(address);
    for (size_t index = 0; index < sizeof private_ranges / sizeof *private_ranges; index++) {
        if (in_range(&plain, &private_ranges[index])) {
            return true;
        }
    }
    return false;
}
