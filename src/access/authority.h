// SPDX-License-Identifier: MIT
// Somebody who knows whether a client is who it says it is: a password file, a token's signature,
// somebody else's HTTP service. A login asks them one after another (access/login.h) until one
// says yes or no. An authority is immutable after it was made, and may be asked by several threads
// at once. A client chooses every byte of the request.
#ifndef BUD_ACCESS_AUTHORITY_H
#define BUD_ACCESS_AUTHORITY_H

#include "os/net.h"
#include "proto/bytes.h"

enum login_verdict {
    LOGIN_NOT_MINE,  // knows nothing of it: ask the next
    LOGIN_YES,       // it is `result->user`
    LOGIN_NO,        // and nobody else is asked
    LOGIN_TRY_LATER, // cannot tell now (busy, the service does not answer): 0x97 / 3
    LOGIN_ASK,       // of check_now: cannot tell at once, so `check` has to be asked
};

// Borrowed: valid while the call lasts. A missing user name and an empty one are two things.
struct login_request {
    struct bytes client_id;
    struct bytes user, password;
    bool has_user, has_password;
    struct net_address peer;
    const char *listener; // what to call it in a log: "0.0.0.0:1883"; "" unknown
};

// All zero before the call. What is allocated belongs to the result: login_result_done.
struct login_result {
    // Who it is, if that is not the name that it gave (the `sub` of a token): of memory_try_new.
    uint8_t *user;
    size_t user_size;
    // What it may read and write by its own word (the claims of a token), NULL: what the access
    // rules say of its user. What it is, is between the authority and the rules.
    void *rules;
    void (*free_rules)(void *rules);
    int64_t expires_at_ms; // on the wall clock, 0: never. Then the connection ends.
    // What the yes rests on: changes with whatever should end the connection (the user's line in a
    // file). See still_valid.
    uint64_t entry;
    uint8_t kind;    // enum authority_kind of who said yes; filled in by who asks
    const char *why; // of a no, for the log alone; static text: cause, and what to do
};

// What asking costs. What is not quick is asked in the login's threads, never in a worker.
enum authority_cost {
    AUTHORITY_IS_QUICK,   // microseconds
    AUTHORITY_IS_SLOW,    // a hash: takes a processor for a while
    AUTHORITY_WAITS_LONG, // for somebody else, with a limit of its own; takes no processor
};

enum authority_kind {
    AUTHORITY_NONE, // anonymous
    AUTHORITY_USERS,
    AUTHORITY_PASSWORD_FILE,
    AUTHORITY_TOKEN,
    AUTHORITY_HTTP,
    AUTHORITY_CERTIFICATE, // TLS has said who it is
};

struct authority {
    uint8_t kind;     // enum authority_kind: what stays the same over a reload
    const char *name; // for logs: "password_file /etc/mosquitto/passwd"
    void *context;
    enum authority_cost cost;
    // What can be said in microseconds, in a worker: a remembered answer. NULL: nothing, if it is
    // not quick.
    enum login_verdict (*check_now)(void *context, const struct login_request *request,
                                    struct login_result *result);
    enum login_verdict (*check)(void *context, const struct login_request *request,
                                struct login_result *result);
    // Takes the time of a wrong password: for a user whom nobody knows. NULL: nothing to hide.
    void (*spend)(void *context, const struct login_request *request);
    // Is there nobody whom it knows, so that it is as if it were not there? NULL: no.
    bool (*is_empty)(void *context);
    // Is there such a user? NULL: it cannot tell without asking.
    bool (*knows)(void *context, struct bytes user);
    // Would it still say yes to this user, to whom one of this kind said yes with this `entry`? For
    // connections that are open when files have changed. NULL: yes, until it expires.
    bool (*still_valid)(void *context, struct bytes user, uint64_t entry);
    void (*release)(void *context); // with the last login that may ask it; NULL: nothing to do
};

void login_result_done(struct login_result *result); // frees what it owns; all zero again

#endif
