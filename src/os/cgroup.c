// SPDX-License-Identifier: MIT
// Reads memory.max and cpu.max of the process's control group and of all groups above it: each of
// them binds. Inside a container the group is often "/", whose files are the container's.
// The kernel writes these files; anything unexpected in them counts as "no limit".
#include "os/cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(line, size, file) != NULL;
    fclose(file);
    if (read) {
        line[strcspn(line, "\n")] = '\0';
    }
    return read;
}

// The path behind "0::", the line of the unified hierarchy; the others are version 1.
static bool read_group(const char *membership, char *group, int size)
{
    FILE *file = fopen(membership, "re");
    if (file == NULL) {
        return false;
    }
    bool found = false;
    while (!found && fgets(group, size, file) != NULL) {
        found = strncmp(group, "0::/", 4) == 0;
    }
    fclose(file);
    if (found) {
        group[strcspn(group, "\n")] = '\0';
        memmove(group, group + 3, strlen(group + 3) + 1);
    }
    return found;
}

// A decimal number that ends at `end`; 0 for anything else ("max" above all).
static uint64_t parse_number(const char *text, char end)
{
    char *stop;
    errno = 0;
    uint64_t number = strtoull(text, &stop, 10);
    bool good = stop != text && *stop == end && errno == 0 && text[0] >= '0' && text[0] <= '9';
    return good ? number : 0;
}

// "200000 100000": 200 ms of CPU time in every 100 ms are two cores.
static uint32_t parse_cores(const char *line)
{
    const char *space = strchr(line, ' ');
    if (space == NULL) {
        return 0;
    }
    uint64_t quota = parse_number(line, ' ');
    uint64_t period = parse_number(space + 1, '\0');
    if (quota == 0 || period == 0) {
        return 0;
    }
    uint64_t cores = quota / period + (quota % period != 0);
    return cores > UINT32_MAX ? UINT32_MAX : (uint32_t)cores;
}

static void tighten(struct cgroup_limits *limits, const char *mount, const char *group)
{
    char path[2 * PATH_SIZE];
    char line[128];
    snprintf(path, sizeof path, "%s%s/memory.max", mount, group);
    uint64_t memory = read_line(path, line, sizeof line) ? parse_number(line, '\0') : 0;
    if (memory != 0 && (limits->memory_bytes == 0 || memory < limits->memory_bytes)) {
        limits->memory_bytes = memory;
    }
    snprintf(path, sizeof path, "%s%s/cpu.max", mount, group);
    uint32_t cores = read_line(path, line, sizeof line) ? parse_cores(line) : 0;
    if (cores != 0 && (limits->cores == 0 || cores < limits->cores)) {
        limits->cores = cores;
    }
}

struct cgroup_limits cgroup_read_limits(const char *membership, const char *mount)
{
    struct cgroup_limits limits = {0};
    char group[PATH_SIZE];
    if (!read_group(membership, group, sizeof group)) {
        return limits;
    }
    tighten(&limits, mount, group);
    for (char *slash = strrchr(group, '/'); slash != NULL; slash = strrchr(group, '/')) {
        *slash = '\0';
        tighten(&limits, mount, group);
    }
    return limits;
}
