// SPDX-License-Identifier: MIT
// The judge of a run: a small model of what the protocol promises, fed with what the clients sent
// and saw. It shares no code with the broker's core. Where the order of two events cannot be known
// from outside (a message under way while SUBSCRIBE is) both outcomes are allowed; everything else
// is a violation. "Order" is a count of events, which only says what happened before what.
#ifndef BUD_SIM_ORACLE_H
#define BUD_SIM_ORACLE_H

#include "sim/script.h"

#include "proto/packet.h"
#include "sim/machine.h"

#define MESSAGES_MAX 1024
#define SUBSCRIPTIONS_MAX 512
#define LINKS_MAX 512
#define SUSPENDS_MAX 64
#define NEVER UINT64_MAX

// One message somebody wanted to publish. Its number is in the payload.
struct oracle_message {
    uint8_t publisher, topic, qos;
    bool retain, empty, is_will, refused;
    uint32_t size, expiry_s;
    uint32_t sent_count;
    uint32_t sent_link; // last sent on this link
    uint64_t first_sent, last_sent;
    uint64_t accepted; // the broker had it for certain before this order; NEVER: unknown
    uint64_t settled;  // acknowledged: it is not sent again
    int64_t read_ms;   // last read by the broker; -1 unknown
    int64_t witnessed_ms;
    uint32_t witnessed_count;
};

// One SUBSCRIBE of one filter. It holds at most from `may_from` to `may_until`, and for certain
// from `must_from` to `must_until`.
struct oracle_subscription {
    uint8_t client, filter, qos;
    bool no_local, retain_as_published, replays;
    uint32_t identifier;
    uint32_t life; // of the client's session
    uint64_t may_from, may_until, must_from, must_until;
    uint64_t replay_order; // of its SUBSCRIBE
};

// One connection of one client, with what is known of it from both ends.
struct oracle_link {
    uint8_t client;
    bool clean_start, accepted, refused, session_present;
    uint32_t expiry_s, goodbye_expiry_s;
    uint16_t keep_alive_s;
    uint32_t will;    // number of its message, 0 none
    uint32_t delay_s; // of the will
    bool said_goodbye;
    uint8_t goodbye_reason;
    int64_t connect_read_ms, connack_ms, goodbye_read_ms, closed_ms; // -1: never
    int64_t last_read_ms;
    bool blocked; // its socket was full at the end
};

// What a client's session has received of a message.
struct oracle_receipt {
    uint16_t live_count, retained_count; // by the RETAIN flag
    uint16_t once_count;                 // of the live ones those that may come once only
};

struct oracle_session {
    uint32_t life;         // counts the sessions of this client
    uint64_t online_since; // order of the last CONNACK
    uint32_t link_count;   // connections of this life
    struct oracle_receipt receipts[MESSAGES_MAX];
    // Order: the last new message by publisher, topic, published and delivered QoS.
    uint32_t last[CLIENTS_MAX][TOPIC_COUNT][3][3];
};

struct suspend {
    int64_t from_ms, to_ms;
};

struct oracle {
    const struct setup *setup;
    bool verbose; // clients print what they do
    uint64_t order;
    bool failed;
    char words[512]; // of the first violation
    uint32_t message_count, subscription_count, link_count;
    struct oracle_message messages[MESSAGES_MAX]; // number 1 is the first
    struct oracle_subscription subscriptions[SUBSCRIPTIONS_MAX];
    struct oracle_link links[LINKS_MAX];
    struct oracle_session sessions[CLIENTS_MAX];
    struct suspend suspends[SUSPENDS_MAX];
    uint32_t suspend_count;
};

void oracle_init(struct oracle *oracle, const struct setup *setup);
void oracle_fail(struct oracle *oracle, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool oracle_matches(const char *filter, const char *topic);
bool oracle_is_shared(const char *filter);

// Fills `memory` (of the message's size) with the payload of this message.
void oracle_payload(const struct oracle_message *message, uint32_t number, uint8_t *memory);

// --- what clients do. Numbers are positions in the arrays above, messages' from 1. ---

bool oracle_has_room(const struct oracle *oracle); // for one more of everything
uint32_t oracle_new_message(struct oracle *oracle, const struct oracle_message *message);
void oracle_sent(struct oracle *oracle, uint32_t number, uint32_t link);
void oracle_acknowledged(struct oracle *oracle, uint32_t number, enum bud_reason reason);
uint32_t oracle_subscribing(struct oracle *oracle, const struct oracle_subscription *subscription);
void oracle_subscribed(struct oracle *oracle, uint32_t subscription, uint8_t code);
void oracle_unsubscribing(struct oracle *oracle, uint8_t client, uint8_t filter);
void oracle_unsubscribed(struct oracle *oracle, uint8_t client, uint8_t filter, uint64_t asked);
uint32_t oracle_connecting(struct oracle *oracle, const struct oracle_link *link);
void oracle_connected(struct oracle *oracle, uint32_t link, bool session_present);

// A PUBLISH that reached the application of `client`.
void oracle_received(struct oracle *oracle, uint8_t client, const struct packet_publish *publish,
                     struct bytes topic, const struct wire_times *times);

void oracle_suspended(struct oracle *oracle, int64_t from_ms, int64_t to_ms);

// --- the end: all faults are over, everything had its time, all connections are closed. ---

// `dropped`: how many messages the broker says it dropped, for any cause.
void oracle_judge(struct oracle *oracle, uint64_t dropped);

// The retained message that a new subscription was given for this topic, 0 none; before that.
void oracle_judge_retained(struct oracle *oracle, uint8_t topic, uint32_t number);

#endif
