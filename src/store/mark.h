// SPDX-License-Identifier: MIT
// How far the write-ahead log has passed a barrier, noted in a small file beside it. It is written
// after the barrier and without one of its own, so it never says more than is true. A log that ends
// before its mark has lost what was acknowledged; one that goes on behind it was only not finished.
#ifndef BUD_STORE_MARK_H
#define BUD_STORE_MARK_H

#include "proto/bytes.h"

#include <sqlite3.h>
#include <stdbool.h>

struct mark {
    uint8_t salt[8]; // of the round of the log
    uint64_t end;    // bytes; 0: all of it is in the main file
};

struct mark_file;

struct mark_file *mark_open(sqlite3_vfs *vfs, const char *log_path); // NULL: there is none then
void mark_close(struct mark_file *file);                             // NULL is fine
int mark_write(struct mark_file *file, const struct mark *mark, bool barrier); // SQLite's result

bool mark_read(sqlite3_vfs *vfs, const char *log_path,
               struct mark *ret_mark); // false: no whole one
void mark_path(const char *log_path, char *path, size_t size);

#endif
