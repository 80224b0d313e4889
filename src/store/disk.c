// SPDX-License-Identifier: MIT
#include "store/disk.h"

#include "base/assert.h"
#include "base/memory.h"
#include "os/file.h"
#include "store/crc32c.h"
#include "store/mark.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum file_kind { FILE_MAIN, FILE_WAL, FILE_OTHER };

struct disk {
    sqlite3_vfs vfs;
    sqlite3_vfs *lower;
    char name[32];
    int error;
    bool full;
    struct disk_numbers numbers;
    struct mark_file *mark; // beside the log, once there is one
    struct mark marked;     // as it was written last
    bool frame_is_last;     // the frame whose header was written last ends a commit
    struct mark log;        // salts of the present round; end of the last commit in it
    uint8_t page[DISK_PAGE_SIZE];
};

struct disk_file {
    sqlite3_file base;
    struct disk *disk;
    enum file_kind kind;
    uint32_t *frame_checks; // of the log: CRC32C of each page in it, 0 unknown
    size_t frame_count;
    // the lower VFS's own file follows
};

static sqlite3_file *lower_file(struct disk_file *file)
{
    return (sqlite3_file *)(file + 1);
}

static uint32_t page_check(const uint8_t *page, uint32_t number)
{
    uint8_t salt[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                       (uint8_t)(number >> 24)};
    uint32_t crc = crc32c(0, bytes_make(salt, sizeof(salt)));
    return crc32c(crc, bytes_make(page, DISK_PAGE_SIZE - DISK_RESERVED));
}

// The page's number stands beside its checksum: a page written in another's place is told from one
// that is damaged.
void disk_seal_page(uint8_t page[DISK_PAGE_SIZE], uint32_t number)
{
    uint32_t check = page_check(page, number);
    memcpy(page + DISK_PAGE_SIZE - DISK_RESERVED, &check, 4);
    memcpy(page + DISK_PAGE_SIZE - 4, &number, 4);
}

bool disk_page_fits(const uint8_t page[DISK_PAGE_SIZE], uint32_t number)
{
    uint8_t sealed[DISK_RESERVED];
    uint32_t check = page_check(page, number);
    memcpy(sealed, &check, 4);
    memcpy(sealed + 4, &number, 4);
    return memcmp(sealed, page + DISK_PAGE_SIZE - DISK_RESERVED, DISK_RESERVED) == 0;
}

static int damaged(struct disk *disk)
{
    disk->numbers.damaged_pages++;
    return SQLITE_IOERR_DATA;
}

// A failed write or barrier. What the system has done with the data is not known any more, so
// nothing after it can be trusted; but a write that found no space has changed nothing.
static int note_failure(struct disk_file *file, int result, bool may_be_full)
{
    if (result == SQLITE_OK)
        return result;
    int number = 0;
    (void)lower_file(file)->pMethods->xFileControl(lower_file(file), SQLITE_FCNTL_LAST_ERRNO,
                                                   &number);
    if (may_be_full && (result == SQLITE_FULL || number == ENOSPC || number == EDQUOT)) {
        file->disk->full = true;
        return SQLITE_FULL;
    }
    if (file->disk->error == 0)
        file->disk->error = number > 0 ? -number : -EIO;
    return result;
}

static int read_page(struct disk_file *file, uint8_t *page, sqlite3_int64 offset)
{
    int result = lower_file(file)->pMethods->xRead(lower_file(file), page, DISK_PAGE_SIZE, offset);
    if (result != SQLITE_OK)
        return result;
    if (!disk_page_fits(page, (uint32_t)(offset / DISK_PAGE_SIZE) + 1))
        return damaged(file->disk);
    memset(page + DISK_PAGE_SIZE - DISK_RESERVED, 0, DISK_RESERVED);
    return SQLITE_OK;
}

// SQLite looks at the head of the first page before it knows the page size, and before it looks
// into the log, where a newer first page may be: then the one here may be torn, and what counts of
// it is the same in every store.
static int read_head(struct disk_file *file, void *memory, int size, sqlite3_int64 offset)
{
    static const uint8_t head[24] = "SQLite format 3\0\x10\0\2\2\x08\x40\x20\x20";
    uint8_t *page = file->disk->page;
    sqlite3_file *lower = lower_file(file);
    int result = lower->pMethods->xRead(lower, page, DISK_PAGE_SIZE, 0);
    if (result == SQLITE_OK && !disk_page_fits(page, 1))
        memcpy(page, head, sizeof(head));
    if (result == SQLITE_OK || result == SQLITE_IOERR_SHORT_READ)
        memcpy(memory, page + offset, (size_t)size);
    return result;
}

