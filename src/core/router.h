// SPDX-License-Identifier: MIT
// Passes a message on to everyone who wants it. One router for each worker, all over the same index
// and retained tree. Local sessions get it at once; other workers get one post for each message,
// with the leaves of theirs that it hits. Nothing here writes a socket, frees a connection, or
// fails because some client failed.
#ifndef BUD_CORE_ROUTER_H
#define BUD_CORE_ROUTER_H

#include "core/index.h"
#include "core/limits.h"
#include "core/ports.h"
#include "core/retained.h"

struct touched; // a session that one message reached through several filters

struct router {
    uint32_t worker;
    bool spreads_over_workers; // there are several
    struct index *index;
    struct retained *retained;
    struct budget *budget;
    struct counters *counters;
    const struct limits *limits;
    const struct ports *ports;
    const struct access_port *access;
    const struct store_port *store;
    struct hash_key hash_key;
    struct hits hits;
    struct touched *touched;
    uint32_t touched_count, touched_capacity;
    uint64_t touched_serial;
    _Atomic uint64_t *last_number; // of a session or a will
    struct leaf **post_leaves;     // scratch, as many as hits.leaf_capacity
    uint32_t post_capacity;
};

void router_done(struct router *router); // frees its scratch memory

// Keeps the message if it is to be retained, and delivers it. Borrows `message`.
// BUD_SUCCESS, BUD_NO_MATCHING_SUBSCRIBERS, or BUD_QUOTA_EXCEEDED: it could not be retained or
// routed, and nobody got it.
enum bud_reason router_publish(struct router *router, struct message *message);

// A post from another worker: deliver to these leaves, all of this worker / to this member.
void router_deliver(struct router *router, struct message *message, struct leaf **leaves,
                    uint32_t count);
// False: the member cannot be given it any more; nothing has happened then.
bool router_deliver_member(struct router *router, struct message *message,
                           struct share_member *member, struct moved moved);

// A message of a shared subscription that the member `from` cannot finish goes to another one, if
// there is one: online if `online_only`. Takes no reference. True if somebody has it now, and the
// store is told that `moved` goes.
bool router_pass_on(struct router *router, struct message *message, const struct share_member *from,
                    bool online_only, struct moved moved);

// Access, in one place for every path: live, retained, queued, sent again, shared, by alias, wills.
bool router_may_read(const struct router *router, const struct principal *principal,
                     struct bytes topic);
bool router_may_write(const struct router *router, const struct principal *principal,
                      struct bytes topic);

// A message on its way to this principal: as router_may_read, but what was found allowed under the
// present rules is not looked at twice.
bool router_may_have(const struct router *router, const struct principal *principal,
                     struct delivery *delivery);

// May it write here although it is away, and perhaps no longer a user: its will, what it retained?
bool router_may_still_write(const struct router *router, const struct principal *principal,
                            struct bytes topic);
bool router_is_known(const struct router *router, const struct principal *principal);

// A retained message: may whoever published it still do so?
bool router_source_may_write(const struct router *router, const struct message *message);

#endif
