// SPDX-License-Identifier: MIT
// A blocking MQTT client that its caller pulls: no thread, no callback, no global. Each call does
// what it says within a time; everything that arrives comes out of client_next, in order.
//
//     client_init(&client, transport, 5000);
//     status = client_connect(&client, &connect);
//     status = client_subscribe(&client, &subscribe);
//     while (client_ok(status = client_next(&client, -1, &event)))
//         if (event.type == CLIENT_MESSAGE) use(event.message.topic, event.message.payload);
//
// An acknowledgement is a promise here too: a message of QoS 1 or 2 is acknowledged when its caller
// comes back for the next one (or disconnects), not when it arrived.
// Not in here yet: keeping unacknowledged messages over a reconnection, topic aliases, AUTH.
// Not thread-safe. The server controls what arrives: sizes are bounded by packet_size_max, and what
// it may not send ends the connection with the reason.
#ifndef BUD_CLIENT_CLIENT_H
#define BUD_CLIENT_CLIENT_H

#include "base/buffer.h"
#include "client/transport.h"
#include "proto/engine.h"

#define CLIENT_WINDOW_MAX 64              // requests on their way at once
#define CLIENT_PACKET_SIZE_MAX 268435460u // what is accepted unless packet_size_max says less

// Who is to blame for an end: `error` is a negative errno when the world failed (or 0), `reason` is
// what the server said, or what it did wrong (BUD_SUCCESS when it said nothing). A connection that
// was closed without a word is -ECONNRESET, one with a word -ECONNRESET and its reason.
struct client_status {
    int error;
    enum bud_reason reason;
};

static inline bool client_ok(struct client_status status)
{
    return status.error == 0 && !bud_reason_is_error(status.reason);
}

enum client_event_type {
    CLIENT_NOTHING,    // the time is over
    CLIENT_MESSAGE,    // `message`; its views live until the next client_next or client_disconnect
    CLIENT_PUBLISHED,  // the server has taken over `packet_id`, or refused it: `reason`
    CLIENT_SUBSCRIBED, // `codes`: one for each filter of the request `packet_id`
    CLIENT_UNSUBSCRIBED, // the same; 3.x gives no codes
};

struct client_event {
    enum client_event_type type;
    uint16_t packet_id;
    enum bud_reason reason;
    struct bytes codes;
    struct packet_publish message;
};

struct client_request { // one packet identifier in use
    uint16_t packet_id;
    uint8_t awaits; // the enum packet_type of the answer; 0: free
};

// Initialised by client_init. Public to read: connack, reason_string.
struct client {
    uint32_t packet_size_max;      // the caller may lower it before client_connect
    struct packet_connack connack; // views are gone after client_connect; numbers stay
    char reason_string[128];       // the server's own words for its last refusal, or ""

    struct engine engine;
    struct client_transport transport;
    int timeout_ms;
    bool connected;
    bool stalled; // a PINGREQ is unanswered
    int64_t sent_ms, ping_sent_ms;
    int64_t ping_interval_ms; // 0: none
    struct buffer input, output;
    struct buffer held; // an older input that the caller's message still views
    bool message_out;   // the caller has a message that views `input`
    size_t input_taken;
    uint16_t packet_id_last;
    uint16_t publishes_max; // how many PUBLISH may be on their way
    struct client_request requests[CLIENT_WINDOW_MAX];
    struct packet_ack owed; // the acknowledgement of the message that the caller has now
    uint8_t owed_type;      // 0: none
    uint32_t *received;     // bit set of incoming QoS 2 identifiers; NULL until one came
};

// `timeout_ms` bounds each wait for the server to answer or to take bytes. The transport is owned
// from here on.
void client_init(struct client *client, struct client_transport transport, int timeout_ms);

// Sends CONNECT and waits for CONNACK. -ETIMEDOUT, -ECONNRESET, or the server's refusal in
// `reason`. Everything that CONNECT can say is in `connect`; it must not announce a Topic Alias
// Maximum or an Authentication Method.
struct client_status client_connect(struct client *client, const struct packet_connect *connect);

// Sends one message; for QoS 1 and 2 sets publish->packet_id, and CLIENT_PUBLISHED says later what
// became of it. -EAGAIN: the window is full, take an event first. Refused here, unsent: what the
// server said it would not take (QoS, retain, size).
struct client_status client_publish(struct client *client, struct packet_publish *publish);

// .filters as subscribe_write_filter / unsubscribe_write_filter make them; sets packet_id. -EAGAIN
// as above.
struct client_status client_subscribe(struct client *client, struct packet_subscribe *subscribe);
struct client_status client_unsubscribe(struct client *client,
                                        struct packet_unsubscribe *unsubscribe);

// The next event, waiting for it up to timeout_ms (-1: for ever). Keeps the connection alive
// meanwhile, so somebody has to be in here within the keep-alive time.
struct client_status client_next(struct client *client, int timeout_ms,
                                 struct client_event *ret_event);

// Messages published with QoS 1 or 2 that were not answered yet.
size_t client_unanswered(const struct client *client);

// The message that is out could not be dealt with after all: it is not acknowledged, so the server
// sends it again to the session's next connection. Only leaving makes sense after this.
void client_withhold(struct client *client);

// Acknowledges the message that is out, says DISCONNECT (reason: BUD_SUCCESS, or
// BUD_DISCONNECT_WITH_WILL), and closes. Nothing is waited for but the bytes to leave.
struct client_status client_disconnect(struct client *client, enum bud_reason reason);

// Frees all; without client_disconnect before, the server publishes the will.
void client_done(struct client *client);

#endif