static int read_main(struct disk_file *file, void *memory, int size, sqlite3_int64 offset)
{
    if (size == DISK_PAGE_SIZE && offset % DISK_PAGE_SIZE == 0)
        return read_page(file, memory, offset);
    if (offset + size > DISK_PAGE_SIZE)
        return damaged(file->disk);
    return read_head(file, memory, size, offset);
}

static bool is_frame_page(int size, sqlite3_int64 offset)
{
    return size == DISK_PAGE_SIZE && offset >= DISK_WAL_HEADER + DISK_FRAME_HEADER &&
           (offset - DISK_WAL_HEADER) % DISK_FRAME_SIZE == DISK_FRAME_HEADER;
}

// SQLite reads whole frames only when it takes the log over at start, and checks them then.
static bool is_frame(int size, sqlite3_int64 offset)
{
    return size == DISK_FRAME_SIZE && offset >= DISK_WAL_HEADER &&
           (offset - DISK_WAL_HEADER) % DISK_FRAME_SIZE == 0;
}

static uint32_t *frame_check_at(struct disk_file *file, sqlite3_int64 offset)
{
    size_t index = (size_t)((offset - DISK_WAL_HEADER) / DISK_FRAME_SIZE);
    return index < file->frame_count ? &file->frame_checks[index] : NULL;
}

static void remember_frame(struct disk_file *file, const void *page, sqlite3_int64 offset)
{
    size_t index = (size_t)((offset - DISK_WAL_HEADER) / DISK_FRAME_SIZE);
    if (index >= file->frame_count) {
        size_t count = index < 1024 ? 1024 : index * 2;
        uint32_t *checks = memory_try_resize(file->frame_checks, count * sizeof(*checks));
        if (checks == NULL)
            return; // not verified then, as far as we are concerned
        memset(checks + file->frame_count, 0, (count - file->frame_count) * sizeof(*checks));
        file->frame_checks = checks;
        file->frame_count = count;
    }
    file->frame_checks[index] = crc32c(0, bytes_make(page, DISK_PAGE_SIZE));
}

// The header begins a new round; the second field of a frame is not 0 in the last of a commit.
static void follow_log(struct disk *disk, const uint8_t *memory, int size, sqlite3_int64 offset)
{
    if (offset == 0 && size == DISK_WAL_HEADER) {
        memcpy(disk->log.salt, memory + 16, sizeof(disk->log.salt));
        disk->log.end = 0;
    } else if (size == DISK_FRAME_HEADER) {
        disk->frame_is_last = memcmp(memory + 4, "\0\0\0\0", 4) != 0;
    } else if (size == DISK_PAGE_SIZE && disk->frame_is_last) {
        disk->log.end = (uint64_t)offset + DISK_PAGE_SIZE;
    }
}

static int read_wal(struct disk_file *file, void *memory, int size, sqlite3_int64 offset)
{
    int result = lower_file(file)->pMethods->xRead(lower_file(file), memory, size, offset);
    if (result != SQLITE_OK)
        return result;
    if (offset == 0 && size == DISK_WAL_HEADER)
        follow_log(file->disk, memory, size, offset);
    if (is_frame(size, offset))
        remember_frame(file, (uint8_t *)memory + DISK_FRAME_HEADER, offset);
    if (!is_frame_page(size, offset))
        return result;
    const uint32_t *check = frame_check_at(file, offset);
    if (check != NULL && *check != 0 && *check != crc32c(0, bytes_make(memory, DISK_PAGE_SIZE)))
        return damaged(file->disk);
    return result;
}

static int on_read(sqlite3_file *base, void *memory, int size, sqlite3_int64 offset)
{
    struct disk_file *file = (struct disk_file *)base;
    switch (file->kind) {
    case FILE_MAIN: return read_main(file, memory, size, offset);
    case FILE_WAL: return read_wal(file, memory, size, offset);
    default: return lower_file(file)->pMethods->xRead(lower_file(file), memory, size, offset);
    }
}

static int on_write(sqlite3_file *base, const void *memory, int size, sqlite3_int64 offset)
{
    struct disk_file *file = (struct disk_file *)base;
    struct disk *disk = file->disk;
    if (disk->error != 0)
        return SQLITE_IOERR_WRITE;
    if (file->kind == FILE_MAIN) {
        ASSERT(size == DISK_PAGE_SIZE && offset % DISK_PAGE_SIZE == 0);
        memcpy(disk->page, memory, DISK_PAGE_SIZE);
        disk_seal_page(disk->page, (uint32_t)(offset / DISK_PAGE_SIZE) + 1);
        memory = disk->page;
    }
    int result = lower_file(file)->pMethods->xWrite(lower_file(file), memory, size, offset);
    if (result == SQLITE_OK) {
        disk->numbers.bytes_written += (uint64_t)size;
        if (file->kind == FILE_WAL && is_frame_page(size, offset))
            remember_frame(file, memory, offset);
        if (file->kind == FILE_WAL)
            follow_log(disk, memory, size, offset);
    }
    return note_failure(file, result, true);
}

