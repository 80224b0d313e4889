// SPDX-License-Identifier: MIT
// A session: what the broker knows of one client id, connected or not. Subscriptions, messages
// queued and in flight, packet identifiers received, the will. It lives on one worker (its home)
// and is touched by that thread alone. Nothing here writes a socket: what is to be sent is asked
// for by the connection (session_next) when there is room. An attacker controls how much is queued
// and subscribed: limits.h caps each, and what is dropped is reported through ports.
#ifndef BUD_CORE_SESSION_H
#define BUD_CORE_SESSION_H

#include "base/map.h"
#include "base/timer_wheel.h"
#include "core/inflight.h"
#include "core/packet_id_set.h"
#include "core/queue.h"
#include "core/retained.h"
#include "core/router.h"

#define SESSION_NEVER_EXPIRES UINT32_MAX

// How many QoS 1 and 2 messages of one stored session are in memory; the rest of its queue is on
// the disk alone.
#define SESSION_WINDOW 1000u

// The retained messages that a new subscription is owed, replayed as fast as the client reads.
struct replay {
    struct replay *next;
    struct retained_cursor cursor;
    const struct subscription *subscription;
    struct message *held; // found, but the window was closed
};

struct session {
    struct router *router;       // of its home worker
    uint64_t number;             // unique while the broker runs; never 0
    struct principal *principal; // who it belongs to; referenced
    struct bytes client_id;      // of the principal
    struct bytes user;           // likewise; empty: anonymous
    void *connection;            // opaque to the core; NULL while offline
    uint8_t version;             // of the present or last connection

    // Subscriptions, keyed by the hash of their whole filter text.
    struct map subscriptions;
    uint32_t shared_count;

    // Going out.
    struct queue fleeting; // QoS 0, only while connected
    struct queue lasting;  // QoS 1 and 2
    struct inflight inflight;
    struct replay *replays;
    struct delivery sending; // the QoS 0 message that session_next gave last
    uint32_t next_arrival;
    uint16_t receive_maximum; // the client's, and our own limit on top
    bool replay_turn;         // replay and queue alternate

    // Coming in.
    struct packet_id_set incoming;
    struct spread *spreads; // from before a crash, until the publication is repeated or released

    // The will: published when the connection ends uncleanly, see will.h.
    struct message *will;
    uint32_t will_expiry_interval; // seconds from its publication; UINT32_MAX none
    uint32_t will_delay_interval;  // seconds
    uint32_t expiry_interval;      // seconds after the connection ended; SESSION_NEVER_EXPIRES

    bool stored;          // the store has it, and is told what changes
    bool will_stored;     // likewise its will
    uint64_t will_number; // of the present or last will, for the store and for No Local
    bool only_for_will;   // not a session any more: came back from the store to publish its will
    uint64_t last_number; // of a delivery in the store
    // A long queue is in memory only as far as a window; the rest waits in the store and is read as
    // the client takes what is before it.
    uint64_t waiting_count, waiting_bytes;
    uint64_t waiting_payload; // as far as it is counted in QUEUED_BYTES: not what is from a restart
    uint64_t asked_count; // of those that waited when the store was asked, what it has not given
    uint64_t window_last; // number of the last delivery that is in memory
    bool is_reading;

    int64_t created_ms, detached_ms; // monotonic
    int64_t will_due_ms;             // while offline with a delayed will, else 0
    struct timer timer;              // will or expiry, whichever is first; the server's

    // Used by the router while it spreads one message.
    uint64_t touched_serial;
    uint32_t touched_position;
};

// Takes a reference to `principal`. NULL without memory.
struct session *session_try_new(struct router *router, uint64_t number,
                                struct principal *principal);

// The same user has come back, perhaps by another door: what waits is looked at anew before it is
// sent. The client id is the same one.
void session_set_principal(struct session *session, struct principal *principal);

// Tells the store of a new or changed session, if it is durable.
void session_keep(struct session *session);

// Drops subscriptions, queues and the will (unpublished), gives shared messages to other members,
// and frees. Must be detached.
void session_free(struct session *session);

