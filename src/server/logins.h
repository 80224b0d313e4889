// SPDX-License-Identifier: MIT
// What the logins of a broker share: our users, verified passwords, the threads that check others,
// and the gateways from which anybody may come. Each listener has a gate made here.
#ifndef BUD_SERVER_LOGINS_H
#define BUD_SERVER_LOGINS_H

#include "access/login_cache.h"
#include "access/password_authority.h"
#include "base/lock.h"
#include "os/gateway.h"
#include "server/listener_options.h"
#include "server/login_pool.h"
#include "server/other_logins.h"
#include "server/scram_mechanism.h"
#include "server/server.h"

struct reload_part;

struct logins {
    struct server *server;
    struct login_cache *cache;
    struct users *users;        // NULL: there is no data directory
    struct other_logins others; // of the gates that are there
    struct login_pool *pool;
    struct scram_shared scram;
    struct auth_mechanism mechanism;
    struct file_watch watch; // of the users
    struct lock lock;        // for `gateways`
    struct gateways gateways;
    int64_t gateways_read_ms;
};

// Reads the users. 0, or -errno with a sentence in `error` (SERVER_ERROR_MAX bytes).
int logins_new(struct server *server, struct logins **ret_logins, char *error);
void logins_stop(struct logins *logins); // when the workers have ended, before they are freed
void logins_free(struct logins *logins); // after the listeners; NULL is fine

// The gates of all listeners, made anew by a reload.
extern const struct reload_part gates_part;

// False: the user of this principal was removed, whatever the listener. `context`: struct logins.
bool logins_know(void *context, const struct principal *principal);

// Does whoever comes from there come through something that hides who it is?
bool logins_is_gateway(struct logins *logins, const struct net_address *address);

#endif
