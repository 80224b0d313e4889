// SPDX-License-Identifier: MIT
// Threads that stand still together while one other changes what they all use without a lock. Each
// comes to the standstill at a point of its own choosing, holding nothing.
#ifndef BUD_BASE_STANDSTILL_H
#define BUD_BASE_STANDSTILL_H

#include <pthread.h>
#include <stdint.h>

struct standstill {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t standing;
    uint64_t round;
};

void standstill_init(struct standstill *standstill);
void standstill_done(struct standstill *standstill);

// A thread that was asked to: returns when the standstill is over. What was changed is visible.
void standstill_stand(struct standstill *standstill);

// The one who changes: waits until `count` threads stand, and lets them go on again.
void standstill_wait(struct standstill *standstill, uint32_t count);
void standstill_end(struct standstill *standstill);

#endif
