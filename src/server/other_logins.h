// SPDX-License-Identifier: MIT
// The ways in that are not a password of ours: tokens, and somebody else's service by HTTP. Made of
// the options, the same for all listeners; each gate takes its share.
#ifndef BUD_SERVER_OTHER_LOGINS_H
#define BUD_SERVER_OTHER_LOGINS_H

#include "access/auth_http.h"
#include "access/jwt_authority.h"
#include "access/login.h"
#include "server/server.h"

struct other_logins {
    struct tokens *tokens;     // NULL: none are taken
    struct auth_http *service; // NULL: none is asked
};

// 0, or -errno with a sentence in `error` (SERVER_ERROR_MAX bytes).
int other_logins_make(const struct options *options, struct other_logins *ret_logins, char *error);
void other_logins_done(struct other_logins *logins);

void other_logins_add(const struct other_logins *logins, struct login_gate *gate);

// The keys of tokens are read again if their files have changed; what cannot be read is said.
void other_logins_look(struct other_logins *logins, struct server *server);

#endif
