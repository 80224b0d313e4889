// SPDX-License-Identifier: MIT
// Two devices with the same client identifier throw each other out, come back, and so on for ever.
// A few take-overs in a short time are somebody whose network is bad; more are a fight: then
// whoever has the identifier keeps it for a while, and newcomers are refused. One for each worker,
// who is the home of its identifiers. Attackers choose them: what is remembered is bounded, the
// fight that began first goes first.
#ifndef BUD_SERVER_FIGHTS_H
#define BUD_SERVER_FIGHTS_H

#include "base/hash.h"
#include "proto/bytes.h"

struct fight_options {
    uint64_t takeovers_max; // in the window; 0: no limit
    int64_t window_ms, hold_ms;
};

enum fight_verdict {
    FIGHT_NONE,   // take it over
    FIGHT_BEGINS, // the newcomer is refused, and the log should say so
    FIGHT_GOES_ON // as above, but that was said already
};

struct fights;

struct fights *fights_new(size_t count_max, struct hash_key key);
void fights_free(struct fights *fights);

// Somebody wants to take a session over from somebody who is connected.
enum fight_verdict fights_judge(struct fights *fights, struct bytes client_id,
                                const struct fight_options *options, int64_t now_ms);

#endif
