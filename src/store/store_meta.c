// SPDX-License-Identifier: MIT
// Numbers about the store itself. They change seldom, so that a lone commit touches few pages: the
// time of the last commit is kept to the second, session numbers are taken a thousand at a time.
#include "store/store_private.h"

#include <string.h>

#define SESSION_STEP 1024
#define TIME_STEP_MS 1000

#define META_COMMITTED "committed"       // wall-clock milliseconds of the last commit, nearly
#define META_NEXT_SESSION "next_session" // numbers below may have been used

int store_meta_put(struct store *store, const char *name, int64_t value)
{
    struct row row = {.table = TABLE_META};
    row.values[META_NAME].bytes = bytes_make(name, strlen(name));
    row.values[META_VALUE].number = value;
    return store_put(store, &row);
}

static int get(struct store *store, const char *name, int64_t *ret_value)
{
    struct row row = {.table = TABLE_META};
    row.values[META_NAME].bytes = bytes_make(name, strlen(name));
    int result = store_get(store, &row);
    if (result == 1) {
        *ret_value = row.values[META_VALUE].number;
        store_got(store, TABLE_META);
    }
    return result < 0 ? result : 0;
}

int store_meta_load(struct store *store)
{
    int64_t next_session = 1;
    int result = get(store, META_COMMITTED, &store->tally.stored_wall_ms);
    if (result == 0)
        result = get(store, META_NEXT_SESSION, &next_session);
    store->clock_ms = store->tally.stored_wall_ms;
    store->clock_monotonic_ms = store->options.monotonic_ms;
    (void)store_time(store, store->options.wall_ms, store->options.monotonic_ms);
    store->tally.reserved_session = next_session < 1 ? 1 : (uint64_t)next_session;
    return result;
}

int64_t store_time(struct store *store, int64_t wall_ms, int64_t monotonic_ms)
{
    int64_t now_ms = store->clock_ms + (monotonic_ms - store->clock_monotonic_ms);
    if (wall_ms > now_ms)
        now_ms = wall_ms;
    store->clock_ms = now_ms;
    store->clock_monotonic_ms = monotonic_ms;
    return now_ms;
}

int store_meta_note(struct store *store, int64_t wall_ms)
{
    int64_t since_ms = wall_ms - store->tally.stored_wall_ms;
    if (since_ms >= 0 && since_ms < TIME_STEP_MS)
        return 0;
    int result = store_meta_put(store, META_COMMITTED, wall_ms);
    if (result == 0)
        store->tally.stored_wall_ms = wall_ms;
    return result;
}

int store_meta_session(struct store *store, uint64_t number)
{
    if (number < store->tally.reserved_session)
        return 0;
    int result = store_meta_put(store, META_NEXT_SESSION, (int64_t)(number + SESSION_STEP));
    if (result == 0)
        store->tally.reserved_session = number + SESSION_STEP;
    return result;
}
