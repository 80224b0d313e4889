// SPDX-License-Identifier: MIT
// Rows as JSON objects on one line, for the dump and the quarantine file. Text that is UTF-8 is
// shown as such, with everything escaped that a terminal could take for a command; other bytes as
// hexadecimal under the name with "_hex" behind.
#ifndef BUD_STORE_JSON_H
#define BUD_STORE_JSON_H

#include "base/buffer.h"
#include "store/table.h"

void json_text(struct buffer *buffer, struct bytes text);                        // with its quotes
void json_row(struct buffer *buffer, const struct row *row, const char *reason); // reason or NULL

#endif
