// SPDX-License-Identifier: MIT
// Reading everything at start, table by table in order of the key. Deliveries, retained values and
// wills are gone through twice: to learn which messages are wanted, and to give them; in between
// the messages are read in the order they lie on the disk, which is ten times as fast as one by
// one. What is kept here meanwhile is a pointer for each message that is given. A row that does not
// fit its check, or that names what is not there, is set aside, reported and deleted with the first
// group that is written.
#include "store/store_private.h"

#include "base/memory.h"
#include "store/quarantine.h"

#include <errno.h>
#include <stdio.h>

#define GUESSES_MAX 4
#define FEW_PAGES 4096  // are all read: that finds what is damaged
#define REPORTS_MAX 100 // single rows; the rest is in the quarantine file and in the sum

struct given_message {
    uint64_t row;
    struct message *message;
};

struct loading {
    struct store *store;
    const struct store_loader *loader;
    struct map sessions;      // struct known_session, by number
    struct map wills;         // likewise
    struct row_counts wanted; // message rows that are given to somebody
    uint64_t wanted_count;
    struct given_message *messages; // in order of the row
    size_t message_count, message_capacity;
    uint64_t reported;
    uint64_t left_out; // rows for whose message there was no memory
    uint64_t session;  // of the last delivery
    uint32_t given;    // deliveries of that session
    uint64_t given_last;
    bool is_full; // there was no memory for the rest of that session
};

struct known_session {
    uint64_t number; // or a will's
    bool is_removal; // it is gone, only its deliveries are not yet
};

static struct bytes session_key(const void *value)
{
    const struct known_session *session = value;
    return bytes_make(&session->number, sizeof(session->number));
}

static struct known_session *find_session(const struct loading *loading, uint64_t number)
{
    return map_find(&loading->sessions, bytes_make(&number, sizeof(number)));
}

// A number that stands somewhere is taken, whatever the store's own note of that says.
static void note_number(struct store *store, uint64_t number)
{
    if (number >= store->tally.reserved_session)
        store->tally.reserved_session = number + 1;
}

