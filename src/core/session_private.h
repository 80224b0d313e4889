// SPDX-License-Identifier: MIT
// Between session.c, session_outgoing.c and session_replay.c only.
#ifndef BUD_CORE_SESSION_PRIVATE_H
#define BUD_CORE_SESSION_PRIVATE_H

#include "core/session.h"
#include "proto/topic.h"

// What a subscription weighs in the budget: itself, its place in the session's map and its node and
// leaf in the index.
#define SUBSCRIPTION_COST (sizeof(struct subscription) + sizeof(struct leaf) + 160)

// Lets a delivery go and reports it as dropped.
void outgoing_drop(struct session *session, struct delivery *delivery, enum counter cause);

// Lets a delivery go: it was delivered, or somebody else has it.
void outgoing_finish(struct session *session, struct delivery *delivery);

// A delivery left a queue: the counters and the store are told.
void outgoing_forget(struct session *session, const struct delivery *delivery);

// Gives a delivery of a shared subscription to another member, also in the store. False: not
// shared, or nobody is there.
bool outgoing_hand_over(struct session *session, struct delivery *delivery, bool online_only);

// And lets it go.
bool outgoing_pass_on(struct session *session, struct delivery *delivery, bool online_only);

// The rules are others for this session now: nothing counts as checked.
void outgoing_check_anew(struct session *session);

// What waits in the store alone is gone, for this cause: so many deliveries at most.
void outgoing_end_waiting(struct session *session, uint64_t count, enum counter cause);

// Back to the end of the lasting queue.
void outgoing_requeue(struct session *session, struct delivery delivery);

// The store forgets the session and all that hangs on it.
void session_end_storage(struct session *session);

void shares_set_online(struct session *session, bool online);

bool replay_try_start(struct session *session, struct subscription *subscription,
                      struct bytes filter, bool is_new);
void replay_cancel(struct session *session, const struct subscription *subscription);

// The next retained message owed to the client, as a delivery that owns its references. False: none
// now.
bool replay_next(struct session *session, int64_t now_ms, bool window_open,
                 struct delivery *ret_delivery, bool *ret_again);

#endif
