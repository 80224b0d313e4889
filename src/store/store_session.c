// SPDX-License-Identifier: MIT
// Sessions end in bounded time: what hangs on one goes with it, but of a long queue only the
// first thousand deliveries; the rest is swept by the groups that follow, also after a restart
// (table removal).
#include "store/store_private.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>

#define DELIVERIES_AT_ONCE 1000

// Removes up to DELIVERIES_AT_ONCE; returns how many there were, or -errno.
static int remove_deliveries(struct store *store, uint64_t session)
{
    uint64_t numbers[DELIVERIES_AT_ONCE], messages[DELIVERIES_AT_ONCE];
    int count = 0, result;
    (void)sqlite3_bind_int64(store->next_deliveries, 1, (int64_t)session);
    (void)sqlite3_bind_int64(store->next_deliveries, 2, INT64_MIN);
    while ((result = sqlite3_step(store->next_deliveries)) == SQLITE_ROW) {
        numbers[count] = (uint64_t)sqlite3_column_int64(store->next_deliveries, DELIVERY_NUMBER);
        messages[count] = (uint64_t)sqlite3_column_int64(store->next_deliveries, DELIVERY_MESSAGE);
        if (++count == DELIVERIES_AT_ONCE)
            break;
    }
    (void)sqlite3_reset(store->next_deliveries);
    result = store_failed(store, result);
    for (int i = 0; result == 0 && i < count; i++) {
        struct row row = {.table = TABLE_DELIVERY};
        row.values[DELIVERY_SESSION].number = (int64_t)session;
        row.values[DELIVERY_NUMBER].number = (int64_t)numbers[i];
        store->tally.deliveries--;
        result = store_drop(store, &row);
        if (result == 0)
            result = store_leave_message(store, messages[i]);
    }
    return result < 0 ? result : count;
}

static int remove_will(struct store *store, uint64_t session)
{
    struct row row = {.table = TABLE_WILL};
    row.values[WILL_SESSION].number = (int64_t)session;
    int result = store_get(store, &row);
    if (result <= 0)
        return result;
    uint64_t message = (uint64_t)row.values[WILL_MESSAGE].number;
    store_got(store, TABLE_WILL);
    result = store_drop(store, &row);
    return result < 0 ? result : store_leave_message(store, message);
}

static int remove_all_of(struct store *store, const char *sql, uint64_t session)
{
    sqlite3_stmt *statement;
    int result = store_prepare(store, sql, &statement);
    if (result < 0)
        return result;
    (void)sqlite3_bind_int64(statement, 1, (int64_t)session);
    result = store_run(store, statement);
    (void)sqlite3_finalize(statement);
    return result;
}

static int remove_row(struct store *store, uint64_t session)
{
    struct row row = {.table = TABLE_SESSION};
    row.values[SESSION_NUMBER].number = (int64_t)session;
    int result = store_drop(store, &row);
    if (result == 0 && sqlite3_changes(store->database) > 0)
        store->tally.sessions--;
    return result;
}

int store_remove_spread(struct store *store, uint64_t publisher, uint16_t packet_id)
{
    (void)sqlite3_bind_int64(store->drop_spread, 1, (int64_t)publisher);
    (void)sqlite3_bind_int64(store->drop_spread, 2, packet_id);
    return store_run(store, store->drop_spread);
}

int store_remove_spreads(struct store *store, uint64_t publisher)
{
    return remove_all_of(store, "DELETE FROM spread WHERE publisher=?", publisher);
}

int store_remove_session(struct store *store, uint64_t session)
{
    int result = remove_row(store, session);
    if (result == 0)
        result = remove_all_of(store, "DELETE FROM subscription WHERE session=?", session);
    if (result == 0)
        result = remove_all_of(store, "DELETE FROM incoming WHERE session=?", session);
    if (result == 0)
        result = store_remove_spreads(store, session);
    if (result == 0)
        result = remove_will(store, session);
    if (result == 0)
        result = remove_deliveries(store, session);
    if (result < 0)
        return result;
    bool more = result == DELIVERIES_AT_ONCE;
    store_note_removed(store, (struct after_commit){.session = session, .sweep = more});
    struct row row = {.table = TABLE_REMOVAL};
    row.values[REMOVAL_SESSION].number = (int64_t)session;
    return more ? store_put(store, &row) : 0;
}

int store_sweep(struct store *store)
{
    if (store->sweep_count == 0)
        return 0;
    int count = remove_deliveries(store, store->sweeps[0]);
    if (count < 0 || count == DELIVERIES_AT_ONCE)
        return count < 0 ? count : 0;
    store->sweep_done = true;
    struct row row = {.table = TABLE_REMOVAL};
    row.values[REMOVAL_SESSION].number = (int64_t)store->sweeps[0];
    return store_drop(store, &row);
}

void store_note_removed(struct store *store, struct after_commit after)
{
    if (store->after_count == store->after_capacity) {
        size_t capacity = store->after_capacity == 0 ? 64 : store->after_capacity * 2;
        struct after_commit *list = memory_new(capacity * sizeof(*list));
        for (size_t i = 0; i < store->after_count; i++)
            list[i] = store->after[i];
        memory_free(store->after);
        store->after = list;
        store->after_capacity = capacity;
    }
    store->after[store->after_count++] = after;
}

void store_add_sweep(struct store *store, uint64_t session)
{
    if (store->sweep_count == store->sweep_capacity) {
        size_t capacity = store->sweep_capacity == 0 ? 16 : store->sweep_capacity * 2;
        uint64_t *list = memory_new(capacity * sizeof(*list));
        for (size_t i = 0; i < store->sweep_count; i++)
            list[i] = store->sweeps[i];
        memory_free(store->sweeps);
        store->sweeps = list;
        store->sweep_capacity = capacity;
    }
    store->sweeps[store->sweep_count++] = session;
}

static void apply_after(struct store *store, const struct after_commit *after)
{
    if (after->sweep)
        store_add_sweep(store, after->session);
    struct waiting *waiting = store_waiting_find(store, after->session);
    if (waiting == NULL)
        return;
    bool was_counted = after->number > waiting->given && after->number <= waiting->last;
    if (was_counted && waiting->count > 0)
        waiting->count--;
    if (after->number == 0 || waiting->count == 0)
        store_waiting_forget(store, waiting);
}

void store_after_commit(struct store *store)
{
    for (size_t i = 0; i < store->after_count; i++)
        apply_after(store, &store->after[i]);
    store->after_count = 0;
    if (!store->sweep_done)
        return;
    store->sweep_done = false;
    store->sweep_count--;
    memmove(store->sweeps, store->sweeps + 1, store->sweep_count * sizeof(*store->sweeps));
}
