// SPDX-License-Identifier: MIT
// Our file system layer under SQLite (a VFS above the system's). It puts a checksum on every page
// of the main file and verifies it on every read (SQLite leaves DISK_RESERVED bytes at a page's end
// to us); remembers the checksum of every page in the write-ahead log and verifies that too; counts
// barriers and bytes; and makes a failed write or barrier final: whatever happens later, the error
// stays. Only a full disk may pass. One store, one thread.
#ifndef BUD_STORE_DISK_H
#define BUD_STORE_DISK_H

#include "proto/bytes.h"

#include <sqlite3.h>
#include <stdbool.h>

#define DISK_PAGE_SIZE 4096
#define DISK_RESERVED 8
#define DISK_WAL_HEADER 32
#define DISK_FRAME_HEADER 24
#define DISK_FRAME_SIZE (DISK_FRAME_HEADER + DISK_PAGE_SIZE)

struct disk;

struct disk_numbers {
    uint64_t barriers, bytes_written, damaged_pages;
};

// Above the VFS of that name (NULL: the system's default). Never NULL but when there is no such
// VFS.
struct disk *disk_new(const char *lower);
void disk_free(struct disk *disk); // no file may be open

const char *disk_vfs_name(const struct disk *disk); // for sqlite3_open_v2
sqlite3_vfs *disk_lower(const struct disk *disk);

// Everything in the log is in the main file now, which has passed a barrier.
void disk_log_copied(struct disk *disk);

// The same as the functions of os/file.h, unless the VFS below has functions of its own under these
// names ("bud_rename", "bud_sync_directory"): a disk in memory has.
int disk_rename(const struct disk *disk, const char *from, const char *to);
int disk_sync_directory(const struct disk *disk, const char *path);
bool disk_exists(const struct disk *disk, const char *path);
int disk_remove(const struct disk *disk, const char *path); // fine if it is not there

int disk_error(const struct disk *disk); // 0, or -errno of the first write or barrier that failed
bool disk_take_full(struct disk *disk);  // has a write found no space since this was last asked?
struct disk_numbers disk_numbers(const struct disk *disk);

// Is this whole page, as it stands in the main file, the one with this number (from 1)?
void disk_seal_page(uint8_t page[DISK_PAGE_SIZE], uint32_t number);
bool disk_page_fits(const uint8_t page[DISK_PAGE_SIZE], uint32_t number);

#endif
