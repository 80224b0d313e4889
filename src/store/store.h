// SPDX-License-Identifier: MIT
// What survives a crash: about a dozen calls, behind which is SQLite today. One process, one
// connection, one thread at a time (the writer's; loading happens before it starts). A commit that
// returned 0 has passed a barrier on the disk. A write or barrier that failed for any reason but a
// full disk is final: nothing is retried, every later call returns the same error. Every row
// carries a CRC32C of its table, key and content, every page a checksum (disk.h): what does not fit
// is set aside in a file beside the store and reported, never delivered.
#ifndef BUD_STORE_STORE_H
#define BUD_STORE_STORE_H

#include "store/record.h"

#define STORE_ERROR_MAX 512

enum store_durability {
    STORE_COMMIT,  // a commit passes the barrier
    STORE_BATCH,   // likewise; the caller commits at intervals
    STORE_RELAXED, // a commit is handed to the system; a power cut may lose the last second
};

struct store;

struct store_options {
    const char *directory; // made (0700) if missing
    enum store_durability durability;
    int64_t wall_ms, monotonic_ms; // one moment on both clocks: times are stored as wall-clock time
    uint32_t log_pages_max;        // the log is copied into the main file beyond that; 0: 1000
    uint64_t low_space_bytes;      // 0: the larger of 64 MB and 2 % of the file system, at most an
                                   // eighth of it
    const char *vfs; // SQLite VFS below ours; NULL: the system's. Tests put theirs here
    void *context;
    void (*report)(void *context,
                   const char *what); // one sentence for each thing that was lost or is wrong
};

// Opens or makes the store; takes an exclusive lock on the directory. 0, or -errno and a sentence
// in `error` (STORE_ERROR_MAX bytes): -EWOULDBLOCK another bud has it, -EPROTO a newer format
// (one before is brought to the present one), -ENOSPC, -EIO, -EACCES. A damaged store opens: what
// cannot be read is moved aside and reported. A full disk opens too.
int store_open(const struct store_options *options, struct store **ret_store, char *error);
int store_close(struct store *store); // checkpoints; 0 or -errno

// Reading everything at start. Each callback may take what it is given only during the call, but
// for messages: a message is given with a reference that is the callee's. Order: sessions, then
// subscriptions, incoming, deliveries (by session and number), retained, wills.
struct store_session {
    uint64_t number;
    struct bytes client_id, user;
    uint32_t domain; // see core/principal.h
    uint8_t version;
    uint32_t expiry_interval;
    int64_t detached_ms; // monotonic of this run; of one that was connected at the crash: now
};

struct store_delivery {
    uint64_t session, number;
    struct message *message; // NULL when RELEASED
    uint8_t qos;
    bool retain;
    bool sent, released;
    uint16_t packet_id; // when sent
    uint32_t identifier;
    const uint32_t *identifiers; // more of them
    uint32_t identifier_count;
};

struct store_will {
    uint64_t number;
    struct bytes client_id, user;
    uint32_t domain;
    struct message *message;
    uint32_t delay_interval, expiry_interval;
};

// Who published a retained message. No client id: not known (it is from the first format).
struct store_publisher {
    struct bytes client_id, user;
    uint32_t domain;
};

struct store_loader {
    void *context;
    struct budget *budget; // for the messages
    void (*session)(void *context, const struct store_session *session);
    void (*subscription)(void *context, uint64_t session, struct bytes filter,
                         struct subscription_options options, uint32_t identifier);
    void (*incoming)(void *context, uint64_t session, uint16_t packet_id);
    // A publication of `publisher` (a session or a will) under this identifier reached this session
    // or group, and is not forgotten yet (message.h, struct spread). After everything else.
    void (*spread)(void *context, uint64_t publisher, uint16_t packet_id, uint64_t reached);
    void (*delivery)(void *context, const struct store_delivery *delivery);
    void (*retained)(void *context, struct message *message, // with its sequence
                     const struct store_publisher *publisher);
    void (*will)(void *context, const struct store_will *will);
    uint32_t window; // deliveries of one session that are given at most; the rest is counted in
                     // store_waiting and read later
};

// 0 or -errno. Messages that expired meanwhile are left out; a clock that stands before the last
// commit expires nothing.
int store_load(struct store *store, const struct store_loader *loader);

// How many deliveries of this session were not given to the loader (or read since).
uint64_t store_waiting(struct store *store, uint64_t session);

// The highest number among those; 0 none. New deliveries are numbered behind it.
uint64_t store_waiting_last(struct store *store, uint64_t session);

// The next deliveries of a session with a number above `after`, up to `count_max`, in order.
// Returns how many, or -errno.
int store_read(struct store *store, uint64_t session, uint64_t after, uint32_t count_max,
               struct budget *budget,
               void (*give)(void *context, const struct store_delivery *delivery), void *context);

// A group of records in one transaction. store_apply borrows the record. Calls: begin, apply...,
// commit. After a failed apply or commit nothing of the group is in the store. 0, -ENOSPC (may be
// tried again), or another -errno (final).
int store_begin(struct store *store);
int store_apply(struct store *store, const struct record *record, int64_t wall_ms,
                int64_t monotonic_ms);
int store_commit(struct store *store);
void store_roll_back(struct store *store);

// Is there little space left? Deletions still fit thanks to a reserve file, which this gives up
// when needed and takes back.
bool store_is_low(struct store *store);

struct store_numbers {
    uint64_t commits, barriers, bytes_written, messages, deliveries, retained, sessions, damaged;
    uint64_t next_session, last_sequence; // where numbering goes on
};
void store_numbers(struct store *store, struct store_numbers *ret_numbers);

// For `bud store`: each prints to standard output, and works on a store that no broker has open, or
// (check, dump, backup) on a live one by reading only. 0 found nothing wrong / done, 1 damaged, or
// -errno with a sentence in `error`.
int store_check(const char *directory, char *error);
int store_dump(const char *directory, char *error);
int store_backup(const char *directory, const char *file, char *error);
int store_compact(const char *directory, char *error);

#endif
