// SPDX-License-Identifier: MIT
#include "store/inspection.h"

#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int refuse(char *error, const char *what, const char *path, int number)
{
    (void)snprintf(error, STORE_ERROR_MAX, "%s %.300s: %s", what, path, strerror(-number));
    return number;
}

int inspection_begin(struct inspection *inspection, const char *directory, char *error)
{
    char lock[STORE_PATH_MAX];
    *inspection = (struct inspection){.vfs = sqlite3_vfs_find(NULL)};
    (void)snprintf(inspection->path, sizeof(inspection->path), "%.4000s/" STORE_FILE, directory);
    (void)snprintf(lock, sizeof(lock), "%.4000s/" STORE_READING, directory);
    if (!file_exists(inspection->path)) {
        (void)snprintf(error, STORE_ERROR_MAX, "there is no store in %.300s", directory);
        return -ENOENT;
    }
    inspection->reading = file_open_lock(lock);
    if (inspection->reading < 0)
        return refuse(error, "cannot open", lock, inspection->reading);
    int result = file_wait_shared(inspection->reading);
    inspection->modified_ns = file_modified_ns(inspection->path);
    if (result == 0)
        result = pages_open(inspection->vfs, inspection->path, true, &inspection->pages);
    if (result == 0)
        return 0;
    file_unlock(inspection->reading);
    return refuse(error, "cannot read", inspection->path, result);
}

int inspection_end(struct inspection *inspection, int result, char *error)
{
    bool changed = file_modified_ns(inspection->path) != inspection->modified_ns;
    pages_close(inspection->pages);
    file_unlock(inspection->reading);
    if (result < 0)
        return refuse(error, "cannot read", inspection->path, result);
    if (!changed)
        return 0;
    (void)snprintf(error, STORE_ERROR_MAX,
                   "%.300s was changed while it was read; what was found is not one state: try "
                   "again",
                   inspection->path);
    return -EAGAIN;
}
