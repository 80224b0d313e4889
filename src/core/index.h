// SPDX-License-Identifier: MIT
// The subscription index: which sinks want this topic? One tree by topic level, shared by all
// workers.
//
//   node "hus" ── "soverom" ── "+" ── leaf(worker 0){3 subscriptions} → leaf(worker 2){1}
//                                 └── share "gruppe" {members of any worker}
//
// Readers (index_match) never lock and never wait: they walk atomics and see each change whole or
// not at all. Writers take one lock. What is unlinked is freed through the epoch, leaves and
// members twice over: one may still be named in a post that a publisher sent before its last
// quiescent state, and its worker reads all such posts in the turn between the two retirements. So
// a worker must empty its inbox once between any two of its quiescent states. A leaf's set of
// subscriptions is touched by its own worker alone, so delivering takes no lock either.
// '+' and '#' are pointers of their node, other children are found in one hash table for all edges
// (parent, level), keyed by SipHash, in shards so that growing one stays short. Adding a million
// subscriptions to one filter, or a million children to one node, is linear. An attacker controls
// depth and fan-out: the callers' limits on levels and subscriptions cap both.
#ifndef BUD_CORE_INDEX_H
#define BUD_CORE_INDEX_H

#include "base/epoch.h"
#include "base/hash.h"
#include "proto/packet.h"

struct index;
struct leaf;
struct share_group;
struct principal;
struct session;

// One subscription of one session. Memory is the session's; the index fills in the second half.
struct subscription {
    struct session *session;
    uint32_t identifier; // Subscription Identifier, 0 none
    struct subscription_options options;
    // What the retained replay of this subscription covers: messages with a sequence up to here are
    // not delivered live as well (see retained.h); 0 without a replay.
    uint64_t replay_sequence;
    uint64_t filter_hash; // the session's key for it
    // The index's own:
    uint32_t position;           // in the leaf's array
    struct leaf *leaf;           // NULL when shared
    struct share_member *member; // NULL when not shared
};

// The subscriptions that one worker's sessions have at one node.
struct leaf {
    union {
        struct subscription *single; // while linked
        struct retired retired;      // after
    };
    struct index *index;
    struct topic_node *node;
    _Atomic(struct leaf *) next; // the next worker's at the same node
    uint32_t worker;
    uint32_t count;
    uint32_t capacity;
    struct subscription **subscriptions; // = &single while capacity is 1
};

// One member of a shared subscription. Outlives its subscription as a leaf does (a post may name
// it): `subscription` is NULL from then on, and only the member's worker reads or writes that
// field.
struct share_member {
    struct retired retired;
    struct epoch *epoch;
    struct share_group *group; // referenced
    struct subscription *subscription;
    uint32_t worker;
    uint32_t position;           // in the group's array; guarded by the group's lock
    struct principal *principal; // who it is, referenced; guarded likewise. NULL: not known yet
    _Atomic uint32_t in_flight;  // messages given to it and not done with
    _Atomic uint32_t references; // one of the index until nobody can find it any more
};

// What a topic hits: leaves and groups, in no order. Reused from publish to publish.
struct hits {
    struct leaf **leaves;
    uint32_t leaf_count, leaf_capacity;
    struct share_group **groups;
    uint32_t group_count, group_capacity;
    struct topic_node **frontier; // index_match's scratch
    uint32_t frontier_capacity;
    uint64_t visited_count; // nodes that the last match looked at
};

struct index *index_new(struct epoch *epoch, struct hash_key key); // never NULL; start-up only
void index_free(struct index *index); // after epoch_drain-like quiet: no readers, no subscriptions

// Adds `subscription` at `filter` (valid; without `$share/group/`). `group` empty: an ordinary
// subscription. Called by the worker that owns subscription->session. False without memory; nothing
// is changed then.
bool index_try_add(struct index *index, uint32_t worker, struct bytes filter, struct bytes group,
                   struct subscription *subscription);

// Takes it out again (same worker). The subscription's memory may go at once.
void index_remove(struct index *index, struct subscription *subscription);

// The filter text of a subscription that is in the index, without `$share/group/`; returns its
// size, writes at most `size_max`. Walks the parents: no text is kept for each subscription.
size_t index_filter_of(const struct subscription *subscription, uint8_t *text, size_t size_max);
struct bytes index_group_of(const struct subscription *subscription); // empty when not shared

// Fills `hits` with every leaf and group whose filter matches `topic` (a valid topic name). A first
// level that starts with '$' is not matched by wildcards [MQTT-4.7.2-1]. The caller is an online
// epoch worker; leaves and groups stay valid until its next quiescent state. Iterative; visits at
// most the nodes that exist. False without memory (hits may then be incomplete).
bool index_match(struct index *index, struct bytes topic, struct hits *hits);
void hits_done(struct hits *hits);

// A new member counts as offline, and as nobody, until its worker says otherwise.
void share_set_online(struct share_member *member, bool online);
void share_set_principal(struct share_member *member, struct principal *principal); // refers to it

struct share_choice {
    const struct share_member *except; // never this one; NULL: no exception
    bool online_only;                  // an offline one is not chosen
    uint8_t qos;                       // of the message: QoS 0 is only roughly counted
    // May it be given to this one? NULL: to anybody.
    bool (*may_be_given)(void *context, const struct principal *principal);
    void *context;
};

// Chooses a member of `group`: online before offline, fewest in flight first, ties in turn. Looks
// at no more than 64 online and 64 offline candidates, from a moving start, so that a large group
// costs no more than a small one; who may not be given it is passed over, 1024 of them at most. The
// chosen member's in_flight has been increased. NULL: nobody.
struct share_member *share_pick(struct share_group *group, const struct share_choice *choice);

// Who must give in_flight back later (a message under way to the member's session) keeps a
// reference, and with it the group, which may be asked for another member even after its last one
// left: the session may unsubscribe in between.
struct share_member *share_member_ref(struct share_member *member);
void share_member_unref(struct share_member *member);

// What names a group in the store (struct spread): the same in every run, and no session's number.
uint64_t share_group_id(const struct share_group *group);

// For $SYS: how many there are now. Shared subscriptions are counted apart from the others.
uint64_t index_subscription_count(struct index *index);
uint64_t index_shared_count(struct index *index);
uint64_t index_node_count(struct index *index);

#endif
