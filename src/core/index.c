// SPDX-License-Identifier: MIT
// See index.h. A node's `value` is its first leaf, its `shares` the first of its share groups; a
// group is also found by name, as the value of a child behind a TOPIC_EDGE_SHARE, so that many
// groups at one filter stay cheap. All links are written under `lock` and read without it.
#include "core/index.h"

#include "base/assert.h"
#include "base/lock.h"
#include "base/memory.h"
#include "core/share.h"
#include "core/topic_tree.h"
#include "proto/topic.h"

#include <string.h>

struct index {
    struct topic_tree tree;
    struct lock lock; // writers
    _Atomic uint64_t subscription_count, shared_count;
};

struct index *index_new(struct epoch *epoch, struct hash_key key)
{
    struct index *index = memory_new(sizeof *index);
    topic_tree_init(&index->tree, epoch, key);
    lock_init(&index->lock);
    return index;
}

void index_free(struct index *index)
{
    ASSERT(index_subscription_count(index) == 0 && index_shared_count(index) == 0);
    topic_tree_done(&index->tree);
    lock_done(&index->lock);
    memory_free(index);
}

// ---- retiring ----
// A reader that was under way may have found a leaf or member before it was unlinked, and posted it
// to its worker W. When the first release runs, on W, every reader has announced a quiescent state
// since, so all posts that will ever name it are in W's inbox. W then retires it a second time,
// stamped with the present epoch. The second release needs W's own announcement of a later epoch,
// which W makes at the end of its next turn at the earliest, and by then it has emptied its inbox.
// A group is posted only as the group of a member, which holds a reference: one round is enough.

static struct leaf *leaf_of(struct retired *retired)
{
    return (struct leaf *)((char *)retired - offsetof(struct leaf, retired));
}

static void free_leaf(struct retired *retired)
{
    memory_free(leaf_of(retired));
}

static void retire_leaf_again(struct retired *retired)
{
    struct leaf *leaf = leaf_of(retired);
    epoch_retire(leaf->index->tree.epoch, leaf->worker, retired, free_leaf);
}

static struct share_member *member_of(struct retired *retired)
{
    return (struct share_member *)((char *)retired - offsetof(struct share_member, retired));
}

static void release_member(struct retired *retired)
{
    share_member_unref(member_of(retired));
}

static void retire_member_again(struct retired *retired)
{
    struct share_member *member = member_of(retired);
    epoch_retire(member->epoch, member->worker, retired, release_member);
}

static void release_group(struct retired *retired)
{
    share_group_unref(
        (struct share_group *)((char *)retired - offsetof(struct share_group, retired)));
}

// ---- a leaf and its subscriptions; its worker only ----

static struct leaf *first_leaf(const struct topic_node *node)
{
    return atomic_load_explicit(&node->value, memory_order_acquire);
}

static struct leaf *next_leaf(const struct leaf *leaf)
{
    return atomic_load_explicit(&leaf->next, memory_order_acquire);
}

static struct leaf *find_leaf(const struct topic_node *node, uint32_t worker)
{
    struct leaf *leaf = first_leaf(node);
    while (leaf != NULL && leaf->worker != worker) {
        leaf = next_leaf(leaf);
    }
    return leaf;
}

static struct leaf *try_new_leaf(struct index *index, uint32_t worker,
                                 struct subscription *subscription)
{
    struct leaf *leaf = memory_try_new(sizeof *leaf);
    if (leaf == NULL) {
        return NULL;
    }
    leaf->index = index;
    leaf->worker = worker;
    leaf->count = leaf->capacity = 1;
    leaf->single = subscription;
    leaf->subscriptions = &leaf->single;
    return leaf;
}

// Gives the array `capacity` places, two at least: one is kept in the leaf itself.
static bool try_resize_leaf(struct leaf *leaf, uint32_t capacity)
{
    bool is_single = leaf->capacity == 1;
    struct subscription **subscriptions = memory_try_resize(
        is_single ? NULL : leaf->subscriptions, capacity * sizeof(struct subscription *));
    if (subscriptions == NULL) {
        return false;
    }
    if (is_single) {
        subscriptions[0] = leaf->single;
    }
    leaf->subscriptions = subscriptions;
    leaf->capacity = capacity;
    return true;
}

