// SPDX-License-Identifier: MIT
// What a token, or the answer of an HTTP service, says that its bearer may read and write:
//   "publ": ["a/#"], "subs": ["b/+"]                      topic filters, as mosquitto-jwt-auth
//   "acl": {"pub": [...], "sub": [...], "all": [...]}     the same in one object, as EMQX
//   "acl": [{"permission": "allow", "action": "publish", "topic": "a/#"}, ...]
// Permission is allow or deny, action publish, subscribe or all. Whoever says any of it says all:
// what is not allowed there is denied, and deny, which is of action all, goes before allow. "%c" or
// "${clientid}" stands for the client id, "%u" or "${username}" for the user name. What is not
// understood is an error, never a rule left out: half of what somebody meant may be more than they
// meant. The text is bounded by who reads it; it was signed by, or comes from, somebody trusted.
#ifndef BUD_ACCESS_TOPIC_CLAIMS_H
#define BUD_ACCESS_TOPIC_CLAIMS_H

#include "access/acl.h"

#include <jansson.h>

#define TOPIC_CLAIMS_MAX 1000

enum { TOPIC_CLAIM_READ = 1, TOPIC_CLAIM_WRITE = 2 };

struct topic_claim {
    struct bytes filter; // in the JSON
    uint8_t access;      // TOPIC_CLAIM_READ | TOPIC_CLAIM_WRITE
    bool is_deny;
};

struct topic_claims {
    struct topic_claim *list;
    size_t count, capacity;
    bool stated; // it says something, if only that nothing is allowed
};

// Reads them from an object. False with a reason: they are wrong, or no memory. `claims` is all
// zero before, and to be freed in either case; it points into `object`.
bool topic_claims_read(const json_t *object, struct topic_claims *claims, const char **ret_why);

// The rules that they are, for one user (empty: an anonymous one). NULL with a reason: no memory.
struct acl *topic_claims_try_acl(const struct topic_claims *claims, struct bytes user,
                                 const char **ret_why);
void topic_claims_done(struct topic_claims *claims);

#endif
