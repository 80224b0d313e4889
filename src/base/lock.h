// SPDX-License-Identifier: MIT
// A mutex for the few writers of shared structures. Failure to lock is a bug of ours and asserts.
#ifndef BUD_BASE_LOCK_H
#define BUD_BASE_LOCK_H

#include <pthread.h>

struct lock {
    pthread_mutex_t mutex;
};

void lock_init(struct lock *lock);
void lock_done(struct lock *lock);
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

#endif
