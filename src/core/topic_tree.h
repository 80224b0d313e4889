// SPDX-License-Identifier: MIT
// A tree of topic levels, the ground under the subscription index and the retained messages.
//
//   root ── "hus" ── "soverom" ── "+"          '+' and '#' are pointers of their parent,
//                         └────── "lys"        all other edges stand in one hash table
//
// An edge is found by the hash of (its parent's hash, level), so a node's hash is that of its whole
// path and no behaviour depends on an address: the same key gives the same tree in the same order.
// The table is cut into shards, so that growing one stays short. With an epoch, readers walk it
// without a lock while one writer at a time changes it; without one, every caller holds the owner's
// lock and what is unlinked is freed at once. A node is linked while it has a value, a child or a
// pin, and whoever takes the last of these away calls topic_tree_prune. Nothing here recurses.
// An attacker chooses levels, depth and fan-out; the hash's key is secret.
#ifndef BUD_CORE_TOPIC_TREE_H
#define BUD_CORE_TOPIC_TREE_H

#include "base/epoch.h"
#include "base/hash.h"
#include "proto/bytes.h"

#include <stdatomic.h>

#define TOPIC_TREE_SHARDS 64

// What leads from a node to its child. The two never meet, whatever their bytes are.
enum topic_edge { TOPIC_EDGE_LEVEL, TOPIC_EDGE_SHARE };

struct topic_node {
    union {
        struct { // linked; writers' lock
            struct topic_node *first_child, *next, *previous;
        };
        struct retired retired; // unlinked
    };
    struct topic_node *parent;         // NULL at the root; never changes
    _Atomic(void *) value;             // the owner's
    _Atomic(void *) shares;            // the index's: first share group
    _Atomic(struct topic_node *) plus; // child "+"
    _Atomic(struct topic_node *) rest; // child "#"
    uint64_t hash;                     // of the whole path
    uint32_t pins;                     // writers' lock
    uint16_t level_size;
    uint8_t edge; // enum topic_edge
    uint8_t level[];
};

struct topic_edges; // one shard's hash table

struct topic_tree {
    struct epoch *epoch; // NULL: no readers without the lock
    struct hash_key key;
    struct topic_node *root; // level, hash and pins are 0; never unlinked
    _Atomic uint64_t node_count;
    _Atomic(struct topic_edges *) shards[TOPIC_TREE_SHARDS]; // NULL while empty
};

void topic_tree_init(struct topic_tree *tree, struct epoch *epoch, struct hash_key key);
void topic_tree_done(struct topic_tree *tree); // only the root may be left

// Any thread that is online in the epoch, or holds the lock. NULL: there is none.
struct topic_node *topic_tree_child(const struct topic_tree *tree, const struct topic_node *parent,
                                    enum topic_edge edge, struct bytes level);

// As topic_tree_child with a level that is known not to be "+" or "#".
struct topic_node *topic_tree_literal(const struct topic_tree *tree,
                                      const struct topic_node *parent, struct bytes level);

// The node of exactly this path; '+' and '#' in it mean the nodes of that name.
struct topic_node *topic_tree_find(const struct topic_tree *tree, struct bytes path);

// Under the writers' lock: finds or makes. NULL without memory; nothing is changed then. A new node
// has no value: give it one (or a pin) before the lock is released, or prune it. `worker` is the
// caller's number in the epoch, here and below.
struct topic_node *topic_tree_try_make(struct topic_tree *tree, uint32_t worker, struct bytes path);
struct topic_node *topic_tree_try_make_child(struct topic_tree *tree, uint32_t worker,
                                             struct topic_node *parent, enum topic_edge edge,
                                             struct bytes level);

// Under the writers' lock: unlinks `node` and then its ancestors as far as nothing holds them.
void topic_tree_prune(struct topic_tree *tree, uint32_t worker, struct topic_node *node);

// Writes the node's path, at most `size_max` bytes of it, and returns its full size.
size_t topic_node_path(const struct topic_node *node, uint8_t *text, size_t size_max);

static inline struct bytes topic_node_level(const struct topic_node *node)
{
    return bytes_make(node->level, node->level_size);
}

#endif
