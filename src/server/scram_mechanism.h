// SPDX-License-Identifier: MIT
// SCRAM-SHA-256 as enhanced authentication of MQTT 5.0 [MQTT5 4.12], against our users. The first
// message comes with CONNECT, the last of ours goes with CONNACK.
#ifndef BUD_SERVER_SCRAM_MECHANISM_H
#define BUD_SERVER_SCRAM_MECHANISM_H

#include "access/scram.h"
#include "server/auth.h"

struct users;

// What its exchanges share; it must outlive them.
struct scram_shared {
    struct users *users;
    struct scram_secret secret;
};

struct auth_mechanism scram_mechanism(struct scram_shared *shared);

#endif
