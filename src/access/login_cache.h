// SPDX-License-Identifier: MIT
// Verified passwords, so that who comes back costs no second hash: HMAC-SHA-256 under a random key
// of user, password and the hash that they fitted. It holds no password, and says nothing about
// another hash of the same user. For any thread. Bounded; the one longest unused goes first.
#ifndef BUD_ACCESS_LOGIN_CACHE_H
#define BUD_ACCESS_LOGIN_CACHE_H

#include "access/password_hash.h"

#include <stdbool.h>

struct login_cache;

struct login_cache *login_cache_new(size_t count_max);
void login_cache_free(struct login_cache *cache); // NULL is fine

bool login_cache_has(struct login_cache *cache, const struct password_hash *hash, struct bytes user,
                     struct bytes password);
// It fitted. Without memory it is forgotten.
void login_cache_put(struct login_cache *cache, const struct password_hash *hash, struct bytes user,
                     struct bytes password);

#endif
