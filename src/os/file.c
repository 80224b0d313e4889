// SPDX-License-Identifier: MIT
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int make_one(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    struct stat status;
    if (stat(path, &status) < 0)
        return -errno;
    return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

int file_make_directory(const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof(part))
        return size == 0 ? -ENOENT : -ENAMETOOLONG;
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        int result = make_one(part);
        // What is above may be there and closed to us.
        if (result < 0 && (path[i] == '\0' || (result != -EACCES && result != -EROFS)))
            return result;
    }
    return 0;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int64_t file_size(const char *path)
{
    struct stat status;
    return stat(path, &status) < 0 ? -errno : (int64_t)status.st_size;
}

int file_lock(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -errno;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        return descriptor;
    int error = errno;
    (void)close(descriptor);
    return -error;
}

void file_unlock(int descriptor)
{
    if (descriptor >= 0)
        (void)close(descriptor);
}

int file_open_lock(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return descriptor < 0 ? -errno : descriptor;
}

bool file_try_alone(int descriptor)
{
    return descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0;
}

int file_wait_shared(int descriptor)
{
    while (flock(descriptor, LOCK_SH) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

void file_leave(int descriptor)
{
    (void)flock(descriptor, LOCK_UN);
}

int64_t file_modified_ns(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return -errno;
    return (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

int file_reserve(const char *path, uint64_t size)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -errno;
    int error = posix_fallocate(descriptor, 0, (off_t)size);
    (void)close(descriptor);
    if (error != 0)
        (void)unlink(path);
    return -error;
}

int file_make(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -errno;
    (void)close(descriptor);
    return 0;
}

int file_remove(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int file_rename(const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : -errno;
}

int file_sync(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    int result = fsync(descriptor) == 0 ? 0 : -errno;
    (void)close(descriptor);
    return result;
}

int file_sync_directory(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    int result = fsync(descriptor) == 0 ? 0 : -errno;
    (void)close(descriptor);
    return result;
}

int file_append(const char *path, const void *data, uint64_t size)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -errno;
    const char *at = data;
    int result = 0;
    while (size > 0 && result == 0) {
        ssize_t written = write(descriptor, at, size);
        if (written < 0 && errno != EINTR)
            result = -errno;
        if (written > 0) {
            at += written;
            size -= (uint64_t)written;
        }
    }
    (void)close(descriptor);
    return result;
}

int file_space(const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    struct statvfs status;
    if (statvfs(path, &status) < 0)
        return -errno;
    *ret_free = (uint64_t)status.f_bavail * status.f_frsize;
    *ret_total = (uint64_t)status.f_blocks * status.f_frsize;
    return 0;
}

// The device behind a path: its name is in what /sys/dev/block/MAJOR:MINOR points to.
bool file_is_on_card(const char *path)
{
    char nearest[PATH_MAX], link[64], device[PATH_MAX];
    struct stat status;
    (void)snprintf(nearest, sizeof(nearest), "%s", path);
    while (stat(nearest, &status) < 0) {
        char *slash = strrchr(nearest, '/');
        if (slash == NULL)
            return false;
        *(slash == nearest ? slash + 1 : slash) = 0;
    }
    (void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(status.st_dev),
                   minor(status.st_dev));
    ssize_t size = readlink(link, device, sizeof(device) - 1);
    if (size < 0)
        return false;
    device[size] = 0;
    return strstr(device, "/mmcblk") != NULL;
}
