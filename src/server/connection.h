// SPDX-License-Identifier: MIT
// One network connection: bytes from the socket through the protocol engine to the session, and
// back. Owned by one worker; after CONNECT it moves once, to its session's home. The state machine:
//
//   ACCEPTED ──CONNECT──► OPEN ──────────────────────────► CLOSING ──written──► LINGERING ──end or
//   1 s──► CLOSED
//      │  └──AUTH exchange──► AUTHENTICATING ──► OPEN          ▲ ▲ │ └──────refused─────────┤ │
//      └──refused──────────────────────────────────────────────┘        socket failed, in any state
//      ────────┘
//
// A session is attached in OPEN and only there. CLOSING has a last packet to write; LINGERING has
// sent FIN and reads the rest away, so that the last packet is not lost to a reset. An attacker
// controls all bytes and their timing: before CONNECT it has connect_timeout in all, and a packet
// takes memory only as its bytes arrive.
#ifndef BUD_SERVER_CONNECTION_H
#define BUD_SERVER_CONNECTION_H

#include "base/buffer.h"
#include "base/timer_wheel.h"
#include "core/alias.h"
#include "core/session.h"
#include "os/net.h"
#include "proto/engine.h"
#include "server/output.h"
#include "transport/stream.h"

struct connection_login;
struct login_job;
struct worker;
struct listener;

enum connection_state {
    CONNECTION_ACCEPTED,
    CONNECTION_AUTHENTICATING,
    CONNECTION_OPEN,
    CONNECTION_CLOSING,
    CONNECTION_LINGERING,
    CONNECTION_CLOSED,
};

// Newest first.
struct connection_list {
    struct connection *first;
    uint32_t count;
};

struct connection {
    struct worker *worker;
    struct listener *listener;          // that it came by
    struct connection *next, *previous; // in a list of the worker's
    struct connection_list *list;
    struct connection *next_dirty; // to be flushed at the end of the turn
    struct connection *next_again; // its stream holds input: to be read from in the next turn
    struct session *session;       // in OPEN
    struct engine engine;
    int fd;
    struct stream *stream; // what is between the socket and the engine; NULL: nothing
    uint8_t state;         // enum connection_state
    bool undecided;        // what it speaks is not known yet: see connection_transport.c
    bool is_websocket, has_tls, has_proxy;
    bool is_served;           // an HTTP request, which was answered: no news
    struct buffer proxy_name; // of the certificate that a proxy has verified; empty: none
    uint32_t stream_memory;   // counted against the budget
    bool has_public_name;     // a page called us by one, and it was not named in websockets_origin
    bool address_is_hidden;   // whose it really is, somebody in between knows and we do not
    bool dirty;
    bool again;
    bool moving;        // its home is another worker: nothing more is done here
    bool wants_write;   // waits for the socket to take more
    bool failed;        // no memory for its output: to be dropped by the flush
    bool paused;        // not read from: memory is short
    bool is_waiting;    // neither read from nor handled: see connection_rate.h
    bool came_too_fast; // its CONNECT will be refused
    bool declined_problem_information;
    bool has_published;
    bool disconnected;      // a DISCONNECT came: no will
    enum bud_reason reason; // why it ends
    const char *why;        // the same in words, static; NULL: by the reason
    struct buffer partial;  // the part of a packet that came so far
    size_t partial_needed;  // its size as far as known
    struct bytes input;     // while a packet is handled: that packet and all that came after it
    struct output output;
    struct output *into; // where the next packet is encoded: `output`, or what waits for the disk
    struct held *held_first, *held_last;
    struct connection *next_holding, *previous_holding;
    bool holding;                 // in the worker's list of those
    uint64_t message_ticket;      // of the last message that waited for the disk
    bool replaced_stored;         // its CONNECT ended a session or a will that was in the store
    bool welcomed;                // CONNACK is in `output` or beyond: other packets may follow
    struct timer timer;           // connect timeout, keep-alive, linger
    struct connection_rate *rate; // NULL: no limits
    struct net_address peer;
    int64_t accepted_ms;
    int64_t received_ms;      // last
    int64_t progress_ms;      // output moved, or there was none
    uint32_t keep_alive_ms;   // 1.5 times; 0 none
    uint32_t packet_size_max; // what the client takes
    uint16_t alias_in_max, alias_out_max;
    struct alias_table *aliases_in, *aliases_out;
    char assigned_client_id[24]; // empty: the client brought one
    bool connack_sent;
    struct buffer connect_packet;   // kept while AUTH goes on
    struct login_job *login_job;    // in the login's threads
    struct connection_login *login; // how it came in; NULL: anonymously
    const struct auth_mechanism *mechanism;
    void *exchange; // of the mechanism
    uint64_t messages_received, messages_sent;
    uint16_t keep_alive_s; // as in CONNECT, for the log
};

// Takes over an accepted socket. NULL without memory; the socket is then still the caller's.
struct connection *connection_try_new(struct worker *worker, struct listener *listener, int fd,
                                      const struct net_address *peer);

void connection_on_readable(struct connection *connection);
void connection_on_writable(struct connection *connection);

