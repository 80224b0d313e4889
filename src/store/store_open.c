// SPDX-License-Identifier: MIT
// Opening and closing.
#include "store/store_private.h"

#include "base/memory.h"
#include "os/file.h"
#include "store/mark.h"
#include "store/pages.h"
#include "store/quarantine.h"
#include "store/reserve.h"
#include "store/salvage.h"
#include "store/tombstones.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SQLITE_OLDEST 3035000
#define LOG_PAGES_MAX 1000 // the write-ahead log is copied into the main file beyond that
#define LOG_PAGES_MIN 64

__attribute__((format(printf, 3, 4))) static int refuse(char *error, int number, const char *format,
                                                        ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, STORE_ERROR_MAX, format, arguments);
    va_end(arguments);
    return number;
}

static int on_log(void *context, sqlite3 *database, const char *name, int pages)
{
    struct store *store = context;
    (void)database;
    (void)name;
    store->log_pages = pages;
    return SQLITE_OK;
}

static int set_up(struct store *store)
{
    char sql[512];
    (void)snprintf(
        sql, sizeof(sql),
        "PRAGMA page_size=%d; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; "
        "PRAGMA synchronous=%s; PRAGMA journal_size_limit=16777216; "
        "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; "
        "PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=0",
        DISK_PAGE_SIZE, store->options.durability == STORE_RELAXED ? "NORMAL" : "FULL");
    return store_execute(store, sql);
}

int store_create_tables(struct store *store)
{
    char sql[TABLE_SQL_MAX];
    (void)snprintf(sql, sizeof(sql), "BEGIN; PRAGMA user_version=%d", TABLE_FORMAT);
    int result = store_execute(store, sql);
    for (enum table table = 0; result == 0 && table < TABLE_COUNT; table++) {
        table_sql_create(table, sql);
        result = store_execute(store, sql);
    }
    if (result == 0)
        result = store_execute(store, "COMMIT");
    return result == 0 ? store_prepare_all(store) : result;
}

