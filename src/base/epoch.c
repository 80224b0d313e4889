// SPDX-License-Identifier: MIT
// Quiescent-state reclamation. Retiring counts the epoch up and stamps the item with the epoch
// that ended; a worker announces the epoch it read. Announcing one above the stamp therefore means
// "I read the counter after the item was unlinked, and hold nothing from before".
// Two promises, each one chain of release and acquire:
//  1. A worker that announced epoch > e cannot find the item: the unlinking happens before the
//     counting up (release), which the worker's reading of the counter acquires.
//  2. Its earlier reading of the item is over before the release function runs: it happens before
//     the announcement (release), which the retiring worker's look at `seen` acquires.
// Going online is the hard case, see epoch_online and what_worker_saw.
#include "base/epoch.h"

#include "base/assert.h"

#include <stddef.h>

#define OFFLINE UINT64_MAX

void epoch_init(struct epoch *epoch, uint32_t worker_count)
{
    ASSERT(worker_count <= EPOCH_WORKERS_MAX);
    atomic_init(&epoch->now, 1);
    epoch->worker_count = worker_count;
    for (uint32_t index = 0; index < EPOCH_WORKERS_MAX; index++) {
        struct epoch_worker *worker = &epoch->workers[index];
        atomic_init(&worker->seen, OFFLINE);
        worker->first = NULL;
        worker->last = NULL;
        worker->retired_count = 0;
    }
}

static struct epoch_worker *worker_at(struct epoch *epoch, uint32_t worker)
{
    ASSERT(worker < epoch->worker_count);
    return &epoch->workers[worker];
}

void epoch_offline(struct epoch *epoch, uint32_t worker)
{
    struct epoch_worker *self = worker_at(epoch, worker);
    // Relaxed: only this thread takes itself on and off line.
    ASSERT(atomic_load_explicit(&self->seen, memory_order_relaxed) != OFFLINE);
    // Release: everything read while online is over before anyone finds us offline.
    atomic_store_explicit(&self->seen, OFFLINE, memory_order_release);
}

void epoch_online(struct epoch *epoch, uint32_t worker)
{
    struct epoch_worker *self = worker_at(epoch, worker);
    uint64_t now = atomic_load_explicit(&epoch->now, memory_order_acquire);
    // An exchange and not a store: it meets the look of what_worker_saw in this word's single
    // order of changes. Either ours is first and that look finds us online, or that look is first
    // and our exchange, reading what it wrote (acquire), sees the unlinking before it. Release:
    // for the next look, as with any announcement.
    uint64_t before = atomic_exchange_explicit(&self->seen, now, memory_order_acq_rel);
    ASSERT(before == OFFLINE);
}

// The epoch that this worker announced, OFFLINE when it will see every unlinking made so far.
static uint64_t what_worker_saw(struct epoch_worker *worker)
{
    // Acquire: promise 2.
    uint64_t seen = atomic_load_explicit(&worker->seen, memory_order_acquire);
    if (seen != OFFLINE) {
        return seen;
    }
    // It may be coming online this moment, its announcement still on the way to us. Adding
    // nothing is a change, too, and settles who was first (see epoch_online). Release: our
    // unlinking is visible to the exchange that follows it. Acquire: promise 2.
    return atomic_fetch_add_explicit(&worker->seen, 0, memory_order_acq_rel);
}

static uint64_t lowest_announced(struct epoch *epoch)
{
    uint64_t lowest = OFFLINE;
    for (uint32_t index = 0; index < epoch->worker_count; index++) {
        uint64_t seen = what_worker_saw(&epoch->workers[index]);
        lowest = seen < lowest ? seen : lowest;
    }
    return lowest;
}

// Items are stamped in rising order, so the first that must wait ends the work. An item leaves the
// list before its call, which may retire further ones.
static void release_before(struct epoch_worker *worker, uint64_t epoch)
{
    while (worker->first != NULL && worker->first->epoch < epoch) {
        struct retired *item = worker->first;
        worker->first = item->next;
        if (worker->first == NULL) {
            worker->last = NULL;
        }
        worker->retired_count--;
        item->release(item);
    }
}

uint64_t epoch_quiescent(struct epoch *epoch, uint32_t worker)
{
    struct epoch_worker *self = worker_at(epoch, worker);
    // Acquire: promise 1.
    uint64_t now = atomic_load_explicit(&epoch->now, memory_order_acquire);
    uint64_t before = atomic_load_explicit(&self->seen, memory_order_relaxed); // own word
    ASSERT(before != OFFLINE);
    if (before != now) {
        // Release: promise 2. When nothing was retired meanwhile there is nothing to announce,
        // and the line stays in everyone's cache.
        atomic_store_explicit(&self->seen, now, memory_order_release);
    }
    if (self->first != NULL) {
        release_before(self, lowest_announced(epoch));
    }
    return self->retired_count;
}

void epoch_retire(struct epoch *epoch, uint32_t worker, struct retired *retired,
                  void (*release)(struct retired *))
{
    struct epoch_worker *self = worker_at(epoch, worker);
    retired->next = NULL;
    retired->release = release;
    // Release: promise 1. Read-modify-writes of other workers continue the release sequence, so
    // whoever reads a later count acquires this one as well.
    retired->epoch = atomic_fetch_add_explicit(&epoch->now, 1, memory_order_release);
    if (self->last == NULL) {
        self->first = retired;
    } else {
        self->last->next = retired;
    }
    self->last = retired;
    self->retired_count++;
}

// Releases what is there; true when there was something. Its calls may have retired more.
static bool drain_once(struct epoch *epoch)
{
    bool any = false;
    for (uint32_t index = 0; index < epoch->worker_count; index++) {
        struct epoch_worker *worker = &epoch->workers[index];
        // Acquire: promise 2, once for all that this worker ever read.
        ASSERT(atomic_load_explicit(&worker->seen, memory_order_acquire) == OFFLINE);
        any = any || worker->first != NULL;
        release_before(worker, OFFLINE);
    }
    return any;
}

void epoch_drain(struct epoch *epoch)
{
    while (drain_once(epoch)) {
    }
}
