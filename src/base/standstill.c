// SPDX-License-Identifier: MIT
#include "base/standstill.h"

#include "base/assert.h"

void standstill_init(struct standstill *standstill)
{
    standstill->standing = 0;
    standstill->round = 0;
    ASSERT(pthread_mutex_init(&standstill->mutex, NULL) == 0);
    ASSERT(pthread_cond_init(&standstill->changed, NULL) == 0);
}

void standstill_done(struct standstill *standstill)
{
    ASSERT(pthread_cond_destroy(&standstill->changed) == 0);
    ASSERT(pthread_mutex_destroy(&standstill->mutex) == 0);
}

void standstill_stand(struct standstill *standstill)
{
    ASSERT(pthread_mutex_lock(&standstill->mutex) == 0);
    uint64_t round = standstill->round;
    standstill->standing++;
    ASSERT(pthread_cond_broadcast(&standstill->changed) == 0);
    while (standstill->round == round)
        ASSERT(pthread_cond_wait(&standstill->changed, &standstill->mutex) == 0);
    ASSERT(pthread_mutex_unlock(&standstill->mutex) == 0);
}

void standstill_wait(struct standstill *standstill, uint32_t count)
{
    ASSERT(pthread_mutex_lock(&standstill->mutex) == 0);
    while (standstill->standing < count)
        ASSERT(pthread_cond_wait(&standstill->changed, &standstill->mutex) == 0);
    ASSERT(pthread_mutex_unlock(&standstill->mutex) == 0);
}

void standstill_end(struct standstill *standstill)
{
    ASSERT(pthread_mutex_lock(&standstill->mutex) == 0);
    standstill->standing = 0;
    standstill->round++;
    ASSERT(pthread_cond_broadcast(&standstill->changed) == 0);
    ASSERT(pthread_mutex_unlock(&standstill->mutex) == 0);
}
