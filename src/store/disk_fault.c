// SPDX-License-Identifier: MIT
#include "store/disk_fault.h"

#include "base/assert.h"
#include "base/memory.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX 32
#define PATH_SIZE 512

struct content {
    uint8_t *data;
    size_t size, capacity;
};

// What was done to a file since its last barrier.
struct change {
    bool is_truncate;
    uint64_t offset; // or the new size
    size_t size;
    uint8_t *data;
};

struct file {
    char path[PATH_SIZE];    // as it is now; empty: it is gone
    char durable[PATH_SIZE]; // as it is after a power cut; empty: it is not there then
    struct content now, synced;
    struct change *changes;
    size_t change_count, change_capacity;
    unsigned opened;
    bool used, syncs_directory; // SQLite syncs the directory with a new journal or log
};

// A creation, removal or renaming whose directory has not passed a barrier.
struct entry_change {
    unsigned file;
    char to[PATH_SIZE];
};

struct disk_fault {
    sqlite3_vfs vfs;
    char name[40];
    struct file files[FILES_MAX];
    struct entry_change *entries;
    size_t entry_count, entry_capacity;
    uint64_t random, operations, limit, used;
    unsigned failing;
    uint64_t fail_in;
    bool failed, lying;
    int last_error;
    void (*before)(void *context, enum disk_fault_operation operation);
    void *context;
};

struct handle {
    sqlite3_file base;
    struct disk_fault *disk;
    struct file *file;
};

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t word = *state;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

static void resize(struct content *content, size_t size)
{
    if (size > content->capacity) {
        content->capacity = size * 2;
        uint8_t *data = memory_new(content->capacity);
        if (content->size > 0)
            memcpy(data, content->data, content->size);
        memory_free(content->data);
        content->data = data;
    }
    if (size > content->size)
        memset(content->data + content->size, 0, size - content->size);
    content->size = size;
}

static void write_into(struct content *content, uint64_t offset, const uint8_t *data, size_t size)
{
    if (offset + size > content->size)
        resize(content, (size_t)offset + size);
    if (size > 0)
        memcpy(content->data + offset, data, size);
}

static void copy_content(struct content *to, const struct content *from)
{
    *to = (struct content){0};
    resize(to, from->size);
    if (from->size > 0)
        memcpy(to->data, from->data, from->size);
}

static void forget_changes(struct file *file)
{
    for (size_t i = 0; i < file->change_count; i++)
        memory_free(file->changes[i].data);
    memory_free(file->changes);
    file->changes = NULL;
    file->change_count = file->change_capacity = 0;
}

static void free_file(struct file *file)
{
    forget_changes(file);
    memory_free(file->now.data);
    memory_free(file->synced.data);
    *file = (struct file){0};
}

static struct change *add_change(struct file *file)
{
    if (file->change_count == file->change_capacity) {
        size_t capacity = file->change_capacity == 0 ? 16 : file->change_capacity * 2;
        struct change *changes = memory_try_resize(file->changes, capacity * sizeof(*changes));
        ASSERT(changes != NULL);
        file->changes = changes;
        file->change_capacity = capacity;
    }
    struct change *change = &file->changes[file->change_count++];
    *change = (struct change){0};
    return change;
}

