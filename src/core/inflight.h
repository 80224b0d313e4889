// SPDX-License-Identifier: MIT
// Messages sent to a client at QoS 1 or 2 and not yet done with, by packet identifier. It belongs
// to the session and survives the connection. The state machine of an outgoing message:
//
//          send                PUBACK, or PUBREC with an error
//   FREE ───────► PUBLISHED ─────────────────────────────────► FREE
//                     │ PUBREC                                  ▲
//                     └────────► RELEASED ──────────────────────┘
//                                           PUBCOMP
//
// RELEASED needs no message any more: PUBREL carries the identifier alone, so the message is let go
// at PUBREC. Identifiers are given in turn; a table position is the identifier's low bits, so
// looking up is one access.
#ifndef BUD_CORE_INFLIGHT_H
#define BUD_CORE_INFLIGHT_H

#include "core/queue.h"

enum inflight_state { INFLIGHT_FREE, INFLIGHT_PUBLISHED, INFLIGHT_RELEASED };

struct inflight_slot {
    struct delivery delivery; // message NULL once RELEASED
    uint32_t order;           // of sending, wrapping: the order of resending [MQTT-4.6.0-1]
    uint16_t packet_id;
    uint8_t state;    // enum inflight_state
    bool holds_quota; // its PUBLISH went out on this connection: it occupies the client's Receive
                      // Maximum
    bool sent;        // went out at least once: the next time is a duplicate
};

struct inflight {
    struct inflight_slot *slots;
    uint32_t capacity; // a power of two, 0 while nothing was ever sent
    uint32_t count;
    uint32_t quota_used;
    uint32_t next_order;
    uint64_t bytes;
    uint16_t last_packet_id;
    uint16_t *resend; // packet identifiers still to be sent again on this connection, NULL none
    uint32_t resend_next, resend_count;
};

// Takes the delivery over as PUBLISHED with a fresh packet identifier [MQTT-2.2.1-4]. NULL without
// memory or with all in use; the caller keeps it then. Slots move when this is called: hold no
// pointer across.
struct inflight_slot *inflight_try_add(struct inflight *inflight, struct delivery delivery);

// At start: a delivery that was in flight under this identifier; RELEASED if it has no message.
// False without memory, or if the identifier is taken.
bool inflight_try_restore(struct inflight *inflight, struct delivery delivery, uint16_t packet_id);

struct inflight_slot *inflight_find(struct inflight *inflight,
                                    uint16_t packet_id); // NULL: not in use

// PUBREC: gives the delivery back to the caller, who lets it go, and remembers the identifier as
// RELEASED.
struct delivery inflight_release(struct inflight *inflight, struct inflight_slot *slot);

// Done: the slot is free; returns its delivery (message NULL if it was RELEASED).
struct delivery inflight_remove(struct inflight *inflight, struct inflight_slot *slot);

// A new connection: no slot holds quota, and every one in use is to be sent again, in order of
// first sending [MQTT-4.4.0-1]. False without memory for that list; nothing is changed then.
bool inflight_try_resume(struct inflight *inflight);

// The next slot to send again, or NULL when none is left. Slots that were done with meanwhile are
// passed over.
struct inflight_slot *inflight_next_resend(struct inflight *inflight);
void inflight_resent(struct inflight *inflight); // that one went out

void inflight_done(struct inflight *inflight); // frees the table; must be empty

#endif
