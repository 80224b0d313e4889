// SPDX-License-Identifier: MIT
// The tables of the store, described once: their SQL, the check on every row, dumping, salvaging
// and quarantine all follow from these rows. A value is a number, a text or a blob; the first
// key_count columns are the key. To add columns is a new format: put them behind the others, raise
// TABLE_FORMAT and say how many there were (older_count); a store of the older format is brought to
// the present one when it is opened (salvage.h).
#ifndef BUD_STORE_TABLE_H
#define BUD_STORE_TABLE_H

#include "proto/bytes.h"

#include <stdbool.h>

#define TABLE_FORMAT 2               // PRAGMA user_version
#define TABLE_APPLICATION 0x42756431 // PRAGMA application_id: "Bud1"
#define TABLE_COLUMNS_MAX 9

enum table {
    TABLE_META,
    TABLE_SESSION,
    TABLE_SUBSCRIPTION,
    TABLE_MESSAGE,
    TABLE_DELIVERY,
    TABLE_INCOMING,
    TABLE_SPREAD,
    TABLE_RETAINED,
    TABLE_WILL,
    TABLE_REMOVAL,
    TABLE_COUNT
};

enum { META_NAME, META_VALUE };
enum {
    SESSION_NUMBER,
    SESSION_CLIENT_ID,
    SESSION_USER,
    SESSION_VERSION,
    SESSION_EXPIRY,
    SESSION_DETACHED, // wall-clock milliseconds; 0: connected
    SESSION_DOMAIN    // of its principal
};
enum {
    SUBSCRIPTION_SESSION,
    SUBSCRIPTION_FILTER,
    SUBSCRIPTION_QOS,
    SUBSCRIPTION_NO_LOCAL,
    SUBSCRIPTION_RETAIN_AS_PUBLISHED,
    SUBSCRIPTION_RETAIN_HANDLING,
    SUBSCRIPTION_IDENTIFIER
};
enum {
    MESSAGE_ID,
    MESSAGE_TOPIC,
    MESSAGE_PAYLOAD,
    MESSAGE_PROPERTIES,
    MESSAGE_QOS,
    MESSAGE_RETAIN,
    MESSAGE_PUBLISHER,
    MESSAGE_EXPIRES // wall-clock milliseconds; 0: never
};
enum {
    DELIVERY_SESSION,
    DELIVERY_NUMBER,
    DELIVERY_MESSAGE, // 0 when released
    DELIVERY_QOS,
    DELIVERY_RETAIN,
    DELIVERY_STATE, // enum delivery_state
    DELIVERY_PACKET_ID,
    DELIVERY_IDENTIFIER,
    DELIVERY_IDENTIFIERS // 4 bytes each, low byte first
};
enum { INCOMING_SESSION, INCOMING_PACKET_ID };
enum { SPREAD_PUBLISHER, SPREAD_PACKET_ID, SPREAD_REACHED }; // its column is named "session"
enum {
    RETAINED_TOPIC,
    RETAINED_SEQUENCE,
    RETAINED_MESSAGE,
    RETAINED_CLIENT_ID, // of who published it; empty: not known
    RETAINED_USER,
    RETAINED_DOMAIN
};
enum {
    WILL_SESSION, // its own number; of a store from before that: of its session
    WILL_CLIENT_ID,
    WILL_MESSAGE,
    WILL_DELAY,
    WILL_EXPIRY,
    WILL_USER,
    WILL_DOMAIN
};
enum { REMOVAL_SESSION }; // a session that is gone, but not yet all of its deliveries

enum delivery_state { DELIVERY_WAITS, DELIVERY_IS_SENT, DELIVERY_IS_RELEASED };

enum value_kind { VALUE_NUMBER, VALUE_TEXT, VALUE_BLOB };

struct table_column {
    const char *name;
    uint8_t kind; // enum value_kind
};

struct table_description {
    const char *name;
    uint8_t column_count;
    uint8_t key_count;
    bool row_id; // the key is one number, which is SQLite's own
    struct table_column columns[TABLE_COLUMNS_MAX];
    uint8_t older_count; // columns in format 1; 0: as many
};

extern const struct table_description table_descriptions[TABLE_COUNT];

struct value {
    int64_t number;
    struct bytes bytes;
};

struct row {
    uint8_t table; // enum table
    struct value values[TABLE_COLUMNS_MAX];
};

uint32_t row_check(const struct row *row); // CRC32C of the table and every value
uint32_t row_check_first(const struct row *row, unsigned count); // and of its first values

// SQL. Each returns its length; `size` must do.
#define TABLE_SQL_MAX 512
void table_sql_create(enum table table, char sql[TABLE_SQL_MAX]);
void table_sql_put(enum table table, char sql[TABLE_SQL_MAX]);  // all columns, then the check
void table_sql_get(enum table table, char sql[TABLE_SQL_MAX]);  // by key
void table_sql_drop(enum table table, char sql[TABLE_SQL_MAX]); // by key
void table_sql_all(enum table table, char sql[TABLE_SQL_MAX]);  // in order of the key

#endif
