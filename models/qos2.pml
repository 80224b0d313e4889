// SPDX-License-Identifier: MIT
// QoS 2 from a publisher through the broker to a subscriber, with sessions that are resumed, links
// that break and parties that crash. The steps carry the names of packets and of the code's
// functions (src/core/session.c, session_outgoing.c, inflight.c, src/server/connection_packets.c).
//
// Each of the three parties works in memory. What it sends is held back until `commit` has made its
// memory durable; a crash puts its memory back to what was durable and loses what was held. A link
// breaks at any moment and loses whatever was on it, as often as it likes, until the faults stop.
//
// True in every reachable state: a message reaches the application at most once and in order, and
// no packet meets an identifier that stands for another message. True at the end, which every run
// reaches once the faults have stopped: every message was delivered, and no table holds anything.
//
// models/check searches it, and again with each MISTAKE_... below, which it must find.

#ifndef MESSAGES
#define MESSAGES 4 // more than identifiers, so that one is used again
#endif
#define IDS 3
#define RECEIVE_MAXIMUM 2
#ifndef CRASHES
#define CRASHES 2 // of any party; links break without a limit
#endif

// A packet has its identifier and, for the checks alone, the number of the message it is about.
mtype = { PUBLISH, PUBREC, PUBREL, PUBCOMP };

// As enum inflight_state; the publishing client has the same states.
#define FREE 0
#define PUBLISHED 1
#define RELEASED 2

// What is on a link, and what its sender still holds back. An identifier has one packet on its way
// at most, in one direction or the other, so IDS places are always enough.
chan publisher_held = [IDS] of { mtype, byte, byte };
chan publisher_to_broker = [IDS] of { mtype, byte, byte };
chan to_publisher_held = [IDS] of { mtype, byte, byte };
chan broker_to_publisher = [IDS] of { mtype, byte, byte };
chan to_subscriber_held = [IDS] of { mtype, byte, byte };
chan broker_to_subscriber = [IDS] of { mtype, byte, byte };
chan subscriber_held = [IDS] of { mtype, byte, byte };
chan subscriber_to_broker = [IDS] of { mtype, byte, byte };

bool publisher_connected, subscriber_connected, faults_stopped;
byte crashes;

// Work inside one step; no part of the state.
hidden mtype packet;
hidden byte packet_id, message, i, j;

// A party's memory, and beside it what of that is durable. Positions 1 to IDS are identifiers.
// The publishing client: its slots, and how many messages have begun.
byte publisher_state[IDS + 1], publisher_state_disk[IDS + 1]; // FREE, PUBLISHED, RELEASED
byte publisher_message[IDS + 1], publisher_message_disk[IDS + 1];
byte published, published_disk;

// The broker, from the publisher: the message that an identifier stands for, 0 is not in the set.
byte incoming[IDS + 1], incoming_disk[IDS + 1];

// The broker, to the subscriber: the queue, and the slots of what was sent.
byte lasting[MESSAGES], lasting_disk[MESSAGES];
byte lasting_count, lasting_count_disk;
byte inflight_state[IDS + 1], inflight_state_disk[IDS + 1];
byte inflight_message[IDS + 1], inflight_message_disk[IDS + 1]; // kept on RELEASED, for checks
byte last_packet_id; // in memory alone: after a crash it begins anew

// The subscribing client: identifiers, and what the application got, messages 1 to `delivered`.
byte received[IDS + 1], received_disk[IDS + 1];
byte delivered, delivered_disk;

bool publisher_dirty, broker_dirty, subscriber_dirty; // changed since the last commit

#define COPY(to, from)                                                                             \
    for (i : 1 .. IDS) {                                                                           \
        to[i] = from[i];                                                                           \
    }

inline publisher_commit()
{
    COPY(publisher_state_disk, publisher_state);
    COPY(publisher_message_disk, publisher_message);
    published_disk = published;
    publisher_dirty = false
}

