// SPDX-License-Identifier: MIT
// Rows in and out of SQLite, one at a time, each with its check; and what SQLite's results mean.
#include "store/store_private.h"

#include "store/reserve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void store_report(struct store *store, const char *format, ...)
{
    char text[STORE_ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (store->options.report != NULL)
        store->options.report(store->options.context, text);
}

int store_failed(struct store *store, int result)
{
    if (store->error == 0)
        store->error = disk_error(store->disk);
    if (store->error != 0)
        return store->error;
    bool full = disk_take_full(store->disk);
    if (full || (result & 0xff) == SQLITE_FULL) {
        reserve_give_up(store->reserve);
        store->is_full = true;
        return -ENOSPC;
    }
    if (result == SQLITE_OK || result == SQLITE_DONE || result == SQLITE_ROW)
        return 0;
    store->error = (result & 0xff) == SQLITE_NOMEM ? -ENOMEM : -EIO;
    return store->error;
}

int store_prepare(struct store *store, const char *sql, sqlite3_stmt **ret_statement)
{
    int result = sqlite3_prepare_v3(store->database, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                    ret_statement, NULL);
    return result == SQLITE_OK ? 0 : store_failed(store, result);
}

static int prepare_table(struct store *store, enum table table)
{
    char sql[TABLE_SQL_MAX];
    table_sql_put(table, sql);
    int result = store_prepare(store, sql, &store->put[table]);
    if (result < 0)
        return result;
    table_sql_get(table, sql);
    result = store_prepare(store, sql, &store->get[table]);
    if (result < 0)
        return result;
    table_sql_drop(table, sql);
    return store_prepare(store, sql, &store->drop[table]);
}

int store_prepare_all(struct store *store)
{
    int result = store_prepare(store, "BEGIN IMMEDIATE", &store->begin);
    if (result == 0)
        result = store_prepare(store, "COMMIT", &store->commit);
    if (result == 0)
        result = store_prepare(store, "ROLLBACK", &store->roll_back);
    if (result == 0)
        result = store_prepare(store,
                               "SELECT session, number, message, qos, retain, state, packet_id, "
                               "identifier, identifiers, crc FROM delivery "
                               "WHERE session=? AND number>? ORDER BY number",
                               &store->next_deliveries);
    if (result == 0)
        result = store_prepare(store, "PRAGMA freelist_count", &store->free_pages);
    if (result == 0)
        result = store_prepare(store, "DELETE FROM spread WHERE publisher=? AND packet_id=?",
                               &store->drop_spread);
    for (enum table table = 0; result == 0 && table < TABLE_COUNT; table++)
        result = prepare_table(store, table);
    return result;
}

void store_finalize_all(struct store *store)
{
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        (void)sqlite3_finalize(store->put[table]);
        (void)sqlite3_finalize(store->get[table]);
        (void)sqlite3_finalize(store->drop[table]);
        store->put[table] = store->get[table] = store->drop[table] = NULL;
    }
    (void)sqlite3_finalize(store->begin);
    (void)sqlite3_finalize(store->commit);
    (void)sqlite3_finalize(store->roll_back);
    (void)sqlite3_finalize(store->next_deliveries);
    (void)sqlite3_finalize(store->drop_spread);
    (void)sqlite3_finalize(store->free_pages);
    store->drop_spread = store->free_pages = NULL;
    store->begin = store->commit = store->roll_back = store->next_deliveries = NULL;
}

int store_execute(struct store *store, const char *sql)
{
    int result = sqlite3_exec(store->database, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : store_failed(store, result);
}

int store_run(struct store *store, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    if (result == SQLITE_DONE && reset == SQLITE_OK)
        return 0;
    return store_failed(store, result == SQLITE_DONE ? reset : result);
}

static void bind_value(sqlite3_stmt *statement, int position, uint8_t kind,
                       const struct value *value)
{
    const char *data = value->bytes.size == 0 ? "" : (const char *)value->bytes.data;
    if (kind == VALUE_NUMBER)
        (void)sqlite3_bind_int64(statement, position, value->number);
    else if (kind == VALUE_TEXT)
        (void)sqlite3_bind_text64(statement, position, data, value->bytes.size, SQLITE_STATIC,
                                  SQLITE_UTF8);
    else
        (void)sqlite3_bind_blob64(statement, position, data, value->bytes.size, SQLITE_STATIC);
}

static void bind_values(sqlite3_stmt *statement, const struct row *row, unsigned count)
{
    const struct table_description *table = &table_descriptions[row->table];
    for (unsigned i = 0; i < count; i++)
        bind_value(statement, (int)i + 1, table->columns[i].kind, &row->values[i]);
}

void store_bind_key(sqlite3_stmt *statement, const struct row *row)
{
    bind_values(statement, row, table_descriptions[row->table].key_count);
}

int store_put(struct store *store, const struct row *row)
{
    sqlite3_stmt *statement = store->put[row->table];
    unsigned count = table_descriptions[row->table].column_count;
    bind_values(statement, row, count);
    (void)sqlite3_bind_int64(statement, (int)count + 1, row_check(row));
    return store_run(store, statement);
}

bool store_take_row(sqlite3_stmt *statement, enum table table, struct row *ret_row)
{
    const struct table_description *description = &table_descriptions[table];
    ret_row->table = (uint8_t)table;
    for (int i = 0; i < description->column_count; i++) {
        struct value *value = &ret_row->values[i];
        if (description->columns[i].kind == VALUE_NUMBER) {
            value->number = sqlite3_column_int64(statement, i);
            continue;
        }
        const void *data = sqlite3_column_blob(statement, i);
        value->bytes = bytes_make(data, (size_t)sqlite3_column_bytes(statement, i));
    }
    return sqlite3_column_int64(statement, description->column_count) == row_check(ret_row);
}

int store_get(struct store *store, struct row *row)
{
    sqlite3_stmt *statement = store->get[row->table];
    store_bind_key(statement, row);
    int result = sqlite3_step(statement);
    if (result == SQLITE_DONE) {
        (void)sqlite3_reset(statement);
        return 0;
    }
    if (result != SQLITE_ROW) {
        (void)sqlite3_reset(statement);
        return store_failed(store, result);
    }
    if (store_take_row(statement, row->table, row))
        return 1;
    // It was whole when everything was loaded, and its page is: our own memory cannot be trusted.
    (void)sqlite3_reset(statement);
    return store_failed(store, SQLITE_CORRUPT);
}

void store_got(struct store *store, enum table table)
{
    (void)sqlite3_reset(store->get[table]);
}

int store_drop(struct store *store, const struct row *row)
{
    store_bind_key(store->drop[row->table], row);
    return store_run(store, store->drop[row->table]);
}
