// SPDX-License-Identifier: MIT
// One change that must survive a crash, on its way from a worker to the disk. A record owns a
// reference to its message and its `text`. Records of one worker reach the store in the order they
// were made.
#ifndef BUD_STORE_RECORD_H
#define BUD_STORE_RECORD_H

#include "core/message.h"
#include "core/queue.h"

enum record_kind {
    RECORD_NONE,                // cancelled: was taken back before it was written
    RECORD_SESSION_PUT,         // session, text = client id, text_more = user, numbers below
    RECORD_SESSION_REMOVE,      // session: and everything that hangs on it, its will too
    RECORD_SUBSCRIPTION_PUT,    // session, text = whole filter, options, identifier
    RECORD_SUBSCRIPTION_REMOVE, // session, text
    RECORD_DELIVERY_PUT,  // session, number, message, qos, retain, identifier, packet_id (not 0: it
                          // is in flight already), text = more identifiers (4 bytes each, host
                          // order)
    RECORD_DELIVERY_SENT, // session, number, packet_id: in flight, PUBLISHED
    RECORD_DELIVERY_RELEASED, // session, number, packet_id: RELEASED, the message is no longer
                              // needed
    RECORD_DELIVERY_REMOVE,   // session, number
    // A DELIVERY_PUT with `reached` notes whom the publication reached (message.h, struct spread):
    // one row (message->publisher, message->packet_id, reached), which goes with INCOMING_REMOVE of
    // (publisher, packet_id), with the publisher's SESSION_REMOVE, or with its WILL_REMOVE.
    RECORD_INCOMING_PUT,    // session, packet_id
    RECORD_INCOMING_REMOVE, // session, packet_id
    RECORD_RETAINED_PUT, // message (its sequence decides against other workers'); an empty payload
                         // removes
    // session = the will's own number, text = client id, text_more = user, message, numbers below
    RECORD_WILL_PUT,
    RECORD_WILL_REMOVE, // session = the will's own number
};

struct record {
    uint8_t kind; // enum record_kind
    uint8_t qos;
    bool retain;
    uint8_t version; // SESSION_PUT: enum mqtt_version
    uint16_t packet_id;
    uint32_t identifier; // Subscription Identifier
    struct subscription_options options;
    uint32_t expiry_interval; // SESSION_PUT: seconds; WILL_PUT: message expiry interval of the will
    uint32_t delay_interval;  // WILL_PUT
    uint32_t domain;          // SESSION_PUT, WILL_PUT: of the principal
    uint64_t session;         // its number
    uint64_t number;          // of the delivery, within the session, ascending
    uint64_t reached;         // DELIVERY_PUT: a session or a group; 0: is not noted
    int64_t detached_ms;      // SESSION_PUT: monotonic, when it went offline; 0: it is connected
    struct message *message;
    uint8_t *text; // heap block of text_size + text_more_size bytes, or NULL
    uint32_t text_size;
    uint32_t text_more_size;
};

void record_done(struct record *record); // lets message and text go

#endif
