// SPDX-License-Identifier: MIT
// Landlock, by its system calls: what the C library knows of it depends on its age.
#include "os/sandbox.h"

#include "os/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel's numbers, since Debian 12's headers end at version 2.
#define FS_VERSION_1 ((UINT64_C(1) << 13) - 1)
#define FS_REFER (UINT64_C(1) << 13)        // version 2
#define FS_TRUNCATE (UINT64_C(1) << 14)     // version 3
#define FS_IOCTL_DEVICE (UINT64_C(1) << 15) // version 5
#define SCOPE_SIGNAL (UINT64_C(1) << 1)     // version 6

#define OF_FILES                                                                                   \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEVICE)
#define TO_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define TO_WRITE                                                                                   \
    (TO_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG |         \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | FS_REFER)

struct attributes {
    uint64_t handled_files;
    uint64_t handled_network;
    uint64_t scoped;
};

struct ruleset {
    int descriptor;
    uint64_t handled;
};

static const char *const system_paths[] = {
    // names
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/passwd",
    "/etc/group",
    // certificates
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/certs",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    // time
    "/etc/localtime",
    "/usr/share/zoneinfo",
    // libraries that are loaded late: the modules of nsswitch.conf
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    // this process and its machine
    "/proc/self",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/kernel/random",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/dev/urandom",
    "/dev/random",
    "/dev/null",
};

static uint64_t rights_of_version(long version)
{
    uint64_t rights = FS_VERSION_1;
    if (version >= 2)
        rights |= FS_REFER;
    if (version >= 3)
        rights |= FS_TRUNCATE;
    if (version >= 5)
        rights |= FS_IOCTL_DEVICE;
    return rights;
}

static int new_ruleset(struct ruleset *rules)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 0)
        return -errno;
    struct attributes attributes = {
        .handled_files = rights_of_version(version),
        .scoped = version >= 6 ? SCOPE_SIGNAL : 0,
    };
    long descriptor =
        syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), (uint32_t)0);
    if (descriptor < 0)
        return -errno;
    rules->descriptor = (int)descriptor;
    rules->handled = attributes.handled_files;
    return 0;
}

// This file, or this directory with all below it. 0 also for what is not there.
static int allow(const struct ruleset *rules, const char *path, uint64_t rights)
{
    struct stat status = {0};
    int descriptor = open(path, O_PATH | O_CLOEXEC);
    if (descriptor < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
    int result = fstat(descriptor, &status) < 0 ? -errno : 0;
    if (!S_ISDIR(status.st_mode))
        rights &= OF_FILES;
    struct landlock_path_beneath_attr beneath = {
        .allowed_access = rights & rules->handled,
        .parent_fd = descriptor,
    };
    if (result == 0 && syscall(SYS_landlock_add_rule, rules->descriptor, LANDLOCK_RULE_PATH_BENEATH,
                               &beneath, (uint32_t)0) < 0)
        result = -errno;
    (void)close(descriptor);
    return result;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

// The directory a file is in. The root directory is not given for a file: that would be everything.
static int allow_around(const struct ruleset *rules, const char *path, uint64_t rights)
{
    char directory[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 1 : (size_t)(slash - path);
    if (size >= sizeof(directory))
        return -ENAMETOOLONG;
    if (slash == path || is_directory(path))
        return allow(rules, path, rights);
    if (slash != NULL) {
        memcpy(directory, path, size);
        directory[size] = 0;
    }
    return allow(rules, directory, rights);
}

static int allow_path(const struct ruleset *rules, const struct sandbox_path *path)
{
    char real[PATH_MAX];
    uint64_t rights = path->right == SANDBOX_WRITE ? TO_WRITE : TO_READ;
    int result = allow_around(rules, path->path, rights);
    if (result == 0 && realpath(path->path, real) != NULL)
        result = allow_around(rules, real, rights);
    return result;
}

static int allow_all(const struct ruleset *rules, const struct sandbox_path *paths, size_t count)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++)
        result = allow_path(rules, &paths[i]);
    return result;
}

int sandbox_restrict_files(const struct sandbox_path *paths, size_t count)
{
    struct ruleset rules = {.descriptor = -1};
    int result = new_ruleset(&rules);
    if (result < 0)
        return result;
    for (size_t i = 0; result == 0 && i < sizeof(system_paths) / sizeof(*system_paths); i++)
        result = allow(&rules, system_paths[i], TO_READ);
    // Tools replace /etc/resolv.conf and its like by renaming. To whom root's secrets are closed
    // anyway, /etc can be open; root gets the files as they are now.
    if (result == 0 && geteuid() != 0)
        result = allow(&rules, "/etc", TO_READ);
    if (result == 0)
        result = allow_all(&rules, paths, count);
    if (result == 0 && syscall(SYS_landlock_restrict_self, rules.descriptor, (uint32_t)0) < 0)
        result = -errno;
    (void)close(rules.descriptor);
    return result;
}

bool sandbox_is_possible(void)
{
    return SANITIZER_IS_ON == 0;
}
