// SPDX-License-Identifier: MIT
// Groups of records on their way into one transaction.
#include "store/store_private.h"

#include "os/file.h"
#include "store/reserve.h"
#include "store/tombstones.h"

#include <errno.h>

#define DOOMED_AT_ONCE 1000
#define READER_PATIENCE 64 // how many times as long the log may get while somebody reads

// The moment of a change on both clocks.
struct moment {
    int64_t wall_ms, monotonic_ms;
};

static int64_t to_wall(struct moment now, int64_t monotonic_ms)
{
    int64_t wall_ms = monotonic_ms + (now.wall_ms - now.monotonic_ms);
    return wall_ms == 0 ? 1 : wall_ms; // 0 means something else wherever a time is kept
}

static struct bytes text_of(const struct record *record)
{
    return bytes_make(record->text, record->text_size);
}

static struct bytes text_more_of(const struct record *record)
{
    return bytes_from(bytes_make(record->text, record->text_size + record->text_more_size),
                      record->text_size);
}

static int put_session(struct store *store, const struct record *record, struct moment now)
{
    struct row row = {.table = TABLE_SESSION};
    row.values[SESSION_NUMBER].number = (int64_t)record->session;
    int there = store_get(store, &row);
    if (there < 0)
        return there;
    store_got(store, TABLE_SESSION);
    if (there == 0)
        store->tally.sessions++;
    row.values[SESSION_CLIENT_ID].bytes = text_of(record);
    row.values[SESSION_USER].bytes = text_more_of(record);
    row.values[SESSION_DOMAIN].number = record->domain;
    row.values[SESSION_VERSION].number = record->version;
    row.values[SESSION_EXPIRY].number = record->expiry_interval;
    row.values[SESSION_DETACHED].number =
        record->detached_ms == 0 ? 0 : to_wall(now, record->detached_ms);
    int result = store_meta_session(store, record->session);
    return result < 0 ? result : store_put(store, &row);
}

static int put_subscription(struct store *store, const struct record *record)
{
    struct row row = {.table = TABLE_SUBSCRIPTION};
    row.values[SUBSCRIPTION_SESSION].number = (int64_t)record->session;
    row.values[SUBSCRIPTION_FILTER].bytes = bytes_make(record->text, record->text_size);
    row.values[SUBSCRIPTION_QOS].number = record->options.qos;
    row.values[SUBSCRIPTION_NO_LOCAL].number = record->options.no_local;
    row.values[SUBSCRIPTION_RETAIN_AS_PUBLISHED].number = record->options.retain_as_published;
    row.values[SUBSCRIPTION_RETAIN_HANDLING].number = record->options.retain_handling;
    row.values[SUBSCRIPTION_IDENTIFIER].number = record->identifier;
    return store_put(store, &row);
}

static int remove_subscription(struct store *store, const struct record *record)
{
    struct row row = {.table = TABLE_SUBSCRIPTION};
    row.values[SUBSCRIPTION_SESSION].number = (int64_t)record->session;
    row.values[SUBSCRIPTION_FILTER].bytes = bytes_make(record->text, record->text_size);
    return store_drop(store, &row);
}

static struct row delivery_row(const struct record *record)
{
    struct row row = {.table = TABLE_DELIVERY};
    row.values[DELIVERY_SESSION].number = (int64_t)record->session;
    row.values[DELIVERY_NUMBER].number = (int64_t)record->number;
    return row;
}

// Whom a QoS 2 publication reached, until its publisher knows (struct spread).
static int put_spread(struct store *store, const struct record *record)
{
    struct row row = {.table = TABLE_SPREAD};
    row.values[SPREAD_PUBLISHER].number = (int64_t)record->message->publisher;
    row.values[SPREAD_PACKET_ID].number = record->message->packet_id;
    row.values[SPREAD_REACHED].number = (int64_t)record->reached;
    return store_put(store, &row);
}

