// SPDX-License-Identifier: MIT
// A worker: one thread with its own loop, timers, connections and sessions. One turn reads
// everything, decides, commits, writes. Within a turn nobody's socket is written and nobody's
// connection is freed until the end; see worker_turn.
#ifndef BUD_SERVER_WORKER_H
#define BUD_SERVER_WORKER_H

#include "base/arena.h"
#include "base/map.h"
#include "base/timer_wheel.h"
#include "core/router.h"
#include "os/loop.h"
#include "server/connection.h"
#include "server/inbox.h"
#include "server/journal.h"
#include "server/server.h"

#define WORKER_INPUT_SIZE (128 * 1024)

// A PUBLISH as it was encoded last: a message to many clients is encoded once for each kind of
// client [see output].
struct encoded {
    struct message *message; // referenced while its encoding is kept; NULL: none
    bool with_properties;    // for 5.0
    uint8_t qos;
    bool retain;
    uint32_t identifier;   // Subscription Identifier
    uint32_t size;         // of the bytes below
    uint32_t packet_id_at; // where the packet identifier stands
    uint8_t bytes[CHUNK_SIZE];
};

struct fights;

struct worker {
    struct server *server;
    uint32_t number;
    struct loop *loop;
    struct timer_wheel *wheel;
    struct router router;
    struct journal journal;
    struct store_port store;
    struct connection *holding; // connections with held output, linked by next_holding
    uint64_t released;          // what waited for turns up to this one has gone out
    struct ports ports;
    struct counters counters;
    struct map sessions;   // by client id
    struct fights *fights; // for client ids
    struct inbox inbox;
    struct post_chain *outgoing;        // one chain for each worker
    struct connection_list pending;     // without an accepted CONNECT
    struct connection_list connections; // all others
    struct connection *dirty_first, *dirty_last;
    struct connection *again;  // to be read from whatever the loop says, linked by next_again
    struct connection *closed; // freed at the end of the turn, linked by next_dirty
    struct chunk_pool chunks;
    struct arena scratch;     // given back at the end of the turn
    uint32_t blocked_count;   // connections that wait for their socket to take more
    uint32_t handshake_steps; // of TLS, in this turn
    struct encoded encoded;
    uint8_t *input; // WORKER_INPUT_SIZE bytes that every read of this worker goes through
    int64_t now_ms; // of this turn
    _Atomic int64_t turned_ms; // the same for the watchdog's eyes
    int64_t checked_ms;        // memory and stalled clients, once a second
    int64_t stop_by_ms;        // 0: not stopping
    uint32_t quiet_count;      // other workers that have stopped reading
    bool said_goodbye;
    bool listening; // the listener is watched
    bool stopped;
    bool is_to_recheck;                // its connections, after a standstill
    bool is_to_stand;                  // still, at the end of the turn
    bool deaf;                         // has so much for the disk that nothing more is read for now
    bool was_short, publishers_paused; // memory, at the last check
    bool was_low;                      // disk space
    uint32_t short_checks;             // in a row that found memory beyond 85 %
    struct thread *thread;
};

int worker_new(struct server *server, uint32_t number, struct worker **ret_worker); // 0 or -errno
void worker_free(struct worker *worker);

// One turn: wait at most until something is due, then do everything there is. Returns false when
// the worker has stopped.
bool worker_turn(struct worker *worker);
void worker_run(void *worker); // turns until stopped; a thread's main

void worker_post(struct worker *worker, uint32_t to,
                 struct post *post); // leaves at the end of the turn
struct post *worker_try_post(struct worker *worker, uint32_t leaf_count);
void worker_stop(struct worker *worker);  // from any thread
void worker_stand(struct worker *worker); // from any thread: it comes to the server's standstill

// Sessions of this home.
struct session *worker_find_session(struct worker *worker, struct bytes client_id);
struct session *worker_try_new_session(struct worker *worker, struct principal *principal);
struct session *worker_try_restore_session(struct worker *worker, uint64_t number,
                                           struct principal *principal);
void worker_session_loaded(struct worker *worker,
                           struct session *session); // sets its timer, whatever is due
void worker_session_offline(struct worker *worker, struct session *session); // sets its timer
void worker_end_session(struct worker *worker, struct session *session);     // its will, then gone

#endif
