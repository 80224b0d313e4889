// SPDX-License-Identifier: MIT
#include "server/auth.h"

#include <string.h>

enum bud_reason auth_check(const struct auth *auth, const struct packet_connect *connect,
                           const struct net_address *peer, const char **ret_why)
{
    (void)connect; // without users defined any user name is as good as none (Tasmota sends
                   // DVES_USER unasked)
    if (auth->anonymous == ANONYMOUS_TRUE)
        return BUD_SUCCESS;
    if (auth->anonymous == ANONYMOUS_FALSE) {
        *ret_why = "anonymous clients are not allowed (allow_anonymous false) and no users are "
                   "defined";
        return BUD_NOT_AUTHORIZED;
    }
    if (net_address_is_loopback(peer) || net_address_is_private(peer))
        return BUD_SUCCESS;
    *ret_why = "anonymous clients may only come from this machine and private networks; to let "
               "everybody in start with --allow-anonymous true";
    return BUD_NOT_AUTHORIZED;
}

const struct auth_mechanism *auth_mechanism_find(const struct auth *auth, struct bytes name)
{
    for (size_t i = 0; i < auth->mechanism_count; i++) {
        const char *known = auth->mechanisms[i].name;
        if (bytes_equal(bytes_make(known, strlen(known)), name))
            return &auth->mechanisms[i];
    }
    return NULL;
}