// How far the log has passed a barrier is noted beside it, without a barrier: so a log that lost
// its end is told from one whose end was never finished.
static void mark_log(struct disk *disk, bool barrier)
{
    if (disk->mark == NULL || memcmp(&disk->log, &disk->marked, sizeof(disk->log)) == 0)
        return;
    disk->marked = disk->log;
    int result = mark_write(disk->mark, &disk->log, barrier);
    disk->numbers.barriers += barrier;
    if (result != SQLITE_OK && result != SQLITE_FULL && disk->error == 0)
        disk->error = -EIO; // without space only a later report is less exact
}

void disk_log_copied(struct disk *disk)
{
    disk->log.end = 0;
    mark_log(disk, true);
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct disk_file *file = (struct disk_file *)base;
    if (file->disk->error != 0)
        return SQLITE_IOERR_TRUNCATE;
    if (file->kind == FILE_WAL && size == 0)
        disk_log_copied(file->disk);
    return note_failure(file, lower_file(file)->pMethods->xTruncate(lower_file(file), size), true);
}

static int on_sync(sqlite3_file *base, int flags)
{
    struct disk_file *file = (struct disk_file *)base;
    if (file->disk->error != 0)
        return SQLITE_IOERR_FSYNC;
    int result = lower_file(file)->pMethods->xSync(lower_file(file), flags);
    if (result == SQLITE_OK)
        file->disk->numbers.barriers++;
    if (result == SQLITE_OK && file->kind == FILE_WAL)
        mark_log(file->disk, false);
    return note_failure(file, result, false);
}

static int on_close(sqlite3_file *base)
{
    struct disk_file *file = (struct disk_file *)base;
    memory_free(file->frame_checks);
    file->frame_checks = NULL;
    if (file->kind == FILE_WAL) {
        mark_close(file->disk->mark);
        file->disk->mark = NULL;
    }
    return lower_file(file)->pMethods->xClose(lower_file(file));
}

static int on_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    sqlite3_file *lower = lower_file((struct disk_file *)base);
    return lower->pMethods->xFileSize(lower, size);
}

static int on_lock(sqlite3_file *base, int level)
{
    sqlite3_file *lower = lower_file((struct disk_file *)base);
    return lower->pMethods->xLock(lower, level);
}

static int on_unlock(sqlite3_file *base, int level)
{
    sqlite3_file *lower = lower_file((struct disk_file *)base);
    return lower->pMethods->xUnlock(lower, level);
}

static int on_check_reserved_lock(sqlite3_file *base, int *result)
{
    sqlite3_file *lower = lower_file((struct disk_file *)base);
    return lower->pMethods->xCheckReservedLock(lower, result);
}

static int on_file_control(sqlite3_file *base, int operation, void *argument)
{
    sqlite3_file *lower = lower_file((struct disk_file *)base);
    return lower->pMethods->xFileControl(lower, operation, argument);
}

static int on_sector_size(sqlite3_file *base)
{
    (void)base;
    return DISK_PAGE_SIZE;
}

// Nothing clever below: no atomic batches, no reads of parts of a page.
static int on_device_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// Version 1: no shared memory (one process, one connection) and no mapped files (every page is read
// through us).
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_file_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_reserved_lock,
    .xFileControl = on_file_control,
    .xSectorSize = on_sector_size,
    .xDeviceCharacteristics = on_device_characteristics,
};

static int on_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags,
                   int *ret_flags)
{
    struct disk *disk = vfs->pAppData;
    struct disk_file *file = (struct disk_file *)base;
    memset(file, 0, sizeof(*file));
    file->disk = disk;
    file->kind = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? FILE_MAIN
                 : (flags & SQLITE_OPEN_WAL) != 0   ? FILE_WAL
                                                    : FILE_OTHER;
    int result = disk->lower->xOpen(disk->lower, name, lower_file(file), flags, ret_flags);
    if (lower_file(file)->pMethods != NULL)
        file->base.pMethods = &methods;
    if (result == SQLITE_OK && file->kind == FILE_WAL) {
        file->disk->log = file->disk->marked = (struct mark){0};
        file->disk->mark = mark_open(disk->lower, name);
    }
    return result;
}

