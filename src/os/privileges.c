// SPDX-License-Identifier: MIT
#include "os/privileges.h"

#include "base/assert.h"
#include "os/sanitizer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 2 // directories in the data directory, and in those

static bool parse_number(const char *text, uint32_t *ret_number)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || *end != 0 || number >= UINT32_MAX) // -1 means "leave it"
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static void take_entry(const struct passwd *entry, struct privileges_user *user)
{
    (void)snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
    user->user = entry->pw_uid;
    user->group = entry->pw_gid;
    user->has_entry = true;
}

static void take_number(uint32_t number, struct privileges_user *user)
{
    const struct passwd *entry = getpwuid(number);
    if (entry != NULL) {
        take_entry(entry, user);
        return;
    }
    (void)snprintf(user->name, sizeof(user->name), "%" PRIu32, number);
    user->user = user->group = number;
    user->has_entry = false;
}

// That a user is not there is said in several ways; that nobody could look, in these.
static bool is_trouble(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO;
}

int privileges_find_user(const char *name, struct privileges_user *ret_user)
{
    uint32_t number;
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    if (entry != NULL)
        take_entry(entry, ret_user);
    else if (is_trouble(errno))
        return -errno;
    else if (parse_number(name, &number))
        take_number(number, ret_user);
    else
        return -ENOENT;
    return 0;
}

int privileges_find_numbers(const char *user, const char *group, struct privileges_user *ret_user)
{
    uint32_t user_number, group_number = 0;
    if (!parse_number(user, &user_number) || (group != NULL && !parse_number(group, &group_number)))
        return -EINVAL;
    take_number(user_number, ret_user);
    if (group != NULL) {
        ret_user->group = group_number;
        ret_user->has_entry = false; // this group and no other
    }
    return 0;
}

void privileges_find_self(struct privileges_user *ret_user)
{
    take_number(geteuid(), ret_user);
}

int privileges_make_directory(const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof(part))
        return size == 0 ? -ENOENT : -ENAMETOOLONG;
    while (size > 1 && path[size - 1] == '/')
        size--;
    for (size_t i = 1; i <= size; i++) {
        if (i < size && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, i < size ? 0755 : 0700) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strncmp(name, *names, strlen(*names)) == 0)
            return true;
    return false;
}

static bool is_skipped(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
}

static bool holds_only(DIR *entries, const char *const *names)
{
    const struct dirent *entry;
    rewinddir(entries);
    while ((entry = readdir(entries)) != NULL)
        if (!is_skipped(entry->d_name) && !is_one_of(entry->d_name, names))
            return false;
    return true;
}

static int give_all(DIR *entries, const char *const *names, int depth,
                    const struct privileges_user *to);

static int give_directory(int directory, const char *name, int depth,
                          const struct privileges_user *to)
{
    static const char *const all[] = {"", NULL};
    int descriptor = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    DIR *entries = fdopendir(descriptor);
    if (entries == NULL) {
        int error = errno;
        (void)close(descriptor);
        return -error;
    }
    int result = fchown(descriptor, to->user, to->group) < 0 ? -errno : 0;
    if (result == 0)
        result = give_all(entries, all, depth + 1, to);
    (void)closedir(entries);
    return result;
}

// Of root's, directories and regular files with one name only: a second name may be somewhere else
// entirely.
static int give_one(int directory, const char *name, int depth, const struct privileges_user *to)
{
    struct stat status;
    int descriptor = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return errno == ENOENT ? 0 : -errno;
    int result = 0;
    if (fstat(descriptor, &status) < 0)
        result = -errno;
    else if (status.st_uid != 0)
        result = 0;
    else if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX)
        result = give_directory(directory, name, depth, to);
    else if (S_ISREG(status.st_mode) && status.st_nlink == 1 &&
             fchownat(descriptor, "", to->user, to->group, AT_EMPTY_PATH) < 0)
        result = -errno;
    (void)close(descriptor);
    return result;
}

static int give_all(DIR *entries, const char *const *names, int depth,
                    const struct privileges_user *to)
{
    const struct dirent *entry;
    int result = 0;
    rewinddir(entries);
    while (result == 0 && (entry = readdir(entries)) != NULL)
        if (!is_skipped(entry->d_name) && is_one_of(entry->d_name, names))
            result = give_one(dirfd(entries), entry->d_name, depth, to);
    return result;
}

