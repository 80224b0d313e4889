// SPDX-License-Identifier: MIT
// See retained.h. The walk of a cursor is a depth-first one without a stack: a node's parent and
// next sibling say where to go on, the filter's level at the node's depth says where one may go.
// While a cursor is out of the lock its node is pinned, so the node and all its ancestors stay
// linked whatever is removed, and their sibling links are kept up by those who add and remove.
// New siblings are put in front, hence are never met twice.
#include "core/retained.h"

#include "base/assert.h"
#include "base/lock.h"
#include "base/memory.h"
#include "core/topic_tree.h"
#include "proto/topic.h"

#include <string.h>

struct held {
    uint64_t count, bytes;
};

struct retained {
    struct lock lock;
    struct topic_tree tree; // values are messages, with one reference each
    struct retained_limits limits;
    struct held clients, broker; // the broker's are those below $SYS
    uint64_t sequence;
};

struct retained *retained_new(struct hash_key key, struct retained_limits limits)
{
    struct retained *retained = memory_new(sizeof *retained);
    lock_init(&retained->lock);
    topic_tree_init(&retained->tree, NULL, key);
    retained->limits = limits;
    return retained;
}

static struct message *value_of(const struct topic_node *node)
{
    return atomic_load_explicit(&node->value, memory_order_relaxed);
}

static void set_value(struct topic_node *node, struct message *message)
{
    atomic_store_explicit(&node->value, message, memory_order_relaxed);
}

// ---- setting ----

static bool is_below_sys(struct bytes topic)
{
    return topic.size >= 4 && memcmp(topic.data, "$SYS", 4) == 0 &&
           (topic.size == 4 || topic.data[4] == '/');
}

// A client may write there too, a little: what it has counts as a client's.
static struct held *account_of(struct retained *retained, const struct message *message)
{
    bool is_brokers = message->publisher == 0 && is_below_sys(message_topic(message));
    return is_brokers ? &retained->broker : &retained->clients;
}

// What the value of a topic weighs in this account.
static struct held part_of(struct retained *retained, const struct held *account,
                           const struct message *message)
{
    if (message == NULL || account_of(retained, message) != account)
        return (struct held){0};
    return (struct held){1, message_size(message)};
}

static bool fits(struct retained *retained, const struct message *message,
                 const struct message *old)
{
    const struct held *held = account_of(retained, message);
    struct held before = part_of(retained, held, old);
    return held == &retained->broker ||
           (held->count - before.count + 1 <= retained->limits.count_max &&
            held->bytes - before.bytes + message_size(message) <= retained->limits.bytes_max);
}

// Both have the same topic; either may be NULL.
static void account(struct retained *retained, const struct message *message,
                    const struct message *old)
{
    struct held *accounts[] = {&retained->clients, &retained->broker};
    for (int i = 0; i < 2; i++) {
        struct held before = part_of(retained, accounts[i], old);
        struct held after = part_of(retained, accounts[i], message);
        accounts[i]->count += after.count - before.count;
        accounts[i]->bytes += after.bytes - before.bytes;
    }
}

// Takes the value out, and the node if nothing else holds it. The caller gets the reference.
static struct message *remove_value(struct retained *retained, struct topic_node *node)
{
    struct message *old = value_of(node);
    if (old != NULL) {
        account(retained, NULL, old);
        set_value(node, NULL);
        topic_tree_prune(&retained->tree, 0, node);
    }
    return old;
}

// *ret_old: the reference that the tree held so far.
static bool try_replace(struct retained *retained, struct message *message,
                        struct message **ret_old)
{
    struct topic_node *node = topic_tree_try_make(&retained->tree, 0, message_topic(message));
    if (node == NULL) {
        return false;
    }
    struct message *old = value_of(node);
    if (!fits(retained, message, old)) {
        topic_tree_prune(&retained->tree, 0, node);
        return false;
    }
    account(retained, message, old);
    set_value(node, message_ref(message));
    *ret_old = old;
    return true;
}

static bool try_change(struct retained *retained, struct message *message, struct message **ret_old)
{
    if (message->payload_size > 0) {
        return try_replace(retained, message, ret_old);
    }
    struct topic_node *node = topic_tree_find(&retained->tree, message_topic(message));
    *ret_old = node == NULL ? NULL : remove_value(retained, node);
    return true;
}

