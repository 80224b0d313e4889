// SPDX-License-Identifier: MIT
// What a control group (version 2) lets this process use; os/ only.
#ifndef BUD_OS_CGROUP_H
#define BUD_OS_CGROUP_H

#include <stdint.h>

struct cgroup_limits {
    uint64_t memory_bytes; // 0: no limit
    uint32_t cores;        // rounded up; 0: no limit
};

// The tightest limits from the process's own group up to the root. `membership` is
// /proc/self/cgroup and `mount` is /sys/fs/cgroup except in tests. What cannot be read or parsed
// limits nothing.
struct cgroup_limits cgroup_read_limits(const char *membership, const char *mount);

#endif
