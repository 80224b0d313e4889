// SPDX-License-Identifier: MIT
// Opening and closing.
#include "store/store_private.h"

#include "base/memory.h"
#include "os/file.h"
#include "store/quarantine.h"
#include "store/reserve.h"
#include "store/tombstones.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SQLITE_OLDEST 3035000

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

static int number_of(struct store *store, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement;
    int result = store_prepare(store, sql, &statement);
    if (result < 0)
        return result;
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return result == SQLITE_ROW ? 0 : store_failed(store, result);
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

static int create_tables(struct store *store)
{
    char sql[TABLE_SQL_MAX];
    (void)snprintf(sql, sizeof(sql), "BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d",
                   TABLE_APPLICATION, TABLE_FORMAT);
    int result = store_execute(store, sql);
    for (enum table table = 0; result == 0 && table < TABLE_COUNT; table++) {
        table_sql_create(table, sql);
        result = store_execute(store, sql);
    }
    return result == 0 ? store_execute(store, "COMMIT") : result;
}

static int open_tables(struct store *store, char *error)
{
    int64_t format = 0, tables = 0;
    int result = number_of(store, "PRAGMA user_version", &format);
    if (result == 0 && format > TABLE_FORMAT)
        return refuse(error, -EPROTO,
                      "%s was written by a newer bud (format %lld, this one knows %d): update bud, "
                      "or choose another directory",
                      store->path, (long long)format, TABLE_FORMAT);
    if (result == 0)
        result = number_of(store, "SELECT count(*) FROM sqlite_schema", &tables);
    if (result == 0 && tables == 0)
        result = create_tables(store);
    return result;
}

static int open_database(struct store *store, char *error)
{
    int reserved = DISK_RESERVED;
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int result = sqlite3_open_v2(store->path, &store->database, flags, disk_vfs_name(store->disk));
    if (result != SQLITE_OK)
        return store_failed(store, result);
    (void)sqlite3_file_control(store->database, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    (void)sqlite3_wal_hook(store->database, on_log, store);
    result = set_up(store);
    if (result == 0)
        result = open_tables(store, error);
    if (result == 0)
        result = store_prepare_all(store);
    return result == 0 ? store_meta_load(store) : result;
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
    return 0;
}

static void let_go(struct store *store)
{
    store_finalize_all(store);
    ASSERT(sqlite3_close(store->database) == SQLITE_OK);
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
    memory_free(store);
}

int store_open(const struct store_options *options, struct store **ret_store, char *error)
{
    ASSERT(sqlite3_libversion_number() >= SQLITE_OLDEST);
    error[0] = '\0';
    struct store *store = memory_new(sizeof(*store));
    store->options = *options;
    store->lock = -1;
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
        result = open_database(store, error);
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
