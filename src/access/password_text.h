// SPDX-License-Identifier: MIT
// Changing the text of a password file: one user's line, everything else (comments, order, what is
// not understood) as it was. What `bud passwd` and `bud user` do to files.
#ifndef BUD_ACCESS_PASSWORD_TEXT_H
#define BUD_ACCESS_PASSWORD_TEXT_H

#include "base/buffer.h"

// NULL, or why nobody can be called so, as the rest of a sentence "the name ...".
const char *password_text_check_name(struct bytes name);

// Puts `text` into `out` with the line of `name` replaced by `name:secrets`, or such a line behind
// it. False: no memory.
bool password_text_set(struct bytes text, struct bytes name, struct bytes secrets,
                       struct buffer *out, bool *ret_was_there);

// Likewise without that line.
bool password_text_remove(struct bytes text, struct bytes name, struct buffer *out,
                          bool *ret_was_there);

// Takes a line apart; false: it names nobody.
bool password_text_split(struct bytes line, struct bytes *ret_name, struct bytes *ret_secrets);

#endif
