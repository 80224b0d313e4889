// SPDX-License-Identifier: MIT
// The members of one shared subscription, for the index alone; what others may do with a group is
// in index.h. The index calls all of this under its writers' lock, except where it says otherwise.
#ifndef BUD_CORE_SHARE_H
#define BUD_CORE_SHARE_H

#include "base/lock.h"
#include "core/index.h"

struct share_group {
    struct retired retired;
    struct topic_node *node; // its edge is the group's name, its parent the filter's node
    _Atomic(struct share_group *) next; // of the same filter
    struct share_group *previous;       // index's lock
    _Atomic uint32_t references;        // members, and one while readers can find it
    uint64_t id;                        // see share_group_id
    struct lock lock;                   // guards the rest; taken after the index's
    struct share_member **members;      // the online ones first
    uint32_t member_count, online_count, member_capacity;
    uint32_t online_turn, offline_turn; // where the next choice starts
};

// With one reference. `filter` and `name` are what the group is of.
struct share_group *share_group_try_new(struct topic_node *node, struct bytes filter,
                                        struct bytes name);

// Any thread.
struct share_group *share_group_ref(struct share_group *group);
void share_group_unref(struct share_group *group);

struct share_member *share_member_try_new(uint32_t worker, struct subscription *subscription);

// Makes `member`, which belongs to nobody yet, one of the group's. False without memory.
bool share_try_join(struct share_group *group, struct share_member *member);
uint32_t share_leave(struct share_member *member); // how many are left

#endif
