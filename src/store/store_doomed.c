// SPDX-License-Identifier: MIT
// Rows that reading found to be of no use: damaged (set aside in the quarantine file already) or
// expired. They go with the groups that follow. A group that is rolled back leaves them where they
// are, and the next start finds them again.
#include "store/store_private.h"

#include "base/memory.h"

#include <string.h>

void store_doom(struct store *store, const struct row *row, bool counted)
{
    if (store->doomed_count == store->doomed_capacity) {
        size_t capacity = store->doomed_capacity == 0 ? 64 : store->doomed_capacity * 2;
        struct doomed_row *list = memory_new(capacity * sizeof(*list));
        for (size_t i = 0; i < store->doomed_count; i++)
            list[i] = store->doomed[i];
        memory_free(store->doomed);
        store->doomed = list;
        store->doomed_capacity = capacity;
    }
    struct doomed_row doomed = {.table = row->table, .counted = counted};
    const struct table_description *table = &table_descriptions[row->table];
    for (unsigned i = 0; i < table->key_count; i++) {
        doomed.numbers[i] = row->values[i].number;
        size_t size = row->values[i].bytes.size;
        if (table->columns[i].kind == VALUE_NUMBER || size == 0)
            continue;
        void *copy = memory_new(size);
        memcpy(copy, row->values[i].bytes.data, size);
        doomed.text = bytes_make(copy, size);
    }
    store->doomed[store->doomed_count++] = doomed;
}

// The message that a counted row names.
static int message_of(struct store *store, struct row *row, uint64_t *ret_message)
{
    int result = store_get(store, row);
    if (result <= 0)
        return result;
    if (row->table == TABLE_DELIVERY) {
        *ret_message = (uint64_t)row->values[DELIVERY_MESSAGE].number;
        store->tally.deliveries--;
    } else if (row->table == TABLE_RETAINED) {
        *ret_message = (uint64_t)row->values[RETAINED_MESSAGE].number;
        store->tally.retained--;
    } else if (row->table == TABLE_WILL) {
        *ret_message = (uint64_t)row->values[WILL_MESSAGE].number;
    }
    store_got(store, row->table);
    return 0;
}

static void set_key(struct row *row, const struct doomed_row *doomed)
{
    row->table = doomed->table;
    for (unsigned i = 0; i < table_descriptions[row->table].key_count; i++) {
        row->values[i].number = doomed->numbers[i];
        row->values[i].bytes = doomed->text;
    }
}

static int drop_one(struct store *store, const struct doomed_row *doomed)
{
    uint64_t message = 0;
    struct row row = {0};
    int result = 0;
    set_key(&row, doomed);
    if (doomed->counted)
        result = message_of(store, &row, &message);
    set_key(&row, doomed); // the views that came with the row are gone
    if (result == 0)
        result = store_drop(store, &row);
    if (result == 0 && row.table == TABLE_MESSAGE && sqlite3_changes(store->database) > 0)
        store->tally.messages--;
    return result < 0 ? result : store_leave_message(store, message);
}

int store_drop_doomed(struct store *store, size_t count_max)
{
    int result = 0;
    while (result == 0 && store->doomed_count > 0 && count_max-- > 0) {
        struct doomed_row *doomed = &store->doomed[--store->doomed_count];
        result = drop_one(store, doomed);
        memory_free((void *)(uintptr_t)doomed->text.data);
    }
    return result;
}

void store_doomed_done(struct store *store)
{
    while (store->doomed_count > 0)
        memory_free((void *)(uintptr_t)store->doomed[--store->doomed_count].text.data);
    memory_free(store->doomed);
}