static void add_entry(struct disk_fault *disk, const struct file *file, const char *to)
{
    if (disk->entry_count == disk->entry_capacity) {
        size_t capacity = disk->entry_capacity == 0 ? 16 : disk->entry_capacity * 2;
        struct entry_change *entries =
            memory_try_resize(disk->entries, capacity * sizeof(*entries));
        ASSERT(entries != NULL);
        disk->entries = entries;
        disk->entry_capacity = capacity;
    }
    struct entry_change *entry = &disk->entries[disk->entry_count++];
    entry->file = (unsigned)(file - disk->files);
    (void)snprintf(entry->to, sizeof(entry->to), "%s", to);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static struct file *find(struct disk_fault *disk, const char *path)
{
    path = last_part(path);
    for (size_t i = 0; i < FILES_MAX; i++)
        if (disk->files[i].used && strcmp(disk->files[i].path, path) == 0)
            return &disk->files[i];
    return NULL;
}

// A file that has no name any more, neither now nor after a power cut, nobody can see.
static bool is_invisible(const struct disk_fault *disk, const struct file *file)
{
    if (file->path[0] != '\0' || file->durable[0] != '\0' || file->opened > 0)
        return false;
    for (size_t i = 0; i < disk->entry_count; i++)
        if (&disk->files[disk->entries[i].file] == file)
            return false;
    return true;
}

static struct file *make_file(struct disk_fault *disk, const char *path)
{
    path = last_part(path);
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct file *file = &disk->files[i];
        if (file->used && !is_invisible(disk, file))
            continue;
        free_file(file);
        file->used = true;
        (void)snprintf(file->path, sizeof(file->path), "%s", path);
        if (path[0] != '\0')
            add_entry(disk, file, path);
        return file;
    }
    ASSERT(false); // too many files
    return NULL;
}

// Another file that has this name loses it.
static void take_durable_name(struct disk_fault *disk, unsigned index, const char *name)
{
    for (size_t i = 0; i < FILES_MAX && name[0] != '\0'; i++)
        if (i != index && strcmp(disk->files[i].durable, name) == 0)
            disk->files[i].durable[0] = '\0';
    (void)snprintf(disk->files[index].durable, PATH_SIZE, "%s", name);
}

static void sync_entries(struct disk_fault *disk)
{
    for (size_t i = 0; i < disk->entry_count; i++)
        take_durable_name(disk, disk->entries[i].file, disk->entries[i].to);
    disk->entry_count = 0;
}

// Counts an operation, and tells whether it is to fail.
static bool fails(struct disk_fault *disk, enum disk_fault_operation operation)
{
    disk->operations++;
    if (disk->before != NULL)
        disk->before(disk->context, operation);
    if ((disk->failing & operation) == 0 || disk->fail_in == 0)
        return false;
    if (disk->fail_in > 1) {
        disk->fail_in--;
        return false;
    }
    disk->failed = true;
    disk->last_error = EIO;
    return true;
}

static int on_close(sqlite3_file *base)
{
    struct handle *handle = (struct handle *)base;
    handle->file->opened--;
    return SQLITE_OK;
}

static int on_read(sqlite3_file *base, void *memory, int size, sqlite3_int64 offset)
{
    const struct content *now = &((struct handle *)base)->file->now;
    size_t left = (size_t)offset < now->size ? now->size - (size_t)offset : 0;
    size_t part = left < (size_t)size ? left : (size_t)size;
    if (part > 0)
        memcpy(memory, now->data + offset, part);
    memset((uint8_t *)memory + part, 0, (size_t)size - part);
    return part == (size_t)size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static uint64_t used_bytes(const struct disk_fault *disk)
{
    uint64_t used = 0;
    for (size_t i = 0; i < FILES_MAX; i++)
        if (disk->files[i].path[0] != '\0')
            used += disk->files[i].now.size;
    return used;
}

static bool is_full(const struct handle *handle, uint64_t end)
{
    size_t size = handle->file->now.size;
    return handle->disk->limit > 0 && end > size &&
           used_bytes(handle->disk) + (end - size) > handle->disk->limit;
}

static int on_write(sqlite3_file *base, const void *memory, int size, sqlite3_int64 offset)
{
    struct handle *handle = (struct handle *)base;
    if (fails(handle->disk, DISK_FAULT_WRITE))
        return SQLITE_IOERR_WRITE;
    if (is_full(handle, (uint64_t)offset + (uint64_t)size)) {
        handle->disk->last_error = ENOSPC;
        return SQLITE_FULL;
    }
    struct change *change = add_change(handle->file);
    change->offset = (uint64_t)offset;
    change->size = (size_t)size;
    change->data = memory_new((size_t)size);
    memcpy(change->data, memory, (size_t)size);
    write_into(&handle->file->now, (uint64_t)offset, memory, (size_t)size);
    return SQLITE_OK;
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct handle *handle = (struct handle *)base;
    if (fails(handle->disk, DISK_FAULT_TRUNCATE))
        return SQLITE_IOERR_TRUNCATE;
    struct change *change = add_change(handle->file);
    change->is_truncate = true;
    change->offset = (uint64_t)size;
    resize(&handle->file->now, (size_t)size);
    return SQLITE_OK;
}

static int on_sync(sqlite3_file *base, int flags)
{
    struct handle *handle = (struct handle *)base;
    struct file *file = handle->file;
    (void)flags;
    if (fails(handle->disk, DISK_FAULT_SYNC))
        return SQLITE_IOERR_FSYNC;
    if (handle->disk->lying)
        return SQLITE_OK;
    for (size_t i = 0; i < file->change_count; i++) {
        const struct change *change = &file->changes[i];
        if (change->is_truncate)
            resize(&file->synced, (size_t)change->offset);
        else
            write_into(&file->synced, change->offset, change->data, change->size);
    }
    forget_changes(file);
    if (file->syncs_directory)
        sync_entries(handle->disk);
    file->syncs_directory = false;
    return SQLITE_OK;
}

static int on_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)((struct handle *)base)->file->now.size;
    return SQLITE_OK;
}