struct bytes session_key(const void *session); // its client id, for a map

// A connection took the session over. `receive_maximum` is what may be in flight to this client at
// most. What was in flight goes out again first, in order. False without memory; nothing has
// changed then.
bool session_try_attach(struct session *session, void *connection, uint8_t version,
                        uint16_t receive_maximum);

// At start, from the store: what was there, without telling the store again or replaying retained
// messages. False without memory or beyond a limit. `packet_id` not 0: it was in flight; a delivery
// without message was RELEASED. The delivery is taken over in any case.
bool session_restore_subscription(struct session *session, struct bytes filter,
                                  struct subscription_options options, uint32_t identifier);
bool session_restore_delivery(struct session *session, struct delivery delivery,
                              uint16_t packet_id);

// The connection is gone: QoS 0 messages go, shared QoS 1 messages that another member can take are
// passed on.
void session_detach(struct session *session, int64_t now_ms);

// One filter of a SUBSCRIBE. Returns the granted QoS (0, 1, 2) or the reason it is refused with,
// for SUBACK.
enum bud_reason session_subscribe(struct session *session, struct bytes filter,
                                  struct subscription_options options, uint32_t identifier);

// BUD_SUCCESS or BUD_NO_SUBSCRIPTION_EXISTED.
enum bud_reason session_unsubscribe(struct session *session, struct bytes filter);

// Queues one message for the client. `delivery` owns its references and is taken over in every
// case; what cannot be queued is dropped and reported.
void session_deliver(struct session *session, struct delivery delivery);

// Deliveries read from the store, in order; each is taken over. Then read_done: `got` less than
// asked for means there are no more.
void session_take_read(struct session *session, struct delivery delivery);
void session_read_done(struct session *session, bool is_last);

// What to send next. PACKET_PUBLISH: `delivery` (borrowed until the next call on the session) with
// packet_id, dup. PACKET_PUBREL: packet_id alone. 0: nothing now.
struct session_outgoing {
    uint8_t type;
    bool dup;
    bool again; // with type 0: there may be more at once, the search was only cut short
    uint16_t packet_id;
    const struct delivery *delivery;
};

// Looks at the next thing to send and marks it as sent. After a QoS 0 PUBLISH call session_sent
// once it was encoded.
struct session_outgoing session_next(struct session *session, int64_t now_ms);
void session_sent(struct session *session);

// The message just given by session_next cannot be sent to this client at all (Maximum Packet
// Size): done with [MQTT-3.1.2-25].
void session_discard(struct session *session, uint16_t packet_id);

// Acknowledgements from the client. BUD_PACKET_IDENTIFIER_NOT_FOUND for an unknown identifier,
// BUD_PROTOCOL_ERROR for an acknowledgement of the wrong kind (PUBACK of a QoS 2 message).
// on_pubrec: BUD_SUCCESS means answer with PUBREL.
enum bud_reason session_on_puback(struct session *session, uint16_t packet_id);
enum bud_reason session_on_pubrec(struct session *session, uint16_t packet_id,
                                  enum bud_reason reason);
enum bud_reason session_on_pubcomp(struct session *session, uint16_t packet_id);

// Incoming QoS 2. begin: true if this identifier is new and was noted; *ret_duplicate tells a
// repetition; false and not duplicate: no memory.
bool session_incoming_begin(struct session *session, uint16_t packet_id, bool *ret_duplicate);
bool session_has_spread(const struct session *session, uint16_t packet_id);
struct spread *session_take_spread(struct session *session,
                                   uint16_t packet_id);                  // the caller's; NULL none
void session_put_spread(struct session *session, struct spread *spread); // back again
bool session_restore_spread(struct session *session, uint16_t packet_id,
                            uint64_t reached);                          // at start
bool session_incoming_end(struct session *session, uint16_t packet_id); // PUBREL; was it there?

// Will it outlive its connection?
static inline bool session_is_durable(const struct session *session)
{
    return session->expiry_interval > 0;
}

uint64_t session_queued_count(const struct session *session);

#endif
