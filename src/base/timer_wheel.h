// SPDX-License-Identifier: MIT
// Timers by the hundred thousand: hierarchical wheel, 1 ms ticks, O(1) to set and cancel. Times are
// absolute milliseconds of one monotonic clock that the caller reads. A timer is embedded in what
// it belongs to; setting a set timer moves it. A timer fires at or after its deadline, never
// before. The wheel spans all of int64_t.
#ifndef BUD_BASE_TIMER_WHEEL_H
#define BUD_BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    struct timer *next, *previous; // NULL: not set
    int64_t deadline_ms;
    void (*fire)(struct timer *timer); // set by the owner, called by timer_wheel_advance
};

struct timer_wheel; // sized in the source; one per worker

struct timer_wheel *timer_wheel_new(int64_t now_ms);
void timer_wheel_free(struct timer_wheel *wheel); // does not call or free the timers
void timer_set(struct timer_wheel *wheel, struct timer *timer,
               int64_t deadline_ms); // a past deadline fires at the next advance, see there
void timer_cancel(struct timer_wheel *wheel, struct timer *timer); // an unset timer is fine
static inline bool timer_is_set(const struct timer *timer)
{
    return timer->next != 0;
}

// Fires every timer with deadline <= now_ms, in order of deadline to the millisecond, and those of
// one millisecond in the order in which they were set. A firing timer is unset before its call; it
// and others may be set, cancelled or freed (once unset) from within. What is set from within for
// now_ms or earlier waits for the next advance, so a timer that sets itself again cannot hold the
// turn. A clock that went back moves nothing back. Returns how many fired.
uint32_t timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms);

// The earliest moment at which something may be due, or -1 when no timer is set. Exact within the
// present 64 ms; beyond it may be early (a level to re-sort), never late. A past deadline gives the
// time of the last advance.
int64_t timer_wheel_next_ms(const struct timer_wheel *wheel);

#endif
