// SPDX-License-Identifier: MIT
// Logins by the names and passwords of a file: Mosquitto's, which is read with each reload, and our
// own users, which are read anew whenever they change. See access/authority.h.
#ifndef BUD_ACCESS_PASSWORD_AUTHORITY_H
#define BUD_ACCESS_PASSWORD_AUTHORITY_H

#include "access/login_cache.h"
#include "access/password_file.h"

// An authority that keeps the file, and lets it go with the gate.
struct authority password_file_authority(struct password_file *file, struct login_cache *cache);

// Our users: the file `users` of the data directory, as it is now. No file: no users.
struct users;

// 0 or -errno with a sentence in `error` (ACCESS_ERROR_MAX bytes).
int users_open(const char *path, struct login_cache *cache, struct users **ret_users, char *error);
void users_close(struct users *users); // when no gate asks any more; NULL is fine

// An authority that asks those who are users at that time.
struct authority users_authority(struct users *users);

// Has the file changed since, and not between this look and the last? From one thread. 1 it has,
// and was read; 0 it has not; -errno with a sentence in `error`: it has, and cannot be read. Then
// everything stays as it was; it is told once, and tried again as long as the reason may pass.
int users_refresh(struct users *users, char *error);

// Those of now: the caller's reference.
struct password_file *users_now(struct users *users);
const char *users_path(const struct users *users);

#endif
