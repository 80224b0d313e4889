// SPDX-License-Identifier: MIT
// The value of one option, between text and its field. Numbers are read as Mosquitto reads them
// (decimal, 0x..., 0...: octal) and may have the suffix of their kind.
#ifndef BUD_SERVER_OPTION_VALUE_H
#define BUD_SERVER_OPTION_VALUE_H

#include "server/option_table.h"

#define OPTION_ERROR_MAX 256
#define OPTION_TEXT_SIZE_MAX 65535
#define OPTION_SHOWN_MAX 256 // of anything but texts

// Can the value be taken? 0, or -EINVAL with a sentence about cause and remedy in `error`
// (OPTION_ERROR_MAX bytes).
int option_check(const struct option_row *row, const char *value, char *error);

// The same, and takes it: `object` is the struct options or listener_options that the row's scope
// says. A text is not copied. Lists are put together by who has their texts: they are only checked.
int option_set(void *object, const struct option_row *row, const char *value, char *error);

void option_set_default(void *object, const struct option_row *row, bool from_file);

// The value as option_set would take it; not of lists.
void option_show(const void *object, const struct option_row *row, char *text, size_t size);

int64_t option_number(const void *object, const struct option_row *row);
void option_set_number(void *object, const struct option_row *row, int64_t number);
const char *option_text(const void *object, const struct option_row *row);

bool option_is_text(const struct option_row *row); // kept as a pointer to text

#endif
