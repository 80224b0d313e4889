// SPDX-License-Identifier: MIT
#include "server/auth.h"

#include <string.h>

static const char *why_not_private(const struct auth_origin *origin)
{
    if (origin->is_hidden)
        return "it came through a proxy, so its address is not known: name the proxy with "
               "--trusted-proxies, or let everybody in with --allow-anonymous true";
    if (origin->has_public_name)
        return "a page in a browser called this broker by a name of the public net, which may be a "
               "stranger's that points in here: make users with `bud user add NAME`, name the page "
               "with websockets_origin, or let everybody in with --allow-anonymous true";
    if (!net_address_is_loopback(&origin->address) && !net_address_is_private(&origin->address))
        return "anonymous clients may only come from this machine and private networks; make users "
               "with `bud user add NAME`, or let everybody in with --allow-anonymous true";
    if (origin->is_gateway)
        return "it comes through this machine's gateway, which hides whether it is near or far "
               "(so does a container's network): make users with `bud user add NAME`, or let "
               "everybody in with --allow-anonymous true";
    return NULL;
}

enum bud_reason auth_check_anonymous(enum anonymous_rule rule, const struct auth_origin *origin,
                                     const char **ret_why)
{
    const char *why = NULL;
    if (rule == ANONYMOUS_FALSE)
        why = "anonymous clients are not allowed (allow_anonymous false): it has to bring the name "
              "and password of a user (`bud user add NAME` makes one)";
    if (rule == ANONYMOUS_PRIVATE)
        why = why_not_private(origin);
    if (why == NULL)
        return BUD_SUCCESS;
    *ret_why = why;
    return BUD_NOT_AUTHORIZED;
}

const struct auth_mechanism *auth_mechanism_find(const struct auth *auth, struct bytes name)
{
    for (size_t i = 0; i < auth->mechanism_count; i++) {
        const char *known = auth->mechanisms[i].name;
        const struct auth_mechanism *mechanism = &auth->mechanisms[i];
        if (bytes_equal(bytes_make(known, strlen(known)), name) &&
            (mechanism->is_there == NULL || mechanism->is_there(mechanism->context)))
            return mechanism;
    }
    return NULL;
}
