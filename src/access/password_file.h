// SPDX-License-Identifier: MIT
// A password file, read once and never changed: `name:hash` on each line, as mosquitto_passwd
// writes it. Lines that begin with '#' and lines without ':' say nothing; blanks around name and
// hash do not count; an empty name, a name twice, a hash that cannot be understood and a plain text
// password are errors with their line. Our own users file may have a third field, for SCRAM
// (access/scram_verifier.h): `name:hash:verifier`, and `hash` may then be empty.
// Counted, because threads check passwords by it while a newer one takes its place. Whoever writes
// the file is trusted; who asks is not.
#ifndef BUD_ACCESS_PASSWORD_FILE_H
#define BUD_ACCESS_PASSWORD_FILE_H

#include "access/authority.h"
#include "access/password_hash.h"
#include "access/scram_verifier.h"
#include "access/secret_file.h"
#include "base/map.h"

#include <stdatomic.h>

enum password_file_kind { PASSWORD_FILE_OF_MOSQUITTO, PASSWORD_FILE_OF_USERS };

struct password_entry {
    struct bytes name;
    uint64_t number; // changes with anything in the line but blanks and the name
    bool has_hash, has_verifier;
    struct password_hash hash;
    struct scram_verifier verifier;
};

struct password_file {
    _Atomic uint32_t references;
    char *path;
    struct file_contents contents; // wiped of all but what entries look at, in the end
    struct password_entry *entries;
    size_t count, capacity;
    struct map by_name;
    struct password_hash dummy; // what an unknown user's password is checked against
    bool has_dummy;
    uint32_t skipped_line; // the first line without ':' that is no comment and not blank; 0 none
};

// 0 or -errno (-EINVAL: the contents) with a sentence about cause and remedy in `error` (of
// ACCESS_ERROR_MAX bytes).
int password_file_read(const char *path, enum password_file_kind kind,
                       struct password_file **ret_file, char *error);
// Of text in memory; `path` is what to call it.
int password_file_parse(const char *path, enum password_file_kind kind, struct bytes text,
                        struct password_file **ret_file, char *error);
struct password_file *password_file_ref(struct password_file *file);
void password_file_unref(struct password_file *file); // NULL is fine

const struct password_entry *password_file_find(const struct password_file *file,
                                                struct bytes name); // NULL unknown

// Takes the time of a wrong password: for users that are not in the file.
void password_file_check_nobody(const struct password_file *file, struct bytes password);

#endif
