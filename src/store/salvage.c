// SPDX-License-Identifier: MIT
#include "store/salvage.h"

#include "base/memory.h"
#include "os/file.h"
#include "store/mark.h"
#include "store/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NEW_SUFFIX ".new"
#define ROWS_IN_GROUP 10000
#define DAMAGED "damaged" // how the old file is called then

struct salvage {
    struct store *fresh;
    uint64_t rows[TABLE_COUNT];
    uint64_t damaged[TABLE_COUNT]; // pages
    unsigned in_group;
};

struct path {
    char text[STORE_PATH_MAX + 64];
};

static struct path path_with(const struct store *store, const char *suffix)
{
    struct path path;
    (void)snprintf(path.text, sizeof(path.text), "%.4000s%s", store->path, suffix);
    return path;
}

static int remove_all(const struct store *store, const char *const *suffixes)
{
    int result = 0;
    for (; *suffixes != NULL && result == 0; suffixes++)
        result = disk_remove(store->disk, path_with(store, *suffixes).text);
    return result;
}

// A new file says who it is with the last thing that is written to it.
static bool new_is_whole(const struct store *store)
{
    uint8_t page[DISK_PAGE_SIZE];
    uint32_t first;
    struct pages *pages;
    if (pages_open(disk_lower(store->disk), path_with(store, NEW_SUFFIX).text, false, &pages) < 0)
        return false;
    bool whole = pages_survey(pages)->has_main && !pages_survey(pages)->main_is_cut &&
                 !pages_survey(pages)->has_log && pages_get(pages, 1, page) == 0 &&
                 pages_number(page + 68, 4) == TABLE_APPLICATION &&
                 pages_count_damaged(pages, &first) == 0;
    pages_close(pages);
    return whole;
}

static int set_aside(const struct store *store, const char *suffix, const char *word)
{
    char aside[64];
    struct path from = path_with(store, suffix);
    if (!disk_exists(store->disk, from.text))
        return 0;
    (void)snprintf(aside, sizeof(aside), "%s.%s-%lld", suffix, word,
                   (long long)(store->options.wall_ms / 1000));
    return disk_rename(store->disk, from.text, path_with(store, aside).text);
}

// The log goes first: it must not be taken for that of the new file.
static int put_in_place(const struct store *store, const char *word)
{
    int result = set_aside(store, "-wal", word);
    if (result == 0)
        result = disk_remove(store->disk, path_with(store, "-mark").text);
    if (result == 0)
        result = disk_sync_directory(store->disk, store->directory);
    if (result == 0)
        result = disk_remove(store->disk, path_with(store, NEW_SUFFIX "-mark").text);
    if (result == 0)
        result = set_aside(store, "", word);
    if (result == 0)
        result = disk_rename(store->disk, path_with(store, NEW_SUFFIX).text, store->path);
    return result == 0 ? disk_sync_directory(store->disk, store->directory) : result;
}

int salvage_finish(struct store *store)
{
    static const char *const leftovers[] = {NEW_SUFFIX, NEW_SUFFIX "-wal", NEW_SUFFIX "-journal",
                                            NEW_SUFFIX "-mark", NULL};
    if (disk_exists(store->disk, path_with(store, NEW_SUFFIX).text) && new_is_whole(store))
        return put_in_place(store, DAMAGED);
    return remove_all(store, leftovers);
}

static int open_fresh(struct store *store, struct store **ret_fresh)
{
    struct path path = path_with(store, NEW_SUFFIX);
    if (store->options.vfs == NULL) {
        int result = file_make(path.text); // SQLite would let others read it
        if (result < 0)
            return result;
    }
    struct store *fresh = memory_new(sizeof(*fresh));
    fresh->lock = fresh->reading = -1;
    fresh->options = store->options;
    fresh->disk = store->disk;
    fresh->reserve = store->reserve;
    fresh->log_pages_max = store->log_pages_max;
    (void)snprintf(fresh->path, sizeof(fresh->path), "%.4090s", path.text);
    *ret_fresh = fresh;
    int result = store_open_database(fresh);
    return result == 0 ? store_create_tables(fresh) : result;
}