static int put_delivery(struct store *store, const struct record *record, struct moment now)
{
    uint64_t message;
    int result =
        store_use_message(store, record->message, now.wall_ms - now.monotonic_ms, &message);
    if (result < 0)
        return result;
    struct row row = delivery_row(record);
    row.values[DELIVERY_MESSAGE].number = (int64_t)message;
    row.values[DELIVERY_QOS].number = record->qos;
    row.values[DELIVERY_RETAIN].number = record->retain;
    row.values[DELIVERY_STATE].number = record->packet_id == 0 ? DELIVERY_WAITS : DELIVERY_IS_SENT;
    row.values[DELIVERY_PACKET_ID].number = record->packet_id;
    row.values[DELIVERY_IDENTIFIER].number = record->identifier;
    row.values[DELIVERY_IDENTIFIERS].bytes = bytes_make(record->text, record->text_size);
    store->tally.deliveries++;
    result = store_put(store, &row);
    if (result == 0 && record->reached != 0)
        result = put_spread(store, record);
    return result;
}

// SENT and RELEASED. A delivery that is gone already (its session was removed) stays so.
static int move_delivery(struct store *store, const struct record *record, enum delivery_state to)
{
    struct row row = delivery_row(record);
    int result = store_get(store, &row);
    if (result <= 0)
        return result;
    uint64_t message = (uint64_t)row.values[DELIVERY_MESSAGE].number;
    row.values[DELIVERY_STATE].number = to;
    row.values[DELIVERY_PACKET_ID].number = record->packet_id;
    if (to == DELIVERY_IS_RELEASED)
        row.values[DELIVERY_MESSAGE].number = 0;
    result = store_put(store, &row); // before the view of `identifiers` goes
    store_got(store, TABLE_DELIVERY);
    if (result == 0 && to == DELIVERY_IS_RELEASED)
        result = store_leave_message(store, message);
    return result;
}

static int remove_delivery(struct store *store, const struct record *record)
{
    struct row row = delivery_row(record);
    int result = store_get(store, &row);
    if (result <= 0)
        return result;
    uint64_t message = (uint64_t)row.values[DELIVERY_MESSAGE].number;
    store_got(store, TABLE_DELIVERY);
    store->tally.deliveries--;
    if (store->waiting.count > 0)
        store_note_removed(store, (struct after_commit){record->session, record->number, false});
    result = store_drop(store, &row);
    return result < 0 ? result : store_leave_message(store, message);
}

static struct row incoming_row(const struct record *record)
{
    struct row row = {.table = TABLE_INCOMING};
    row.values[INCOMING_SESSION].number = (int64_t)record->session;
    row.values[INCOMING_PACKET_ID].number = record->packet_id;
    return row;
}

static int remove_incoming(struct store *store, const struct record *record)
{
    struct row row = incoming_row(record);
    int result = store_drop(store, &row);
    return result < 0 ? result : store_remove_spread(store, record->session, record->packet_id);
}

// The present value, if it is older than `sequence`: 1 and its message, 0 there is none, -EEXIST it
// is newer.
static int older_retained(struct store *store, struct row *row, uint64_t sequence,
                          uint64_t *ret_message)
{
    int result = store_get(store, row);
    if (result <= 0)
        return result;
    bool older = (uint64_t)row->values[RETAINED_SEQUENCE].number < sequence;
    *ret_message = (uint64_t)row->values[RETAINED_MESSAGE].number;
    store_got(store, TABLE_RETAINED);
    return older ? 1 : -EEXIST;
}

static int remove_retained(struct store *store, const struct message *message, struct moment now)
{
    uint64_t before = 0;
    struct row row = {.table = TABLE_RETAINED};
    row.values[RETAINED_TOPIC].bytes = message_topic(message);
    int there = older_retained(store, &row, message->sequence, &before);
    tombstones_put(store->tombstones, message_topic(message), message->sequence, now.monotonic_ms);
    if (there <= 0)
        return there == -EEXIST ? 0 : there;
    store->tally.retained--;
    row.values[RETAINED_TOPIC].bytes = message_topic(message); // the old view is gone
    int result = store_drop(store, &row);
    return result < 0 ? result : store_leave_message(store, before);
}

static void set_publisher(struct row *row, const struct principal *principal)
{
    row->values[RETAINED_CLIENT_ID].bytes = row->values[RETAINED_USER].bytes = (struct bytes){0};
    row->values[RETAINED_DOMAIN].number = 0;
    if (principal == NULL)
        return;
    row->values[RETAINED_CLIENT_ID].bytes = principal_client_id(principal);
    row->values[RETAINED_USER].bytes = principal_user(principal);
    row->values[RETAINED_DOMAIN].number = principal->domain;
}

