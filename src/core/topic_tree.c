// SPDX-License-Identifier: MIT
// See topic_tree.h. A shard's table is open-addressing with linear probing; a slot holds a node's
// address with three bits of its hash in the low bits, which spare most looks at foreign nodes.
// Readers rely on this: a slot changes from free to a node once the node is complete (release), a
// removed node leaves a tombstone, and a tombstone becomes free only when the next slot is, that
// is, when no probe can need to pass it. A table that is too full or too empty is replaced whole.
#include "core/topic_tree.h"

#include "base/assert.h"
#include "base/memory.h"
#include "proto/topic.h"

#include <string.h>

#define SLOTS_MIN 8
#define SLOT_FREE ((uintptr_t)0)
#define SLOT_TOMBSTONE ((uintptr_t)1) // no address and some tag
#define SLOT_TAG ((uintptr_t)7)

struct topic_edges {
    struct retired retired;
    size_t slot_count;         // a power of two
    size_t live_count;         // writers' lock
    size_t tombstone_count;    // writers' lock
    _Atomic uintptr_t slots[]; // never all taken
};

// Shard, tag and slot come from bits of the hash that do not overlap.
static size_t shard_of(uint64_t hash)
{
    return (size_t)(hash >> 58);
}

static uintptr_t tag_of(uint64_t hash)
{
    return (uintptr_t)(hash >> 55) & SLOT_TAG;
}

static uintptr_t slot_of(const struct topic_node *node)
{
    ASSERT(((uintptr_t)node & SLOT_TAG) == 0);
    return (uintptr_t)node | tag_of(node->hash);
}

static struct topic_node *node_in(uintptr_t slot)
{
    return (struct topic_node *)(slot & ~SLOT_TAG);
}

static bool is_wildcard(struct bytes level, uint8_t wildcard)
{
    return level.size == 1 && level.data[0] == wildcard;
}

static uint64_t edge_hash(const struct topic_tree *tree, const struct topic_node *parent,
                          enum topic_edge edge, struct bytes level)
{
    return hash_bytes(tree->key, parent->hash + edge, level);
}

// ---- what is unlinked ----

static void free_node(struct retired *retired)
{
    memory_free((char *)retired - offsetof(struct topic_node, retired));
}

static void free_edges(struct retired *retired)
{
    memory_free((char *)retired - offsetof(struct topic_edges, retired));
}

static void retire(struct topic_tree *tree, uint32_t worker, struct retired *retired,
                   void (*release)(struct retired *))
{
    if (tree->epoch == NULL) {
        release(retired);
    } else {
        epoch_retire(tree->epoch, worker, retired, release);
    }
}

// ---- the tables ----

static struct topic_node *find_edge(const struct topic_tree *tree, const struct topic_node *parent,
                                    enum topic_edge edge, struct bytes level)
{
    uint64_t hash = edge_hash(tree, parent, edge, level);
    const struct topic_edges *edges =
        atomic_load_explicit(&tree->shards[shard_of(hash)], memory_order_acquire);
    if (edges == NULL) {
        return NULL;
    }
    uintptr_t tag = tag_of(hash);
    for (size_t index = (size_t)hash;; index++) {
        uintptr_t slot = atomic_load_explicit(&edges->slots[index & (edges->slot_count - 1)],
                                              memory_order_acquire);
        if (slot == SLOT_FREE) {
            return NULL;
        }
        const struct topic_node *node = node_in(slot);
        if ((slot & SLOT_TAG) == tag && node != NULL && node->hash == hash &&
            node->parent == parent && node->edge == edge &&
            bytes_equal(topic_node_level(node), level)) {
            return node_in(slot);
        }
    }
}

// Puts a node that is not in the table into the first slot that has none.
static void place(struct topic_edges *edges, const struct topic_node *node)
{
    size_t index = (size_t)node->hash & (edges->slot_count - 1);
    uintptr_t slot = atomic_load_explicit(&edges->slots[index], memory_order_relaxed);
    while (node_in(slot) != NULL) {
        index = (index + 1) & (edges->slot_count - 1);
        slot = atomic_load_explicit(&edges->slots[index], memory_order_relaxed);
    }
    edges->tombstone_count -= slot == SLOT_TOMBSTONE;
    edges->live_count++;
    atomic_store_explicit(&edges->slots[index], slot_of(node), memory_order_release);
}

// Half full at most, so that as many changes again pass before the next replacement.
static size_t slots_for(size_t live_count)
{
    size_t slot_count = SLOTS_MIN;
    while (slot_count < 2 * live_count) {
        slot_count *= 2;
    }
    return slot_count;
}

