// SPDX-License-Identifier: MIT
// Groups of shared subscriptions [MQTT5 4.8.2]. Members stand in one array, those online before
// those offline, so that a choice never searches: it looks at a window of either part. An attacker
// controls how many join and how often they come and go; each of these moves at most two members.
#include "core/share.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "core/principal.h"

#define QOS_0_GRAIN 64u
#define CANDIDATES_MAX 64
#define LOOKED_AT_MAX 1024

// The same in every run, so no secret key. Who finds two names that collide has two groups of his
// own that may be taken for one, after a crash.
static uint64_t id_of(struct bytes filter, struct bytes name)
{
    static const struct hash_key key = {UINT64_C(0x6275642d73686172), UINT64_C(0x652d67726f757073)};
    return hash_bytes(key, hash_bytes(key, 0, name), filter) | UINT64_C(1) << 63;
}

struct share_group *share_group_try_new(struct topic_node *node, struct bytes filter,
                                        struct bytes name)
{
    struct share_group *group = memory_try_new(sizeof *group);
    if (group == NULL) {
        return NULL;
    }
    group->node = node;
    group->id = id_of(filter, name);
    atomic_init(&group->references, 1);
    lock_init(&group->lock);
    return group;
}

uint64_t share_group_id(const struct share_group *group)
{
    return group->id;
}

struct share_group *share_group_ref(struct share_group *group)
{
    atomic_fetch_add_explicit(&group->references, 1, memory_order_relaxed);
    return group;
}

void share_group_unref(struct share_group *group)
{
    // Acquire and release: what others did with the group is over before it is freed.
    uint32_t before = atomic_fetch_sub_explicit(&group->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1) {
        return;
    }
    ASSERT(group->member_count == 0);
    lock_done(&group->lock);
    memory_free(group->members);
    memory_free(group);
}

struct share_member *share_member_try_new(uint32_t worker, struct subscription *subscription)
{
    struct share_member *member = memory_try_new(sizeof *member);
    if (member == NULL) {
        return NULL;
    }
    member->worker = worker;
    member->subscription = subscription;
    atomic_init(&member->references, 1);
    return member;
}

struct share_member *share_member_ref(struct share_member *member)
{
    atomic_fetch_add_explicit(&member->references, 1, memory_order_relaxed);
    return member;
}

void share_member_unref(struct share_member *member)
{
    uint32_t before = atomic_fetch_sub_explicit(&member->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1) {
        return;
    }
    if (member->group != NULL) {
        share_group_unref(member->group);
    }
    principal_unref(member->principal);
    memory_free(member);
}

// ---- the array ----

static void swap_members(struct share_group *group, uint32_t a, uint32_t b)
{
    struct share_member *moved = group->members[a];
    group->members[a] = group->members[b];
    group->members[b] = moved;
    group->members[a]->position = a;
    group->members[b]->position = b;
}

// Moves the boundary between online and offline over the member.
static void move_online(struct share_group *group, struct share_member *member, bool online)
{
    bool is_online = member->position < group->online_count;
    if (online && !is_online) {
        swap_members(group, member->position, group->online_count++);
    } else if (!online && is_online) {
        swap_members(group, member->position, --group->online_count);
    }
}

static bool try_grow(struct share_group *group)
{
    if (group->member_count < group->member_capacity) {
        return true;
    }
    uint32_t capacity = group->member_capacity == 0 ? 2 : 2 * group->member_capacity;
    struct share_member **members =
        memory_try_resize(group->members, capacity * sizeof(struct share_member *));
    if (members == NULL) {
        return false;
    }
    group->members = members;
    group->member_capacity = capacity;
    return true;
}

bool share_try_join(struct share_group *group, struct share_member *member)
{
    lock_take(&group->lock);
    bool grown = try_grow(group);
    if (grown) {
        member->group = share_group_ref(group);
        member->position = group->member_count;
        group->members[group->member_count++] = member;
    }
    lock_release(&group->lock);
    return grown;
}

uint32_t share_leave(struct share_member *member)
{
    struct share_group *group = member->group;
    lock_take(&group->lock);
    move_online(group, member, false);
    swap_members(group, member->position, group->member_count - 1);
    uint32_t left = --group->member_count;
    lock_release(&group->lock);
    return left;
}

void share_set_online(struct share_member *member, bool online)
{
    struct share_group *group = member->group;
    lock_take(&group->lock);
    ASSERT(member->position < group->member_count && group->members[member->position] == member);
    move_online(group, member, online);
    lock_release(&group->lock);
}

void share_set_principal(struct share_member *member, struct principal *principal)
{
    struct share_group *group = member->group;
    lock_take(&group->lock);
    struct principal *before = member->principal;
    member->principal = principal_ref(principal);
    lock_release(&group->lock);
    principal_unref(before);
}

// ---- choosing ----

static bool may_be_given(const struct share_choice *choice, const struct share_member *member)
{
    if (member == choice->except) {
        return false;
    }
    return choice->may_be_given == NULL ||
           (member->principal != NULL && choice->may_be_given(choice->context, member->principal));
}

// The least busy of the members in [first, first + count), looked at from `*turn` on; the first of
// several. The next choice starts behind it, which is what makes ties take turns.
static struct share_member *pick_among(struct share_group *group, uint32_t first, uint32_t count,
                                       uint32_t *turn, const struct share_choice *choice)
{
    struct share_member *best = NULL;
    uint32_t best_in_flight = 0;
    // Nobody acknowledges QoS 0: there a small difference only says which worker wrote last.
    uint32_t grain = choice->qos == 0 ? QOS_0_GRAIN : 1;
    uint32_t looked_at = 0, passed_over = 0;
    while (looked_at < count && looked_at - passed_over < CANDIDATES_MAX &&
           looked_at < LOOKED_AT_MAX) {
        struct share_member *member = group->members[first + (*turn % count + looked_at) % count];
        uint32_t in_flight = atomic_load_explicit(&member->in_flight, memory_order_relaxed) / grain;
        looked_at++;
        if (best != NULL && in_flight >= best_in_flight) {
            continue;
        }
        if (!may_be_given(choice, member)) {
            passed_over++;
            continue;
        }
        best = member;
        best_in_flight = in_flight;
    }
    // So many that may not have it: the next choice begins behind them.
    *turn = best != NULL ? best->position - first + 1 : *turn + looked_at;
    return best;
}

struct share_member *share_pick(struct share_group *group, const struct share_choice *choice)
{
    lock_take(&group->lock);
    struct share_member *member =
        pick_among(group, 0, group->online_count, &group->online_turn, choice);
    if (member == NULL && !choice->online_only) {
        member = pick_among(group, group->online_count, group->member_count - group->online_count,
                            &group->offline_turn, choice);
    }
    if (member != NULL) {
        atomic_fetch_add_explicit(&member->in_flight, 1, memory_order_relaxed);
    }
    lock_release(&group->lock);
    return member;
}
