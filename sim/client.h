// SPDX-License-Identifier: MIT
// One scripted client: it keeps the protocol as a good client does (its own session, resume,
// acknowledgements late but in order), tells the oracle what it does and sees, and checks itself
// what only it can see: windows, packet identifiers, duplicates, aliases.
#ifndef BUD_SIM_CLIENT_H
#define BUD_SIM_CLIENT_H

#include "sim/oracle.h"
#include "sim/peer.h"

#define OUTGOING_MAX 256
#define ACKS_MAX 512
#define REQUESTS_MAX 64
#define SENDS_MAX 1024
#define ALIASES_MAX 32

// A message sent at QoS 1 or 2 and not acknowledged.
struct outgoing {
    uint32_t number;
    uint16_t packet_id;
    bool released; // PUBREC came
};

// What came at QoS 1 or 2 and is not done with on our side.
struct incoming {
    uint32_t number; // of the message, 0 unknown
    uint16_t packet_id;
    uint8_t qos;
    uint32_t link;  // that it came on last
    bool recorded;  // QoS 2: PUBREC sent
    bool delivered; // QoS 2: given to the application
};

struct late_ack {
    int64_t due_ms;
    uint8_t type;
    uint16_t packet_id;
};

struct request {
    uint16_t packet_id;
    bool unsubscribes;
    uint8_t filter;
    uint32_t subscription;
    uint64_t asked;
};

struct send_mark {
    uint32_t number;
    uint64_t end; // of the packet, in the stream
};

// A connection, until the broker has closed it as well.
struct link {
    struct link *next;
    struct peer peer;
    uint32_t number; // the oracle's
    uint64_t connect_end, goodbye_end;
    uint32_t send_count, noted_count; // those whose reading by the broker is noted
    struct send_mark sends[SENDS_MAX];
};

enum client_state { CLIENT_OFFLINE, CLIENT_CONNECTING, CLIENT_ONLINE };

struct client {
    struct oracle *oracle;
    const struct client_setup *setup;
    uint8_t number;
    bool hurries; // acknowledges at once
    enum client_state state;
    struct link *link; // the present one
    struct link *old;  // whose end is not known yet
    int64_t since_ms;  // of CONNECT
    int64_t sent_ms;   // last packet
    uint32_t keep_alive_ms;
    uint32_t expiry_s;
    bool unanswered, clean_unanswered; // a CONNECT since the last CONNACK
    uint32_t least_expiry_s;           // of all connections since then
    int64_t stalled_until_ms, mute_until_ms;
    uint16_t next_packet_id;
    // The session.
    struct outgoing outgoing[OUTGOING_MAX];
    uint32_t outgoing_count;
    struct incoming incoming[OUTGOING_MAX];
    uint32_t incoming_count;
    // The connection.
    uint32_t window_used; // QoS 1 and 2 messages of this connection that are not done with
    struct late_ack acks[ACKS_MAX];
    uint32_t ack_count;
    struct request requests[REQUESTS_MAX];
    uint32_t request_count;
    char aliases[ALIASES_MAX][16];     // the broker's
    uint16_t alias_maximum;            // of ours
    uint8_t alias_topics[ALIASES_MAX]; // what each stands for now: topic + 1, 0 nothing
};

void client_init(struct client *client, struct oracle *oracle, uint8_t number);
void client_done(struct client *client);

void client_act(struct client *client, const struct action *action); // what it cannot do is skipped
bool client_poll(struct client *client); // reads, answers; false: nothing happened
int64_t client_next_ms(const struct client *client);

// The connection that the broker closed or the script breaks is put aside until both ends are done.
void client_hang_up(struct client *client, enum break_kind how);
bool client_is_done(const struct client *client); // owes nothing and is owed nothing that it knows

#endif
