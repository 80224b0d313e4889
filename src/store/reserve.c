// SPDX-License-Identifier: MIT
#include "store/reserve.h"

#include "base/memory.h"
#include "os/file.h"

#include <stdio.h>

#define RESERVE_BYTES_MAX (4u << 20)
#define LOW_BYTES_MIN (64u << 20)
#define PATH_SIZE 4096

struct reserve {
    char directory[PATH_SIZE];
    char path[PATH_SIZE];
    uint64_t low_bytes; // as asked for; 0: by the size of the file system
    uint64_t size;
    bool there, low;
};

struct reserve *reserve_new(const char *directory, uint64_t low_bytes)
{
    struct reserve *reserve = memory_new(sizeof(*reserve));
    uint64_t available, total;
    (void)snprintf(reserve->directory, sizeof(reserve->directory), "%s", directory);
    (void)snprintf(reserve->path, sizeof(reserve->path), "%.4000s/reserve", directory);
    reserve->low_bytes = low_bytes;
    reserve->size = RESERVE_BYTES_MAX;
    if (file_space(directory, &available, &total) == 0 && total / 16 < reserve->size)
        reserve->size = total / 16;
    reserve->there = file_size(reserve->path) > 0;
    (void)reserve_is_low(reserve, 0);
    return reserve;
}

void reserve_free(struct reserve *reserve)
{
    memory_free(reserve);
}

uint64_t reserve_size(const struct reserve *reserve)
{
    return reserve->size;
}

void reserve_give_up(struct reserve *reserve)
{
    (void)file_remove(reserve->path); // if it does not go, there is only less room
    reserve->there = false;
    reserve->low = true;
}

void reserve_take_back(struct reserve *reserve)
{
    uint64_t available, total;
    if (reserve->there || file_space(reserve->directory, &available, &total) < 0 ||
        available < 2 * reserve->size)
        return;
    reserve->there = file_reserve(reserve->path, reserve->size) == 0;
}

static uint64_t limit_of(const struct reserve *reserve, uint64_t total)
{
    if (reserve->low_bytes > 0)
        return reserve->low_bytes;
    uint64_t limit = total / 50 > LOW_BYTES_MIN ? total / 50 : LOW_BYTES_MIN;
    return limit < total / 8 ? limit : total / 8; // a small file system is not low for ever
}

bool reserve_is_low(struct reserve *reserve, uint64_t free_inside)
{
    uint64_t available, total;
    if (file_space(reserve->directory, &available, &total) < 0)
        return reserve->low;
    uint64_t limit = limit_of(reserve, total);
    if (available + free_inside < limit)
        reserve->low = true;
    else if (available + free_inside >= 2 * limit)
        reserve->low = false;
    if (!reserve->low)
        reserve_take_back(reserve);
    return reserve->low;
}
