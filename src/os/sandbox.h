// SPDX-License-Identifier: MIT
// What the kernel shall refuse this process from now on, and every thread it starts: files outside
// of those it was given (Landlock), and system calls that it has no use for (seccomp). For whoever
// breaks in, through a client's bytes, there is then little to do. To be entered before the first
// thread is started, and never left.
//
// What the kernel lacks is not missed: the calls say so, and the process goes on without.
#ifndef BUD_OS_SANDBOX_H
#define BUD_OS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

enum sandbox_right {
    SANDBOX_READ,  // a directory with all below it; of a file, the directory it is in, since
                   // files are replaced by renaming. The directory behind a symlink, too
    SANDBOX_WRITE, // likewise; files may be made, changed and removed
};

struct sandbox_path {
    const char *path;
    enum sandbox_right right;
};

bool sandbox_is_possible(void); // not in builds with sanitizers

// Besides these paths, what the system's libraries need is readable: names and time zones,
// certificates, libraries, this process in /proc. What does not exist is skipped; a file that does
// not exist yet stands for its directory. 0; -ENOSYS or -EOPNOTSUPP: the kernel has no Landlock;
// -errno.
int sandbox_restrict_files(const struct sandbox_path *paths, size_t count);

// What is not on the list of calls is refused as if the kernel had never heard of it, and said once
// on standard error; what only an intruder would try (another program, another user, a debugger)
// ends the process. 0; -ENOSYS: the kernel has no seccomp; -errno.
int sandbox_restrict_calls(void);

#endif
