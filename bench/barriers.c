// SPDX-License-Identifier: MIT
// See barriers.h. The file has no name from the beginning, so nothing of it stays.

#include "barriers.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "process_cost.h"

#define BLOCK_SIZE 4096
#define BLOCKS 1000

static const uint8_t block[BLOCK_SIZE];

static int write_block(const struct barriers *barriers, uint64_t number)
{
    off_t offset = (off_t)(number % BLOCKS * BLOCK_SIZE);
    ssize_t wrote = pwrite(barriers->fd, block, BLOCK_SIZE, offset);
    if (wrote < 0)
        return -errno;
    return wrote == BLOCK_SIZE ? 0 : -EIO;
}

int barriers_open(struct barriers *barriers, const char *directory)
{
    *barriers = (struct barriers){0};
    barriers->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (barriers->fd < 0)
        return -errno;
    int error = 0;
    for (uint64_t i = 0; !error && i < BLOCKS; i++)
        error = write_block(barriers, i);
    return error || fsync(barriers->fd) == 0 ? error : -errno;
}

int barriers_run(struct barriers *barriers, uint64_t duration_ns)
{
    uint64_t start_ns = monotonic_ns();
    uint64_t now_ns = start_ns;
    while (now_ns - start_ns < duration_ns) {
        int error = write_block(barriers, barriers->count);
        if (error)
            return error;
        if (fdatasync(barriers->fd))
            return -errno;
        uint64_t done_ns = monotonic_ns();
        samples_add(&barriers->durations, done_ns - now_ns);
        barriers->count++;
        now_ns = done_ns;
    }
    barriers->took_ns += now_ns - start_ns;
    return 0;
}

void barriers_close(struct barriers *barriers)
{
    if (barriers->fd >= 0)
        close(barriers->fd);
    samples_free(&barriers->durations);
}