static bool try_append(struct leaf *leaf, struct subscription *subscription)
{
    if (leaf->count == leaf->capacity && !try_resize_leaf(leaf, 2 * leaf->capacity)) {
        return false;
    }
    subscription->leaf = leaf;
    subscription->position = leaf->count;
    leaf->subscriptions[leaf->count++] = subscription;
    return true;
}

static void take_out(struct leaf *leaf, struct subscription *subscription)
{
    struct subscription *last = leaf->subscriptions[--leaf->count];
    leaf->subscriptions[subscription->position] = last;
    last->position = subscription->position;
    if (leaf->capacity > 4 && 4 * leaf->count < leaf->capacity) {
        // Without memory it stays as large as it is, which is right as well.
        (void)try_resize_leaf(leaf, leaf->capacity / 2);
    }
}

// ---- ordinary subscriptions ----

static bool try_add_leaf(struct index *index, uint32_t worker, struct bytes filter,
                         struct subscription *subscription)
{
    struct leaf *leaf = try_new_leaf(index, worker, subscription);
    if (leaf == NULL) {
        return false;
    }
    lock_take(&index->lock);
    struct topic_node *node = topic_tree_try_make(&index->tree, worker, filter);
    if (node != NULL) {
        leaf->node = node;
        subscription->leaf = leaf;
        subscription->position = 0;
        atomic_init(&leaf->next, first_leaf(node));
        atomic_store_explicit(&node->value, leaf, memory_order_release);
    }
    lock_release(&index->lock);
    if (node == NULL) {
        memory_free(leaf);
    }
    return node != NULL;
}

static bool try_add_ordinary(struct index *index, uint32_t worker, struct bytes filter,
                             struct subscription *subscription)
{
    // A leaf of ours that is linked stays linked: only we ourselves unlink it.
    struct topic_node *node = topic_tree_find(&index->tree, filter);
    struct leaf *leaf = node == NULL ? NULL : find_leaf(node, worker);
    subscription->member = NULL;
    if (leaf != NULL ? !try_append(leaf, subscription)
                     : !try_add_leaf(index, worker, filter, subscription)) {
        return false;
    }
    atomic_fetch_add_explicit(&index->subscription_count, 1, memory_order_relaxed);
    return true;
}

// `leaf` keeps its own `next`: readers that stand on it go on from there.
static void unlink_leaf(struct leaf *leaf)
{
    struct leaf *before = first_leaf(leaf->node);
    struct leaf *after = next_leaf(leaf);
    if (before == leaf) {
        atomic_store_explicit(&leaf->node->value, after, memory_order_release);
        return;
    }
    while (next_leaf(before) != leaf) {
        before = next_leaf(before);
    }
    atomic_store_explicit(&before->next, after, memory_order_release);
}

static void remove_leaf(struct index *index, struct leaf *leaf)
{
    lock_take(&index->lock);
    unlink_leaf(leaf);
    topic_tree_prune(&index->tree, leaf->worker, leaf->node);
    lock_release(&index->lock);
    if (leaf->capacity > 1) {
        memory_free(leaf->subscriptions);
    }
    // Posts that are still on their way find it empty.
    leaf->subscriptions = NULL;
    leaf->count = leaf->capacity = 0;
    epoch_retire(index->tree.epoch, leaf->worker, &leaf->retired, retire_leaf_again);
}

static void remove_ordinary(struct index *index, struct subscription *subscription)
{
    struct leaf *leaf = subscription->leaf;
    if (leaf->count > 1) {
        take_out(leaf, subscription);
    } else {
        remove_leaf(index, leaf);
    }
    subscription->leaf = NULL;
    atomic_fetch_sub_explicit(&index->subscription_count, 1, memory_order_relaxed);
}

// ---- shared subscriptions ----

static struct share_group *first_group(const struct topic_node *node)
{
    return atomic_load_explicit(&node->shares, memory_order_acquire);
}

static struct share_group *next_group(const struct share_group *group)
{
    return atomic_load_explicit(&group->next, memory_order_acquire);
}

static void link_group(struct share_group *group)
{
    struct topic_node *filter = group->node->parent;
    struct share_group *first = first_group(filter);
    atomic_init(&group->next, first);
    if (first != NULL) {
        first->previous = group;
    }
    atomic_store_explicit(&group->node->value, group, memory_order_relaxed);
    atomic_store_explicit(&filter->shares, group, memory_order_release);
}