static struct topic_edges *try_replace(struct topic_tree *tree, uint32_t worker, size_t shard,
                                       size_t live_count)
{
    struct topic_edges *old = atomic_load_explicit(&tree->shards[shard], memory_order_relaxed);
    size_t slot_count = slots_for(live_count);
    struct topic_edges *edges = memory_try_new(sizeof *edges + slot_count * sizeof edges->slots[0]);
    if (edges == NULL) {
        return NULL;
    }
    edges->slot_count = slot_count;
    for (size_t index = 0; old != NULL && index < old->slot_count; index++) {
        uintptr_t slot = atomic_load_explicit(&old->slots[index], memory_order_relaxed);
        if (node_in(slot) != NULL) {
            place(edges, node_in(slot));
        }
    }
    atomic_store_explicit(&tree->shards[shard], edges, memory_order_release);
    if (old != NULL) {
        retire(tree, worker, &old->retired, free_edges);
    }
    return edges;
}

static bool try_link_edge(struct topic_tree *tree, uint32_t worker, struct topic_node *node)
{
    size_t shard = shard_of(node->hash);
    struct topic_edges *edges = atomic_load_explicit(&tree->shards[shard], memory_order_relaxed);
    size_t live_count = edges == NULL ? 0 : edges->live_count;
    if (edges == NULL || 4 * (live_count + edges->tombstone_count + 1) > 3 * edges->slot_count) {
        edges = try_replace(tree, worker, shard, live_count + 1);
        if (edges == NULL) {
            return false;
        }
    }
    place(edges, node);
    return true;
}

// Tombstones that end a run stand in nobody's way any more.
static void clear_tombstones(struct topic_edges *edges, size_t index)
{
    size_t mask = edges->slot_count - 1;
    if (atomic_load_explicit(&edges->slots[(index + 1) & mask], memory_order_relaxed) !=
        SLOT_FREE) {
        return;
    }
    while (atomic_load_explicit(&edges->slots[index & mask], memory_order_relaxed) ==
           SLOT_TOMBSTONE) {
        atomic_store_explicit(&edges->slots[index & mask], SLOT_FREE, memory_order_relaxed);
        edges->tombstone_count--;
        index--;
    }
}

static void unlink_edge(struct topic_tree *tree, uint32_t worker, struct topic_node *node)
{
    size_t shard = shard_of(node->hash);
    struct topic_edges *edges = atomic_load_explicit(&tree->shards[shard], memory_order_relaxed);
    size_t index = (size_t)node->hash & (edges->slot_count - 1);
    while (atomic_load_explicit(&edges->slots[index], memory_order_relaxed) != slot_of(node)) {
        index = (index + 1) & (edges->slot_count - 1);
    }
    atomic_store_explicit(&edges->slots[index], SLOT_TOMBSTONE, memory_order_relaxed);
    edges->live_count--;
    edges->tombstone_count++;
    clear_tombstones(edges, index);
    if (edges->slot_count > SLOTS_MIN && 8 * edges->live_count < edges->slot_count) {
        // Without memory it stays as large as it is, which is right as well.
        (void)try_replace(tree, worker, shard, edges->live_count);
    }
}

// ---- nodes ----

// Where a '+' or '#' child hangs; NULL for all others.
static _Atomic(struct topic_node *) *wildcard_place(struct topic_node *parent, enum topic_edge edge,
                                                    struct bytes level)
{
    if (edge == TOPIC_EDGE_LEVEL && is_wildcard(level, '+')) {
        return &parent->plus;
    }
    if (edge == TOPIC_EDGE_LEVEL && is_wildcard(level, '#')) {
        return &parent->rest;
    }
    return NULL;
}

static struct topic_node *try_new_node(const struct topic_tree *tree, struct topic_node *parent,
                                       enum topic_edge edge, struct bytes level)
{
    ASSERT(level.size <= UINT16_MAX);
    struct topic_node *node = memory_try_new(offsetof(struct topic_node, level) + level.size);
    if (node == NULL) {
        return NULL;
    }
    node->parent = parent;
    node->hash = edge_hash(tree, parent, edge, level);
    node->edge = (uint8_t)edge;
    node->level_size = (uint16_t)level.size;
    if (level.size > 0) {
        memcpy(node->level, level.data, level.size);
    }
    return node;
}

static void link_sibling(struct topic_node *node)
{
    struct topic_node *first = node->parent->first_child;
    node->next = first;
    if (first != NULL) {
        first->previous = node;
    }
    node->parent->first_child = node;
}

static void unlink_sibling(struct topic_node *node)
{
    if (node->next != NULL) {
        node->next->previous = node->previous;
    }
    if (node->previous != NULL) {
        node->previous->next = node->next;
    } else {
        node->parent->first_child = node->next;
    }
}

static struct topic_node *try_add_child(struct topic_tree *tree, uint32_t worker,
                                        struct topic_node *parent, enum topic_edge edge,
                                        struct bytes level)
{
    struct topic_node *node = try_new_node(tree, parent, edge, level);
    if (node == NULL) {
        return NULL;
    }
    _Atomic(struct topic_node *) *wildcard = wildcard_place(parent, edge, level);
    if (wildcard != NULL) {
        atomic_store_explicit(wildcard, node, memory_order_release);
    } else if (!try_link_edge(tree, worker, node)) {
        memory_free(node);
        return NULL;
    }
    link_sibling(node);
    atomic_fetch_add_explicit(&tree->node_count, 1, memory_order_relaxed);
    return node;
}

