// SPDX-License-Identifier: MIT
#include "store/table.h"

#include "base/assert.h"
#include "store/crc32c.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct table_description table_descriptions[TABLE_COUNT] = {
    [TABLE_META] =
        {"meta", 2, 1, false, {{"name", VALUE_TEXT}, {"value", VALUE_NUMBER}}, .older_count = 0},
    [TABLE_SESSION] = {"session",
                       7,
                       1,
                       true,
                       {{"number", VALUE_NUMBER},
                        {"client_id", VALUE_TEXT},
                        {"user", VALUE_TEXT},
                        {"version", VALUE_NUMBER},
                        {"expiry", VALUE_NUMBER},
                        {"detached", VALUE_NUMBER},
                        {"domain", VALUE_NUMBER}},
                       .older_count = 6},
    [TABLE_SUBSCRIPTION] = {"subscription",
                            7,
                            2,
                            false,
                            {{"session", VALUE_NUMBER},
                             {"filter", VALUE_TEXT},
                             {"qos", VALUE_NUMBER},
                             {"no_local", VALUE_NUMBER},
                             {"retain_as_published", VALUE_NUMBER},
                             {"retain_handling", VALUE_NUMBER},
                             {"identifier", VALUE_NUMBER}},
                            .older_count = 0},
    [TABLE_MESSAGE] = {"message",
                       8,
                       1,
                       true,
                       {{"id", VALUE_NUMBER},
                        {"topic", VALUE_TEXT},
                        {"payload", VALUE_BLOB},
                        {"properties", VALUE_BLOB},
                        {"qos", VALUE_NUMBER},
                        {"retain", VALUE_NUMBER},
                        {"publisher", VALUE_NUMBER},
                        {"expires", VALUE_NUMBER}},
                       .older_count = 0},
    [TABLE_DELIVERY] = {"delivery",
                        9,
                        2,
                        false,
                        {{"session", VALUE_NUMBER},
                         {"number", VALUE_NUMBER},
                         {"message", VALUE_NUMBER},
                         {"qos", VALUE_NUMBER},
                         {"retain", VALUE_NUMBER},
                         {"state", VALUE_NUMBER},
                         {"packet_id", VALUE_NUMBER},
                         {"identifier", VALUE_NUMBER},
                         {"identifiers", VALUE_BLOB}},
                        .older_count = 0},
    [TABLE_INCOMING] = {"incoming",
                        2,
                        2,
                        false,
                        {{"session", VALUE_NUMBER}, {"packet_id", VALUE_NUMBER}},
                        .older_count = 0},
    [TABLE_SPREAD] = {"spread",
                      3,
                      3,
                      false,
                      {{"publisher", VALUE_NUMBER},
                       {"packet_id", VALUE_NUMBER},
                       {"session", VALUE_NUMBER}},
                      .older_count = 0},
    [TABLE_RETAINED] = {"retained",
                        6,
                        1,
                        false,
                        {{"topic", VALUE_TEXT},
                         {"sequence", VALUE_NUMBER},
                         {"message", VALUE_NUMBER},
                         {"client_id", VALUE_TEXT},
                         {"user", VALUE_TEXT},
                         {"domain", VALUE_NUMBER}},
                        .older_count = 3},
    [TABLE_WILL] = {"will",
                    7,
                    1,
                    true,
                    {{"session", VALUE_NUMBER},
                     {"client_id", VALUE_TEXT},
                     {"message", VALUE_NUMBER},
                     {"delay", VALUE_NUMBER},
                     {"expiry", VALUE_NUMBER},
                     {"user", VALUE_TEXT},
                     {"domain", VALUE_NUMBER}},
                    .older_count = 5},
    [TABLE_REMOVAL] = {"removal", 1, 1, true, {{"session", VALUE_NUMBER}}, .older_count = 0},
};