static void unlink_group(struct share_group *group)
{
    struct share_group *after = next_group(group);
    if (after != NULL) {
        after->previous = group->previous;
    }
    if (group->previous != NULL) {
        atomic_store_explicit(&group->previous->next, after, memory_order_release);
    } else {
        atomic_store_explicit(&group->node->parent->shares, after, memory_order_release);
    }
    atomic_store_explicit(&group->node->value, NULL, memory_order_relaxed);
}

// Adds the first member before anybody sees the group.
static bool try_start_group(struct topic_node *node, struct bytes filter, struct bytes name,
                            struct share_member *member)
{
    struct share_group *group = share_group_try_new(node, filter, name);
    if (group == NULL) {
        return false;
    }
    if (!share_try_join(group, member)) {
        share_group_unref(group);
        return false;
    }
    link_group(group);
    return true;
}

static bool try_join_at(struct index *index, struct bytes filter, struct bytes name,
                        struct share_member *member)
{
    struct topic_tree *tree = &index->tree;
    struct topic_node *parent = topic_tree_try_make(tree, member->worker, filter);
    if (parent == NULL) {
        return false;
    }
    struct topic_node *node =
        topic_tree_try_make_child(tree, member->worker, parent, TOPIC_EDGE_SHARE, name);
    if (node == NULL) {
        topic_tree_prune(tree, member->worker, parent);
        return false;
    }
    struct share_group *group = atomic_load_explicit(&node->value, memory_order_relaxed);
    if (group != NULL ? share_try_join(group, member)
                      : try_start_group(node, filter, name, member)) {
        return true;
    }
    topic_tree_prune(tree, member->worker, node);
    return false;
}

static bool try_add_shared(struct index *index, uint32_t worker, struct bytes filter,
                           struct bytes group, struct subscription *subscription)
{
    struct share_member *member = share_member_try_new(worker, subscription);
    if (member == NULL) {
        return false;
    }
    member->epoch = index->tree.epoch;
    subscription->member = member;
    subscription->leaf = NULL;
    lock_take(&index->lock);
    bool joined = try_join_at(index, filter, group, member);
    lock_release(&index->lock);
    if (!joined) {
        subscription->member = NULL;
        share_member_unref(member);
        return false;
    }
    atomic_fetch_add_explicit(&index->shared_count, 1, memory_order_relaxed);
    return true;
}

static void remove_shared(struct index *index, struct subscription *subscription)
{
    struct share_member *member = subscription->member;
    struct share_group *group = member->group;
    lock_take(&index->lock);
    bool is_last = share_leave(member) == 0;
    if (is_last) {
        unlink_group(group);
        topic_tree_prune(&index->tree, member->worker, group->node);
    }
    lock_release(&index->lock);
    if (is_last) {
        epoch_retire(index->tree.epoch, member->worker, &group->retired, release_group);
    }
    member->subscription = NULL;
    subscription->member = NULL;
    epoch_retire(index->tree.epoch, member->worker, &member->retired, retire_member_again);
    atomic_fetch_sub_explicit(&index->shared_count, 1, memory_order_relaxed);
}

// ---- both ----

bool index_try_add(struct index *index, uint32_t worker, struct bytes filter, struct bytes group,
                   struct subscription *subscription)
{
    return group.size == 0 ? try_add_ordinary(index, worker, filter, subscription)
                           : try_add_shared(index, worker, filter, group, subscription);
}

void index_remove(struct index *index, struct subscription *subscription)
{
    if (subscription->leaf != NULL) {
        remove_ordinary(index, subscription);
    } else {
        ASSERT(subscription->member != NULL);
        remove_shared(index, subscription);
    }
}

size_t index_filter_of(const struct subscription *subscription, uint8_t *text, size_t size_max)
{
    const struct topic_node *node = subscription->leaf != NULL
                                        ? subscription->leaf->node
                                        : subscription->member->group->node->parent;
    return topic_node_path(node, text, size_max);
}

struct bytes index_group_of(const struct subscription *subscription)
{
    if (subscription->member == NULL) {
        return bytes_make(NULL, 0);
    }
    return topic_node_level(subscription->member->group->node);
}

uint64_t index_subscription_count(struct index *index)
{
    return atomic_load_explicit(&index->subscription_count, memory_order_relaxed);
}

