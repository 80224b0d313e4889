// SPDX-License-Identifier: MIT
// A stack of blocks; pieces are cut from the newest. Each block is larger than the one before up
// to kept_max, and a reset keeps the largest that fits in there: after a few turns a worker takes
// its scratch memory from one block and never asks the heap.
#include "base/arena.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

enum { BLOCK_SIZE_MIN = 1024 };

struct arena_block {
    struct arena_block *older;
    size_t size; // of memory
    _Alignas(max_align_t) uint8_t memory[];
};

void arena_init(struct arena *arena, size_t kept_max)
{
    *arena = (struct arena){.kept_max = kept_max};
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *older = block->older;
        memory_free(block);
        block = older;
    }
}

void arena_done(struct arena *arena)
{
    free_blocks(arena->blocks);
    arena->blocks = NULL;
    arena->used = 0;
}

static size_t next_block_size(const struct arena *arena, size_t size)
{
    size_t wanted = BLOCK_SIZE_MIN;
    if (arena->blocks != NULL) {
        size_t newest = arena->blocks->size;
        wanted = newest > arena->kept_max / 2 ? arena->kept_max : 2 * newest;
    }
    return size > wanted ? size : wanted;
}

static struct arena_block *try_add_block(struct arena *arena, size_t size)
{
    size_t block_size = next_block_size(arena, size);
    if (block_size > SIZE_MAX - sizeof(struct arena_block)) {
        return NULL;
    }
    // Not memory_try_new: nobody asked for zeroes.
    struct arena_block *block = memory_try_resize(NULL, sizeof *block + block_size);
    if (block == NULL) {
        return NULL;
    }
    block->older = arena->blocks;
    block->size = block_size;
    arena->blocks = block;
    arena->used = 0;
    return block;
}

void *arena_try_take(struct arena *arena, size_t size)
{
    const size_t alignment = _Alignof(max_align_t);
    if (size > SIZE_MAX - alignment) {
        return NULL;
    }
    size_t rounded = size == 0 ? alignment : (size + alignment - 1) / alignment * alignment;
    struct arena_block *block = arena->blocks;
    if (block == NULL || rounded > block->size - arena->used) {
        block = try_add_block(arena, rounded);
    }
    if (block == NULL) {
        return NULL;
    }
    void *piece = block->memory + arena->used;
    arena->used += rounded;
    return piece;
}

void arena_reset(struct arena *arena)
{
    struct arena_block **best = NULL;
    for (struct arena_block **link = &arena->blocks; *link != NULL; link = &(*link)->older) {
        bool fits = (*link)->size <= arena->kept_max;
        if (fits && (best == NULL || (*link)->size > (*best)->size)) {
            best = link;
        }
    }
    struct arena_block *kept = NULL;
    if (best != NULL) {
        kept = *best;
        *best = kept->older;
        kept->older = NULL;
    }
    free_blocks(arena->blocks);
    arena->blocks = kept;
    arena->used = 0;
}
