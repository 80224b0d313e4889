// SPDX-License-Identifier: MIT
// For tests: a world of topics and filters that is small enough to try all of it, and random
// numbers that are the same each time.
#ifndef BUD_CORE_TOPIC_WORLD_H
#define BUD_CORE_TOPIC_WORLD_H

#include "base/assert.h"
#include "base/memory.h"
#include "proto/bytes.h"

#include <stdio.h>
#include <string.h>

#define WORLD_LEVELS 4
#define WORLD_WORDS 6 // that can stand in a filter
#define WORLD_NAMES 4 // the first of them, in a topic name
#define WORLD_TEXT_SIZE 16
#define WORLD_MAX 1600

struct topic_world {
    char (*texts)[WORLD_TEXT_SIZE];
    uint32_t count;
};

static inline struct bytes text(const char *string)
{
    return bytes_make(string, strlen(string));
}

static inline uint32_t random_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

// The text whose levels are the digits of `variant` in base `word_count`.
static inline void topic_world_write(char *to, uint32_t levels, uint32_t word_count,
                                     uint32_t variant)
{
    static const char *const words[WORLD_WORDS] = {"a", "b", "", "$x", "+", "#"};
    size_t size = 0;
    to[0] = '\0';
    for (uint32_t level = 0; level < levels; level++, variant /= word_count) {
        int written = snprintf(to + size, WORLD_TEXT_SIZE - size, "%s%s", level == 0 ? "" : "/",
                               words[variant % word_count]);
        size += (size_t)written;
    }
}

static inline void topic_world_random(char *to, uint32_t word_count, uint64_t *seed)
{
    uint32_t levels = 1 + random_next(seed) % WORLD_LEVELS;
    topic_world_write(to, levels, word_count, random_next(seed));
}

// All texts of up to four levels from the first `word_count` words that `is_valid` lets through.
static inline struct topic_world topic_world_new(uint32_t word_count,
                                                 bool (*is_valid)(struct bytes))
{
    struct topic_world world = {memory_new(WORLD_MAX * sizeof *world.texts), 0};
    uint32_t variants = word_count;
    for (uint32_t levels = 1; levels <= WORLD_LEVELS; levels++, variants *= word_count) {
        for (uint32_t variant = 0; variant < variants; variant++) {
            topic_world_write(world.texts[world.count], levels, word_count, variant);
            world.count += is_valid(text(world.texts[world.count]));
            ASSERT(world.count < WORLD_MAX);
        }
    }
    return world;
}

#endif