inline publisher_restart()
{
    COPY(publisher_state, publisher_state_disk);
    COPY(publisher_message, publisher_message_disk);
    published = published_disk;
    publisher_dirty = false
}

inline broker_commit()
{
#ifndef MISTAKE_MARKER_NOT_STORED
    COPY(incoming_disk, incoming);
#endif
    for (i : 0 .. MESSAGES - 1) {
        lasting_disk[i] = lasting[i];
    }
    lasting_count_disk = lasting_count;
    COPY(inflight_state_disk, inflight_state);
    COPY(inflight_message_disk, inflight_message);
    broker_dirty = false
}

inline broker_restart()
{
    COPY(incoming, incoming_disk);
    for (i : 0 .. MESSAGES - 1) {
        lasting[i] = lasting_disk[i];
    }
    lasting_count = lasting_count_disk;
    COPY(inflight_state, inflight_state_disk);
    COPY(inflight_message, inflight_message_disk);
    last_packet_id = 0;
    broker_dirty = false
}

inline subscriber_commit()
{
    COPY(received_disk, received);
    delivered_disk = delivered;
    subscriber_dirty = false
}

inline subscriber_restart()
{
    COPY(received, received_disk);
    delivered = delivered_disk;
    subscriber_dirty = false
}

inline receive(link)
{
    link ? packet, packet_id, message;
}

inline flush(held, link)
{
    do
    :: len(held) > 0 -> held ? packet, packet_id, message; link ! packet, packet_id, message
    :: else -> break
    od;
    skip // a d_step may not end in a loop
}

inline lose(link)
{
    do
    :: len(link) > 0 -> link ? packet, packet_id, message
    :: else -> break
    od;
    skip
}

#ifdef MISTAKE_NO_PUBREL_RESENT
#define PUBREL_RESENT false
#else
#define PUBREL_RESENT true
#endif

// What was sent and not settled on an earlier connection goes out again, in the order of its first
// sending, which here is the order of the messages' numbers: inflight_try_resume,
// inflight_next_resend.
#define RESEND(state, about, held)                                                                 \
    for (i : 1 .. MESSAGES) {                                                                      \
        for (j : 1 .. IDS) {                                                                       \
            if                                                                                     \
            :: about[j] == i && state[j] == PUBLISHED -> held ! PUBLISH, j, i                      \
            :: about[j] == i && state[j] == RELEASED && PUBREL_RESENT -> held ! PUBREL, j, i       \
            :: else                                                                                \
            fi                                                                                     \
        }                                                                                          \
    }

#define WINDOW_OPEN(state)                                                                         \
    ((state[1] != FREE) + (state[2] != FREE) + (state[3] != FREE) < RECEIVE_MAXIMUM)

// The next one in turn that is free: next_packet_id.
#define NEXT_PACKET_ID(state, last)                                                                \
    packet_id = last % IDS + 1;                                                                    \
    do                                                                                             \
    :: state[packet_id] == FREE -> break                                                           \
    :: else -> packet_id = packet_id % IDS + 1                                                     \
    od

// PUBREC of a message that is PUBLISHED under this identifier, or there is a mix-up.
#define RELEASE(state, about, held)                                                                \
    assert(state[packet_id] == PUBLISHED && about[packet_id] == message);                          \
    state[packet_id] = RELEASED;                                                                   \
    held ! PUBREL, packet_id, message

#define SETTLE(state, about)                                                                       \
    assert(state[packet_id] == RELEASED && about[packet_id] == message);                           \
    state[packet_id] = FREE;                                                                       \
    about[packet_id] = 0

// PUBREL: the identifier may be gone already, if the last PUBCOMP was lost.
#define INCOMING_END(set, held)                                                                    \
    assert(set[packet_id] == message || set[packet_id] == 0);                                      \
    set[packet_id] = 0;                                                                            \
    held ! PUBCOMP, packet_id, message

// ---- the publishing client ----

