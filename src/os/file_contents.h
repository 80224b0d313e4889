// SPDX-License-Identifier: MIT
// A file read whole, safely: a regular file, not larger than the caller wants, and told apart from
// any other and any later one. For files that decide who may come in: whoever can write into a
// directory on the way must not be able to point us elsewhere, or make us wait.
#ifndef BUD_OS_FILE_CONTENTS_H
#define BUD_OS_FILE_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Changes with every change of the file, also within the same second; all zero: there is none.
struct file_identity {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns;
};

struct file_contents {
    uint8_t *data; // of memory_try_new; NULL while empty
    size_t size;
    struct file_identity identity;
    uint32_t mode;  // permission bits
    uint32_t owner; // user number
};

int file_identify(const char *path, struct file_identity *ret_identity); // 0 or -errno
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

// 0 or -errno: -ELOOP a symlink that may not be followed, -EINVAL not a regular file, -EFBIG larger
// than `size_max`.
int file_read_contents(const char *path, bool follow_symlink, size_t size_max,
                       struct file_contents *ret_contents);

// Puts a file with these bytes in the place of `path`: readers see the old one or the new one,
// whole. Mode and owner are those of the file that was there, or `mode`. 0 or -errno.
int file_replace(const char *path, const void *data, size_t size, uint32_t mode);

// Keeps everybody else who asks out of the directory that `path` is in; waits for its turn. A
// descriptor for file_unlock, or -errno.
int file_lock_directory_of(const char *path);

// Makes a new file, for this user alone (mode 0600), whole or not at all. -EEXIST: it is there.
int file_make_secret(const char *path, const void *data, size_t size);

#endif