uint64_t index_shared_count(struct index *index)
{
    return atomic_load_explicit(&index->shared_count, memory_order_relaxed);
}

uint64_t index_node_count(struct index *index)
{
    return atomic_load_explicit(&index->tree.node_count, memory_order_relaxed);
}

// ---- matching ----

// The array with room for one more behind `count` items, perhaps moved. NULL without memory; the
// array is as it was then.
static void *try_room(void *array, uint32_t *capacity, uint32_t count)
{
    if (count < *capacity) {
        return array;
    }
    uint32_t wanted = *capacity == 0 ? 16 : 2 * *capacity;
    array = memory_try_resize(array, wanted * sizeof(void *));
    if (array != NULL) {
        *capacity = wanted;
    }
    return array;
}

static bool push_leaf(struct hits *hits, struct leaf *leaf)
{
    struct leaf **leaves = try_room(hits->leaves, &hits->leaf_capacity, hits->leaf_count);
    if (leaves == NULL) {
        return false;
    }
    hits->leaves = leaves;
    leaves[hits->leaf_count++] = leaf;
    return true;
}

static bool push_group(struct hits *hits, struct share_group *group)
{
    struct share_group **groups = try_room(hits->groups, &hits->group_capacity, hits->group_count);
    if (groups == NULL) {
        return false;
    }
    hits->groups = groups;
    groups[hits->group_count++] = group;
    return true;
}

static bool collect(struct hits *hits, const struct topic_node *node)
{
    for (struct leaf *leaf = first_leaf(node); leaf != NULL; leaf = next_leaf(leaf)) {
        if (!push_leaf(hits, leaf)) {
            return false;
        }
    }
    for (struct share_group *group = first_group(node); group != NULL; group = next_group(group)) {
        if (!push_group(hits, group)) {
            return false;
        }
    }
    return true;
}

static bool collect_rest(struct hits *hits, const struct topic_node *node)
{
    const struct topic_node *rest = atomic_load_explicit(&node->rest, memory_order_acquire);
    hits->visited_count += rest != NULL;
    return rest == NULL || collect(hits, rest);
}

static bool push(struct hits *hits, uint32_t *count, struct topic_node *node)
{
    if (node == NULL) {
        return true;
    }
    struct topic_node **frontier = try_room(hits->frontier, &hits->frontier_capacity, *count);
    if (frontier == NULL) {
        return false;
    }
    hits->frontier = frontier;
    frontier[(*count)++] = node;
    hits->visited_count++;
    return true;
}

// Replaces the frontier, all nodes that match the levels so far, by those of their children that
// match one level more. What ends in '#' here is a hit already.
static bool descend(const struct index *index, struct hits *hits, uint32_t *count,
                    struct bytes level, bool wildcards)
{
    uint32_t here = *count, end = *count;
    for (uint32_t i = 0; i < here; i++) {
        const struct topic_node *node = hits->frontier[i];
        if (!push(hits, &end, topic_tree_literal(&index->tree, node, level))) {
            return false;
        }
        if (wildcards &&
            (!collect_rest(hits, node) ||
             !push(hits, &end, atomic_load_explicit(&node->plus, memory_order_acquire)))) {
            return false;
        }
    }
    *count = end - here;
    memmove(hits->frontier, hits->frontier + here, *count * sizeof(struct topic_node *));
    return true;
}

bool index_match(struct index *index, struct bytes topic, struct hits *hits)
{
    ASSERT(topic.size > 0);
    hits->leaf_count = hits->group_count = 0;
    hits->visited_count = 0;
    uint32_t count = 0;
    bool wildcards = topic.data[0] != '$'; // at the first level only
    if (!push(hits, &count, index->tree.root)) {
        return false;
    }
    bool more = true;
    while (more && count > 0) {
        struct bytes level = topic_level_next(&topic, &more);
        if (!descend(index, hits, &count, level, wildcards)) {
            return false;
        }
        wildcards = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        // "a/#" matches "a" as well.
        if (!collect(hits, hits->frontier[i]) || !collect_rest(hits, hits->frontier[i])) {
            return false;
        }
    }
    return true;
}

void hits_done(struct hits *hits)
{
    memory_free(hits->leaves);
    memory_free(hits->groups);
    memory_free(hits->frontier);
    *hits = (struct hits){0};
}