int store_open_database(struct store *store)
{
    int reserved = DISK_RESERVED;
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int result = sqlite3_open_v2(store->path, &store->database, flags, disk_vfs_name(store->disk));
    if (result != SQLITE_OK)
        return store_failed(store, result);
    (void)sqlite3_file_control(store->database, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    result = set_up(store);
    // After `PRAGMA wal_autocheckpoint`, which takes the hook for its own and removes it.
    (void)sqlite3_wal_hook(store->database, on_log, store);
    return result;
}

static int open_tables(struct store *store)
{
    int result = store_open_database(store);
    if (result == 0)
        result = store_prepare_all(store);
    if (result == 0)
        result = store_meta_load(store);
    return result;
}

static void close_database(struct store *store)
{
    store_finalize_all(store);
    ASSERT(sqlite3_close(store->database) == SQLITE_OK);
    store->database = NULL;
}

// What is lost is said once.
static void mark_as_it_is(struct store *store, const char *log_path)
{
    static const struct mark nothing;
    struct mark_file *file = mark_open(disk_lower(store->disk), log_path);
    if (file != NULL)
        (void)mark_write(file, &nothing, true);
    mark_close(file);
}

// Did the log lose what had passed a barrier?
static void look_at_log(struct store *store, const struct pages_survey *survey)
{
    char path[STORE_PATH_MAX + 8];
    struct mark mark;
    (void)snprintf(path, sizeof(path), "%s-wal", store->path);
    if (!mark_read(disk_lower(store->disk), path, &mark) || mark.end == 0) {
        if (survey->log_rest > 0)
            store_report(store,
                         "the end of the write-ahead log is not whole (%llu pages): as after a "
                         "power cut in mid-write, when nothing acknowledged is lost",
                         (unsigned long long)survey->log_rest);
        return;
    }
    bool same_round = pages_number(mark.salt, 4) == survey->log_salt[0] &&
                      pages_number(mark.salt + 4, 4) == survey->log_salt[1];
    uint64_t have = same_round ? survey->log_end : DISK_WAL_HEADER;
    bool lost = survey->has_log && !survey->log_is_foreign ? same_round && mark.end > have : true;
    if (!lost)
        return;
    store->damaged_pages += (mark.end - have) / DISK_FRAME_SIZE;
    store_report(
        store,
        "the write-ahead log is %s: the last %llu pages of changes are lost, and what they "
        "changed is as it was before",
        survey->has_log ? "damaged" : "missing",
        (unsigned long long)((mark.end - have) / DISK_FRAME_SIZE));
    mark_as_it_is(store, path);
}

// 0: it cannot be told.
static uint32_t format_of(struct pages *pages)
{
    uint8_t page[DISK_PAGE_SIZE];
    return pages_get(pages, 1, page) == 0 ? pages_number(page + 60, 4) : 0;
}

static int check_format(const struct store *store, uint32_t format, char *error)
{
    if (format <= TABLE_FORMAT)
        return 0;
    return refuse(error, -EPROTO,
                  "%s was written by a newer bud (format %u, this one knows %d): update bud, or "
                  "choose another directory",
                  store->path, format, TABLE_FORMAT);
}

static int begin_empty(struct store *store, bool was_there)
{
    if (was_there)
        store_report(store, "%s is missing: what was in it is lost, and it begins empty",
                     store->path);
    store->damaged_pages += was_there;
    return salvage_create(store);
}

// Looks through the files before SQLite does, and puts them in order.
static int look_through(struct store *store, char *error)
{
    char mark[STORE_PATH_MAX + 8];
    uint32_t first = 0;
    struct pages *pages;
    int result = salvage_finish(store);
    if (result == 0)
        result = pages_open(disk_lower(store->disk), store->path, false, &pages);
    if (result < 0)
        return result;
    const struct pages_survey *survey = pages_survey(pages);
    (void)snprintf(mark, sizeof(mark), "%s-mark", store->path);
    if (!survey->has_main && survey->page_count == 0) {
        result = begin_empty(store, disk_exists(store->disk, mark));
    } else {
        uint32_t format = format_of(pages);
        result = check_format(store, format, error);
        if (result == 0)
            look_at_log(store, survey);
        if (result == 0 && (!survey->has_main || survey->page_count == 0 ||
                            pages_count_damaged(pages, &first) > 0))
            result = salvage_run(store, pages, first);
        else if (result == 0 && format > 0 && format < TABLE_FORMAT)
            result = salvage_upgrade(store, pages, format);
    }
    pages_close(pages);
    return result;
}

// Every page was whole, and yet SQLite finds the file damaged: what can be read is saved.
static int salvage_once_more(struct store *store)
{
    struct pages *pages;
    close_database(store);
    store->error = 0;
    int result = pages_open(disk_lower(store->disk), store->path, false, &pages);
    if (result == 0) {
        result = salvage_run(store, pages, 0);
        pages_close(pages);
    }
    return result == 0 ? open_tables(store) : result;
}

static int open_file(struct store *store, char *error)
{
    int result = look_through(store, error);
    if (result < 0)
        return result;
    result = open_tables(store);
    if (result == -EIO && disk_error(store->disk) == 0)
        result = salvage_once_more(store);
    return result;
}

static int open_directory(struct store *store, char *error)
{
    char lock[STORE_PATH_MAX];
    int result = file_make_directory(store->directory);
    if (result < 0)
        return refuse(error, result, "cannot make the directory %s: %s", store->directory,
                      strerror(-result));
    (void)snprintf(lock, sizeof(lock), "%.4000s/lock", store->directory);
    store->lock = file_lock(lock);
    if (store->lock == -EWOULDBLOCK)
        return refuse(error, -EWOULDBLOCK, "another bud uses %s", store->directory);
    if (store->lock < 0)
        return refuse(error, store->lock, "cannot lock %s: %s", lock, strerror(-store->lock));
    (void)snprintf(lock, sizeof(lock), "%.4000s/" STORE_READING, store->directory);
    store->reading = file_open_lock(lock); // without it, readers are only not waited for
    return 0;
}

// On a small file system as many as the reserve has room for.
static int log_pages_for(const struct store *store)
{
    uint64_t pages = reserve_size(store->reserve) / DISK_PAGE_SIZE;
    if (store->options.log_pages_max > 0)
        return (int)store->options.log_pages_max;
    if (pages < LOG_PAGES_MIN)
        return LOG_PAGES_MIN;
    return pages < LOG_PAGES_MAX ? (int)pages : LOG_PAGES_MAX;
}

static void let_go(struct store *store)
{
    close_database(store);
    disk_free(store->disk);
    quarantine_free(store->quarantine);
    reserve_free(store->reserve);
    tombstones_free(store->tombstones);
    row_counts_done(&store->counts);
    store_waiting_done(store);
    store_doomed_done(store);
    memory_free(store->changes);
    memory_free(store->after);
    memory_free(store->sweeps);
    file_unlock(store->lock);
    file_unlock(store->reading);
    memory_free(store);
}

int store_open(const struct store_options *options, struct store **ret_store, char *error)
{
    ASSERT(sqlite3_libversion_number() >= SQLITE_OLDEST);
    error[0] = '\0';
    struct store *store = memory_new(sizeof(*store));
    store->options = *options;
    store->lock = store->reading = -1;
    (void)snprintf(store->directory, sizeof(store->directory), "%.4000s", options->directory);
    (void)snprintf(store->path, sizeof(store->path), "%.4000s/" STORE_FILE, options->directory);
    map_init(&store->waiting, (struct hash_key){0}, store_waiting_key);
    store->disk = disk_new(options->vfs);
    ASSERT(store->disk != NULL); // a VFS of that name is there
    int result = open_directory(store, error);
    if (result == 0) {
        store->quarantine = quarantine_new(store->directory, options->wall_ms);
        store->reserve = reserve_new(store->directory, options->low_space_bytes);
        store->tombstones = tombstones_new();
        store->log_pages_max = log_pages_for(store);
        result = open_file(store, error);
    }
    if (result == 0) {
        *ret_store = store;
        return 0;
    }
    if (error[0] == '\0')
        (void)refuse(error, result, "cannot open %s: %s", store->path, strerror(-result));
    let_go(store);
    return result;
}

int store_close(struct store *store)
{
    int result = store->error;
    if (result == 0)
        result =
            store_failed(store, sqlite3_wal_checkpoint_v2(store->database, NULL,
                                                          SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
    let_go(store);
    return result;
}
