// SPDX-License-Identifier: MIT
// Rows of messages: written with the first that names them, deleted with the last. A message in
// memory remembers its row; when that was deleted meanwhile its count is 0, and it is written anew
// under another number (row numbers are never used twice in a run).
#include "store/store_private.h"

#include "base/memory.h"

#include <errno.h>

static void note_change(struct store *store, struct count_change change)
{
    if (store->change_count == store->change_capacity) {
        size_t capacity = store->change_capacity == 0 ? 256 : store->change_capacity * 2;
        struct count_change *changes = memory_new(capacity * sizeof(*changes));
        for (size_t i = 0; i < store->change_count; i++)
            changes[i] = store->changes[i];
        memory_free(store->changes);
        store->changes = changes;
        store->change_capacity = capacity;
    }
    store->changes[store->change_count++] = change;
}

void store_undo_counts(struct store *store)
{
    while (store->change_count > 0) {
        struct count_change change = store->changes[--store->change_count];
        if (change.added)
            (void)row_counts_take(&store->counts, change.row);
        else
            (void)row_counts_add(&store->counts, change.row);
    }
}

static int put_message(struct store *store, const struct message *message, uint64_t number,
                       int64_t wall_less_monotonic_ms)
{
    int64_t expires_ms = 0;
    if (message->expires_ms != MESSAGE_NEVER_EXPIRES)
        expires_ms = message->expires_ms + wall_less_monotonic_ms;
    if (expires_ms == 0 && message->expires_ms != MESSAGE_NEVER_EXPIRES)
        expires_ms = 1; // 0 says never
    struct row row = {.table = TABLE_MESSAGE};
    row.values[MESSAGE_ID].number = (int64_t)number;
    row.values[MESSAGE_TOPIC].bytes = message_topic(message);
    row.values[MESSAGE_PAYLOAD].bytes = message_payload(message);
    row.values[MESSAGE_PROPERTIES].bytes = message_properties(message);
    row.values[MESSAGE_QOS].number = message->qos;
    row.values[MESSAGE_RETAIN].number = message->retain;
    row.values[MESSAGE_PUBLISHER].number = (int64_t)message->publisher;
    row.values[MESSAGE_EXPIRES].number = expires_ms;
    return store_put(store, &row);
}

int store_use_message(struct store *store, struct message *message, int64_t wall_less_monotonic_ms,
                      uint64_t *ret_row)
{
    if (message->row == 0 || row_counts_get(&store->counts, message->row) == 0) {
        uint64_t number = ++store->last_row;
        int result = put_message(store, message, number, wall_less_monotonic_ms);
        if (result < 0)
            return result;
        message->row = number;
        store->tally.messages++;
    }
    (void)row_counts_add(&store->counts, message->row);
    note_change(store, (struct count_change){.row = message->row, .added = true});
    *ret_row = message->row;
    return 0;
}

int store_leave_message(struct store *store, uint64_t number)
{
    if (number == 0)
        return 0;
    uint32_t left = row_counts_take(&store->counts, number);
    note_change(store, (struct count_change){.row = number});
    if (left > 0)
        return 0;
    struct row row = {.table = TABLE_MESSAGE};
    row.values[MESSAGE_ID].number = (int64_t)number;
    int result = store_drop(store, &row);
    if (result == 0 && sqlite3_changes(store->database) > 0)
        store->tally.messages--;
    return result;
}

static bool set_expiry(const struct store *store, struct message *message, int64_t expires_ms)
{
    if (expires_ms == 0)
        return true;
    if (expires_ms <= store->clock_ms)
        return false;
    message->expires_ms = store->clock_monotonic_ms + (expires_ms - store->clock_ms);
    return true;
}

struct message *store_make_message(const struct store *store, const struct row *row,
                                   struct budget *budget, int *ret_result)
{
    struct properties properties = {.raw = row->values[MESSAGE_PROPERTIES].bytes};
    struct message_source source = {
        .topic = row->values[MESSAGE_TOPIC].bytes,
        .payload = row->values[MESSAGE_PAYLOAD].bytes,
        .properties = &properties,
        .qos = (uint8_t)row->values[MESSAGE_QOS].number,
        .retain = row->values[MESSAGE_RETAIN].number != 0,
        .publisher = (uint64_t)row->values[MESSAGE_PUBLISHER].number,
    };
    struct message *message = message_try_new(budget, &source);
    if (message == NULL) {
        *ret_result = -ENOMEM;
        return NULL;
    }
    message->row = (uint64_t)row->values[MESSAGE_ID].number;
    if (set_expiry(store, message, row->values[MESSAGE_EXPIRES].number))
        return message;
    message_unref(message);
    *ret_result = -ESTALE;
    return NULL;
}

struct message *store_read_message(struct store *store, uint64_t number, struct budget *budget,
                                   int *ret_result)
{
    sqlite3_stmt *statement = store->get[TABLE_MESSAGE];
    struct message *message = NULL;
    struct row row = {.table = TABLE_MESSAGE};
    row.values[MESSAGE_ID].number = (int64_t)number;
    store_bind_key(statement, &row);
    int result = sqlite3_step(statement);
    if (result == SQLITE_DONE)
        *ret_result = -ENOENT;
    else if (result != SQLITE_ROW)
        *ret_result = store_failed(store, result);
    else if (!store_take_row(statement, TABLE_MESSAGE, &row))
        *ret_result = -EBADMSG;
    else
        message = store_make_message(store, &row, budget, ret_result);
    (void)sqlite3_reset(statement);
    return message;
}
