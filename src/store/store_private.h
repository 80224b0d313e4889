// SPDX-License-Identifier: MIT
// What the files store_*.c share: the open store.
#ifndef BUD_STORE_STORE_PRIVATE_H
#define BUD_STORE_STORE_PRIVATE_H

#include "base/map.h"
#include "store/disk.h"
#include "store/row_counts.h"
#include "store/store.h"
#include "store/table.h"

#define STORE_PATH_MAX 4096
#define STORE_FILE "store.db"
#define STORE_READING "reading" // a lock

struct quarantine;
struct reserve;
struct tombstones;

// What is done to the counts within a group, to undo it when the group is rolled back.
struct count_change {
    uint64_t row;
    bool added;
};

// What is done to the lists of waiting deliveries and of sessions to be swept once the group is
// committed.
struct after_commit {
    uint64_t session;
    uint64_t number; // of a delivery that was removed; 0: the whole session
    bool sweep;      // not all of its deliveries are gone yet
};

// What goes back to what it was when a group is rolled back.
struct tally {
    uint64_t messages, deliveries, retained, sessions;
    uint64_t reserved_session; // numbers below are taken; kept in the store in steps
    int64_t stored_wall_ms;    // "time of the last commit" as it stands in the store
};

// The key of a row that is to go, in one block with its text.
struct doomed_row {
    uint8_t table;
    bool counted; // it was counted: it names a message
    int64_t numbers[3];
    struct bytes text;
};

// A session with deliveries that are only on the disk.
struct waiting {
    uint64_t session;
    uint64_t last;  // number of the last delivery that was there when everything was loaded
    uint64_t given; // deliveries up to this number were given
    uint64_t count; // of those in between
};

struct store {
    struct store_options options;
    char directory[STORE_PATH_MAX];
    char path[STORE_PATH_MAX]; // of the main file
    int lock;                  // file descriptor
    int reading;               // likewise: held by who reads the files of a running store
    struct disk *disk;
    sqlite3 *database;
    sqlite3_stmt *put[TABLE_COUNT], *get[TABLE_COUNT], *drop[TABLE_COUNT];
    sqlite3_stmt *begin, *commit, *roll_back, *next_deliveries;
    sqlite3_stmt *drop_spread; // of one publication
    sqlite3_stmt *free_pages;
    int error;    // final
    bool is_full; // a write found no space
    int log_pages_max;
    int log_pages; // in the write-ahead log after the last commit

    struct quarantine *quarantine;
    struct reserve *reserve;
    struct tombstones *tombstones; // retained values that were removed
    struct row_counts counts;
    uint64_t last_row; // the highest message row ever given in this run
    uint64_t last_sequence;
    struct tally tally, tally_before;
    int64_t clock_ms, clock_monotonic_ms; // the store's own time, see store_time
    int64_t group_wall_ms; // when the last record of this group was applied; 0: none was yet
    uint64_t commits;
    uint64_t damaged_pages; // found at start
    struct count_change *changes;
    size_t change_count, change_capacity;
    struct after_commit *after;
    size_t after_count, after_capacity;
    uint64_t *sweeps; // sessions that are gone, but whose deliveries are not
    size_t sweep_count, sweep_capacity;
    struct doomed_row *doomed; // rows to be deleted: damaged, or expired
    size_t doomed_count, doomed_capacity;
    bool sweep_done;    // the first of them was finished in this group
    struct map waiting; // struct waiting, by session
};

// store_open.c
int store_open_database(struct store *store); // the file at store->path as it is, or empty
int store_create_tables(struct store *store); // in an empty one; prepares statements

// store_statement.c: one row at a time. 0, or what store_failed makes of it.
int store_failed(struct store *store, int result); // SQLite's result → 0, -ENOSPC or final -errno
int store_prepare(struct store *store, const char *sql, sqlite3_stmt **ret_statement);
int store_prepare_all(struct store *store);
void store_finalize_all(struct store *store);
int store_execute(struct store *store, const char *sql);
int store_run(struct store *store, sqlite3_stmt *statement);
int store_put(struct store *store, const struct row *row);
// The row with this key (its key values are set). 1 there, 0 not, or -errno; views are valid until
// the next use of the same statement, at most to store_got.
int store_get(struct store *store, struct row *row);
void store_got(struct store *store, enum table table);
int store_drop(struct store *store, const struct row *row); // by key
// Takes the present row of a SELECT of all columns; does it fit its check?
bool store_take_row(sqlite3_stmt *statement, enum table table, struct row *ret_row);
void store_bind_key(sqlite3_stmt *statement, const struct row *row);

// store_write.c
int store_checkpoint(struct store *store); // if the log has grown

// store_message.c: rows of messages, and who names them.
int store_use_message(struct store *store, struct message *message, int64_t wall_less_monotonic_ms,
                      uint64_t *ret_row);
int store_leave_message(struct store *store, uint64_t row);
void store_undo_counts(struct store *store);
// The message of a row with a reference, or NULL: ret_result tells -ENOENT there is no such row,
// -EBADMSG it is damaged, -ESTALE it expired, -ENOMEM, or another error.
struct message *store_make_message(const struct store *store, const struct row *row,
                                   struct budget *budget, int *ret_result);
struct message *store_read_message(struct store *store, uint64_t row, struct budget *budget,
                                   int *ret_result);

// store_session.c
int store_remove_spread(struct store *store, uint64_t publisher, uint16_t packet_id);
int store_remove_spreads(struct store *store, uint64_t publisher); // all of a session or a will
int store_remove_session(struct store *store, uint64_t session);
int store_sweep(struct store *store); // a bounded part of what store_remove_session has left
void store_note_removed(struct store *store, struct after_commit after);
void store_add_sweep(struct store *store, uint64_t session);
void store_after_commit(struct store *store);

// store_doomed.c: rows that go with the next group
void store_doom(struct store *store, const struct row *row, bool counted);
int store_drop_doomed(struct store *store, size_t count_max); // within a group
void store_doomed_done(struct store *store);

// store_read.c: sessions with deliveries that are only on the disk
struct waiting *store_waiting_find(struct store *store, uint64_t session);
void store_waiting_forget(struct store *store, struct waiting *waiting);
void store_waiting_add(struct store *store, uint64_t session, uint64_t number, uint64_t given);
void store_waiting_done(struct store *store);
struct bytes store_waiting_key(const void *waiting);
// What the loader and store_read are given. False: the identifiers are no list of numbers.
#define STORE_IDENTIFIERS_MAX 4096
void store_delivery_of(const struct row *row, uint32_t identifiers[STORE_IDENTIFIERS_MAX],
                       struct store_delivery *ret_delivery);

// store_meta.c
int store_meta_put(struct store *store, const char *name, int64_t value);
int store_meta_load(struct store *store);
int store_meta_note(struct store *store, int64_t wall_ms); // the time of this commit, coarsely
// The time that is kept in rows: the wall clock's, but it never goes back, neither in a run nor
// from one run to the next.
int64_t store_time(struct store *store, int64_t wall_ms, int64_t monotonic_ms);
int store_meta_session(struct store *store, uint64_t number);

// Says one sentence to whoever opened the store.
__attribute__((format(printf, 2, 3))) void store_report(struct store *store, const char *format,
                                                        ...);

#endif
