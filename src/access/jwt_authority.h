// SPDX-License-Identifier: MIT
// Logins by a token. The keys are read again when their files change; what is written there while
// they cannot be read changes nothing. See access/authority.h and access/jwt.h.
#ifndef BUD_ACCESS_JWT_AUTHORITY_H
#define BUD_ACCESS_JWT_AUTHORITY_H

#include "access/jwt.h"

struct tokens;

// 0 or -errno with a sentence in `error` (ACCESS_ERROR_MAX bytes). Texts of the options are copied.
int tokens_open(const struct jwt_options *options, struct tokens **ret_tokens, char *error);
void tokens_unref(struct tokens *tokens); // NULL is fine

// An authority that holds a reference, and gives it back with the gate.
struct authority tokens_authority(struct tokens *tokens);

// Have its files changed? From one thread. 1: they have, and were read; 0: they have not; -errno
// with a sentence in `error`: they have, and cannot be used. That is told once.
int tokens_refresh(struct tokens *tokens, char *error);

#endif
