// SPDX-License-Identifier: MIT
// The files of a store, running or not, held still for reading.
#ifndef BUD_STORE_INSPECTION_H
#define BUD_STORE_INSPECTION_H

#include "store/pages.h"
#include "store/store_private.h"

struct inspection {
    sqlite3_vfs *vfs;
    struct pages *pages;
    char path[STORE_PATH_MAX];
    int reading; // the lock
    int64_t modified_ns;
    uint64_t bad_rows; // of the last walk
};

int inspection_begin(struct inspection *inspection, const char *directory, char *error);

// `result` is what came of it; a store that changed all the same is -EAGAIN.
int inspection_end(struct inspection *inspection, int result, char *error);

// Gives every row that fits its check; what others name comes before them.
int inspection_walk(struct inspection *inspection, int (*row)(void *context, const struct row *row),
                    void *context);

#endif
