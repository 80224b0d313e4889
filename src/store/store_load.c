// SPDX-License-Identifier: MIT
// Reading everything at start, table by table in order of the key, nothing of it kept here but what
// is counted. A row that does not fit its check, or that names what is not there, is set aside,
// reported and deleted with the first group that is written.
#include "store/store_private.h"

#include "base/memory.h"
#include "store/quarantine.h"

#include <errno.h>
#include <stdio.h>

#define REPORTS_MAX 100 // single rows; the rest is in the quarantine file and in the sum

// A message that was given and may be named again: then it is the same one in memory.
struct given_message {
    uint64_t row;
    struct message *message;
};

struct loading {
    struct store *store;
    const struct store_loader *loader;
    struct map sessions; // struct known_session, by number
    struct map messages; // struct given_message, by row
    uint64_t reported;
    uint64_t session; // of the last delivery
    uint32_t given;   // deliveries of that session
    uint64_t given_last;
};

struct known_session {
    uint64_t number;
    bool is_removal; // it is gone, only its deliveries are not yet
};

static struct bytes session_key(const void *value)
{
    const struct known_session *session = value;
    return bytes_make(&session->number, sizeof(session->number));
}

static struct bytes message_key(const void *value)
{
    const struct given_message *given = value;
    return bytes_make(&given->row, sizeof(given->row));
}

static struct known_session *find_session(const struct loading *loading, uint64_t number)
{
    return map_find(&loading->sessions, bytes_make(&number, sizeof(number)));
}

static int know_session(struct loading *loading, uint64_t number, bool is_removal)
{
    struct known_session *known = memory_try_new(sizeof(*known));
    if (known == NULL)
        return -ENOMEM;
    known->number = number;
    known->is_removal = is_removal;
    if (map_try_put(&loading->sessions, known))
        return 0;
    memory_free(known);
    return -ENOMEM;
}

// What a row was about, for people.
static void describe(const struct row *row, char *text, size_t size)
{
    const struct value *values = row->values;
    switch ((enum table)row->table) {
    case TABLE_SESSION:
        (void)snprintf(text, size, "the session of client '%.*s'",
                       (int)values[SESSION_CLIENT_ID].bytes.size,
                       (const char *)values[SESSION_CLIENT_ID].bytes.data);
        break;
    case TABLE_SUBSCRIPTION:
        (void)snprintf(text, size, "session %lld: the subscription to '%.*s'",
                       (long long)values[SUBSCRIPTION_SESSION].number,
                       (int)values[SUBSCRIPTION_FILTER].bytes.size,
                       (const char *)values[SUBSCRIPTION_FILTER].bytes.data);
        break;
    case TABLE_DELIVERY:
        (void)snprintf(text, size, "session %lld: queued message %lld",
                       (long long)values[DELIVERY_SESSION].number,
                       (long long)values[DELIVERY_NUMBER].number);
        break;
    case TABLE_RETAINED:
        (void)snprintf(text, size, "the retained message of '%.*s'",
                       (int)values[RETAINED_TOPIC].bytes.size,
                       (const char *)values[RETAINED_TOPIC].bytes.data);
        break;
    case TABLE_WILL:
        (void)snprintf(text, size, "the will of client '%.*s'",
                       (int)values[WILL_CLIENT_ID].bytes.size,
                       (const char *)values[WILL_CLIENT_ID].bytes.data);
        break;
    default:
        (void)snprintf(text, size, "%s %lld", table_descriptions[row->table].name,
                       (long long)values[0].number);
    }
}

static void set_aside(struct loading *loading, const struct row *row, const char *reason)
{
    struct store *store = loading->store;
    quarantine_row(store->quarantine, row, reason);
    store_doom(store, row, false);
    if (++loading->reported > REPORTS_MAX)
        return;
    char text[256];
    describe(row, text, sizeof(text));
    store_report(store, "lost: %s: %s", text, reason);
}