inline publish()
{
    NEXT_PACKET_ID(publisher_state, published);
    published++;
    publisher_state[packet_id] = PUBLISHED;
    publisher_message[packet_id] = published;
    publisher_held ! PUBLISH, packet_id, published
}

active proctype publishing_client()
{
end:
    do
    :: d_step { publisher_connected && published < MESSAGES && WINDOW_OPEN(publisher_state) ->
        publish();
        publisher_dirty = true }
    :: d_step { broker_to_publisher ? [PUBREC, _, _] ->
        receive(broker_to_publisher);
        RELEASE(publisher_state, publisher_message, publisher_held);
        publisher_dirty = true }
    :: d_step { broker_to_publisher ? [PUBCOMP, _, _] ->
        receive(broker_to_publisher);
        SETTLE(publisher_state, publisher_message);
        publisher_dirty = true }
    :: d_step { publisher_dirty || len(publisher_held) > 0 -> // commit
        publisher_commit();
        flush(publisher_held, publisher_to_broker) }
    :: d_step { !publisher_connected -> // CONNECT, answered with Session Present
        RESEND(publisher_state, publisher_message, publisher_held);
        publisher_connected = true }
    od
}

// ---- the broker ----

// on_publish: the identifier is noted and the message is fanned out in one step, one transaction.
inline on_publish()
{
    if
    :: incoming[packet_id] != 0 -> // a duplicate, of this very message
        assert(incoming[packet_id] == message)
    :: else ->
        incoming[packet_id] = message; // session_incoming_begin
        assert(lasting_count < MESSAGES);
        lasting[lasting_count] = message; // router_publish, session_deliver
        lasting_count++
    fi;
#ifdef MISTAKE_MARKER_DELETED_AT_PUBREC
    incoming[packet_id] = 0;
#endif
    to_publisher_held ! PUBREC, packet_id, message
}

// session_next: the first in the queue gets an identifier.
inline send_lasting()
{
    NEXT_PACKET_ID(inflight_state, last_packet_id);
    last_packet_id = packet_id;
    inflight_state[packet_id] = PUBLISHED; // inflight_try_add
    inflight_message[packet_id] = lasting[0];
    to_subscriber_held ! PUBLISH, packet_id, lasting[0];
    lasting_count--;
    for (i : 0 .. MESSAGES - 2) {
        lasting[i] = lasting[i + 1];
    }
    lasting[MESSAGES - 1] = 0
}

// A slot keeps its identifier over a reconnection. If it did not:
inline renumber()
{
#ifdef MISTAKE_NEW_IDENTIFIER_ON_RESEND
    for (j : 1 .. IDS) {
        if
        :: inflight_state[j] == PUBLISHED ->
            NEXT_PACKET_ID(inflight_state, last_packet_id);
            last_packet_id = packet_id;
            inflight_state[packet_id] = PUBLISHED;
            inflight_message[packet_id] = inflight_message[j];
            inflight_state[j] = FREE;
            inflight_message[j] = 0;
            break
        :: else
        fi
    }
#endif
    skip
}

