// SPDX-License-Identifier: MIT
// What the pure core asks of the machine around it. The server fills it in for each worker; the
// simulator and tests their own. Nothing here may call back into the core.
#ifndef BUD_CORE_PORTS_H
#define BUD_CORE_PORTS_H

#include "core/counters.h"
#include "core/index.h"
#include "core/message.h"
#include "core/principal.h"

struct session;
struct delivery;

// A message of a shared subscription goes from one member to another: the delivery in the store
// that it was, which is removed together with noting the new one, so that it is there once at any
// moment. All 0: the store has none.
struct moved {
    uint64_t session, number;
};

// Who may read and write what. NULL functions allow everything but writing to `$SYS` and touching
// `$CONTROL`. It changes as a whole, while no worker runs.
struct access_port {
    void *context;
    uint32_t generation;       // another one with each change of the rules: see delivery.generation
    bool checks_retain_source; // a retained message is given out while its publisher may write it
    // May this principal receive a message on (or publish to) this topic now?
    bool (*may_read)(void *context, const struct principal *principal, struct bytes topic);
    bool (*may_write)(void *context, const struct principal *principal, struct bytes topic);
    // False: the user of this principal was removed. NULL: nobody was.
    bool (*is_known)(void *context, const struct principal *principal);
    // Is there anything that it might receive by this filter (without `$share/group/`)?
    bool (*may_subscribe)(void *context, const struct principal *principal, struct bytes filter);
};

// What must survive a crash is handed over in the turn that changes it; acknowledgements wait until
// it is on the disk (server/ journal.h). The broker keeps all of it in memory as well, so these
// calls only tell. All NULL: nothing is kept.
struct store_port {
    bool keeps; // the functions are there
    void *context;
    void (*session_put)(void *context, const struct session *session);
    void (*session_remove)(void *context, const struct session *session);
    void (*subscription_put)(void *context, const struct session *session, struct bytes filter,
                             const struct subscription *subscription);
    void (*subscription_remove)(void *context, const struct session *session, struct bytes filter);
    // `delivery` has its number; the store may set its mark.
    void (*delivery_put)(void *context, const struct session *session, struct delivery *delivery);
    void (*delivery_sent)(void *context, const struct session *session,
                          const struct delivery *delivery, uint16_t packet_id);
    void (*delivery_released)(void *context, const struct session *session,
                              const struct delivery *delivery, uint16_t packet_id);
    void (*delivery_remove)(void *context, const struct session *session,
                            const struct delivery *delivery); // delivered or dropped
    void (*moved_remove)(void *context, struct moved moved);
    void (*incoming_put)(void *context, const struct session *session, uint16_t packet_id);
    void (*incoming_remove)(void *context, const struct session *session, uint16_t packet_id);
    // The session has room for `count` more of the deliveries that only the store has, those with
    // numbers above `after`: they come by session_take_read, later.
    void (*deliveries_read)(void *context, const struct session *session, uint64_t after,
                            uint32_t count);
    void (*retained_put)(void *context, struct message *message); // empty payload: removed
    void (*will_put)(void *context, const struct session *session);
    // `published`: not before all that it was published to is on the disk.
    void (*will_remove)(void *context, const struct session *session, bool published);
};

struct ports {
    void *context;
    // The session is connected and has something to send: flush it at the end of the turn.
    void (*session_ready)(void *context, struct session *session);
    // Another worker's leaves want this message. Takes no reference: the callee does.
    void (*post)(void *context, uint32_t worker, struct message *message, struct leaf **leaves,
                 uint32_t count);
    // Another worker's session was chosen from a shared subscription. Who finds there that it
    // cannot be given the message gives it back: router_pass_on.
    void (*post_member)(void *context, uint32_t worker, struct message *message,
                        struct share_member *member, struct moved moved);
    // A message was not (or will not be) delivered to this session (NULL: to no member of a shared
    // subscription): say so. `cause` is a COUNTER_DROPPED_*, counted by the callee.
    void (*dropped)(void *context, const struct session *session, const struct message *message,
                    enum counter cause);
};

#endif
