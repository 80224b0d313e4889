// SPDX-License-Identifier: MIT
// Whom a login by one listener is checked against, in order: our users, its password file, tokens,
// somebody else's service. Made anew with each reload, then never changed; counted, because a
// thread may still be asking an old one. A client chooses every byte of the request.
#ifndef BUD_ACCESS_LOGIN_H
#define BUD_ACCESS_LOGIN_H

#include "access/authority.h"

#include <stdatomic.h>
#include <stdint.h>

#define LOGIN_AUTHORITIES_MAX 8

struct login_gate {
    _Atomic uint32_t references;
    uint32_t count;
    struct authority authorities[LOGIN_AUTHORITIES_MAX];
};

struct login_gate *login_gate_new(void);
// Behind those that are there; its context is released with the gate.
void login_gate_add(struct login_gate *gate, const struct authority *authority);
struct login_gate *login_gate_ref(struct login_gate *gate);
void login_gate_unref(struct login_gate *gate); // NULL is fine

// Is there anybody who knows a user? If not, a user name is as good as none.
bool login_gate_has_users(const struct login_gate *gate);

// What can be said at once. LOGIN_NOT_MINE: it brings no name that anybody would have to know, and
// whether that will do is up to the rule for anonymous clients. LOGIN_ASK: ask in a thread.
enum login_verdict login_ask_now(const struct login_gate *gate, const struct login_request *request,
                                 struct login_result *result);

// Asks in turn, from number *next on, as long as they cost no other than `cost` (or are quick).
// LOGIN_ASK: number *next is of the other kind.
enum login_verdict login_ask(const struct login_gate *gate, uint32_t *next,
                             enum authority_cost cost, const struct login_request *request,
                             struct login_result *result);
enum authority_cost login_cost(const struct login_gate *gate, uint32_t next);

// May there be such a user? True where names are believed, and if somebody cannot tell.
bool login_may_know(const struct login_gate *gate, struct bytes user);

// Would this user, let in by an authority of this kind with this `entry`, still be?
bool login_still_valid(const struct login_gate *gate, enum authority_kind kind, struct bytes user,
                       uint64_t entry);

#endif