// Workers hand their records over one after the other: what was set last on one may come before
// what was set earlier on another. The sequence decides.
static int put_retained(struct store *store, struct message *message, struct moment now)
{
    uint64_t before = 0, number = 0;
    if (message->sequence > store->last_sequence)
        store->last_sequence = message->sequence;
    if (message->payload_size == 0)
        return remove_retained(store, message, now);
    if (tombstones_get(store->tombstones, message_topic(message)) > message->sequence)
        return 0;
    struct row row = {.table = TABLE_RETAINED};
    row.values[RETAINED_TOPIC].bytes = message_topic(message);
    int there = older_retained(store, &row, message->sequence, &before);
    if (there < 0)
        return there == -EEXIST ? 0 : there;
    int result = store_use_message(store, message, now.wall_ms - now.monotonic_ms, &number);
    if (result < 0)
        return result;
    if (there == 0)
        store->tally.retained++;
    row.values[RETAINED_TOPIC].bytes = message_topic(message);
    row.values[RETAINED_SEQUENCE].number = (int64_t)message->sequence;
    row.values[RETAINED_MESSAGE].number = (int64_t)number;
    set_publisher(&row, message->principal);
    result = store_put(store, &row);
    return result < 0 ? result : store_leave_message(store, before);
}

// The message that the will of this number names; 0 none.
static int present_will(struct store *store, uint64_t will, uint64_t *ret_message)
{
    struct row row = {.table = TABLE_WILL};
    row.values[WILL_SESSION].number = (int64_t)will;
    int result = store_get(store, &row);
    if (result == 1) {
        *ret_message = (uint64_t)row.values[WILL_MESSAGE].number;
        store_got(store, TABLE_WILL);
    }
    return result;
}

static int put_will(struct store *store, const struct record *record, struct moment now)
{
    uint64_t before = 0, number = 0;
    int result = present_will(store, record->session, &before);
    if (result < 0)
        return result;
    result = store_use_message(store, record->message, now.wall_ms - now.monotonic_ms, &number);
    if (result < 0)
        return result;
    struct row row = {.table = TABLE_WILL};
    row.values[WILL_SESSION].number = (int64_t)record->session;
    row.values[WILL_CLIENT_ID].bytes = text_of(record);
    row.values[WILL_USER].bytes = text_more_of(record);
    row.values[WILL_DOMAIN].number = record->domain;
    row.values[WILL_MESSAGE].number = (int64_t)number;
    row.values[WILL_DELAY].number = record->delay_interval;
    row.values[WILL_EXPIRY].number = record->expiry_interval;
    result = store_meta_session(store, record->session);
    if (result == 0)
        result = store_put(store, &row);
    return result < 0 ? result : store_leave_message(store, before);
}

static int remove_will(struct store *store, const struct record *record)
{
    uint64_t before = 0;
    int result = present_will(store, record->session, &before);
    if (result <= 0)
        return result;
    struct row row = {.table = TABLE_WILL};
    row.values[WILL_SESSION].number = (int64_t)record->session;
    result = store_drop(store, &row);
    if (result == 0)
        result = store_remove_spreads(store, record->session);
    return result < 0 ? result : store_leave_message(store, before);
}

static int apply(struct store *store, const struct record *record, struct moment now)
{
    struct row incoming;
    switch ((enum record_kind)record->kind) {
    case RECORD_NONE: return 0;
    case RECORD_SESSION_PUT: return put_session(store, record, now);
    case RECORD_SESSION_REMOVE: return store_remove_session(store, record->session);
    case RECORD_SUBSCRIPTION_PUT: return put_subscription(store, record);
    case RECORD_SUBSCRIPTION_REMOVE: return remove_subscription(store, record);
    case RECORD_DELIVERY_PUT: return put_delivery(store, record, now);
    case RECORD_DELIVERY_SENT: return move_delivery(store, record, DELIVERY_IS_SENT);
    case RECORD_DELIVERY_RELEASED: return move_delivery(store, record, DELIVERY_IS_RELEASED);
    case RECORD_DELIVERY_REMOVE: return remove_delivery(store, record);
    case RECORD_INCOMING_PUT: incoming = incoming_row(record); return store_put(store, &incoming);
    case RECORD_INCOMING_REMOVE: return remove_incoming(store, record);
    case RECORD_RETAINED_PUT: return put_retained(store, record->message, now);
    case RECORD_WILL_PUT: return put_will(store, record, now);
    case RECORD_WILL_REMOVE: return remove_will(store, record);
    }
    ASSERT(false); // a record of no kind
    return -EINVAL;
}

