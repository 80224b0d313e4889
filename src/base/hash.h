// SPDX-License-Identifier: MIT
// SipHash-1-3 with a secret key: names that a peer chooses must not be able to collide on purpose.
#ifndef BUD_BASE_HASH_H
#define BUD_BASE_HASH_H

#include "proto/bytes.h"

struct hash_key {
    uint64_t k0, k1;
};

uint64_t hash_bytes(struct hash_key key, uint64_t seed,
                    struct bytes bytes); // `seed` is mixed in: hash of (seed, bytes)

#endif
