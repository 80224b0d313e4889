// SPDX-License-Identifier: MIT
// The store's files page by page, without SQLite: what the main file holds, and over it what the
// write-ahead log holds as committed. For looking the files through at start and for saving what
// can be read. Nothing in the files is believed before its checksum fits; nothing is written.
#ifndef BUD_STORE_PAGES_H
#define BUD_STORE_PAGES_H

#include "store/disk.h"

struct pages;

struct pages_survey {
    bool has_main, has_log; // there, and not empty
    bool main_is_cut;       // shorter than it says it is
    bool log_is_foreign;    // its header does not fit
    uint32_t page_count;    // of the database as committed
    uint64_t log_end;       // bytes of the log up to the last whole commit
    uint64_t log_rest;      // frames behind it that were written in the same round of the log
    uint32_t log_salt[2];
};

// 0 or -errno. Missing files are fine. `live`: a broker writes to the log meanwhile (the main file
// is held still by the lock STORE_READING), so the log is taken as it is now.
int pages_open(sqlite3_vfs *vfs, const char *path, bool live, struct pages **ret_pages);
void pages_close(struct pages *pages); // NULL is fine
const struct pages_survey *pages_survey(const struct pages *pages);

// 0, -EBADMSG damaged, -ENOENT there is no such page, or another -errno.
int pages_get(struct pages *pages, uint32_t number, uint8_t page[DISK_PAGE_SIZE]);

// As pages_get, and sealed for the main file wherever it came from.
int pages_get_sealed(struct pages *pages, uint32_t number, uint8_t page[DISK_PAGE_SIZE]);

// Looks at every page. How many are damaged; *ret_first the first of them. A free page holds
// nothing, and may never have been written.
uint64_t pages_count_damaged(struct pages *pages, uint32_t *ret_first);

// Sets the bits of free pages: those that hold nothing, and if `lists` those that hold the list of
// them. False: the list is damaged, and some are missing.
bool pages_mark_free(struct pages *pages, uint8_t *bits, bool lists);

uint32_t pages_number(const uint8_t *at, unsigned size); // big-endian, as SQLite's files are

#endif
