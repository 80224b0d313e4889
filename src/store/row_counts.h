// SPDX-License-Identifier: MIT
// How many deliveries, retained values and wills name each message row? Kept in memory beside the
// store, also for messages that are only on the disk: about six bytes for each of ten million
// neighbours. Growing may not fail: what it counts is on the disk already.
#ifndef BUD_STORE_ROW_COUNTS_H
#define BUD_STORE_ROW_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#define ROW_COUNTS_IN_BLOCK 14

struct row_block { // the counts of ROW_COUNTS_IN_BLOCK neighbouring rows; all 0: the slot is free
    uint64_t number;
    uint32_t counts[ROW_COUNTS_IN_BLOCK];
};

struct row_counts {
    struct row_block *blocks;
    size_t capacity; // a power of two, or 0
    size_t count;
};

void row_counts_done(struct row_counts *counts);
uint32_t row_counts_get(const struct row_counts *counts, uint64_t row);
uint32_t row_counts_add(struct row_counts *counts, uint64_t row);  // returns the new count
uint32_t row_counts_take(struct row_counts *counts, uint64_t row); // likewise; must be above 0

#endif
