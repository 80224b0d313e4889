// SPDX-License-Identifier: MIT
#include "os/file_contents.h"

#include "base/memory.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t to_ns(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct file_identity identity_of(const struct stat *status)
{
    return (struct file_identity){
        .device = status->st_dev,
        .inode = status->st_ino,
        .size = (uint64_t)status->st_size,
        .modified_ns = to_ns(status->st_mtim),
        .changed_ns = to_ns(status->st_ctim),
    };
}

int file_identify(const char *path, struct file_identity *ret_identity)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return -errno;
    *ret_identity = identity_of(&status);
    return 0;
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

// Until the end, or until there is more than was asked for: the file may grow meanwhile.
static int read_all(int descriptor, uint8_t *data, size_t size_max, size_t *ret_size)
{
    size_t size = 0;
    while (size < size_max) {
        ssize_t got = read(descriptor, data + size, size_max - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    *ret_size = size;
    return 0;
}

static int read_open(int descriptor, size_t size_max, struct file_contents *contents)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    if ((uint64_t)status.st_size > size_max)
        return -EFBIG;
    contents->identity = identity_of(&status);
    contents->mode = status.st_mode & 07777;
    contents->owner = status.st_uid;
    // One byte more than it has: whether it has grown shows.
    size_t room = (size_t)status.st_size + 1;
    contents->data = memory_try_new(room);
    if (contents->data == NULL)
        return -ENOMEM;
    int result = read_all(descriptor, contents->data, room, &contents->size);
    return result == 0 && contents->size == room ? -EAGAIN : result;
}

int file_read_contents(const char *path, bool follow_symlink, size_t size_max,
                       struct file_contents *ret_contents)
{
    // Without O_NONBLOCK a pipe would let us wait for its other end.
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow_symlink ? 0 : O_NOFOLLOW);
    int result = -EAGAIN;
    for (int i = 0; result == -EAGAIN && i < 10; i++) { // it grew while it was read: again
        struct file_contents contents = {0};
        int descriptor = open(path, flags);
        if (descriptor < 0)
            return -errno;
        result = read_open(descriptor, size_max, &contents);
        (void)close(descriptor);
        if (result == 0)
            *ret_contents = contents;
        else
            memory_free(contents.data);
    }
    return result;
}

static int write_all(int descriptor, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        data += written;
        size -= (size_t)written;
    }
    return fsync(descriptor) < 0 ? -errno : 0;
}

// A new file beside `path`, with what it is to hold, on the disk; its name is put into `name`.
static int write_beside(const char *path, const void *data, size_t size, const struct stat *like,
                        char *name)
{
    if (snprintf(name, PATH_MAX, "%s.XXXXXX", path) >= PATH_MAX)
        return -ENAMETOOLONG;
    int descriptor = mkostemp(name, O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    int result = write_all(descriptor, data, size);
    // The owner first: whoever is not root cannot give a file away, and keeps it for itself then.
    if (result == 0 && like != NULL && fchown(descriptor, like->st_uid, like->st_gid) < 0 &&
        fchown(descriptor, (uid_t)-1, like->st_gid) < 0 && errno != EPERM)
        result = -errno;
    if (result == 0 && like != NULL && fchmod(descriptor, like->st_mode & 07777) < 0)
        result = -errno;
    if (close(descriptor) < 0 && result == 0)
        result = -errno;
    if (result < 0)
        (void)unlink(name);
    return result;
}

static int directory_of(const char *path, char *directory)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        path = ".";
    size_t size = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    if (size >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(directory, path, size);
    directory[size] = 0;
    return 0;
}

static int sync_directory_of(const char *path)
{
    char directory[PATH_MAX];
    int result = directory_of(path, directory);
    return result < 0 ? result : file_sync_directory(directory);
}

int file_lock_directory_of(const char *path)
{
    char directory[PATH_MAX];
    int result = directory_of(path, directory);
    if (result < 0)
        return result;
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    while (flock(descriptor, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        result = -errno;
        (void)close(descriptor);
        return result;
    }
    return descriptor;
}

// What a new file beside `path` is to look like: the one that is there, or else of whoever the
// directory belongs to, so that a broker that has dropped its rights can read what root writes.
static int appearance_of(const char *path, uint32_t mode, struct stat *ret_like)
{
    char directory[PATH_MAX];
    if (stat(path, ret_like) == 0)
        return 0;
    int result = errno == ENOENT ? directory_of(path, directory) : -errno;
    if (result == 0 && stat(directory, ret_like) < 0)
        result = -errno;
    ret_like->st_mode = mode;
    return result;
}

int file_replace(const char *path, const void *data, size_t size, uint32_t mode)
{
    char name[PATH_MAX], real[PATH_MAX];
    struct stat like;
    int result = appearance_of(path, mode, &like);
    if (result < 0)
        return result;
    if (realpath(path, real) != NULL) // a symlink stays one
        path = real;
    result = write_beside(path, data, size, &like, name);
    if (result < 0)
        return result;
    if (rename(name, path) < 0) {
        result = -errno;
        (void)unlink(name);
        return result;
    }
    return sync_directory_of(path);
}

int file_make_secret(const char *path, const void *data, size_t size)
{
    char name[PATH_MAX];
    int result = write_beside(path, data, size, NULL, name); // mkostemp makes it 0600
    if (result < 0)
        return result;
    // Unlike rename, link fails when the name is taken.
    if (link(name, path) < 0)
        result = -errno;
    (void)unlink(name);
    return result < 0 ? result : sync_directory_of(path);
}
