// SPDX-License-Identifier: MIT
// The names in a directory.
#ifndef BUD_OS_DIRECTORY_H
#define BUD_OS_DIRECTORY_H

#include <stddef.h>

struct directory_names {
    char **names; // sorted by their bytes, without "." and ".."
    size_t count;
};

// 0 or -errno: -EFBIG more than `count_max` names. What it gives is freed by directory_done.
int directory_read(const char *path, size_t count_max, struct directory_names *ret_names);
void directory_done(struct directory_names *names);

#endif