static int know(struct loading *loading, struct map *map, uint64_t number, bool is_removal)
{
    note_number(loading->store, number);
    struct known_session *known = memory_try_new(sizeof(*known));
    if (known == NULL)
        return -ENOMEM;
    known->number = number;
    known->is_removal = is_removal;
    if (map_try_put(map, known))
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

static void set_aside(struct loading *loading, const struct row *row, bool counted,
                      const char *reason)
{
    struct store *store = loading->store;
    quarantine_row(store->quarantine, row, reason);
    store_doom(store, row, counted);
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
    int64_t now_ms = store->clock_ms;
    int64_t detached_ms = values[SESSION_DETACHED].number;
    if (detached_ms == 0)
        detached_ms = now_ms; // it was connected until nobody knows when: too late is no loss
    int64_t since_ms = now_ms > detached_ms ? now_ms - detached_ms : 0;
    struct store_session session = {
        .number = (uint64_t)values[SESSION_NUMBER].number,
        .client_id = values[SESSION_CLIENT_ID].bytes,
        .user = values[SESSION_USER].bytes,
        .domain = (uint32_t)values[SESSION_DOMAIN].number,
        .version = (uint8_t)values[SESSION_VERSION].number,
        .expiry_interval = (uint32_t)values[SESSION_EXPIRY].number,
        .detached_ms = store->options.monotonic_ms - since_ms,
    };
    if (session.detached_ms == 0)
        session.detached_ms = -1; // 0 would say connected
    loading->store->tally.sessions++;
    loading->loader->session(loading->loader->context, &session);
    return know(loading, &loading->sessions, session.number, false);
}

static int load_removal(struct loading *loading, const struct row *row)
{
    uint64_t session = (uint64_t)row->values[REMOVAL_SESSION].number;
    store_add_sweep(loading->store, session);
    return know(loading, &loading->sessions, session, true);
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
        set_aside(loading, row, false, no_session);
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
        set_aside(loading, row, false, no_session);
    else
        loading->loader->incoming(loading->loader->context, session,
                                  (uint16_t)row->values[INCOMING_PACKET_ID].number);
    return 0;
}

// Its publisher (a session or a will) may have gone while another worker still wrote it.
static int load_spread(struct loading *loading, const struct row *row)
{
    uint64_t publisher = (uint64_t)row->values[SPREAD_PUBLISHER].number;
    if (find_session(loading, publisher) == NULL &&
        map_find(&loading->wills, bytes_make(&publisher, sizeof(publisher))) == NULL)
        store_doom(loading->store, row, false);
    else
        loading->loader->spread(loading->loader->context, publisher,
                                (uint16_t)row->values[SPREAD_PACKET_ID].number,
                                (uint64_t)row->values[SPREAD_REACHED].number);
    return 0;
}

// First time through: who names which message, and which of them will be given.
static void want(struct loading *loading, uint64_t row, bool given)
{
    if (row == 0)
        return;
    (void)row_counts_add(&loading->store->counts, row);
    if (given && row_counts_add(&loading->wanted, row) == 1)
        loading->wanted_count++;
}

// Is this delivery given now, or does it wait on the disk?
static bool is_given(struct loading *loading, const struct row *row)
{
    uint64_t session = (uint64_t)row->values[DELIVERY_SESSION].number;
    if (session != loading->session) {
        loading->session = session;
        loading->given = 0;
        loading->given_last = 0;
        loading->is_full = false;
    }
    if (row->values[DELIVERY_STATE].number == DELIVERY_WAITS) {
        if (loading->given >= loading->loader->window || loading->is_full)
            return false;
        loading->given_last = (uint64_t)row->values[DELIVERY_NUMBER].number;
    }
    loading->given++;
    return true;
}

static int count_delivery(struct loading *loading, const struct row *row)
{
    uint64_t number = (uint64_t)row->values[DELIVERY_SESSION].number;
    const struct known_session *session = find_session(loading, number);
    if (session == NULL) {
        set_aside(loading, row, false, no_session);
        return 0;
    }
    loading->store->tally.deliveries++;
    want(loading, (uint64_t)row->values[DELIVERY_MESSAGE].number,
         is_given(loading, row) && !session->is_removal);
    return 0;
}

static int count_retained(struct loading *loading, const struct row *row)
{
    struct store *store = loading->store;
    uint64_t sequence = (uint64_t)row->values[RETAINED_SEQUENCE].number;
    if (sequence > store->last_sequence)
        store->last_sequence = sequence;
    store->tally.retained++;
    want(loading, (uint64_t)row->values[RETAINED_MESSAGE].number, true);
    return 0;
}

static int count_will(struct loading *loading, const struct row *row)
{
    uint64_t number = (uint64_t)row->values[WILL_SESSION].number;
    want(loading, (uint64_t)row->values[WILL_MESSAGE].number, true);
    return know(loading, &loading->wills, number, false);
}

static void remember_message(struct loading *loading, struct message *message)
{
    if (loading->message_count == loading->message_capacity) {
        size_t capacity = loading->message_capacity == 0 ? 1024 : loading->message_capacity * 2;
        struct given_message *messages =
            memory_try_resize(loading->messages, capacity * sizeof(*messages));
        if (messages == NULL) {
            message_unref(message); // it is read again when it is asked for
            return;
        }
        loading->messages = messages;
        loading->message_capacity = capacity;
    }
    loading->messages[loading->message_count++] = (struct given_message){message->row, message};
}

// All messages in the order in which they lie on the disk. One that nobody names is a leftover of
// damage.
static int load_message(struct loading *loading, const struct row *row)
{
    int result = 0;
    uint64_t number = (uint64_t)row->values[MESSAGE_ID].number;
    if (row_counts_get(&loading->store->counts, number) == 0) {
        set_aside(loading, row, false, "nobody names it any more");
        return 0;
    }
    if (row_counts_get(&loading->wanted, number) == 0)
        return 0;
    struct message *message =
        store_make_message(loading->store, row, loading->loader->budget, &result);
    if (message != NULL)
        remember_message(loading, message);
    return 0; // whoever names it finds out
}

// The place of this row among the given messages, or where it belongs. Rows ascend and are mostly
// without gaps, so the first guesses are made by proportion: each place that is looked at is far
// from the last and costs a wait for memory.
static size_t place_of(const struct loading *loading, uint64_t row)
{
    const struct given_message *messages = loading->messages;
    size_t low = 0, high = loading->message_count;
    for (int guesses = 0; low < high; guesses++) {
        uint64_t first = messages[low].row, last = messages[high - 1].row;
        if (row <= first)
            return low;
        if (row > last)
            return high;
        size_t middle = low + (high - low) / 2;
        if (guesses < GUESSES_MAX)
            middle = low + (size_t)((double)(high - 1 - low) * (double)(row - first) /
                                    (double)(last - first));
        if (messages[middle].row == row)
            return middle;
        if (messages[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct message *message_of(struct loading *loading, uint64_t row, int *ret_result)
{
    size_t place = place_of(loading, row);
    if (place < loading->message_count && loading->messages[place].row == row)
        return message_ref(loading->messages[place].message);
    struct message *message =
        store_read_message(loading->store, row, loading->loader->budget, ret_result);
    bool is_last =
        loading->message_count == 0 || loading->messages[loading->message_count - 1].row < row;
    if (message != NULL && is_last)
        remember_message(loading, message_ref(message));
    return message;
}

// There is no message to give: why, and what becomes of the row. 0 or -errno.
static int without_message(struct loading *loading, const struct row *row, int result)
{
    if (result == -ESTALE)
        store_doom(loading->store, row, true);
    else if (result == -ENOENT)
        set_aside(loading, row, true, "its message is not there");
    else if (result == -EBADMSG)
        set_aside(loading, row, true, "its message is damaged");
    else if (result == -ENOMEM)
        loading->left_out++;
    else
        return result;
    return 0;
}

// Second time through. A delivery for which there is no memory waits on the disk like those beyond
// the window.
static int give_delivery(struct loading *loading, const struct row *row)
{
    uint32_t identifiers[STORE_IDENTIFIERS_MAX];
    struct store_delivery delivery;
    int result = 0;
    store_delivery_of(row, identifiers, &delivery);
    const struct known_session *session = find_session(loading, delivery.session);
    if (session == NULL || session->is_removal)
        return 0;
    uint64_t given_before = loading->session == delivery.session ? loading->given_last : 0;
    bool given = is_given(loading, row);
    if (given && !delivery.released)
        delivery.message =
            message_of(loading, (uint64_t)row->values[DELIVERY_MESSAGE].number, &result);
    if (result == -ENOMEM && !delivery.sent) {
        loading->is_full = true;
        loading->given_last = given_before;
        given = false;
        result = 0;
    }
    if (!given)
        store_waiting_add(loading->store, delivery.session, delivery.number, loading->given_last);
    else if (result < 0)
        return without_message(loading, row, result);
    else
        loading->loader->delivery(loading->loader->context, &delivery);
    return 0;
}

static int give_retained(struct loading *loading, const struct row *row)
{
    int result = 0;
    uint64_t number = (uint64_t)row->values[RETAINED_MESSAGE].number;
    struct message *message = message_of(loading, number, &result);
    if (message == NULL)
        return without_message(loading, row, result);
    message->sequence = (uint64_t)row->values[RETAINED_SEQUENCE].number;
    struct store_publisher publisher = {
        .client_id = row->values[RETAINED_CLIENT_ID].bytes,
        .user = row->values[RETAINED_USER].bytes,
        .domain = (uint32_t)row->values[RETAINED_DOMAIN].number,
    };
    loading->loader->retained(loading->loader->context, message, &publisher);
    return 0;
}

static int give_will(struct loading *loading, const struct row *row)
{
    uint64_t number = (uint64_t)row->values[WILL_MESSAGE].number;
    int result = 0;
    struct store_will will = {
        .number = (uint64_t)row->values[WILL_SESSION].number,
        .client_id = row->values[WILL_CLIENT_ID].bytes,
        .user = row->values[WILL_USER].bytes,
        .domain = (uint32_t)row->values[WILL_DOMAIN].number,
        .message = message_of(loading, number, &result),
        .delay_interval = (uint32_t)row->values[WILL_DELAY].number,
        .expiry_interval = (uint32_t)row->values[WILL_EXPIRY].number,
    };
    if (will.message == NULL)
        return without_message(loading, row, result);
    loading->loader->will(loading->loader->context, &will);
    return 0;
}

struct load_step {
    enum table table;
    bool again; // the second time: what is damaged was set aside
    int (*load)(struct loading *loading, const struct row *row);
};

static int load_table(struct loading *loading, const struct load_step *step)
{
    char sql[TABLE_SQL_MAX];
    sqlite3_stmt *statement;
    table_sql_all(step->table, sql);
    int result = store_prepare(loading->store, sql, &statement);
    if (result < 0)
        return result;
    int more;
    while (result == 0 && (more = sqlite3_step(statement)) == SQLITE_ROW) {
        struct row row;
        if (step->table == TABLE_MESSAGE)
            loading->store->tally.messages++;
        if (store_take_row(statement, step->table, &row))
            result = step->load(loading, &row);
        else if (!step->again)
            set_aside(loading, &row, false, "it is damaged");
    }
    (void)sqlite3_finalize(statement);
    return result < 0 ? result : store_failed(loading->store, more);
}

static int read_number(struct store *store, const char *sql, uint64_t *ret_number)
{
    sqlite3_stmt *statement;
    int result = store_prepare(store, sql, &statement);
    if (result < 0)
        return result;
    result = sqlite3_step(statement);
    *ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return store_failed(store, result);
}

// Reading a few of many messages is quicker one by one; reading all of them costs as much as there
// are pages. Counting them goes through all of them too, so that whoever reads them counts.
static int load_messages(struct loading *loading, const struct load_step *step)
{
    struct store *store = loading->store;
    uint64_t pages;
    int result = read_number(store, "PRAGMA page_count", &pages);
    if (result == 0)
        result = read_number(store, "SELECT max(id) FROM message", &store->last_row);
    if (result < 0)
        return result;
    if (pages > FEW_PAGES && loading->wanted_count < pages)
        return read_number(store, "SELECT count(*) FROM message", &store->tally.messages);
    return load_table(loading, step);
}

static int run(struct loading *loading, const struct load_step *steps, size_t count)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++) {
        loading->session = 0;
        result = steps[i].table == TABLE_MESSAGE ? load_messages(loading, &steps[i])
                                                 : load_table(loading, &steps[i]);
    }
    return result;
}

static void let_go(struct loading *loading)
{
    struct map *maps[] = {&loading->sessions, &loading->wills};
    for (int i = 0; i < 2; i++) {
        size_t position = 0;
        void *known;
        while ((known = map_next(maps[i], &position)) != NULL)
            memory_free(known);
        map_done(maps[i]);
    }
    for (size_t i = 0; i < loading->message_count; i++)
        message_unref(loading->messages[i].message);
    memory_free(loading->messages);
    row_counts_done(&loading->wanted);
}

int store_load(struct store *store, const struct store_loader *loader)
{
    static const struct load_step steps[] = {
        {TABLE_SESSION, false, load_session},
        {TABLE_REMOVAL, false, load_removal},
        {TABLE_SUBSCRIPTION, false, load_subscription},
        {TABLE_INCOMING, false, load_incoming},
        {TABLE_DELIVERY, false, count_delivery},
        {TABLE_RETAINED, false, count_retained},
        {TABLE_WILL, false, count_will},
        {TABLE_MESSAGE, false, load_message},
        {TABLE_RETAINED, true, give_retained},
        {TABLE_DELIVERY, true, give_delivery},
        {TABLE_WILL, true, give_will},
        {TABLE_SPREAD, false, load_spread},
    };
    if (store->error != 0)
        return store->error;
    struct loading loading = {.store = store, .loader = loader};
    map_init(&loading.sessions, (struct hash_key){0}, session_key);
    map_init(&loading.wills, (struct hash_key){0}, session_key);
    int result = run(&loading, steps, sizeof(steps) / sizeof(steps[0]));
    if (loading.reported > REPORTS_MAX)
        store_report(store, "%llu rows in all were set aside in %s",
                     (unsigned long long)loading.reported, quarantine_path(store->quarantine));
    if (loading.left_out > 0)
        store_report(store,
                     "there was no memory for %llu messages: they stay on the disk until a start "
                     "with more",
                     (unsigned long long)loading.left_out);
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
        .damaged = quarantine_count(store->quarantine) + disk.damaged_pages + store->damaged_pages,
        .next_session = store->tally.reserved_session,
        .last_sequence = store->last_sequence,
    };
}
