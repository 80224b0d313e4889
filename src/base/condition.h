// SPDX-License-Identifier: MIT
// Waiting for what somebody else changes under a lock. The waiter holds the lock, looks, and looks
// again after each wait: it may wake for nothing.
#ifndef BUD_BASE_CONDITION_H
#define BUD_BASE_CONDITION_H

#include "base/lock.h"

struct condition {
    pthread_cond_t cond;
};

void condition_init(struct condition *condition);
void condition_done(struct condition *condition);
void condition_wait(struct condition *condition, struct lock *lock); // lets the lock go meanwhile
void condition_wake_one(struct condition *condition);
void condition_wake_all(struct condition *condition);

#endif
