// SPDX-License-Identifier: MIT
// Commands for a running broker: HTTP over the socket in its data directory, which only its owner
// can open.
#ifndef BUD_CMD_OWNER_H
#define BUD_CMD_OWNER_H

#include "base/buffer.h"

#define OWNER_ERROR_MAX 4500

// Asks the broker of this data directory (NULL: the default one). The status of its answer and the
// body, which the caller frees; or -errno with a sentence about cause and remedy in `error`
// (OWNER_ERROR_MAX bytes).
int owner_ask(const char *directory, const char *method, const char *path, struct buffer *ret_body,
              char *error);

// `text` as a part of a path; `size` at least three times its length and one.
void owner_encode(const char *text, char *encoded, size_t size);

#endif
