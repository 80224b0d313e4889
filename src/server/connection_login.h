// SPDX-License-Identifier: MIT
// Who is this client? From a CONNECT that is in order, at home, to the session or the refusal. What
// takes long is asked in the login's threads: the connection stands still meanwhile, in
// AUTHENTICATING, with what it sent further waiting in `partial`. Passwords are wiped as soon as
// they are of no more use. An attacker controls every byte, and when it goes away.
#ifndef BUD_SERVER_CONNECTION_LOGIN_H
#define BUD_SERVER_CONNECTION_LOGIN_H

#include "access/authority.h"
#include "base/timer_wheel.h"
#include "proto/packet.h"

struct connection;
struct login_job;
struct worker;

// How a connection came in. What is not anonymous has one for as long as it lives.
struct connection_login {
    struct timer timer; // when it expires
    struct connection *connection;
    uint8_t kind; // enum authority_kind
    uint64_t entry;
};

void connection_log_in(struct connection *connection, const struct packet_connect *connect,
                       struct bytes raw);

// A verdict has come back; the job is taken over, whatever became of the connection.
void connection_on_verdict(struct login_job *job);

// Notes how it came in. False: no memory.
bool connection_note_login(struct connection *connection, const struct login_result *result);

// It is not who it says. The refusal comes later the more often that happens.
void connection_fail_login(struct connection *connection, const struct packet_connect *connect,
                           enum bud_reason reason, const char *why);

void connection_forget_connect(struct connection *connection); // wiped
void connection_forget_login(struct connection *connection);   // with the connection

// Says goodbye if it would not be let in any more. It is OPEN.
void connection_recheck_login(struct connection *connection);

#endif
