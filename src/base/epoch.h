// SPDX-License-Identifier: MIT
// When may a node that readers never lock be freed? Quiescent-state reclamation: each worker says
// once a turn that it holds no pointer into shared structures; what was unlinked before every
// worker said so can go. Reading costs nothing. Own code instead of liburcu: freeing happens on the
// worker that retires, at a known point of its turn (the simulator replays it), no thread of its
// own is started, and the C11 atomics are visible to the thread sanitizer. Invariant: an item
// retired at epoch e is freed only when every online worker has announced an epoch > e.
#ifndef BUD_BASE_EPOCH_H
#define BUD_BASE_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define EPOCH_WORKERS_MAX 256

// Embedded in what is to be freed.
struct retired {
    struct retired *next;
    uint64_t epoch;
    void (*release)(struct retired *retired);
};

struct epoch_worker {
    _Alignas(64) _Atomic uint64_t seen; // UINT64_MAX while offline
    struct retired *first, *last;       // this worker's own retired items, oldest first
    uint64_t retired_count;
};

struct epoch {
    _Alignas(64) _Atomic uint64_t now; // starts at 1
    uint32_t worker_count;
    struct epoch_worker workers[EPOCH_WORKERS_MAX];
};

void epoch_init(struct epoch *epoch, uint32_t worker_count); // all offline

// Before waiting: no shared pointer is held until epoch_online. Readers must be online to read.
void epoch_offline(struct epoch *epoch, uint32_t worker);
void epoch_online(struct epoch *epoch, uint32_t worker);

// Once a turn, holding no shared pointer: announces, then calls release for this worker's items
// that nobody can still see. Returns how many items are still waiting.
uint64_t epoch_quiescent(struct epoch *epoch, uint32_t worker);

// Hands over an item that is already unlinked, so that no reader that starts now can find it.
void epoch_retire(struct epoch *epoch, uint32_t worker, struct retired *retired,
                  void (*release)(struct retired *));

// Releases everything of all workers; every worker must be offline for good.
void epoch_drain(struct epoch *epoch);

#endif
