// SPDX-License-Identifier: MIT
// The few things the store does with files besides SQLite: its directory, its lock, space. All
// return 0 or -errno unless said otherwise; what is made is for this user alone (0600, 0700).
#ifndef BUD_OS_FILE_H
#define BUD_OS_FILE_H

#include <stdbool.h>
#include <stdint.h>

int file_make_directory(const char *path); // with what is above it; fine if it is there
bool file_exists(const char *path);
int64_t file_size(const char *path); // -errno if it cannot be told

// An exclusive lock on this file, made if missing; held until file_unlock or the process ends. The
// descriptor, or -EWOULDBLOCK: somebody else holds it.
int file_lock(const char *path);
void file_unlock(int descriptor);

// A lock that is taken for short, by readers together or by a writer alone. Opening makes the file.
int file_open_lock(const char *path); // descriptor, closed by file_unlock
bool file_try_alone(int descriptor);
int file_wait_shared(int descriptor); // waits
void file_leave(int descriptor);      // lets the lock go, and keeps the descriptor

int64_t file_modified_ns(const char *path); // -errno if it cannot be told

int file_reserve(const char *path, uint64_t size); // makes it with its blocks really allocated
int file_make(const char *path);                   // empty; fine if it is there
int file_remove(const char *path);                 // fine if it is not there
int file_rename(const char *from, const char *to);
int file_sync(const char *path);
int file_sync_directory(const char *path);
int file_append(const char *path, const void *data, uint64_t size); // made if missing

// What is free for this user and how large the file system is, in bytes.
int file_space(const char *path, uint64_t *ret_free, uint64_t *ret_total);

// Is this path (or the nearest directory above that exists) on an SD card or eMMC, whose wear
// follows writes? False when unknown.
bool file_is_on_card(const char *path);

#endif