// It comes from another worker, with a CONNECT (at least) in `partial`.
void connection_arrive(struct connection *connection, struct worker *worker);

// To be called at the end of the turn; makes connection_flush happen.
void connection_mark_dirty(struct connection *connection);
void connection_flush(struct connection *connection);

// Ends it with a reason of ours: tells the client what its version allows (CONNACK before,
// DISCONNECT after), detaches the session, writes what is left and closes. `why` is for the log,
// static text, NULL: the reason's own words.
void connection_end(struct connection *connection, enum bud_reason reason, const char *why);

// The socket is no more (or the client is not worth a goodbye): closes at once.
void connection_drop(struct connection *connection, enum bud_reason reason, const char *why);

void connection_free(struct connection *connection); // must be CLOSED

void connection_set_paused(struct connection *connection, bool paused);
void connection_set_waiting(struct connection *connection, bool is_waiting);
void connection_go_on(struct connection *connection); // it has waited long enough

// Somebody in between has told whose connection it is.
void connection_set_peer(struct connection *connection, const struct net_address *peer);

// For the parts of this module only.
void connection_become(struct connection *connection, enum connection_state state);
void connection_want_write(struct connection *connection, bool wants_write);
void connection_set_deaf(struct connection *connection);
void connection_linger(struct connection *connection);
bool connection_keep_input(struct connection *connection, struct bytes rest); // false: it is over
void connection_end_silently(struct connection *connection, enum bud_reason reason,
                             const char *why); // as connection_end, without a packet of MQTT
void connection_read_again(struct connection *connection); // in the next turn
void connection_bury(struct connection *connection); // CLOSED: to be freed once it is on no list
void connection_move_to(struct connection *connection, uint32_t home, struct bytes raw);

// connection_transport.c: what is between the socket and the engine. Reading and writing are as
// net_read and net_writev.
ssize_t connection_read(struct connection *connection, void *memory, size_t size);
ssize_t connection_write(struct connection *connection, const struct iovec *parts, int count);

// Looks at the first bytes. True: `*input` is MQTT from here on. False: more must come first (what
// there is was put aside), a stream was put on, or it is over.
bool connection_decide(struct connection *connection, struct bytes *input);

// In words, why reading gave -EPROTO.
const char *connection_stream_trouble(const struct connection *connection);
// Counts memory that a peer makes the connection need. False: there is none left.
bool connection_take_budget(struct connection *connection, size_t size);
// Counts what a further stream takes, and sees that there is one for it to stand on. False: no
// memory.
bool connection_has_room(struct connection *connection, uint32_t size);
void connection_free_stream(struct connection *connection);
void connection_shut(struct connection *connection); // nothing more will be written; a FIN follows
// False: enough handshakes went a step in this turn, and this connection waits for the next one.
bool connection_may_step(struct connection *connection);
const char *connection_transport_name(const struct connection *connection); // "tcp", "wss", ...
// What a stream holds back goes out. False: not all of it now, or the connection was dropped.
bool connection_flush_stream(struct connection *connection);

// connection_output.c: packets of ours. Each is queued and the connection marked dirty.
// False: it is larger than the client takes, and was not sent.
bool connection_send_connack(struct connection *connection, const struct packet_connack *connack);
void connection_send_ack(struct connection *connection, uint8_t type, uint16_t packet_id,
                         enum bud_reason reason);
void connection_send_suback(struct connection *connection, uint8_t type, uint16_t packet_id,
                            struct bytes codes);
void connection_send_disconnect(struct connection *connection, enum bud_reason reason);
void connection_send_auth(struct connection *connection, enum bud_reason reason, struct bytes data);
void connection_send_pingresp(struct connection *connection);

// connection_connect.c
void connection_on_connect(struct connection *connection, const struct packet_connect *connect,
                           struct bytes raw);
void connection_on_auth(struct connection *connection, const struct packet_auth *auth);

// When a connection without a session is closed: within connect_timeout, of which a fiftieth is for
// a worker that is late.
int64_t connection_connect_deadline(const struct connection *connection);

// Its principal is known but for the client id: gives it its session and says so. True: `source`'s
// rules were taken over (whatever comes then). False: it was refused.
bool connection_open_session(struct connection *connection, const struct packet_connect *connect,
                             struct principal_source *source, struct bytes auth_data);
void connection_refuse(struct connection *connection, const struct packet_connect *connect,
                       enum bud_reason reason, const char *why);

// Notes what the client can take; it holds for the refusal of this CONNECT too [MQTT-3.2.2-19].
void connection_note_limits(struct connection *connection, const struct packet_connect *connect);

// The rules have changed: who may no longer be here is sent away.
void connection_recheck(struct connection *connection);

// Ends the network side of the session: the will, the session's own end, the log line.
void connection_leave_session(struct connection *connection);

// connection_packets.c: a packet of an open connection. `storage` is the block that a large PUBLISH
// lies in, or NULL; a message that keeps it leaves an empty buffer behind.
void connection_on_packet(struct connection *connection, const struct packet *packet,
                          struct buffer *storage);

#endif