static int load_session(struct loading *loading, const struct row *row)
{
    const struct store *store = loading->store;
    const struct value *values = row->values;
    int64_t now_ms = store->options.wall_ms;
    if (now_ms < store->tally.stored_wall_ms)
        now_ms = store->tally.stored_wall_ms;
    int64_t detached_ms = values[SESSION_DETACHED].number;
    if (detached_ms == 0)
        detached_ms = store->tally.stored_wall_ms;
    int64_t since_ms = now_ms > detached_ms ? now_ms - detached_ms : 0;
    struct store_session session = {
        .number = (uint64_t)values[SESSION_NUMBER].number,
        .client_id = values[SESSION_CLIENT_ID].bytes,
        .user = values[SESSION_USER].bytes,
        .version = (uint8_t)values[SESSION_VERSION].number,
        .expiry_interval = (uint32_t)values[SESSION_EXPIRY].number,
        .detached_ms = store->options.monotonic_ms - since_ms,
    };
    if (session.detached_ms == 0)
        session.detached_ms = -1; // 0 would say connected
    loading->store->tally.sessions++;
    loading->loader->session(loading->loader->context, &session);
    return know_session(loading, session.number, false);
}

static int load_removal(struct loading *loading, const struct row *row)
{
    uint64_t session = (uint64_t)row->values[REMOVAL_SESSION].number;
    store_add_sweep(loading->store, session);
    return know_session(loading, session, true);
}

static const char no_session[] = "its session is not there";

static int load_subscription(struct loading *loading, const struct row *row)
{
    const struct value *values = row->values;
    uint64_t session = (uint64_t)values[SUBSCRIPTION_SESSION].number;
    struct subscription_options options = {
        .qos = (uint8_t)values[SUBSCRIPTION_QOS].number,
        .no_local = values[SUBSCRIPTION_NO_LOCAL].number != 0,
        .retain_as_published = values[SUBSCRIPTION_RETAIN_AS_PUBLISHED].number != 0,
        .retain_handling = (uint8_t)values[SUBSCRIPTION_RETAIN_HANDLING].number,
    };
    if (find_session(loading, session) == NULL)
        set_aside(loading, row, no_session);
    else
        loading->loader->subscription(loading->loader->context, session,
                                      values[SUBSCRIPTION_FILTER].bytes, options,
                                      (uint32_t)values[SUBSCRIPTION_IDENTIFIER].number);
    return 0;
}

static int load_incoming(struct loading *loading, const struct row *row)
{
    uint64_t session = (uint64_t)row->values[INCOMING_SESSION].number;
    if (find_session(loading, session) == NULL)
        set_aside(loading, row, no_session);
    else
        loading->loader->incoming(loading->loader->context, session,
                                  (uint16_t)row->values[INCOMING_PACKET_ID].number);
    return 0;
}

// Its publisher may have gone while another worker still wrote it.
static int load_spread(struct loading *loading, const struct row *row)
{
    uint64_t publisher = (uint64_t)row->values[SPREAD_PUBLISHER].number;
    if (find_session(loading, publisher) == NULL)
        store_doom(loading->store, row, false);
    else
        loading->loader->spread(loading->loader->context, publisher,
                                (uint16_t)row->values[SPREAD_PACKET_ID].number,
                                (uint64_t)row->values[SPREAD_SESSION].number);
    return 0;
}

static void remember_message(struct loading *loading, struct message *message)
{
    struct given_message *given = memory_try_new(sizeof(*given));
    if (given == NULL)
        return; // then it is read twice
    given->row = message->row;
    given->message = message_ref(message);
    if (map_try_put(&loading->messages, given))
        return;
    message_unref(message);
    memory_free(given);
}

static struct message *message_of(struct loading *loading, uint64_t row, int *ret_result)
{
    struct given_message *given = map_find(&loading->messages, bytes_make(&row, sizeof(row)));
    if (given != NULL)
        return message_ref(given->message);
    struct message *message =
        store_read_message(loading->store, row, loading->loader->budget, ret_result);
    if (message != NULL)
        remember_message(loading, message);
    return message;
}

