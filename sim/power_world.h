// SPDX-License-Identifier: MIT
// The world that the power is cut in: a real broker with its store on a disk in memory, and clients
// that keep the protocol over crashes. `struct power_state` is all that the far side knows (what it
// sent, what it was acknowledged, what it got): it is copied at a cut, and a new world begins with
// the copy. What a client has read had left the broker; nothing else counts.
#ifndef BUD_SIM_POWER_WORLD_H
#define BUD_SIM_POWER_WORLD_H

#include "sim/broker.h"
#include "sim/peer.h"
#include "store/disk_fault.h"

#define POWER_CLIENTS 10
#define POWER_MESSAGES 2048
#define POWER_TOPICS 6 // each has one publisher
#define POWER_SUBSCRIPTIONS 16
#define POWER_OUTGOING 16
#define POWER_INCOMING 256
#define POWER_FILTERS (POWER_TOPICS + 3)
#define POWER_FILTER_WILLS (POWER_TOPICS + 0)
#define POWER_FILTER_SHARED (POWER_TOPICS + 1)
#define POWER_FILTER_ALL (POWER_TOPICS + 2)
#define POWER_TOPIC_WILL POWER_TOPICS

struct power_workload {
    const char *name;
    uint32_t workers, publishers, subscribers, wills;
    uint8_t qos_min, qos_max;
    uint32_t steps, burst; // how much happens, messages at once at most
    uint32_t payload_max;
    // How often, of the sum of all.
    uint32_t publishes, connects, drops, goodbyes, subscribes, unsubscribes, cleans;
    bool retains, shares, stays_offline;
    bool expires;     // some sessions have a short life, some wills wait for a while
    uint32_t wait_ms; // how much time passes at once, now and then
    uint16_t receive_maximum;
};

// Moments are positions in one order of everything; 0: not yet.
struct power_message {
    uint8_t publisher, topic, qos;
    bool retain, empty, is_will;
    bool owed;      // a will that must be published
    bool forgotten; // or must not
    uint32_t size, sent, acked;
    uint32_t sent_again; // the last time
};

struct power_subscription {
    uint8_t filter, qos;
    uint16_t packet_id; // of what is not answered
    uint32_t asked, acked, gone_asked, gone_acked;
};

struct power_outgoing {
    uint16_t number, packet_id;
    uint8_t qos;
    bool released;
};

// A client's session, as the client sees it.
struct power_session {
    bool acknowledged;      // by a CONNACK: it must be there
    bool uncertain;         // it may have ended
    bool ended;             // the client ended it, and knows nothing of it any more
    bool over;              // and the broker said that it is
    bool asked;             // a CONNECT has not been answered: it may have begun another
    int64_t offline_ms;     // on the wall clock, since when; 0: it is not
    bool cleans;            // a CONNECT with Clean Start has not been answered
    uint16_t will;          // of the connection, 0 none
    bool will_acknowledged; // by its CONNACK
    uint16_t dropped_will;  // of the last connection, which ended without a goodbye
    uint16_t next_packet_id;
    struct power_outgoing outgoing[POWER_OUTGOING];
    uint32_t outgoing_count;
    uint16_t incoming[POWER_INCOMING]; // QoS 2 identifiers between PUBLISH and PUBREL
    uint32_t incoming_count;
    struct power_subscription subscriptions[POWER_SUBSCRIPTIONS];
    uint32_t subscription_count;
    uint8_t received[POWER_MESSAGES]; // live ones, without repetitions
};

struct power_state {
    uint32_t order, message_count; // numbers begin with 1
    struct power_message messages[POWER_MESSAGES];
    struct power_session sessions[POWER_CLIENTS];
    uint8_t group_received[POWER_MESSAGES]; // by all members of the group, whatever became of them
    bool member_ended;                      // a session of one did
};

struct power_ack {
    uint8_t type;
    uint16_t packet_id;
};

struct power_link {
    struct peer peer;
    bool calls, open; // CONNECT sent; CONNACK came
    bool leaves;      // DISCONNECT sent
    struct power_ack acks[POWER_INCOMING];
    uint32_t ack_count;
};

struct power_world {
    const struct power_workload *workload;
    struct power_state state;
    struct broker broker;
    struct options options;
    struct power_link links[POWER_CLIENTS];
    bool hurries; // clients acknowledge at once
    bool failed, verbose;
    char words[256]; // of the first violation
};

extern const struct power_workload power_workloads[];
extern const uint32_t power_workload_count;

void power_fail(struct power_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// --- power_world.c: the broker on this disk. False: it does not start (and the world has failed).
bool power_start(struct power_world *world, struct disk_fault *disk, const char *directory);
void power_stop(struct power_world *world);
void power_turns(struct power_world *world, uint32_t count); // at most so many, in any order
void power_settle(struct power_world *world);
void power_wait(struct power_world *world, int64_t span_ms); // settles, and lets time pass

// --- power_client.c: clients. Those of the wills come last. ---
uint32_t power_clients(const struct power_workload *workload);
bool power_is_publisher(const struct power_workload *workload, uint32_t client);
bool power_has_will(const struct power_workload *workload, uint32_t client);
uint32_t power_expiry_s(const struct power_workload *workload, uint32_t client);
uint32_t power_will_delay_s(const struct power_workload *workload, uint32_t client);
void power_connect(struct power_world *world, uint32_t client, bool clean);
void power_drop(struct power_world *world, uint32_t client); // the connection is gone
void power_left(struct power_world *world, uint32_t client); // or was ended by the broker
void power_went_offline(struct power_world *world,
                        uint32_t client); // so its session counts from now
void power_goodbye(struct power_world *world, uint32_t client, bool ends_session);
void power_publish(struct power_world *world, uint32_t client, uint8_t topic, uint8_t qos);
void power_subscribe(struct power_world *world, uint32_t client, uint8_t filter, uint8_t qos);
void power_unsubscribe(struct power_world *world, uint32_t client, uint32_t subscription);
bool power_read(struct power_world *world); // whatever has come to any; false: nothing

// --- power_receive.c ---
void power_send_outgoing(struct power_world *world, uint32_t client,
                         const struct power_outgoing *outgoing, bool dup);
bool power_receive(struct power_world *world, uint32_t client);
// An offline session of a short life: 0 it is there, 1 nobody can tell, 2 it has ended.
int power_expiry_of(const struct power_world *world, uint32_t client);
size_t power_payload(uint32_t number, uint32_t size, uint8_t *payload); // of a message
uint32_t power_message_number(struct power_world *world, const struct packet_publish *publish);
const char *power_topic(uint8_t topic);
const char *power_filter(uint8_t filter);
bool power_matches(uint8_t filter, uint8_t topic);

// --- power_judge.c: the world after a cut. Starts the broker, brings everybody back, judges.
void power_judge(struct power_world *world, struct disk_fault *disk, const char *directory);
// It only starts, and those who do come back come back. False: it does not start.
bool power_recover(struct power_world *world, struct disk_fault *disk, const char *directory);

#endif
