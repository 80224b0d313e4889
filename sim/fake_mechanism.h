// SPDX-License-Identifier: MIT
// A mechanism of enhanced authentication for tests and fuzzers [MQTT5 4.12]. It is called "FAKE",
// and knows one user: to the client's first words, "user=<name>", it answers with a challenge, and
// whoever sends that back reversed is in.
#ifndef BUD_SIM_FAKE_MECHANISM_H
#define BUD_SIM_FAKE_MECHANISM_H

#include "server/auth.h"

#define FAKE_MECHANISM_NAME "FAKE"
#define FAKE_MECHANISM_CHALLENGE "stressed"
#define FAKE_MECHANISM_ANSWER "desserts"
#define FAKE_MECHANISM_WELCOME "welcome"

extern const struct auth_mechanism fake_mechanism;

#endif
