// SPDX-License-Identifier: MIT
// The rows of one table out of SQLite's pages, as far as they can be read, without SQLite. Every
// row is checked (row_check) before it is given, so nothing wrong comes out, whatever the pages
// hold. For saving what a damaged store still has.
#ifndef BUD_STORE_TREE_H
#define BUD_STORE_TREE_H

#include "store/pages.h"
#include "store/table.h"

struct tree_walk {
    struct pages *pages;
    void *context;
    int (*row)(void *context, const struct row *row); // not 0: stop with that
    uint8_t *seen;                                    // a bit a page: was it looked at?
    uint64_t damaged;  // pages of the present tree that could not be read
    uint64_t bad_rows; // that did not fit their check
};

struct tree_walk *tree_walk_new(struct pages *pages); // NULL without memory
void tree_walk_free(struct tree_walk *walk);

// Gives the rows of the tree that begins with page `root`.
int tree_walk_table(struct tree_walk *walk, enum table table, uint32_t root);

// The first pages of all tables, as far as the first page of the file tells (0: it does not).
void tree_roots(struct pages *pages, uint32_t ret_roots[TABLE_COUNT]);

// Pages that no tree led to and that are not free: below damaged ones. Gives the rows of every
// table in them. False in *ret_known: what is free is not known, so nothing is given.
int tree_walk_rest(struct tree_walk *walk, bool *ret_known);

#endif
