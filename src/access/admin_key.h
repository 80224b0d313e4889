// SPDX-License-Identifier: MIT
// The admin key: 32 random bytes as base64url, made on the first start and stored for the broker's
// owner alone (admin.key in the data directory, mode 0600). It is handed out once, for the
// terminal, and never again.
#ifndef BUD_ACCESS_ADMIN_KEY_H
#define BUD_ACCESS_ADMIN_KEY_H

#include <stdbool.h>

#define ADMIN_KEY_TEXT_MAX 64

// Sees that there is one. *ret_is_new: it was made now, and `key` holds its text. 0, or -errno with
// a sentence in `error` (ACCESS_ERROR_MAX bytes).
int admin_key_ensure(const char *directory, char *key, bool *ret_is_new, char *error);

#endif
