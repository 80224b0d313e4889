// SPDX-License-Identifier: MIT
#include "cmd/password_prompt.h"

#include "access/secret.h"
#include "os/random.h"
#include "os/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool ask(const char *prompt, struct password *password)
{
    ssize_t size = terminal_read_secret(prompt, password->text, PASSWORD_SIZE_MAX);
    if (size == -ENODATA)
        fputs("Error: there is no password: standard input has ended.\n", stderr);
    else if (size == -EMSGSIZE)
        fputs("Error: the password is longer than 65535 bytes.\n", stderr);
    else if (size < 0)
        fprintf(stderr, "Error: cannot read the password: %s.\n", strerror((int)-size));
    if (size < 0)
        return false;
    password->size = (size_t)size;
    password->text[size] = 0;
    return true;
}

bool password_prompt_line(struct password *password)
{
    return ask("", password);
}

bool password_prompt_twice(struct password *password)
{
    struct password again;
    if (!ask("Password: ", password))
        return false;
    if (password->size == 0) {
        fputs("Error: Empty password.\n", stderr);
        return false;
    }
    bool same = ask("Reenter password: ", &again);
    if (same && !secret_equal(password_bytes(password), password_bytes(&again))) {
        fputs("Error: Passwords do not match.\n", stderr);
        same = false;
    }
    secret_wipe(&again, sizeof(again));
    return same;
}

void password_make_up(struct password *password)
{
    // 32 of them, so that each byte's lowest five bits choose without favour; none looks like
    // another.
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[20];
    random_bytes(random, sizeof(random));
    password->size = 0;
    for (size_t i = 0; i < sizeof(random); i++) {
        if (i > 0 && i % 5 == 0)
            password->text[password->size++] = '-';
        password->text[password->size++] = letters[random[i] & 31];
    }
    password->text[password->size] = 0;
    secret_wipe(random, sizeof(random));
}
