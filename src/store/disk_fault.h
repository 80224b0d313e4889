// SPDX-License-Identifier: MIT
// For tests: a disk in memory (a VFS to be put below disk.h) that knows what has passed a barrier
// and what has not. At any moment a copy can be made as a power cut would leave it: what was not
// synced is kept, dropped or torn, write by write, as a seed decides; creations, renames and
// truncations too. It can also fail, be full, and lie about its barriers. Files are known by the
// last part of their path.
#ifndef BUD_STORE_DISK_FAULT_H
#define BUD_STORE_DISK_FAULT_H

#include "proto/bytes.h"

#include <stdbool.h>

struct disk_fault;

enum disk_fault_operation {
    DISK_FAULT_WRITE = 1,
    DISK_FAULT_SYNC = 2,
    DISK_FAULT_TRUNCATE = 4,
    DISK_FAULT_DIRECTORY = 8, // rename, and the barrier of a directory
};

struct disk_fault *disk_fault_new(uint64_t seed);
void disk_fault_free(struct disk_fault *disk); // every file is closed

const char *disk_fault_vfs(const struct disk_fault *disk); // the VFS's name

// A new disk, as this one would be after a power cut now. What is torn is torn at multiples of
// `grain` bytes.
struct disk_fault *disk_fault_cut(const struct disk_fault *disk, uint64_t seed, uint32_t grain);

// A new disk with everything as it is now: what a killed process leaves.
struct disk_fault *disk_fault_copy(const struct disk_fault *disk);

void disk_fault_ignore_syncs(struct disk_fault *disk); // the barrier does nothing from now on
uint64_t disk_fault_operations(const struct disk_fault *disk); // of all kinds so far

// Called before each operation. The disk must not be touched in it, only cut.
void disk_fault_watch(struct disk_fault *disk,
                      void (*before)(void *context, enum disk_fault_operation operation),
                      void *context);

// The `nth` operation (from 1) of these kinds from now fails with an input/output error, and every
// one after it. 0: none.
void disk_fault_fail(struct disk_fault *disk, unsigned operations, uint64_t nth);
bool disk_fault_failed(const struct disk_fault *disk); // did one?

void disk_fault_limit(struct disk_fault *disk, uint64_t bytes); // of all files together

// The bytes of a file, to damage them; NULL when there is none. Valid until the next write to it.
uint8_t *disk_fault_bytes(struct disk_fault *disk, const char *path, size_t *ret_size);
void disk_fault_resize(struct disk_fault *disk, const char *path, size_t size); // filled with zeros
void disk_fault_remove(struct disk_fault *disk, const char *path);
// The path of the file at this position (from 0), NULL beyond the last.
const char *disk_fault_path(const struct disk_fault *disk, size_t position);

#endif