// There is no message to give: why, and what becomes of the row. 0 or -errno.
static int without_message(struct loading *loading, const struct row *row, uint64_t message,
                           int result)
{
    if (result == -ESTALE) {
        (void)row_counts_add(&loading->store->counts, message);
        store_doom(loading->store, row, true);
        return 0;
    }
    if (result == -ENOENT)
        set_aside(loading, row, "its message is not there");
    else if (result == -EBADMSG)
        set_aside(loading, row, "its message is damaged");
    else
        return result;
    return 0;
}

// Expired ones are counted too: they are in the store until they are deleted.
static void count_delivery(struct loading *loading, const struct row *row)
{
    uint64_t session = (uint64_t)row->values[DELIVERY_SESSION].number;
    loading->store->tally.deliveries++;
    if (session == loading->session)
        return;
    loading->session = session;
    loading->given = 0;
    loading->given_last = 0;
}

static int give_delivery(struct loading *loading, const struct row *row)
{
    uint32_t identifiers[STORE_IDENTIFIERS_MAX];
    struct store_delivery delivery;
    uint64_t message = (uint64_t)row->values[DELIVERY_MESSAGE].number;
    int result = 0;
    store_delivery_of(row, identifiers, &delivery);
    if (!delivery.released)
        delivery.message = message_of(loading, message, &result);
    if (result == -ESTALE)
        return without_message(loading, row, message, result);
    if (result < 0) {
        loading->store->tally.deliveries--;
        return without_message(loading, row, message, result);
    }
    if (message != 0)
        (void)row_counts_add(&loading->store->counts, message);
    loading->given++;
    if (!delivery.sent && !delivery.released)
        loading->given_last = delivery.number;
    loading->loader->delivery(loading->loader->context, &delivery);
    return 0;
}

static int load_delivery(struct loading *loading, const struct row *row)
{
    uint64_t number = (uint64_t)row->values[DELIVERY_SESSION].number;
    uint64_t message = (uint64_t)row->values[DELIVERY_MESSAGE].number;
    const struct known_session *session = find_session(loading, number);
    if (session == NULL) {
        set_aside(loading, row, no_session);
        return 0;
    }
    count_delivery(loading, row);
    bool waits = row->values[DELIVERY_STATE].number == DELIVERY_WAITS;
    bool is_full = waits && loading->given >= loading->loader->window;
    if (!session->is_removal && !is_full)
        return give_delivery(loading, row);
    if (message != 0)
        (void)row_counts_add(&loading->store->counts, message);
    if (!session->is_removal)
        store_waiting_add(loading->store, number, (uint64_t)row->values[DELIVERY_NUMBER].number,
                          loading->given_last);
    return 0;
}

static int load_retained(struct loading *loading, const struct row *row)
{
    struct store *store = loading->store;
    uint64_t number = (uint64_t)row->values[RETAINED_MESSAGE].number;
    uint64_t sequence = (uint64_t)row->values[RETAINED_SEQUENCE].number;
    int result = 0;
    struct message *message = message_of(loading, number, &result);
    if (sequence > store->last_sequence)
        store->last_sequence = sequence;
    if (message != NULL || result == -ESTALE)
        store->tally.retained++;
    if (message == NULL)
        return without_message(loading, row, number, result);
    (void)row_counts_add(&store->counts, number);
    message->sequence = sequence;
    loading->loader->retained(loading->loader->context, message);
    return 0;
}

