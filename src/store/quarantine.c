// SPDX-License-Identifier: MIT
#include "store/quarantine.h"

#include "base/memory.h"
#include "os/file.h"
#include "store/json.h"

#include <stdio.h>

struct quarantine {
    char path[4096];
    uint64_t count;
    bool failed;
};

struct quarantine *quarantine_new(const char *directory, int64_t wall_ms)
{
    struct quarantine *quarantine = memory_new(sizeof(*quarantine));
    (void)snprintf(quarantine->path, sizeof(quarantine->path), "%.4000s/damaged-%lld.jsonl",
                   directory, (long long)(wall_ms / 1000));
    return quarantine;
}

void quarantine_free(struct quarantine *quarantine)
{
    memory_free(quarantine);
}

void quarantine_row(struct quarantine *quarantine, const struct row *row, const char *reason)
{
    struct buffer line = {0};
    json_row(&line, row, reason);
    if (file_append(quarantine->path, line.data, line.size) < 0)
        quarantine->failed = true;
    buffer_done(&line);
    quarantine->count++;
}

uint64_t quarantine_count(const struct quarantine *quarantine)
{
    return quarantine->count;
}

const char *quarantine_path(const struct quarantine *quarantine)
{
    return quarantine->path;
}

bool quarantine_failed(const struct quarantine *quarantine)
{
    return quarantine->failed;
}
