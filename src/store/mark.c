// SPDX-License-Identifier: MIT
#include "store/mark.h"

#include "base/memory.h"
#include "store/crc32c.h"

#include <stdio.h>
#include <string.h>

#define MARK_SIZE 28
#define PATH_SIZE 4200

struct mark_file {
    const char *name;
    sqlite3_file *file;
};

static const uint8_t magic[8] = "budmark1";

void mark_path(const char *log_path, char *path, size_t size)
{
    size_t length = strlen(log_path);
    if (length >= 4 && strcmp(log_path + length - 4, "-wal") == 0)
        length -= 4;
    (void)snprintf(path, size, "%.*s-mark", (int)length, log_path);
}

static void encode(const struct mark *mark, uint8_t encoded[MARK_SIZE])
{
    memcpy(encoded, magic, 8);
    memcpy(encoded + 8, mark->salt, 8);
    for (int i = 0; i < 8; i++)
        encoded[16 + i] = (uint8_t)(mark->end >> (8 * i));
    uint32_t check = crc32c(0, bytes_make(encoded, 24));
    for (int i = 0; i < 4; i++)
        encoded[24 + i] = (uint8_t)(check >> (8 * i));
}

static void decode(const uint8_t encoded[MARK_SIZE], struct mark *ret_mark)
{
    memcpy(ret_mark->salt, encoded + 8, 8);
    ret_mark->end = 0;
    for (int i = 0; i < 8; i++)
        ret_mark->end |= (uint64_t)encoded[16 + i] << (8 * i);
}

// As a log, so that SQLite gives it the permissions of the main file.
static struct mark_file *open_with(sqlite3_vfs *vfs, const char *log_path, int flags)
{
    char path[PATH_SIZE];
    int ret_flags;
    struct mark_file *file = memory_new(sizeof(*file));
    mark_path(log_path, path, sizeof(path));
    file->name = sqlite3_create_filename(path, "", "", 0, NULL);
    file->file = memory_new((size_t)vfs->szOsFile);
    if (file->name != NULL &&
        vfs->xOpen(vfs, file->name, file->file, SQLITE_OPEN_WAL | flags, &ret_flags) == SQLITE_OK)
        return file;
    mark_close(file);
    return NULL;
}

struct mark_file *mark_open(sqlite3_vfs *vfs, const char *log_path)
{
    return open_with(vfs, log_path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

void mark_close(struct mark_file *file)
{
    if (file == NULL)
        return;
    if (file->file->pMethods != NULL)
        (void)file->file->pMethods->xClose(file->file);
    memory_free(file->file);
    sqlite3_free_filename((char *)(uintptr_t)file->name);
    memory_free(file);
}

int mark_write(struct mark_file *file, const struct mark *mark, bool barrier)
{
    uint8_t encoded[MARK_SIZE];
    encode(mark, encoded);
    int result = file->file->pMethods->xWrite(file->file, encoded, MARK_SIZE, 0);
    if (result == SQLITE_OK && barrier)
        result = file->file->pMethods->xSync(file->file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    return result;
}

bool mark_read(sqlite3_vfs *vfs, const char *log_path, struct mark *ret_mark)
{
    char path[PATH_SIZE];
    uint8_t encoded[MARK_SIZE], again[MARK_SIZE];
    int there = 0;
    mark_path(log_path, path, sizeof(path));
    (void)vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &there);
    struct mark_file *file = there ? open_with(vfs, log_path, SQLITE_OPEN_READONLY) : NULL;
    if (file == NULL)
        return false;
    int result = file->file->pMethods->xRead(file->file, encoded, MARK_SIZE, 0);
    mark_close(file);
    if (result != SQLITE_OK)
        return false;
    decode(encoded, ret_mark);
    encode(ret_mark, again);
    return memcmp(encoded, again, MARK_SIZE) == 0;
}
