// SPDX-License-Identifier: MIT
// Who this process is, and how it stops being root: found, given what is its own, become, for good.
// Whoever broke into the broker owns the data directory and what is in it, so nothing in there is
// believed: links of either kind are left alone, and so is whatever does not belong to root.
#ifndef BUD_OS_PRIVILEGES_H
#define BUD_OS_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRIVILEGES_NAME_MAX 64
#define PRIVILEGES_TEXT_MAX 1024

struct privileges_user {
    char name[PRIVILEGES_NAME_MAX]; // what people call it; the number if it has no name
    uint32_t user, group;
    bool has_entry; // in the user database, which then tells its other groups
};

// By name, or by number if there is no such name. 0, -ENOENT, or why the user database cannot be
// read.
int privileges_find_user(const char *name, struct privileges_user *ret_user);
int privileges_find_numbers(const char *user, const char *group, // group NULL: the user's own
                            struct privileges_user *ret_user);   // 0, -EINVAL: not numbers
void privileges_find_self(struct privileges_user *ret_user);

// Makes a directory for root alone, and what is missing above it as directories usually are: others
// pass through. Fine if it is there. 0 or -errno.
int privileges_make_directory(const char *path);

// Gives a directory of root's to this user, and what is root's in it of files and directories whose
// names begin with one of `names` (a list that ends with NULL). 0, or -errno and nothing was given:
// -ELOOP the directory is a symbolic link, -ENOTEMPTY it holds other things, too.
int privileges_hand_over(const char *directory, const char *const *names,
                         const struct privileges_user *to);

// Root becomes this user, with the groups that the database names for it, and can never be root
// again. 0 or -errno.
int privileges_drop(const struct privileges_user *to);

// For every user, root too: nothing that is executed can give rights, nobody but root looks into
// the memory, and it is not written to a file when the process dies.
void privileges_lock_down(void);

// Why this process may not read (or write) this path, which file or directory is in the way, and
// the command that lets it. False: it may, or the path does not exist.
bool privileges_explain(const char *path, bool for_writing, char *text, size_t size);

#endif
