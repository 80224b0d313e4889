// SPDX-License-Identifier: MIT
// Passwords and keys: compared in constant time, wiped after use.
#ifndef BUD_ACCESS_SECRET_H
#define BUD_ACCESS_SECRET_H

#include "proto/bytes.h"

void secret_wipe(void *memory, size_t size);       // not optimised away
void secret_free(void *memory, size_t size);       // wiped first; NULL is fine
bool secret_equal(struct bytes a, struct bytes b); // in a time that depends on the sizes alone

#endif