static int close_fresh(struct store *fresh, int result)
{
    char sql[64];
    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id=%d", TABLE_APPLICATION);
    if (result == 0)
        result = store_execute(fresh, sql);
    if (result == 0)
        result =
            store_failed(fresh, sqlite3_wal_checkpoint_v2(fresh->database, NULL,
                                                          SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
    store_finalize_all(fresh);
    (void)sqlite3_close(fresh->database);
    memory_free(fresh);
    return result;
}

int salvage_create(struct store *store)
{
    struct store *fresh = NULL;
    int result = open_fresh(store, &fresh);
    if (fresh != NULL)
        result = close_fresh(fresh, result);
    return result == 0 ? put_in_place(store, DAMAGED) : result;
}

static int save_row(void *context, const struct row *row)
{
    struct salvage *salvage = context;
    struct store *fresh = salvage->fresh;
    int result = 0;
    if (salvage->in_group == 0) {
        result = store_checkpoint(fresh);
        if (result == 0)
            result = store_run(fresh, fresh->begin);
    }
    if (result == 0)
        result = store_put(fresh, row);
    salvage->rows[row->table]++;
    if (result == 0 && ++salvage->in_group == ROWS_IN_GROUP) {
        salvage->in_group = 0;
        result = store_run(fresh, fresh->commit);
    }
    return result;
}

static int save_tables(struct salvage *salvage, struct tree_walk *walk, bool *ret_rest_known)
{
    uint32_t roots[TABLE_COUNT];
    uint64_t damaged = 0;
    int result = 0;
    tree_roots(walk->pages, roots);
    for (enum table table = 0; result == 0 && table < TABLE_COUNT; table++) {
        // The first page does not tell: they were made in this order in an empty file.
        uint32_t root = roots[table] == 0 ? table + 2u : roots[table];
        walk->damaged = 0;
        result = tree_walk_table(walk, table, root);
        salvage->damaged[table] = walk->damaged;
        damaged += walk->damaged;
    }
    if (result == 0 && damaged > 0)
        result = tree_walk_rest(walk, ret_rest_known);
    if (result == 0 && salvage->in_group > 0)
        result = store_run(salvage->fresh, salvage->fresh->commit);
    return result;
}

static void append_counts(char *text, size_t size, const uint64_t counts[TABLE_COUNT])
{
    size_t used = 0;
    text[0] = '\0';
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        if (counts[table] == 0 || used >= size)
            continue;
        int more = snprintf(text + used, size - used, "%s%llu of %s", used == 0 ? "" : ", ",
                            (unsigned long long)counts[table], table_descriptions[table].name);
        used += more > 0 ? (size_t)more : 0;
    }
    if (used == 0)
        (void)snprintf(text, size, "none");
}

static void report(struct store *store, const struct salvage *salvage,
                   const struct pages_survey *survey, uint32_t first_damaged, bool rest_known)
{
    char rows[256], pages[256];
    append_counts(rows, sizeof(rows), salvage->rows);
    append_counts(pages, sizeof(pages), salvage->damaged);
    if (first_damaged != 0)
        store_report(store, "%s was damaged (page %u was the first); what can be read was saved",
                     store->path, first_damaged);
    else
        store_report(store, "%s was damaged; what can be read was saved", store->path);
    long long when_s = (long long)(store->options.wall_ms / 1000);
    char kept[2][64] = {"", ""};
    if (survey->has_main)
        (void)snprintf(kept[0], sizeof(kept[0]), "%s.damaged-%lld", STORE_FILE, when_s);
    if (survey->has_log)
        (void)snprintf(kept[1], sizeof(kept[1]), "%s-wal.damaged-%lld", STORE_FILE, when_s);
    store_report(store, "rows saved: %s; pages lost: %s; what was there is kept as %s%s%s", rows,
                 pages, kept[0], survey->has_main && survey->has_log ? " and " : "", kept[1]);
    if (!rest_known)
        store_report(store, "what lay below a lost page could not be told from what was deleted, "
                            "and was left out");
}

// All that can be read, into a new file that then stands in the place of the old one.
static int rebuild(struct store *store, struct pages *pages, struct salvage *salvage,
                   const char *word, bool *ret_rest_known)
{
    int result = open_fresh(store, &salvage->fresh);
    if (salvage->fresh == NULL)
        return result;
    struct tree_walk *walk = tree_walk_new(pages);
    if (walk == NULL && result == 0)
        result = -ENOMEM;
    if (result == 0) {
        walk->context = salvage;
        walk->row = save_row;
        result = save_tables(salvage, walk, ret_rest_known);
    }
    tree_walk_free(walk);
    result = close_fresh(salvage->fresh, result);
    return result == 0 ? put_in_place(store, word) : result;
}

int salvage_upgrade(struct store *store, struct pages *pages, uint32_t format)
{
    struct salvage salvage = {0};
    bool rest_known = true;
    char word[32], rows[256];
    (void)snprintf(word, sizeof(word), "format-%u", (unsigned)format);
    int result = rebuild(store, pages, &salvage, word, &rest_known);
    if (result < 0)
        return result;
    append_counts(rows, sizeof(rows), salvage.rows);
    store_report(store,
                 "%s was of an older format (%u, now %d): its rows were taken over (%s); the old "
                 "file is kept as %s.%s-%lld and may be deleted",
                 store->path, (unsigned)format, TABLE_FORMAT, rows, STORE_FILE, word,
                 (long long)(store->options.wall_ms / 1000));
    return 0;
}

int salvage_run(struct store *store, struct pages *pages, uint32_t first_damaged)
{
    struct salvage salvage = {0};
    bool rest_known = true;
    int result = rebuild(store, pages, &salvage, DAMAGED, &rest_known);
    if (salvage.fresh == NULL)
        return result;
    if (result == 0)
        report(store, &salvage, pages_survey(pages), first_damaged, rest_known);
    store->damaged_pages++; // at least the one that was found first
    for (enum table table = 0; table < TABLE_COUNT; table++)
        store->damaged_pages += salvage.damaged[table];
    return result;
}