enum bud_reason retained_set(struct retained *retained, struct message *message)
{
    struct message *old = NULL;
    lock_take(&retained->lock);
    bool changed = try_change(retained, message, &old);
    if (changed) {
        message->sequence = ++retained->sequence;
    }
    lock_release(&retained->lock);
    message_unref(old);
    return changed ? BUD_SUCCESS : BUD_QUOTA_EXCEEDED;
}

bool retained_restore(struct retained *retained, struct message *message)
{
    struct message *old = NULL;
    lock_take(&retained->lock);
    bool kept = try_change(retained, message, &old);
    if (message->sequence > retained->sequence)
        retained->sequence = message->sequence;
    lock_release(&retained->lock);
    message_unref(old);
    return kept;
}

void retained_drop(struct retained *retained, struct message *message)
{
    struct message *old = NULL;
    lock_take(&retained->lock);
    struct topic_node *node = topic_tree_find(&retained->tree, message_topic(message));
    if (node != NULL && value_of(node) == message) {
        old = remove_value(retained, node);
    }
    lock_release(&retained->lock);
    message_unref(old);
}

struct message *retained_get(struct retained *retained, struct bytes topic)
{
    lock_take(&retained->lock);
    struct topic_node *node = topic_tree_find(&retained->tree, topic);
    struct message *message = node == NULL ? NULL : value_of(node);
    if (message != NULL) {
        message_ref(message);
    }
    lock_release(&retained->lock);
    return message;
}

void retained_free(struct retained *retained)
{
    struct topic_node *root = retained->tree.root;
    while (root->first_child != NULL) {
        struct topic_node *node = root->first_child;
        while (node->first_child != NULL) {
            node = node->first_child;
        }
        ASSERT(node->pins == 0);
        message_unref(remove_value(retained, node));
    }
    topic_tree_done(&retained->tree);
    lock_done(&retained->lock);
    memory_free(retained);
}

// ---- the walk ----

// The filter's level that decides about nodes at `depth` (from 1); '#' for all that are deeper.
static struct bytes level_at(const struct retained_cursor *cursor, uint32_t depth)
{
    return depth <= cursor->level_count ? cursor->levels[depth - 1] : BYTES_OF("#");
}

static bool is_wildcard(struct bytes level)
{
    return level.size == 1 && (level.data[0] == '+' || level.data[0] == '#');
}

// A first level '$...' is not matched by a wildcard [MQTT-4.7.2-1].
static bool is_hidden(const struct retained_cursor *cursor)
{
    const struct topic_node *node = cursor->node;
    return cursor->depth == 1 && node->level_size > 0 && node->level[0] == '$' &&
           is_wildcard(level_at(cursor, 1));
}

static struct topic_node *child_to_visit(const struct retained_cursor *cursor)
{
    if (cursor->depth >= cursor->level_count && !cursor->is_multi_level) {
        return NULL;
    }
    struct bytes level = level_at(cursor, cursor->depth + 1);
    return is_wildcard(level) ? cursor->node->first_child
                              : topic_tree_literal(&cursor->retained->tree, cursor->node, level);
}

static struct topic_node *sibling_to_visit(const struct retained_cursor *cursor)
{
    bool any = cursor->depth > 0 && is_wildcard(level_at(cursor, cursor->depth));
    return any ? cursor->node->next : NULL;
}

static void enter(struct retained_cursor *cursor, struct topic_node *node, uint32_t depth)
{
    cursor->node = node;
    cursor->depth = depth;
    cursor->is_leaving = is_hidden(cursor);
}

// One node on: down, else aside, else up. The root's parent is the end.
static void step(struct retained_cursor *cursor)
{
    struct topic_node *child = cursor->is_leaving ? NULL : child_to_visit(cursor);
    if (child != NULL) {
        enter(cursor, child, cursor->depth + 1);
        return;
    }
    struct topic_node *sibling = sibling_to_visit(cursor);
    if (sibling != NULL) {
        enter(cursor, sibling, cursor->depth);
        return;
    }
    cursor->node = cursor->node->parent;
    cursor->depth--;
    cursor->is_leaving = true;
}

