// SPDX-License-Identifier: MIT
#include "transport/http_host.h"

#include "os/net.h"

#include <string.h>

// Without the port; an IPv6 address without its brackets.
static struct bytes name_of(struct bytes host)
{
    const uint8_t *end;
    if (host.size > 0 && host.data[0] == '[') {
        end = memchr(host.data, ']', host.size);
        return end == NULL ? host : bytes_make(host.data + 1, (size_t)(end - host.data) - 1);
    }
    end = host.size == 0 ? NULL : memchr(host.data, ':', host.size);
    return end == NULL ? host : bytes_make(host.data, (size_t)(end - host.data));
}

static bool ends_in(struct bytes name, const char *end)
{
    size_t size = strlen(end);
    return name.size > size &&
           http_token_equal(bytes_from(name, name.size - size), bytes_make(end, size));
}

static bool is_of_here(struct bytes name)
{
    static const char *const ends[] = {".local", ".lan", ".internal", ".home.arpa", ".localhost"};
    struct net_address address;
    if (name.size > 0 && name.data[name.size - 1] == '.')
        name.size--; // the root's dot says nothing
    if (name.size == 0 || memchr(name.data, '.', name.size) == NULL)
        return true;
    if (net_address_parse(name, &address))
        return true;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (ends_in(name, ends[i]))
            return true;
    return false;
}

bool http_host_is_public(const struct http_head *head)
{
    const struct http_header *host = http_head_find(head, BYTES_OF("Host"));
    if (host == NULL || http_head_find(head, BYTES_OF("Origin")) == NULL)
        return false;
    struct bytes name = name_of(host->value);
    // An IPv6 address has colons and no dot.
    return !is_of_here(name);
}
