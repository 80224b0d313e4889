// SPDX-License-Identifier: MIT
// pthread_mutex whose failures (double locking, a foreign unlock) are bugs of ours: the mutex
// checks for them, and the process stops at the place instead of hanging.
#include "base/lock.h"

#include "base/assert.h"

void lock_init(struct lock *lock)
{
    pthread_mutexattr_t attributes;
    ASSERT(pthread_mutexattr_init(&attributes) == 0);
    ASSERT(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK) == 0);
    ASSERT(pthread_mutex_init(&lock->mutex, &attributes) == 0);
    ASSERT(pthread_mutexattr_destroy(&attributes) == 0);
}

void lock_done(struct lock *lock)
{
    ASSERT(pthread_mutex_destroy(&lock->mutex) == 0);
}

void lock_take(struct lock *lock)
{
    ASSERT(pthread_mutex_lock(&lock->mutex) == 0);
}

void lock_release(struct lock *lock)
{
    ASSERT(pthread_mutex_unlock(&lock->mutex) == 0);
}