// The value of the node just entered, if it is one to give out.
static struct message *value_here(const struct retained_cursor *cursor)
{
    // '#' matches the level above it as well, so that a depth of level_count fits both kinds.
    if (cursor->node == NULL || cursor->is_leaving || cursor->depth < cursor->level_count) {
        return NULL;
    }
    struct message *message = value_of(cursor->node);
    return message != NULL && message->sequence <= cursor->sequence ? message : NULL;
}

static struct message *walk(struct retained_cursor *cursor, uint32_t steps_max)
{
    struct message *message = NULL;
    for (uint32_t i = 0; i < steps_max && message == NULL && cursor->node != NULL; i++) {
        step(cursor);
        message = value_here(cursor);
    }
    return message;
}

// ---- cursors ----

static void unpin(struct retained *retained, struct topic_node *node)
{
    ASSERT(node->pins > 0);
    node->pins--;
    topic_tree_prune(&retained->tree, 0, node);
}

// The levels, and behind them the text they point into.
static struct bytes *try_split(struct bytes filter, uint32_t level_count)
{
    size_t levels_size = level_count * sizeof(struct bytes);
    struct bytes *levels = memory_try_new(levels_size + filter.size);
    if (levels == NULL) {
        return NULL;
    }
    uint8_t *text = (uint8_t *)levels + levels_size;
    memcpy(text, filter.data, filter.size);
    struct bytes rest = bytes_make(text, filter.size);
    bool more = true;
    for (uint32_t i = 0; more; i++) {
        levels[i] = topic_level_next(&rest, &more);
    }
    return levels;
}

bool retained_cursor_try_open(struct retained_cursor *cursor, struct retained *retained,
                              struct bytes filter)
{
    uint32_t level_count = topic_level_count(filter);
    struct bytes *levels = try_split(filter, level_count);
    if (levels == NULL) {
        return false;
    }
    bool is_multi_level = bytes_equal(levels[level_count - 1], BYTES_OF("#"));
    *cursor = (struct retained_cursor){
        .retained = retained,
        .node = retained->tree.root,
        .is_multi_level = is_multi_level,
        .level_count = level_count - is_multi_level,
        .levels = levels,
    };
    lock_take(&retained->lock);
    cursor->node->pins++;
    cursor->sequence = retained->sequence;
    lock_release(&retained->lock);
    return true;
}

struct message *retained_cursor_next(struct retained_cursor *cursor, uint32_t steps_max,
                                     bool *ret_more)
{
    ASSERT(steps_max > 0);
    struct topic_node *before = cursor->node;
    struct message *message = NULL;
    if (before != NULL) {
        lock_take(&cursor->retained->lock);
        message = walk(cursor, steps_max);
        if (message != NULL) {
            message_ref(message);
        }
        if (cursor->node != NULL) {
            cursor->node->pins++; // first: it may be all that holds an ancestor of `before`
        }
        unpin(cursor->retained, before);
        lock_release(&cursor->retained->lock);
    }
    *ret_more = cursor->node != NULL;
    return message;
}

void retained_cursor_close(struct retained_cursor *cursor)
{
    if (cursor->node != NULL) {
        lock_take(&cursor->retained->lock);
        unpin(cursor->retained, cursor->node);
        lock_release(&cursor->retained->lock);
    }
    memory_free(cursor->levels);
    *cursor = (struct retained_cursor){0};
}

// ---- how much ----

static struct held held_now(struct retained *retained)
{
    lock_take(&retained->lock);
    struct held held = {
        .count = retained->clients.count + retained->broker.count,
        .bytes = retained->clients.bytes + retained->broker.bytes,
    };
    lock_release(&retained->lock);
    return held;
}

uint64_t retained_count(struct retained *retained)
{
    return held_now(retained).count;
}

uint64_t retained_bytes(struct retained *retained)
{
    return held_now(retained).bytes;
}

uint64_t retained_sequence(struct retained *retained)
{
    lock_take(&retained->lock);
    uint64_t sequence = retained->sequence;
    lock_release(&retained->lock);
    return sequence;
}