static int on_lock(sqlite3_file *base, int level)
{
    (void)base;
    (void)level;
    return SQLITE_OK;
}

static int on_check_reserved_lock(sqlite3_file *base, int *result)
{
    (void)base;
    *result = 0;
    return SQLITE_OK;
}

static int on_file_control(sqlite3_file *base, int operation, void *argument)
{
    struct handle *handle = (struct handle *)base;
    if (operation != SQLITE_FCNTL_LAST_ERRNO)
        return SQLITE_NOTFOUND;
    *(int *)argument = handle->disk->last_error;
    return SQLITE_OK;
}

static int on_sector_size(sqlite3_file *base)
{
    (void)base;
    return 4096;
}

static int on_device_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_file_size,
    .xLock = on_lock,
    .xUnlock = on_lock,
    .xCheckReservedLock = on_check_reserved_lock,
    .xFileControl = on_file_control,
    .xSectorSize = on_sector_size,
    .xDeviceCharacteristics = on_device_characteristics,
};

static int on_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags,
                   int *ret_flags)
{
    struct disk_fault *disk = vfs->pAppData;
    struct handle *handle = (struct handle *)base;
    *handle = (struct handle){.disk = disk};
    handle->file = name == NULL ? NULL : find(disk, name);
    if (handle->file == NULL && name != NULL && (flags & SQLITE_OPEN_CREATE) == 0)
        return SQLITE_CANTOPEN;
    if (handle->file == NULL) {
        handle->file = make_file(disk, name == NULL ? "" : name);
        handle->file->syncs_directory = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    }
    handle->file->opened++;
    handle->base.pMethods = &methods;
    if (ret_flags != NULL)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    struct disk_fault *disk = vfs->pAppData;
    struct file *file = find(disk, name);
    if (file == NULL)
        return SQLITE_IOERR_DELETE_NOENT;
    file->path[0] = '\0';
    add_entry(disk, file, "");
    if (sync_directory != 0 && !disk->lying)
        sync_entries(disk);
    return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    const struct file *file = find(vfs->pAppData, name);
    // As the system's: a journal of no bytes is none.
    *result = file != NULL && (flags != SQLITE_ACCESS_EXISTS || file->now.size > 0);
    return SQLITE_OK;
}

