// SPDX-License-Identifier: MIT
// The last message of each topic. A tree of the same kind as the index (topic_tree.h), walked by
// cursors. Writers and cursors take one lock for a step; nothing is done under it but pointer work.
// Each change gets the next number of `sequence` (kept in the message): a subscriber that is in the
// index before its cursor starts gets what is at most the cursor's number from the cursor and what
// is above from live delivery, so nothing is lost or doubled in between. A cursor pins the node it
// stands on; an empty pinned node stays linked until the cursor has left it. Everything that is
// retained passes here, wills included, so the limits hold on every path.
#ifndef BUD_CORE_RETAINED_H
#define BUD_CORE_RETAINED_H

#include "base/hash.h"
#include "core/message.h"

struct retained;
struct topic_node;

struct retained_limits {
    uint64_t count_max; // topics, `$SYS` not counted
    uint64_t bytes_max; // message_size of them, `$SYS` not counted
};

struct retained *retained_new(struct hash_key key,
                              struct retained_limits limits); // never NULL; start-up only
void retained_free(struct retained *retained); // releases the messages; no cursor may be open

// Keeps `message` (takes a reference) as the value of its topic, or removes the value when the
// payload is empty [MQTT-3.3.1-6], and sets message->sequence: so call it before the message is
// shown to anybody else. BUD_SUCCESS; BUD_QUOTA_EXCEEDED beyond a limit or without memory (the old
// value stays).
enum bud_reason retained_set(struct retained *retained, struct message *message);

// At start: keeps a message that has its sequence already; numbering goes on above it. False beyond
// a limit or without memory.
bool retained_restore(struct retained *retained, struct message *message);

// Removes the value of `topic` if it is still `message` (an expired one, say).
void retained_drop(struct retained *retained, struct message *message);

// The value of exactly this topic with a reference, or NULL.
struct message *retained_get(struct retained *retained, struct bytes topic);

// Walks the topics that match a filter, in no order, while the tree changes below it. A value that
// is there all the time and not set anew is found exactly once.
struct retained_cursor {
    struct retained *retained;
    struct topic_node *node; // pinned; NULL at the end
    uint32_t depth;          // of the node; its level is the filter's level number depth - 1
    bool is_leaving;         // what is below the node is done with
    bool is_multi_level;     // the filter ends in '#'
    uint32_t level_count;    // of the filter, without that '#'
    uint64_t sequence;       // values set after the cursor was opened are skipped
    struct bytes *levels;    // of the filter, then its own copy of the text
};

// False without memory. A first level '$...' is walked only when the filter names it
// [MQTT-4.7.2-1].
bool retained_cursor_try_open(struct retained_cursor *cursor, struct retained *retained,
                              struct bytes filter);

// The next matching value (with a reference), or NULL at the end. Looks at no more than `steps_max`
// nodes under one hold of the lock; *ret_more tells whether to come again when NULL was returned.
struct message *retained_cursor_next(struct retained_cursor *cursor, uint32_t steps_max,
                                     bool *ret_more);
void retained_cursor_close(struct retained_cursor *cursor); // also in the middle

uint64_t retained_count(struct retained *retained); // `$SYS` included, as Mosquitto counts
uint64_t retained_bytes(struct retained *retained);
uint64_t retained_sequence(struct retained *retained);

#endif
