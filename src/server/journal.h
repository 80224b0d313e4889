// SPDX-License-Identifier: MIT
// What one worker has for the disk, and when it is there. During turns the core's changes are
// gathered as records in one batch; at the end of a turn the batch goes to the writer, unless one
// is still with it: then it grows on, which is group commit without a timer.
//
//   turn 7: records → batch 3 ──► writer: BEGIN … COMMIT ──► POST_COMMITTED 3 ──► turn 7 is
//   durable: its acknowledgements go out
//      └ messages posted to worker 1 ──► POST_SYNC 7 ──► (worker 1's batch with them is committed)
//      ──► POST_SYNCED 7
//
// Each turn has a number, its ticket. A turn is durable when its own records are on the disk, when
// every worker that it posted durable messages to has theirs there, and when all turns before it
// are. Whoever promised something in a turn waits for its ticket (struct held). An answer to
// POST_SYNC waits for the answering worker's own batches only, never for its syncs: no circles.
// What ends something on one worker that the turn has begun on others (a will that was published, a
// session whose messages were given to other members of a group) is noted only when the turn's
// other records are on the disk, here and there; the turn is durable when that is there too. So a
// power cut in between leaves both, and never nothing. A message that moves from one session to
// another does both in one batch, of the worker that takes it: the batch with its first owner's is
// given to the writer before the post leaves.
// What is put and removed before its batch was handed over is not written at all, and a removal
// that nobody waits for (of a QoS 1 delivery that was acknowledged) goes with the next batch that
// somebody waits for: losing it means one repetition.
#ifndef BUD_SERVER_JOURNAL_H
#define BUD_SERVER_JOURNAL_H

#include "base/map.h"
#include "core/ports.h"
#include "store/record.h"

struct worker;

struct batch {
    struct batch *next;
    uint32_t worker;
    uint64_t number;
    struct record *records;
    uint32_t count, capacity;
    uint64_t bytes;   // of messages, roughly: for back-pressure
    int64_t since_ms; // the end of the first turn that noted something in it
    bool awaited;     // it holds something that somebody may wait for
    bool moves;       // it removes what another worker's batch, given before, has put
};

// A record that waits for the rest of its turn.
struct deferred {
    struct deferred *next;
    enum record_kind kind;
    uint64_t session;
};

struct pending_turn {
    uint64_t ticket;
    uint64_t batch; // 0: no records of its own
    uint32_t syncs; // answers still to come
    struct deferred *deferred;
};

struct asked_sync {
    uint32_t from;
    uint64_t ticket; // the asker's
    uint64_t batch;  // ours that must be committed first
};

struct journal {
    bool keeps;
    struct batch *current;
    uint64_t batch_in_turn;     // the last in which this turn noted what somebody may wait for; 0
    uint64_t committed;         // all batches up to this one are on the disk
    uint64_t ticket;            // of the present turn
    uint64_t resumed;           // an earlier turn that is gone on with just now; 0: none
    uint64_t batch_before;      // batch_in_turn of the present one meanwhile
    bool moves;                 // this turn gives away what the store has for a session
    struct deferred *deferred;  // by this turn
    uint32_t deferring;         // turns with deferred records
    bool noted;                 // something, since the packet that is handled came
    uint64_t durable;           // turns up to this one are
    struct pending_turn *turns; // a ring
    uint32_t turn_first, turn_count, turn_capacity;
    struct asked_sync *asked;
    uint32_t asked_count, asked_capacity;
    uint64_t posted_to[4]; // a bit for each worker that was posted something durable in this turn
    struct map behind;     // retained QoS 0 messages, written once a second, the last of each topic
    int64_t behind_since_ms;
};

void journal_init(struct journal *journal, struct worker *worker, bool keeps);
void journal_done(struct journal *journal);

// The functions of core/ports.h over this worker's journal.
void journal_fill_port(struct journal *journal, struct worker *worker, struct store_port *ret_port);

// A packet is about to be handled: has anything it does to go to the disk? Then `noted` says so.
static inline void journal_begin_packet(struct journal *journal)
{
    journal->noted = false;
}

void journal_note_post(struct journal *journal,
                       uint32_t to); // a message that is to be acknowledged was posted to `to`
// The same to a member of a group, just after its post; `moves`: in place of another. Returns the
// ticket to post it with.
uint64_t journal_note_member(struct journal *journal, struct worker *worker, uint32_t to,
                             bool moves);
// What is noted and posted in between belongs to that turn, which is not durable yet. 0: is
// nobody's.
void journal_resume_turn(struct journal *journal, uint64_t ticket);
void journal_leave_turn(struct journal *journal);
void journal_asked(struct journal *journal, uint32_t from, uint64_t ticket); // POST_SYNC came

// Posts are about to leave.
void journal_before_posts(struct journal *journal, struct worker *worker);

// The end of a turn: hands over, asks and answers. Posts are left in the worker's outgoing chains.
// Returns true if `durable` has moved.
bool journal_end_turn(struct journal *journal, struct worker *worker);
int64_t journal_due_ms(const struct journal *journal); // the next turn at the latest; -1: whenever

// True if `durable` has moved.
bool journal_on_committed(struct journal *journal, uint64_t batch);
bool journal_on_synced(struct journal *journal, uint64_t ticket);

// Retained QoS 0 messages that have waited long enough (all of them when `now`).
void journal_write_behind(struct journal *journal, struct worker *worker, bool now);

// After the last turn: all that is left goes to the writer.
void journal_give_rest(struct journal *journal, struct worker *worker);

// Has this worker more for the disk than it should have waiting?
bool journal_is_behind(const struct journal *journal);

void batch_free(struct batch *batch);

#endif
