// SPDX-License-Identifier: MIT
#include "os/gateway.h"

#include "base/memory.h"
#include "os/file_contents.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROUTE_FLAG_UP 0x1u
#define ROUTE_FLAG_GATEWAY 0x2u

bool gateways_have(const struct gateways *gateways, const struct net_address *address)
{
    for (uint32_t i = 0; i < gateways->count; i++)
        if (gateways->addresses[i].family == address->family &&
            memcmp(gateways->addresses[i].octets, address->octets, sizeof(address->octets)) == 0)
            return true;
    return false;
}

static void add(struct gateways *gateways, const struct net_address *address)
{
    if (gateways->count < GATEWAYS_MAX && !gateways_have(gateways, address))
        gateways->addresses[gateways->count++] = *address;
}

// Device, destination, gateway, flags, ..., mask: numbers as they lie in memory.
static void parse_v4(const char *line, struct gateways *gateways)
{
    uint32_t destination, gateway, flags, mask;
    if (sscanf(line, "%*s %" SCNx32 " %" SCNx32 " %" SCNx32 " %*s %*s %*s %" SCNx32, &destination,
               &gateway, &flags, &mask) != 4)
        return;
    uint32_t wanted = ROUTE_FLAG_UP | ROUTE_FLAG_GATEWAY;
    if (destination != 0 || mask != 0 || (flags & wanted) != wanted)
        return;
    struct net_address address = {.family = 4};
    memcpy(address.octets, &gateway, sizeof(gateway));
    add(gateways, &address);
}

// Destination, its prefix, source, its prefix, next hop, ...
static void parse_v6(const char *line, struct gateways *gateways)
{
    char destination[33], hop[33];
    unsigned prefix;
    if (sscanf(line, "%32s %x %*s %*s %32s", destination, &prefix, hop) != 3 || prefix != 0 ||
        strspn(destination, "0") != 32 || strlen(hop) != 32 || strspn(hop, "0") == 32)
        return;
    struct net_address address = {.family = 6};
    for (size_t i = 0; i < 16; i++) {
        unsigned octet;
        if (sscanf(hop + 2 * i, "%2x", &octet) != 1)
            return;
        address.octets[i] = (uint8_t)octet;
    }
    add(gateways, &address);
}

static void parse_lines(const char *text, void (*parse)(const char *, struct gateways *),
                        struct gateways *gateways)
{
    for (const char *end; *text != 0; text = *end == 0 ? end : end + 1) {
        char line[512];
        end = strchrnul(text, '\n');
        (void)snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
        parse(line, gateways);
    }
}

void gateways_parse(const char *route, const char *ipv6_route, struct gateways *ret_gateways)
{
    *ret_gateways = (struct gateways){0};
    parse_lines(route, parse_v4, ret_gateways);
    parse_lines(ipv6_route, parse_v6, ret_gateways);
}

// Files of /proc say that they are empty, so they are read as far as there is something.
static char *read_text(const char *path)
{
    size_t size = 0, room = 1 << 16;
    char *text = memory_try_new(room);
    FILE *file = text != NULL ? fopen(path, "re") : NULL;
    if (file != NULL) {
        size = fread(text, 1, room - 1, file);
        (void)fclose(file);
        text[size] = 0;
    }
    return text;
}

void gateways_read(struct gateways *ret_gateways)
{
    char *v4 = read_text("/proc/net/route"), *v6 = read_text("/proc/net/ipv6_route");
    gateways_parse(v4 != NULL ? v4 : "", v6 != NULL ? v6 : "", ret_gateways);
    memory_free(v4);
    memory_free(v6);
}