static void unlink_node(struct topic_tree *tree, uint32_t worker, struct topic_node *node)
{
    _Atomic(struct topic_node *) *wildcard =
        wildcard_place(node->parent, node->edge, topic_node_level(node));
    if (wildcard != NULL) {
        atomic_store_explicit(wildcard, NULL, memory_order_release);
    } else {
        unlink_edge(tree, worker, node);
    }
    unlink_sibling(node);
    atomic_fetch_sub_explicit(&tree->node_count, 1, memory_order_relaxed);
    retire(tree, worker, &node->retired, free_node);
}

static bool is_held(const struct topic_node *node)
{
    return node->pins > 0 || node->first_child != NULL ||
           atomic_load_explicit(&node->value, memory_order_relaxed) != NULL ||
           atomic_load_explicit(&node->shares, memory_order_relaxed) != NULL;
}

// ---- what the owners call ----

void topic_tree_init(struct topic_tree *tree, struct epoch *epoch, struct hash_key key)
{
    *tree = (struct topic_tree){.epoch = epoch, .key = key};
    tree->root = memory_new(sizeof *tree->root);
}

void topic_tree_done(struct topic_tree *tree)
{
    ASSERT(!is_held(tree->root));
    for (size_t shard = 0; shard < TOPIC_TREE_SHARDS; shard++) {
        memory_free(atomic_load_explicit(&tree->shards[shard], memory_order_relaxed));
    }
    memory_free(tree->root);
}

struct topic_node *topic_tree_literal(const struct topic_tree *tree,
                                      const struct topic_node *parent, struct bytes level)
{
    return find_edge(tree, parent, TOPIC_EDGE_LEVEL, level);
}

struct topic_node *topic_tree_child(const struct topic_tree *tree, const struct topic_node *parent,
                                    enum topic_edge edge, struct bytes level)
{
    if (edge == TOPIC_EDGE_LEVEL && is_wildcard(level, '+')) {
        return atomic_load_explicit(&parent->plus, memory_order_acquire);
    }
    if (edge == TOPIC_EDGE_LEVEL && is_wildcard(level, '#')) {
        return atomic_load_explicit(&parent->rest, memory_order_acquire);
    }
    return find_edge(tree, parent, edge, level);
}

struct topic_node *topic_tree_find(const struct topic_tree *tree, struct bytes path)
{
    struct topic_node *node = tree->root;
    bool more = true;
    while (more && node != NULL) {
        struct bytes level = topic_level_next(&path, &more);
        node = topic_tree_child(tree, node, TOPIC_EDGE_LEVEL, level);
    }
    return node;
}

struct topic_node *topic_tree_try_make_child(struct topic_tree *tree, uint32_t worker,
                                             struct topic_node *parent, enum topic_edge edge,
                                             struct bytes level)
{
    struct topic_node *child = topic_tree_child(tree, parent, edge, level);
    return child != NULL ? child : try_add_child(tree, worker, parent, edge, level);
}

struct topic_node *topic_tree_try_make(struct topic_tree *tree, uint32_t worker, struct bytes path)
{
    struct topic_node *node = tree->root;
    bool more = true;
    while (more) {
        struct bytes level = topic_level_next(&path, &more);
        struct topic_node *child =
            topic_tree_try_make_child(tree, worker, node, TOPIC_EDGE_LEVEL, level);
        if (child == NULL) {
            topic_tree_prune(tree, worker, node);
            return NULL;
        }
        node = child;
    }
    return node;
}

void topic_tree_prune(struct topic_tree *tree, uint32_t worker, struct topic_node *node)
{
    while (node->parent != NULL && !is_held(node)) {
        struct topic_node *parent = node->parent;
        unlink_node(tree, worker, node);
        node = parent;
    }
}

// Copies what of `bytes` falls before `size_max` when put at `position`.
static void put(uint8_t *text, size_t size_max, size_t position, struct bytes bytes)
{
    if (position < size_max && bytes.size > 0) {
        size_t room = size_max - position;
        memcpy(text + position, bytes.data, bytes.size < room ? bytes.size : room);
    }
}

size_t topic_node_path(const struct topic_node *node, uint8_t *text, size_t size_max)
{
    size_t size = 0; // with a '/' before each level
    for (const struct topic_node *at = node; at->parent != NULL; at = at->parent) {
        size += 1u + at->level_size;
    }
    size_t end = size;
    for (const struct topic_node *at = node; at->parent != NULL; at = at->parent) {
        end -= 1u + at->level_size;
        put(text, size_max, end, topic_node_level(at));
        if (end > 0) {
            put(text, size_max, end - 1, BYTES_OF("/"));
        }
    }
    return size == 0 ? 0 : size - 1;
}
