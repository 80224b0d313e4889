// SPDX-License-Identifier: MIT
// Wrong passwords: each makes the next answer come later, and too many of them ban the address for
// a while that doubles with each ban. Counted twice: for the address (of IPv6 the network of 64
// bits, which one customer has), and for the address together with the user name, so that somebody
// with one good password cannot go on guessing others. Nobody is ever kept out because of what came
// from another address. This machine is slowed down and never banned.
// For any thread. An attacker controls addresses within reach and every byte of the names: what is
// remembered is bounded, the one longest untouched goes first, and bans last.
#ifndef BUD_ACCESS_BAN_H
#define BUD_ACCESS_BAN_H

#include "base/hash.h"
#include "os/net.h"
#include "proto/bytes.h"

struct ban_options {
    uint32_t failures_max; // so many within the window ban; 0: nobody is banned
    uint32_t window_s;
    uint32_t ban_s, ban_s_max; // the first ban, doubling to the last
    uint32_t delay_ms, delay_ms_max;
    uint32_t entries_max; // remembered at once
};

// Who failed, or comes. A name of more than BAN_USER_MAX bytes counts as its beginning.
#define BAN_USER_MAX 128
struct ban_subject {
    struct net_address address;
    struct bytes user;
    bool has_user;
};

struct ban_judgement {
    uint32_t delay_ms; // to hold the answer back
    uint32_t ban_s;    // not 0: this failure banned it, for so long
};

struct ban {
    char address[NET_ADDRESS_TEXT_MAX]; // "192.0.2.7", "2001:db8::/64"
    struct bytes user;                  // only together with the address; empty: all of them
    int64_t left_ms;
    uint32_t times; // that it was banned
};

struct bans;

struct bans *bans_new(const struct ban_options *options, struct hash_key key);
void bans_free(struct bans *bans);                                           // NULL is fine
void bans_set_options(struct bans *bans, const struct ban_options *options); // what is, stays

struct ban_judgement bans_failed(struct bans *bans, const struct ban_subject *subject,
                                 int64_t now_ms);
void bans_succeeded(struct bans *bans, const struct ban_subject *subject);

// How long it is still banned; 0: it is not. Without a user name: whatever its name may be.
int64_t bans_left_ms(struct bans *bans, const struct ban_subject *subject, int64_t now_ms);

size_t bans_count(struct bans *bans, int64_t now_ms);
// `each` is called with all of them, and must not call back.
void bans_list(struct bans *bans, int64_t now_ms,
               void (*each)(void *context, const struct ban *ban), void *context);

// What is known of this address and its users is forgotten; how many bans that were.
size_t bans_lift(struct bans *bans, const struct net_address *address, int64_t now_ms);
size_t bans_lift_all(struct bans *bans, int64_t now_ms);

// An address as bans_list gives it; false: it is none.
bool ban_address_parse(struct bytes text, struct net_address *ret_address);

#endif