static int on_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *result)
{
    (void)vfs;
    (void)snprintf(result, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int on_randomness(sqlite3_vfs *vfs, int size, char *result)
{
    struct disk_fault *disk = vfs->pAppData;
    for (int i = 0; i < size; i++)
        result[i] = (char)next_random(&disk->random);
    return size;
}

static int on_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int on_current_time(sqlite3_vfs *vfs, double *result)
{
    (void)vfs;
    *result = 2460000.5;
    return SQLITE_OK;
}

static int on_last_error(sqlite3_vfs *vfs, int size, char *result)
{
    (void)size;
    (void)result;
    return ((struct disk_fault *)vfs->pAppData)->last_error;
}

static int on_rename(sqlite3_vfs *vfs, const char *from, const char *to)
{
    struct disk_fault *disk = vfs->pAppData;
    struct file *file = find(disk, from), *over = find(disk, to);
    if (fails(disk, DISK_FAULT_DIRECTORY))
        return -EIO;
    if (file == NULL)
        return -ENOENT;
    if (over != NULL)
        over->path[0] = '\0';
    (void)snprintf(file->path, sizeof(file->path), "%s", last_part(to));
    add_entry(disk, file, file->path);
    return 0;
}

static int on_sync_directory(sqlite3_vfs *vfs, const char *path)
{
    struct disk_fault *disk = vfs->pAppData;
    (void)path;
    if (fails(disk, DISK_FAULT_DIRECTORY))
        return -EIO;
    if (!disk->lying)
        sync_entries(disk);
    return 0;
}

static sqlite3_syscall_ptr on_get_system_call(sqlite3_vfs *vfs, const char *name)
{
    (void)vfs;
    if (strcmp(name, "bud_rename") == 0)
        return (sqlite3_syscall_ptr)on_rename;
    if (strcmp(name, "bud_sync_directory") == 0)
        return (sqlite3_syscall_ptr)on_sync_directory;
    return NULL;
}

struct disk_fault *disk_fault_new(uint64_t seed)
{
    struct disk_fault *disk = memory_new(sizeof(*disk));
    (void)snprintf(disk->name, sizeof(disk->name), "fault-%p", (void *)disk);
    disk->random = seed;
    disk->vfs = (sqlite3_vfs){
        .iVersion = 3,
        .szOsFile = (int)sizeof(struct handle),
        .mxPathname = PATH_SIZE - 1,
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
        .xGetSystemCall = on_get_system_call,
    };
    ASSERT(sqlite3_vfs_register(&disk->vfs, 0) == SQLITE_OK);
    return disk;
}

void disk_fault_free(struct disk_fault *disk)
{
    (void)sqlite3_vfs_unregister(&disk->vfs);
    for (size_t i = 0; i < FILES_MAX; i++) {
        ASSERT(disk->files[i].opened == 0);
        free_file(&disk->files[i]);
    }
    memory_free(disk->entries);
    memory_free(disk);
}

const char *disk_fault_vfs(const struct disk_fault *disk)
{
    return disk->name;
}

// How a power cut treats what was not synced. A subset of the writes is what reordering leaves.
enum fate { FATE_SUBSET, FATE_PREFIX, FATE_ALL_BUT_ONE, FATE_NOTHING, FATE_COUNT, FATE_ALL };

struct cut {
    uint64_t random;
    uint32_t grain;
    enum fate fate;
    uint64_t chosen, position; // of a change among all
};

static bool survives(struct cut *cut)
{
    uint64_t position = cut->position++;
    switch (cut->fate) {
    case FATE_SUBSET: return next_random(&cut->random) % 2 == 0;
    case FATE_PREFIX: return position < cut->chosen;
    case FATE_ALL: return true;
    case FATE_ALL_BUT_ONE: return position != cut->chosen;
    default: return false;
    }
}

static void tear(struct cut *cut, struct content *content, const struct change *change)
{
    for (size_t at = 0; at < change->size; at += cut->grain) {
        size_t size = change->size - at < cut->grain ? change->size - at : cut->grain;
        if (next_random(&cut->random) % 2 == 0)
            write_into(content, change->offset + at, change->data + at, size);
    }
}

static void apply_change(struct cut *cut, struct content *content, const struct change *change)
{
    bool kept = survives(cut);
    if (change->is_truncate && kept)
        resize(content, (size_t)change->offset);
    else if (!change->is_truncate && kept)
        write_into(content, change->offset, change->data, change->size);
    else if (!change->is_truncate && cut->fate != FATE_NOTHING &&
             next_random(&cut->random) % 2 == 0)
        tear(cut, content, change);
}

static uint64_t count_changes(const struct disk_fault *disk)
{
    uint64_t count = disk->entry_count;
    for (size_t i = 0; i < FILES_MAX; i++)
        count += disk->files[i].change_count;
    return count;
}

static struct disk_fault *copy_with(const struct disk_fault *disk, struct cut cut)
{
    struct disk_fault *after = disk_fault_new(cut.random);
    for (size_t i = 0; i < FILES_MAX; i++) {
        const struct file *file = &disk->files[i];
        (void)snprintf(after->files[i].durable, PATH_SIZE, "%s", file->durable);
        after->files[i].used = file->used;
        copy_content(&after->files[i].now, &file->synced);
        for (size_t j = 0; j < file->change_count; j++)
            apply_change(&cut, &after->files[i].now, &file->changes[j]);
    }
    for (size_t i = 0; i < disk->entry_count; i++)
        if (survives(&cut))
            take_durable_name(after, disk->entries[i].file, disk->entries[i].to);
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct file *file = &after->files[i];
        memcpy(file->path, file->durable, PATH_SIZE);
        copy_content(&file->synced, &file->now);
        if (file->path[0] == '\0')
            free_file(file);
    }
    return after;
}

struct disk_fault *disk_fault_cut(const struct disk_fault *disk, uint64_t seed, uint32_t grain)
{
    struct cut cut = {.random = seed, .grain = grain};
    uint64_t count = count_changes(disk);
    cut.fate = (enum fate)(next_random(&cut.random) % FATE_COUNT);
    // Of all that a disk was ever told, one write that is missing is mostly one that was repeated.
    if (disk->lying && cut.fate == FATE_ALL_BUT_ONE)
        cut.fate = FATE_PREFIX;
    cut.chosen = count == 0 ? 0 : next_random(&cut.random) % count;
    return copy_with(disk, cut);
}

struct disk_fault *disk_fault_copy(const struct disk_fault *disk)
{
    return copy_with(disk, (struct cut){.fate = FATE_ALL, .grain = 1});
}

void disk_fault_ignore_syncs(struct disk_fault *disk)
{
    disk->lying = true;
}

uint64_t disk_fault_operations(const struct disk_fault *disk)
{
    return disk->operations;
}

void disk_fault_watch(struct disk_fault *disk,
                      void (*before)(void *context, enum disk_fault_operation operation),
                      void *context)
{
    disk->before = before;
    disk->context = context;
}

void disk_fault_fail(struct disk_fault *disk, unsigned operations, uint64_t nth)
{
    disk->failing = operations;
    disk->fail_in = nth;
    disk->failed = false;
}

bool disk_fault_failed(const struct disk_fault *disk)
{
    return disk->failed;
}

void disk_fault_limit(struct disk_fault *disk, uint64_t bytes)
{
    disk->limit = bytes;
}

uint8_t *disk_fault_bytes(struct disk_fault *disk, const char *path, size_t *ret_size)
{
    struct file *file = find(disk, path);
    *ret_size = file == NULL ? 0 : file->now.size;
    return file == NULL ? NULL : file->now.data;
}

void disk_fault_resize(struct disk_fault *disk, const char *path, size_t size)
{
    struct file *file = find(disk, path);
    ASSERT(file != NULL);
    resize(&file->now, size);
}

void disk_fault_remove(struct disk_fault *disk, const char *path)
{
    (void)on_delete(&disk->vfs, path, 1);
}

const char *disk_fault_path(const struct disk_fault *disk, size_t position)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        if (disk->files[i].path[0] != '\0' && position-- == 0)
            return disk->files[i].path;
    return NULL;
}