int privileges_hand_over(const char *directory, const char *const *names,
                         const struct privileges_user *to)
{
    struct stat status;
    // Without O_NOFOLLOW whoever may write above it could have any directory given away.
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return errno == ENOTDIR && readlink(directory, (char[1]){0}, 1) > 0 ? -ELOOP : -errno;
    DIR *entries = fdopendir(descriptor);
    if (entries == NULL) {
        int error = errno;
        (void)close(descriptor);
        return -error;
    }
    int result = fstat(descriptor, &status) < 0 ? -errno : 0;
    bool is_roots = status.st_uid == 0;
    if (result == 0 && is_roots && !holds_only(entries, names))
        result = -ENOTEMPTY;
    if (result == 0 && is_roots && fchown(descriptor, to->user, to->group) < 0)
        result = -errno;
    if (result == 0)
        result = give_all(entries, names, 0, to);
    (void)closedir(entries);
    return result;
}

int privileges_drop(const struct privileges_user *to)
{
    ASSERT(to->user != 0);
    // Groups first: afterwards it may not.
    int done = to->has_entry ? initgroups(to->name, to->group) : setgroups(0, NULL);
    if (done < 0 || setresgid(to->group, to->group, to->group) < 0 ||
        setresuid(to->user, to->user, to->user) < 0)
        return -errno;
    ASSERT(setresuid(0, 0, 0) < 0 && geteuid() == to->user);
    return 0;
}

void privileges_lock_down(void)
{
    struct rlimit none = {0, 0};
    ASSERT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    ASSERT(setrlimit(RLIMIT_CORE, &none) == 0);
    // The leak sanitizer looks at itself from outside.
    ASSERT(prctl(PR_SET_DUMPABLE, SANITIZER_IS_ON, 0, 0, 0) == 0);
}

static void owner_text(const struct stat *status, char *text, size_t size)
{
    const struct passwd *user = getpwuid(status->st_uid);
    char name[PRIVILEGES_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s", user != NULL ? user->pw_name : "?");
    const struct group *group = getgrgid(status->st_gid);
    (void)snprintf(text, size, "%s:%s %04o", name, group != NULL ? group->gr_name : "?",
                   (unsigned)(status->st_mode & 07777));
}

static void explain(const char *path, const char *verb, const char *remedy, char *text, size_t size)
{
    struct privileges_user self;
    struct stat status;
    char owner[2 * PRIVILEGES_NAME_MAX + 16] = "?";
    privileges_find_self(&self);
    if (stat(path, &status) == 0)
        owner_text(&status, owner, sizeof(owner));
    (void)snprintf(text, size, "user '%s' may not %s %.300s (%s): %s", self.name, verb, path, owner,
                   remedy);
}

static void explain_passage(const char *path, char *text, size_t size)
{
    char remedy[PATH_MAX + 64];
    (void)snprintf(remedy, sizeof(remedy), "chmod o+x %.300s, or use another place, or --user root",
                   path);
    explain(path, "pass through", remedy, text, size);
}

static void explain_file(const char *path, bool for_writing, char *text, size_t size)
{
    char remedy[2 * PATH_MAX];
    const struct group *group = getgrgid(getegid());
    char name[PRIVILEGES_NAME_MAX];
    if (group != NULL)
        (void)snprintf(name, sizeof(name), "%s", group->gr_name);
    else
        (void)snprintf(name, sizeof(name), "%u", (unsigned)getegid());
    (void)snprintf(remedy, sizeof(remedy), "chgrp %s %.300s && chmod g+%s %.300s", name, path,
                   for_writing ? "rwX" : "rX", path);
    explain(path, for_writing ? "write" : "read", remedy, text, size);
}

bool privileges_explain(const char *path, bool for_writing, char *text, size_t size)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(part))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (i == 0)
            (void)snprintf(part, sizeof(part), "/"); // a container's may be closed, too
        if (faccessat(AT_FDCWD, part, X_OK, AT_EACCESS) == 0)
            continue;
        if (errno != EACCES)
            return false;
        explain_passage(part, text, size);
        return true;
    }
    if (faccessat(AT_FDCWD, path, R_OK | (for_writing ? W_OK : 0), AT_EACCESS) == 0 ||
        errno != EACCES)
        return false;
    explain_file(path, for_writing, text, size);
    return true;
}
