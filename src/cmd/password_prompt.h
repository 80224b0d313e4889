// SPDX-License-Identifier: MIT
// Asking for a password: typed twice without being shown, from a pipe, or made up.
#ifndef BUD_CMD_PASSWORD_PROMPT_H
#define BUD_CMD_PASSWORD_PROMPT_H

#include "proto/bytes.h"

#include <stdbool.h>

#define PASSWORD_SIZE_MAX 65535

struct password {
    size_t size;
    char text[PASSWORD_SIZE_MAX + 1];
};

// Twice the same. False: said why on standard error.
bool password_prompt_twice(struct password *password);
bool password_prompt_line(struct password *password); // the next line of standard input
void password_make_up(struct password *password);     // 20 letters and digits, easy to read aloud
static inline struct bytes password_bytes(const struct password *password)
{
    return bytes_make(password->text, password->size);
}

#endif