// SQLite deletes a log when all of it is in the main file.
static void before_log_goes(struct disk *disk, const char *name)
{
    size_t size = strlen(name);
    if (size < 4 || strcmp(name + size - 4, "-wal") != 0 || disk->marked.end == 0)
        return;
    disk->mark = mark_open(disk->lower, name);
    disk_log_copied(disk);
    mark_close(disk->mark);
    disk->mark = NULL;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    struct disk *disk = vfs->pAppData;
    before_log_goes(disk, name);
    return disk->lower->xDelete(disk->lower, name, sync_directory);
}

static int on_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    struct disk *disk = vfs->pAppData;
    return disk->lower->xAccess(disk->lower, name, flags, result);
}

static int on_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *result)
{
    struct disk *disk = vfs->pAppData;
    return disk->lower->xFullPathname(disk->lower, name, size, result);
}

static int on_randomness(sqlite3_vfs *vfs, int size, char *result)
{
    struct disk *disk = vfs->pAppData;
    return disk->lower->xRandomness(disk->lower, size, result);
}

static int on_sleep(sqlite3_vfs *vfs, int microseconds)
{
    struct disk *disk = vfs->pAppData;
    return disk->lower->xSleep(disk->lower, microseconds);
}

static int on_current_time(sqlite3_vfs *vfs, double *result)
{
    struct disk *disk = vfs->pAppData;
    return disk->lower->xCurrentTime(disk->lower, result);
}

static int on_last_error(sqlite3_vfs *vfs, int size, char *result)
{
    struct disk *disk = vfs->pAppData;
    return disk->lower->xGetLastError(disk->lower, size, result);
}

struct disk *disk_new(const char *lower_name)
{
    sqlite3_vfs *lower = sqlite3_vfs_find(lower_name);
    if (lower == NULL)
        return NULL;
    struct disk *disk = memory_new(sizeof(*disk));
    (void)snprintf(disk->name, sizeof(disk->name), "bud-%p", (void *)disk);
    disk->lower = lower;
    disk->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct disk_file) + lower->szOsFile,
        .mxPathname = lower->mxPathname,
        .zName = disk->name,
        .pAppData = disk,
        .xOpen = on_open,
        .xDelete = on_delete,
        .xAccess = on_access,
        .xFullPathname = on_full_pathname,
        .xRandomness = on_randomness,
        .xSleep = on_sleep,
        .xCurrentTime = on_current_time,
        .xGetLastError = on_last_error,
    };
    ASSERT(sqlite3_vfs_register(&disk->vfs, 0) == SQLITE_OK);
    return disk;
}

typedef int (*rename_function)(sqlite3_vfs *vfs, const char *from, const char *to);
typedef int (*sync_directory_function)(sqlite3_vfs *vfs, const char *path);

static sqlite3_syscall_ptr own_function(const struct disk *disk, const char *name)
{
    sqlite3_vfs *lower = disk->lower;
    return lower->iVersion >= 3 && lower->xGetSystemCall != NULL
               ? lower->xGetSystemCall(lower, name)
               : NULL;
}

int disk_rename(const struct disk *disk, const char *from, const char *to)
{
    sqlite3_syscall_ptr own = own_function(disk, "bud_rename");
    if (own != NULL)
        return ((rename_function)own)(disk->lower, from, to);
    return file_rename(from, to);
}

int disk_sync_directory(const struct disk *disk, const char *path)
{
    sqlite3_syscall_ptr own = own_function(disk, "bud_sync_directory");
    if (own != NULL)
        return ((sync_directory_function)own)(disk->lower, path);
    return file_sync_directory(path);
}

bool disk_exists(const struct disk *disk, const char *path)
{
    int there = 0;
    (void)disk->lower->xAccess(disk->lower, path, SQLITE_ACCESS_EXISTS, &there);
    return there != 0;
}

int disk_remove(const struct disk *disk, const char *path)
{
    int result = disk->lower->xDelete(disk->lower, path, 0);
    return result == SQLITE_OK || result == SQLITE_IOERR_DELETE_NOENT ? 0 : -EIO;
}

void disk_free(struct disk *disk)
{
    if (disk == NULL)
        return;
    (void)sqlite3_vfs_unregister(&disk->vfs);
    memory_free(disk);
}

const char *disk_vfs_name(const struct disk *disk)
{
    return disk->name;
}

sqlite3_vfs *disk_lower(const struct disk *disk)
{
    return disk->lower;
}

int disk_error(const struct disk *disk)
{
    return disk->error;
}

bool disk_take_full(struct disk *disk)
{
    bool full = disk->full;
    disk->full = false;
    return full;
}

struct disk_numbers disk_numbers(const struct disk *disk)
{
    return disk->numbers;
}
