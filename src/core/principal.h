// SPDX-License-Identifier: MIT
// Who somebody is to the access rules: the user that a CONNECT was accepted for, its client id, and
// which listener's rules hold. Never changes once it is made; a session, its retained messages and
// its members of shared subscriptions hold the same one, on whatever worker. A client chooses both
// names: they are compared as bytes, and never become part of a pattern.
#ifndef BUD_CORE_PRINCIPAL_H
#define BUD_CORE_PRINCIPAL_H

#include "core/budget.h"
#include "proto/bytes.h"

// Which set of rules: 0 is those that hold everywhere, other numbers name a listener. The last one
// says that it came with rules of its own (the claims of a token).
#define PRINCIPAL_DOMAIN_COMMON 0u
#define PRINCIPAL_DOMAIN_OWN UINT32_MAX

struct principal {
    _Atomic uint32_t references;
    uint32_t domain;
    bool has_user; // false: anonymous. An empty user name is none
    uint32_t client_id_size, user_size;
    struct budget *budget;
    void *rules; // its own, NULL none; or, restored from the store, no longer known
    void (*free_rules)(void *rules);
    uint8_t text[]; // client id, then user
};

struct principal_source {
    struct bytes client_id, user; // no user: anonymous
    uint32_t domain;
    void *rules; // not NULL: taken over, and the domain is PRINCIPAL_DOMAIN_OWN
    void (*free_rules)(void *rules);
};

// With one reference. NULL without memory or budget; the rules are then still the caller's.
struct principal *principal_try_new(struct budget *budget, const struct principal_source *source);

struct principal *principal_ref(struct principal *principal); // NULL is fine; returns its argument
void principal_unref(struct principal *principal);            // NULL is fine

static inline struct bytes principal_client_id(const struct principal *principal)
{
    return bytes_make(principal->text, principal->client_id_size);
}

static inline struct bytes principal_user(const struct principal *principal)
{
    return bytes_make(principal->text + principal->client_id_size, principal->user_size);
}

// Do the same rules hold for both, with the same outcome?
bool principal_is_same(const struct principal *a, const struct principal *b);

// May somebody who is `user` (empty: anonymous) have what `principal` left behind?
static inline bool principal_is_of(const struct principal *principal, struct bytes user)
{
    return bytes_equal(principal_user(principal), user);
}

#endif