static uint32_t check_number(uint32_t crc, uint64_t number)
{
    uint8_t encoded[8];
    for (int i = 0; i < 8; i++)
        encoded[i] = (uint8_t)(number >> (8 * i));
    return crc32c(crc, bytes_make(encoded, sizeof(encoded)));
}

uint32_t row_check(const struct row *row)
{
    return row_check_first(row, table_descriptions[row->table].column_count);
}

uint32_t row_check_first(const struct row *row, unsigned count)
{
    const struct table_description *table = &table_descriptions[row->table];
    uint32_t crc = check_number(0, row->table);
    for (unsigned i = 0; i < count; i++) {
        const struct value *value = &row->values[i];
        if (table->columns[i].kind == VALUE_NUMBER) {
            crc = check_number(crc, (uint64_t)value->number);
            continue;
        }
        crc = check_number(crc, value->bytes.size);
        crc = crc32c(crc, value->bytes);
    }
    return crc;
}

__attribute__((format(printf, 2, 3))) static void append(char sql[TABLE_SQL_MAX],
                                                         const char *format, ...)
{
    size_t used = strlen(sql);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(sql + used, TABLE_SQL_MAX - used, format, arguments);
    va_end(arguments);
    ASSERT(more >= 0 && (size_t)more < TABLE_SQL_MAX - used);
}

static void append_names(enum table table, unsigned count, const char *separator,
                         char sql[TABLE_SQL_MAX])
{
    const struct table_description *description = &table_descriptions[table];
    for (unsigned i = 0; i < count; i++)
        append(sql, "%s%s", i == 0 ? "" : separator, description->columns[i].name);
}

void table_sql_create(enum table table, char sql[TABLE_SQL_MAX])
{
    static const char *const kinds[] = {"INTEGER", "TEXT", "BLOB"};
    const struct table_description *description = &table_descriptions[table];
    sql[0] = '\0';
    append(sql, "CREATE TABLE %s(", description->name);
    for (unsigned i = 0; i < description->column_count; i++)
        append(sql, "%s %s NOT NULL%s, ", description->columns[i].name,
               kinds[description->columns[i].kind],
               description->row_id && i == 0 ? " PRIMARY KEY" : "");
    append(sql, "crc INTEGER NOT NULL");
    if (!description->row_id) {
        append(sql, ", PRIMARY KEY(");
        append_names(table, description->key_count, ", ", sql);
        append(sql, ")");
    }
    append(sql, ")%s", description->row_id ? "" : " WITHOUT ROWID");
}

void table_sql_put(enum table table, char sql[TABLE_SQL_MAX])
{
    const struct table_description *description = &table_descriptions[table];
    sql[0] = '\0';
    append(sql, "REPLACE INTO %s VALUES(", description->name);
    for (unsigned i = 0; i < description->column_count; i++)
        append(sql, "?,");
    append(sql, "?)");
}

static void append_select(enum table table, char sql[TABLE_SQL_MAX])
{
    const struct table_description *description = &table_descriptions[table];
    sql[0] = '\0';
    append(sql, "SELECT ");
    append_names(table, description->column_count, ", ", sql);
    append(sql, ", crc FROM %s", description->name);
}

static void append_where_key(enum table table, char sql[TABLE_SQL_MAX])
{
    append(sql, " WHERE ");
    append_names(table, table_descriptions[table].key_count, "=? AND ", sql);
    append(sql, "=?");
}

void table_sql_get(enum table table, char sql[TABLE_SQL_MAX])
{
    append_select(table, sql);
    append_where_key(table, sql);
}

void table_sql_drop(enum table table, char sql[TABLE_SQL_MAX])
{
    sql[0] = '\0';
    append(sql, "DELETE FROM %s", table_descriptions[table].name);
    append_where_key(table, sql);
}

void table_sql_all(enum table table, char sql[TABLE_SQL_MAX])
{
    append_select(table, sql);
    append(sql, " ORDER BY ");
    append_names(table, table_descriptions[table].key_count, ", ", sql);
}
