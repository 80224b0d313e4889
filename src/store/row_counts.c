// SPDX-License-Identifier: MIT
// Open addressing with linear probing and backward-shift deletion; at most 3/4 full.
#include "store/row_counts.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stdbool.h>

static bool is_free(const struct row_block *block)
{
    for (unsigned i = 0; i < ROW_COUNTS_IN_BLOCK; i++)
        if (block->counts[i] != 0)
            return false;
    return true;
}

// Row numbers ascend: multiplying by the golden ratio spreads them evenly.
static size_t home_of(const struct row_counts *counts, uint64_t number)
{
    return (size_t)((number * 0x9e3779b97f4a7c15u) >> 32) & (counts->capacity - 1);
}

// The slot of that block, or the free one where it belongs.
static struct row_block *seek(const struct row_counts *counts, uint64_t number)
{
    size_t position = home_of(counts, number);
    for (;; position = (position + 1) & (counts->capacity - 1)) {
        struct row_block *block = &counts->blocks[position];
        if (block->number == number || is_free(block))
            return block;
    }
}

static void grow(struct row_counts *counts)
{
    struct row_counts old = *counts;
    counts->capacity = old.capacity == 0 ? 64 : old.capacity * 2;
    counts->blocks = memory_new(counts->capacity * sizeof(*counts->blocks));
    for (size_t i = 0; i < old.capacity; i++)
        if (!is_free(&old.blocks[i]))
            *seek(counts, old.blocks[i].number) = old.blocks[i];
    memory_free(old.blocks);
}

void row_counts_done(struct row_counts *counts)
{
    memory_free(counts->blocks);
    *counts = (struct row_counts){0};
}

uint32_t row_counts_get(const struct row_counts *counts, uint64_t row)
{
    if (counts->capacity == 0)
        return 0;
    const struct row_block *block = seek(counts, row / ROW_COUNTS_IN_BLOCK);
    return block->number == row / ROW_COUNTS_IN_BLOCK ? block->counts[row % ROW_COUNTS_IN_BLOCK]
                                                      : 0;
}

uint32_t row_counts_add(struct row_counts *counts, uint64_t row)
{
    if ((counts->count + 1) * 4 > counts->capacity * 3)
        grow(counts);
    uint64_t number = row / ROW_COUNTS_IN_BLOCK;
    struct row_block *block = seek(counts, number);
    if (is_free(block)) {
        counts->count++;
        block->number = number;
    }
    return ++block->counts[row % ROW_COUNTS_IN_BLOCK];
}

static void free_slot(struct row_counts *counts, struct row_block *block)
{
    size_t mask = counts->capacity - 1;
    size_t hole = (size_t)(block - counts->blocks);
    for (size_t next = (hole + 1) & mask; !is_free(&counts->blocks[next]);
         next = (next + 1) & mask) {
        size_t home = home_of(counts, counts->blocks[next].number);
        if (((next - home) & mask) < ((next - hole) & mask))
            continue; // it would come to stand before its home
        counts->blocks[hole] = counts->blocks[next];
        hole = next;
    }
    counts->blocks[hole] = (struct row_block){0};
    counts->count--;
}

uint32_t row_counts_take(struct row_counts *counts, uint64_t row)
{
    ASSERT(row_counts_get(counts, row) > 0);
    struct row_block *block = seek(counts, row / ROW_COUNTS_IN_BLOCK);
    uint32_t left = --block->counts[row % ROW_COUNTS_IN_BLOCK];
    if (left == 0 && is_free(block))
        free_slot(counts, block);
    return left;
}
