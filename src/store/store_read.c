// SPDX-License-Identifier: MIT
// Deliveries that are only on the disk: which sessions have some, and reading the next.
#include "store/store_private.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>

struct bytes store_waiting_key(const void *value)
{
    const struct waiting *waiting = value;
    return bytes_make(&waiting->session, sizeof(waiting->session));
}

struct waiting *store_waiting_find(struct store *store, uint64_t session)
{
    return map_find(&store->waiting, bytes_make(&session, sizeof(session)));
}

void store_waiting_forget(struct store *store, struct waiting *waiting)
{
    (void)map_remove(&store->waiting, store_waiting_key(waiting));
    memory_free(waiting);
}

void store_waiting_add(struct store *store, uint64_t session, uint64_t number, uint64_t given)
{
    struct waiting *waiting = store_waiting_find(store, session);
    if (waiting == NULL) {
        waiting = memory_new(sizeof(*waiting));
        waiting->session = session;
        waiting->given = given;
        ASSERT(map_try_put(&store->waiting, waiting));
    }
    waiting->last = number;
    waiting->count++;
}

void store_waiting_done(struct store *store)
{
    size_t position = 0;
    struct waiting *waiting;
    while ((waiting = map_next(&store->waiting, &position)) != NULL)
        memory_free(waiting);
    map_done(&store->waiting);
}

uint64_t store_waiting(struct store *store, uint64_t session)
{
    const struct waiting *waiting = store_waiting_find(store, session);
    return waiting == NULL ? 0 : waiting->count;
}

uint64_t store_waiting_last(struct store *store, uint64_t session)
{
    const struct waiting *waiting = store_waiting_find(store, session);
    return waiting == NULL ? 0 : waiting->last;
}

void store_delivery_of(const struct row *row, uint32_t identifiers[STORE_IDENTIFIERS_MAX],
                       struct store_delivery *ret_delivery)
{
    struct bytes stored = row->values[DELIVERY_IDENTIFIERS].bytes;
    size_t count = stored.size / sizeof(uint32_t);
    if (count > STORE_IDENTIFIERS_MAX)
        count = STORE_IDENTIFIERS_MAX;
    if (count > 0)
        memcpy(identifiers, stored.data, count * sizeof(uint32_t));
    *ret_delivery = (struct store_delivery){
        .session = (uint64_t)row->values[DELIVERY_SESSION].number,
        .number = (uint64_t)row->values[DELIVERY_NUMBER].number,
        .qos = (uint8_t)row->values[DELIVERY_QOS].number,
        .retain = row->values[DELIVERY_RETAIN].number != 0,
        .sent = row->values[DELIVERY_STATE].number == DELIVERY_IS_SENT,
        .released = row->values[DELIVERY_STATE].number == DELIVERY_IS_RELEASED,
        .packet_id = (uint16_t)row->values[DELIVERY_PACKET_ID].number,
        .identifier = (uint32_t)row->values[DELIVERY_IDENTIFIER].number,
        .identifiers = identifiers,
        .identifier_count = (uint32_t)count,
    };
}

static void count_given(struct store *store, uint64_t session, uint64_t number)
{
    struct waiting *waiting = store_waiting_find(store, session);
    if (waiting == NULL || number <= waiting->given)
        return;
    if (number <= waiting->last && waiting->count > 0)
        waiting->count--;
    waiting->given = number;
    if (waiting->count == 0)
        store_waiting_forget(store, waiting);
}

struct reading {
    struct budget *budget;
    void (*give)(void *context, const struct store_delivery *delivery);
    void *context;
};

// 1 given, 0 left out (in flight, so it is in memory; or expired), or -errno.
static int give_one(struct store *store, const struct reading *reading)
{
    uint32_t identifiers[STORE_IDENTIFIERS_MAX];
    struct store_delivery delivery;
    struct row row;
    if (!store_take_row(store->next_deliveries, TABLE_DELIVERY, &row))
        return store_failed(store, SQLITE_CORRUPT);
    store_delivery_of(&row, identifiers, &delivery);
    if (delivery.sent || delivery.released)
        return 0;
    int result = 0;
    uint64_t message = (uint64_t)row.values[DELIVERY_MESSAGE].number;
    delivery.message = store_read_message(store, message, reading->budget, &result);
    if (delivery.message == NULL && result != -ESTALE)
        return result == -EBADMSG || result == -ENOENT ? store_failed(store, SQLITE_CORRUPT)
                                                       : result;
    count_given(store, delivery.session, delivery.number);
    if (delivery.message == NULL) {
        store_doom(store, &row, true);
        return 0;
    }
    reading->give(reading->context, &delivery);
    return 1;
}

int store_read(struct store *store, uint64_t session, uint64_t after, uint32_t count_max,
               struct budget *budget,
               void (*give)(void *context, const struct store_delivery *delivery), void *context)
{
    if (store->error != 0)
        return store->error;
    struct reading reading = {budget, give, context};
    int count = 0, one = 0, result = SQLITE_DONE;
    (void)sqlite3_bind_int64(store->next_deliveries, 1, (int64_t)session);
    (void)sqlite3_bind_int64(store->next_deliveries, 2, (int64_t)after);
    while ((uint32_t)count < count_max &&
           (result = sqlite3_step(store->next_deliveries)) == SQLITE_ROW) {
        one = give_one(store, &reading);
        if (one < 0)
            break;
        count += one;
    }
    (void)sqlite3_reset(store->next_deliveries);
    if (one < 0)
        return one == -ENOMEM && count > 0 ? count : one;
    result = store_failed(store, result);
    return result < 0 ? result : count;
}
