// SPDX-License-Identifier: MIT
// What happens in a run, made from its seed: how the world is set up, and what the clients and the
// faults do when. Taking actions out of a script leaves a script, so a failing one can be
// shortened.
#ifndef BUD_SIM_SCRIPT_H
#define BUD_SIM_SCRIPT_H

#include "proto/bytes.h"

#define CLIENTS_MAX 8
#define ACTIONS_MAX 400
#define TOPIC_COUNT 8
#define FILTER_COUNT 14

extern const char *const script_topics[TOPIC_COUNT];
extern const char *const script_filters[FILTER_COUNT];

// A client keeps these for the whole run.
struct client_setup {
    uint8_t version;
    uint16_t receive_maximum; // 0: does not say
    uint16_t alias_maximum;
    uint32_t packet_size_max; // 0: does not say
    uint32_t ack_delay_ms;    // at most
};

struct setup {
    uint64_t seed;
    uint32_t worker_count, client_count; // client 0 is the witness: it subscribes to everything
    uint32_t delay_min_ms, delay_max_ms;
    uint32_t segment_bytes_max, socket_bytes_max;
    uint32_t in_flight_max, queue_messages_max, topic_alias_max; // of the broker
    uint32_t span_ms;                                            // of the script
    bool fails_memory;
    uint64_t failing_allocation; // this one after the witness came in; 0 none
    struct client_setup clients[CLIENTS_MAX];
};

enum action_kind {
    ACTION_CONNECT,
    ACTION_DISCONNECT,
    ACTION_BREAK,
    ACTION_SUBSCRIBE,
    ACTION_UNSUBSCRIBE,
    ACTION_PUBLISH,
    ACTION_STALL,        // reads nothing for a while
    ACTION_MUTE,         // says nothing for a while, not even PINGREQ
    ACTION_SLEEP,        // a worker gets no time for a while
    ACTION_FAIL_MEMORY,  // some allocations fail
    ACTION_FAIL_ACCEPTS, // no file descriptors for a while
    ACTION_SUSPEND,      // all clocks jump forward: the machine slept
    ACTION_WALL_CLOCK,   // the wall clock jumps
};

enum break_kind { BREAK_CLOSE, BREAK_RESET, BREAK_CUT };

struct action {
    uint32_t at_ms;  // since the start
    uint32_t number; // keeps the order of those of one moment
    enum action_kind kind;
    uint8_t client; // or worker
    uint8_t text;   // number of a topic or filter
    uint8_t qos;
    uint8_t how; // break_kind, reason of DISCONNECT, retain handling
    bool clean_start, retain, has_will, no_local, retain_as_published, empty;
    uint16_t keep_alive_s;   // CONNECT
    uint32_t expiry_s;       // of session or message; 0 none
    uint32_t delay_s;        // of the will
    uint32_t size;           // of the payload
    uint32_t span_ms, count; // of a fault
    uint32_t identifier;
};

struct script {
    struct setup setup;
    uint32_t count;
    struct action actions[ACTIONS_MAX]; // in order of time
};

void script_make(uint64_t seed, struct script *script);
void script_print(const struct script *script); // on standard output, a line an action

#endif