active proctype the_broker()
{
end:
    do
    :: d_step { publisher_to_broker ? [PUBLISH, _, _] ->
        receive(publisher_to_broker);
        on_publish();
        broker_dirty = true }
    :: d_step { publisher_to_broker ? [PUBREL, _, _] -> // on_pubrel: session_incoming_end
        receive(publisher_to_broker);
        INCOMING_END(incoming, to_publisher_held);
        broker_dirty = true }
    :: d_step { subscriber_connected && lasting_count > 0 && WINDOW_OPEN(inflight_state) ->
        send_lasting();
        broker_dirty = true }
    :: d_step { subscriber_to_broker ? [PUBREC, _, _] -> // session_on_pubrec: inflight_release
        receive(subscriber_to_broker);
        RELEASE(inflight_state, inflight_message, to_subscriber_held);
        broker_dirty = true }
    :: d_step { subscriber_to_broker ? [PUBCOMP, _, _] -> // session_on_pubcomp: inflight_remove
        receive(subscriber_to_broker);
        SETTLE(inflight_state, inflight_message);
        broker_dirty = true }
    :: d_step { !subscriber_connected -> // session_try_attach
        renumber();
        RESEND(inflight_state, inflight_message, to_subscriber_held);
        subscriber_connected = true }
    :: d_step { broker_dirty || len(to_publisher_held) + len(to_subscriber_held) > 0 -> // commit
        broker_commit();
        flush(to_publisher_held, broker_to_publisher);
        flush(to_subscriber_held, broker_to_subscriber) }
#ifdef MISTAKE_SENT_BEFORE_COMMIT
    :: d_step { len(to_publisher_held) + len(to_subscriber_held) > 0 ->
        flush(to_publisher_held, broker_to_publisher);
        flush(to_subscriber_held, broker_to_subscriber) }
#endif
    od
}

// ---- the subscribing client ----

inline deliver()
{
    if
    :: received[packet_id] != 0 -> // a duplicate
        assert(received[packet_id] == message)
    :: else ->
        assert(message > delivered); // at most once
        assert(message == delivered + 1); // in order
        delivered = message;
        received[packet_id] = message
    fi;
    subscriber_held ! PUBREC, packet_id, message
}

active proctype subscribing_client()
{
end:
    do
    :: d_step { broker_to_subscriber ? [PUBLISH, _, _] ->
        receive(broker_to_subscriber);
        deliver();
        subscriber_dirty = true }
    :: d_step { broker_to_subscriber ? [PUBREL, _, _] ->
        receive(broker_to_subscriber);
        INCOMING_END(received, subscriber_held);
        subscriber_dirty = true }
    :: d_step { subscriber_dirty || len(subscriber_held) > 0 -> // commit
        subscriber_commit();
        flush(subscriber_held, subscriber_to_broker) }
    od
}

// ---- faults ----

inline break_publisher_link()
{
    publisher_connected = false;
    lose(publisher_held);
    lose(publisher_to_broker);
    lose(to_publisher_held);
    lose(broker_to_publisher)
}

inline break_subscriber_link()
{
    subscriber_connected = false;
    lose(subscriber_held);
    lose(subscriber_to_broker);
    lose(to_subscriber_held);
    lose(broker_to_subscriber)
}

#define MAY_CRASH (!faults_stopped && crashes < CRASHES)

active proctype faults()
{
end:
    do
#ifdef LIVELOCK // where links break for ever nobody has to get anywhere
    :: !faults_stopped && publisher_connected ->
progress_publisher_link:
        d_step { break_publisher_link() }
    :: !faults_stopped && subscriber_connected ->
progress_subscriber_link:
        d_step { break_subscriber_link() }
#else
    :: d_step { !faults_stopped && publisher_connected -> break_publisher_link() }
    :: d_step { !faults_stopped && subscriber_connected -> break_subscriber_link() }
#endif
    :: d_step { MAY_CRASH ->
        crashes++;
        break_publisher_link();
        publisher_restart() }
    :: d_step { MAY_CRASH ->
        crashes++;
        break_subscriber_link();
        subscriber_restart() }
    :: d_step { MAY_CRASH ->
        crashes++;
        break_publisher_link();
        break_subscriber_link();
        broker_restart() }
    :: d_step { !faults_stopped -> faults_stopped = true }
    od
}

// Nothing can happen any more; is all done?
active proctype drained()
{
    timeout -> d_step {
        assert(faults_stopped);
        assert(published == MESSAGES);
        assert(delivered == MESSAGES);
        for (i : 1 .. IDS) {
            assert(publisher_state[i] == FREE);
            assert(inflight_state[i] == FREE);
            assert(incoming[i] == 0 && received[i] == 0);
        }
        assert(lasting_count == 0)
    }
}