static int load_will(struct loading *loading, const struct row *row)
{
    uint64_t number = (uint64_t)row->values[WILL_MESSAGE].number;
    int result = 0;
    struct store_will will = {
        .session = (uint64_t)row->values[WILL_SESSION].number,
        .client_id = row->values[WILL_CLIENT_ID].bytes,
        .message = message_of(loading, number, &result),
        .delay_interval = (uint32_t)row->values[WILL_DELAY].number,
        .expiry_interval = (uint32_t)row->values[WILL_EXPIRY].number,
    };
    if (will.message == NULL)
        return without_message(loading, row, number, result);
    (void)row_counts_add(&loading->store->counts, number);
    loading->loader->will(loading->loader->context, &will);
    return 0;
}

static int load_table(struct loading *loading, enum table table,
                      int (*load)(struct loading *loading, const struct row *row))
{
    char sql[TABLE_SQL_MAX];
    sqlite3_stmt *statement;
    table_sql_all(table, sql);
    int result = store_prepare(loading->store, sql, &statement);
    if (result < 0)
        return result;
    int step;
    while (result == 0 && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct row row;
        if (store_take_row(statement, table, &row))
            result = load(loading, &row);
        else
            set_aside(loading, &row, "it is damaged");
    }
    (void)sqlite3_finalize(statement);
    return result < 0 ? result : store_failed(loading->store, step);
}

static int load_last_row(struct store *store)
{
    sqlite3_stmt *statement;
    int result = store_prepare(store, "SELECT max(id), count(*) FROM message", &statement);
    if (result < 0)
        return result;
    result = sqlite3_step(statement);
    store->last_row = (uint64_t)sqlite3_column_int64(statement, 0);
    store->tally.messages = (uint64_t)sqlite3_column_int64(statement, 1);
    (void)sqlite3_finalize(statement);
    return store_failed(store, result);
}

static void let_go(struct loading *loading)
{
    size_t position = 0;
    void *value;
    while ((value = map_next(&loading->sessions, &position)) != NULL)
        memory_free(value);
    position = 0;
    while ((value = map_next(&loading->messages, &position)) != NULL) {
        message_unref(((struct given_message *)value)->message);
        memory_free(value);
    }
    map_done(&loading->sessions);
    map_done(&loading->messages);
}

int store_load(struct store *store, const struct store_loader *loader)
{
    if (store->error != 0)
        return store->error;
    struct loading loading = {.store = store, .loader = loader};
    map_init(&loading.sessions, (struct hash_key){0}, session_key);
    map_init(&loading.messages, (struct hash_key){0}, message_key);
    int result = load_last_row(store);
    if (result == 0)
        result = load_table(&loading, TABLE_SESSION, load_session);
    if (result == 0)
        result = load_table(&loading, TABLE_REMOVAL, load_removal);
    if (result == 0)
        result = load_table(&loading, TABLE_SUBSCRIPTION, load_subscription);
    if (result == 0)
        result = load_table(&loading, TABLE_INCOMING, load_incoming);
    if (result == 0)
        result = load_table(&loading, TABLE_SPREAD, load_spread);
    if (result == 0)
        result = load_table(&loading, TABLE_DELIVERY, load_delivery);
    if (result == 0)
        result = load_table(&loading, TABLE_RETAINED, load_retained);
    if (result == 0)
        result = load_table(&loading, TABLE_WILL, load_will);
    if (loading.reported > REPORTS_MAX)
        store_report(store, "%llu rows in all were set aside in %s",
                     (unsigned long long)loading.reported, quarantine_path(store->quarantine));
    let_go(&loading);
    return result;
}

void store_numbers(struct store *store, struct store_numbers *ret_numbers)
{
    struct disk_numbers disk = disk_numbers(store->disk);
    *ret_numbers = (struct store_numbers){
        .commits = store->commits,
        .barriers = disk.barriers,
        .bytes_written = disk.bytes_written,
        .messages = store->tally.messages,
        .deliveries = store->tally.deliveries,
        .retained = store->tally.retained,
        .sessions = store->tally.sessions,
        .damaged = quarantine_count(store->quarantine) + disk.damaged_pages,
        .next_session = store->tally.reserved_session,
        .last_sequence = store->last_sequence,
    };
}