// Copies the log into the main file when it has grown; between groups, so that no acknowledgement
// waits for it. What finds no space stays in the log.
int store_checkpoint(struct store *store)
{
    if (store->log_pages < store->log_pages_max)
        return 0;
    // Somebody reads the main file (bud store): it stays as it is for a while, but not for ever.
    bool alone = file_try_alone(store->reading);
    if (!alone && store->log_pages / READER_PATIENCE < store->log_pages_max)
        return 0;
    int in_log = 0, copied = 0;
    int result = sqlite3_wal_checkpoint_v2(store->database, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                           &in_log, &copied);
    result = store_failed(store, result);
    if (result == 0 && copied == in_log) {
        store->log_pages = 0;
        disk_log_copied(store->disk);
    }
    if (alone)
        file_leave(store->reading);
    return result == -ENOSPC ? 0 : result;
}

// The disk is full, and the reserve was given up: it is as large as the log gets, so the log can be
// copied into the main file and cut, which makes room for what deletes.
static int make_room(struct store *store)
{
    if (!store->is_full)
        return 0;
    store->is_full = false;
    int result =
        sqlite3_wal_checkpoint_v2(store->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    result = store_failed(store, result);
    if (result == 0) {
        store->log_pages = 0;
        reserve_take_back(store->reserve);
    }
    return result == -ENOSPC ? 0 : result;
}

int store_begin(struct store *store)
{
    if (store->error != 0)
        return store->error;
    ASSERT(sqlite3_get_autocommit(store->database));
    int result = make_room(store);
    if (result == 0)
        result = store_checkpoint(store);
    if (result == 0)
        result = store_run(store, store->begin);
    if (result < 0)
        return result;
    store->tally_before = store->tally;
    store->group_wall_ms = 0;
    result = store_drop_doomed(store, DOOMED_AT_ONCE);
    return result < 0 ? result : store_sweep(store);
}

int store_apply(struct store *store, const struct record *record, int64_t wall_ms,
                int64_t monotonic_ms)
{
    if (store->error != 0)
        return store->error;
    struct moment now = {store_time(store, wall_ms, monotonic_ms), monotonic_ms};
    store->group_wall_ms = now.wall_ms;
    return apply(store, record, now);
}

// What is written to files that somebody has removed underneath us is not kept.
static int check_in_place(struct store *store)
{
    int moved = 0;
    (void)sqlite3_file_control(store->database, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    const char *log = sqlite3_filename_wal(sqlite3_db_filename(store->database, "main"));
    if (moved != 0 || (store->options.vfs == NULL && !file_exists(log)))
        store->error = -ENOENT;
    return store->error;
}

int store_commit(struct store *store)
{
    if (store->error != 0)
        return store->error;
    int result = store->group_wall_ms == 0 ? 0 : store_meta_note(store, store->group_wall_ms);
    if (result == 0)
        result = store_run(store, store->commit);
    if (result == 0)
        result = check_in_place(store);
    if (result < 0)
        return result;
    store->change_count = 0;
    store->commits++;
    store_after_commit(store);
    return 0;
}

void store_roll_back(struct store *store)
{
    if (!sqlite3_get_autocommit(store->database))
        (void)store_run(store, store->roll_back);
    store_undo_counts(store);
    store->after_count = 0;
    store->sweep_done = false;
    store->tally = store->tally_before;
}

// Pages of the main file that hold nothing; it never shrinks by itself.
static uint64_t free_inside(struct store *store)
{
    uint64_t count = 0;
    if (sqlite3_step(store->free_pages) == SQLITE_ROW)
        count = (uint64_t)sqlite3_column_int64(store->free_pages, 0);
    (void)sqlite3_reset(store->free_pages);
    return count * DISK_PAGE_SIZE;
}

bool store_is_low(struct store *store)
{
    return reserve_is_low(store->reserve, free_inside(store));
}
