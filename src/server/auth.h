// SPDX-License-Identifier: MIT
// Who may come in. The checks of user names and passwords plug in here; so do mechanisms of
// enhanced authentication [MQTT5 4.12].
#ifndef BUD_SERVER_AUTH_H
#define BUD_SERVER_AUTH_H

#include "access/authority.h"
#include "os/net.h"
#include "proto/packet.h"
#include "server/options.h"

// One exchange of a mechanism with one client. A step is given what the client sent and answers
// with what is to be sent back.
struct auth_mechanism {
    const char *name;
    bool (*is_there)(void *context); // NULL: always
    void *(*begin)(void *context);
    // BUD_CONTINUE_AUTHENTICATION: send `*ret_data` in an AUTH and wait. BUD_SUCCESS: done,
    // `*ret_data` goes into CONNACK (or the last AUTH), `*ret_user` is who it is. Anything else
    // refuses. Views stay valid until the next call.
    enum bud_reason (*step)(void *exchange, struct bytes data, struct bytes *ret_data,
                            struct bytes *ret_user);
    // After BUD_SUCCESS: what it rests on, so that it ends when that does. NULL: nothing known.
    void (*fill_result)(void *exchange, struct login_result *result);
    void (*end)(void *exchange);
    void *context;
};

struct auth {
    const struct auth_mechanism *mechanisms;
    size_t mechanism_count;
};

// Where somebody comes from, as far as that can be known.
struct auth_origin {
    struct net_address address;
    bool is_hidden;       // somebody whom nobody trusts has said that it speaks for others
    bool has_public_name; // a page called it by a name that anybody can register
    bool is_gateway;      // or may do so unseen: a router, the host of a container
};

// May somebody come in without a name? BUD_SUCCESS, or the reason for CONNACK and in *ret_why a
// sentence for the log: what was wrong and what to do.
enum bud_reason auth_check_anonymous(enum anonymous_rule rule, const struct auth_origin *origin,
                                     const char **ret_why);

const struct auth_mechanism *auth_mechanism_find(const struct auth *auth, struct bytes name);

#endif
