// SPDX-License-Identifier: MIT
#include "base/condition.h"

#include "base/assert.h"

void condition_init(struct condition *condition)
{
    ASSERT(pthread_cond_init(&condition->cond, NULL) == 0);
}

void condition_done(struct condition *condition)
{
    ASSERT(pthread_cond_destroy(&condition->cond) == 0);
}

void condition_wait(struct condition *condition, struct lock *lock)
{
    ASSERT(pthread_cond_wait(&condition->cond, &lock->mutex) == 0);
}

void condition_wake_one(struct condition *condition)
{
    ASSERT(pthread_cond_signal(&condition->cond) == 0);
}

void condition_wake_all(struct condition *condition)
{
    ASSERT(pthread_cond_broadcast(&condition->cond) == 0);
}
