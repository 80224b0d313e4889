// SPDX-License-Identifier: MIT
// The system's resolver, with its errors as ours. It may block: never called on a worker's loop
// once that serves clients.
#include "os/net_resolve.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

static int resolver_error(int code)
{
    switch (code) {
    case EAI_MEMORY: return -ENOMEM;
    case EAI_AGAIN: return -EHOSTUNREACH; // no name server answered: not the same as "no such name"
    case EAI_SYSTEM: return errno != 0 ? -errno : -ENOENT;
    default: return -ENOENT;
    }
}

int net_resolve(const char *host, uint16_t port, struct addrinfo **ret_list)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV,
    };
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    errno = 0;
    int code = getaddrinfo(host, service, &hints, ret_list);
    return code == 0 ? 0 : resolver_error(code);
}
