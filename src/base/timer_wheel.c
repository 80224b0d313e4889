// SPDX-License-Identifier: MIT
// The hierarchical wheel. A time is read as eleven digits of six bits; a timer stands at the level
// of the highest digit in which its deadline differs from the wheel's position, in the slot of that
// digit. Hence three facts that everything below rests on:
//  - every timer of a level is due before every timer of the levels above;
//  - a slot in use lies ahead of the position's own digit, so the lowest set bit is the next one;
//  - equal deadlines always share a slot, and re-sorting keeps their order: first set, first fired.
// Eleven levels reach to the end of int64_t, so nothing has to be parked, and a timer is re-sorted
// at most ten times whatever its distance. Owned by one worker. The attacker controls how many
// timers there are and some deadlines; neither makes a step cost more than the timers it touches.
#include "base/timer_wheel.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stddef.h>

enum { DIGIT_BITS = 6, SLOTS = 1 << DIGIT_BITS, LEVELS = 11, NO_SLOT = -1 };

// The head of a ring of timers is a timer itself whose deadline_ms is the number of its slot
// (level * SLOTS + digit) or NO_SLOT: cancelling the last timer finds the occupancy bit by it.
struct timer_wheel {
    int64_t position_ms; // every slot before it is empty
    int64_t now_ms;      // of the last advance; above position_ms only while timers fire
    bool past_unsorted;  // `past` holds a timer before one with an earlier deadline
    bool advancing;
    uint64_t occupied[LEVELS];
    struct timer past;   // deadline <= now_ms when set: for the next advance
    struct timer firing; // due now, waiting for their call
    struct timer slots[LEVELS * SLOTS];
};

static void ring_init(struct timer *head, int64_t slot)
{
    head->next = head;
    head->previous = head;
    head->deadline_ms = slot;
}

static bool ring_is_empty(const struct timer *head)
{
    return head->next == head;
}

static void ring_append(struct timer *head, struct timer *timer)
{
    timer->next = head;
    timer->previous = head->previous;
    head->previous->next = timer;
    head->previous = timer;
}

static void ring_unlink(struct timer *timer)
{
    timer->previous->next = timer->next;
    timer->next->previous = timer->previous;
    timer->next = NULL;
    timer->previous = NULL;
}

// All timers of `from`, in their order, behind those of `to`.
static void ring_move(struct timer *to, struct timer *from)
{
    if (ring_is_empty(from)) {
        return;
    }
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    from->next = from;
    from->previous = from;
}

struct timer_wheel *timer_wheel_new(int64_t now_ms)
{
    ASSERT(now_ms >= 0);
    struct timer_wheel *wheel = memory_new(sizeof *wheel);
    wheel->position_ms = now_ms;
    wheel->now_ms = now_ms;
    ring_init(&wheel->past, NO_SLOT);
    ring_init(&wheel->firing, NO_SLOT);
    for (int slot = 0; slot < LEVELS * SLOTS; slot++) {
        ring_init(&wheel->slots[slot], slot);
    }
    return wheel;
}

void timer_wheel_free(struct timer_wheel *wheel)
{
    memory_free(wheel);
}

// `timer` is due after the position.
static void place(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t deadline = (uint64_t)timer->deadline_ms;
    uint64_t differing = deadline ^ (uint64_t)wheel->position_ms;
    unsigned level = (63u - (unsigned)__builtin_clzll(differing)) / DIGIT_BITS;
    unsigned digit = (unsigned)(deadline >> (level * DIGIT_BITS)) % SLOTS;
    wheel->occupied[level] |= (uint64_t)1 << digit;
    ring_append(&wheel->slots[level * SLOTS + digit], timer);
}

static void put_past(struct timer_wheel *wheel, struct timer *timer)
{
    bool empty = ring_is_empty(&wheel->past);
    if (!empty && wheel->past.previous->deadline_ms > timer->deadline_ms) {
        wheel->past_unsorted = true;
    }
    ring_append(&wheel->past, timer);
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t deadline_ms)
{
    timer_cancel(wheel, timer);
    timer->deadline_ms = deadline_ms;
    if (deadline_ms <= wheel->now_ms) {
        put_past(wheel, timer);
    } else {
        place(wheel, timer);
    }
}

void timer_cancel(struct timer_wheel *wheel, struct timer *timer)
{
    if (!timer_is_set(timer)) {
        return;
    }
    struct timer *head = timer->next;
    bool last = head == timer->previous; // nothing but the head beside it
    ring_unlink(timer);
    if (last && head->deadline_ms != NO_SLOT) {
        uint64_t bit = (uint64_t)1 << (head->deadline_ms % SLOTS);
        wheel->occupied[head->deadline_ms / SLOTS] &= ~bit;
    }
}

// Takes the earlier of the two first timers off its chain; of equals the one of `a`.
static struct timer *take_earlier(struct timer **a, struct timer **b)
{
    bool from_a = *b == NULL || (*a != NULL && (*a)->deadline_ms <= (*b)->deadline_ms);
    struct timer **chain = from_a ? a : b;
    struct timer *timer = *chain;
    *chain = timer->next;
    return timer;
}

static struct timer *merge(struct timer *a, struct timer *b)
{
    struct timer *first = NULL;
    struct timer **link = &first;
    while (a != NULL || b != NULL) {
        *link = take_earlier(&a, &b);
        link = &(*link)->next;
    }
    return first;
}

// A stable merge sort in place: bins[i] holds 2^i sorted timers or nothing, as in counting.
static void sort_past(struct timer_wheel *wheel)
{
    struct timer *bins[64] = {NULL};
    while (!ring_is_empty(&wheel->past)) {
        struct timer *run = wheel->past.next;
        ring_unlink(run);
        size_t bin = 0;
        for (; bins[bin] != NULL; bin++) {
            run = merge(bins[bin], run);
            bins[bin] = NULL;
        }
        bins[bin] = run;
    }
    struct timer *sorted = NULL;
    for (size_t bin = 0; bin < 64; bin++) {
        sorted = merge(bins[bin], sorted);
    }
    while (sorted != NULL) {
        struct timer *timer = sorted;
        sorted = timer->next;
        ring_append(&wheel->past, timer);
    }
    wheel->past_unsorted = false;
}

static uint32_t fire_all(struct timer_wheel *wheel)
{
    uint32_t count = 0;
    while (!ring_is_empty(&wheel->firing)) {
        struct timer *timer = wheel->firing.next;
        ring_unlink(timer);
        count++;
        timer->fire(timer);
    }
    return count;
}

static uint32_t fire_past(struct timer_wheel *wheel)
{
    if (wheel->past_unsorted) {
        sort_past(wheel);
    }
    ring_move(&wheel->firing, &wheel->past);
    return fire_all(wheel);
}

// The next slot in use, NO_SLOT when there is none.
static int next_slot(const struct timer_wheel *wheel)
{
    for (int level = 0; level < LEVELS; level++) {
        if (wheel->occupied[level] != 0) {
            return level * SLOTS + __builtin_ctzll(wheel->occupied[level]);
        }
    }
    return NO_SLOT;
}

// The first moment of a slot: the position with this digit, and zeroes below.
static int64_t slot_start(const struct timer_wheel *wheel, int slot)
{
    unsigned level = (unsigned)slot / SLOTS;
    uint64_t above = 0;
    if (level + 1 < LEVELS) {
        unsigned shift = (level + 1) * DIGIT_BITS;
        above = (uint64_t)wheel->position_ms >> shift << shift;
    }
    return (int64_t)(above | (uint64_t)slot % SLOTS << (level * DIGIT_BITS));
}

// The position has reached this slot: what is due goes to `firing`, the rest to levels below.
static void open_slot(struct timer_wheel *wheel, int slot)
{
    struct timer *head = &wheel->slots[slot];
    wheel->occupied[slot / SLOTS] &= ~((uint64_t)1 << (slot % SLOTS));
    if (slot < SLOTS) {
        ring_move(&wheel->firing, head);
        return;
    }
    while (!ring_is_empty(head)) {
        struct timer *timer = head->next;
        ring_unlink(timer);
        if (timer->deadline_ms == wheel->position_ms) {
            ring_append(&wheel->firing, timer);
        } else {
            place(wheel, timer);
        }
    }
}

uint32_t timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms)
{
    ASSERT(!wheel->advancing);
    wheel->advancing = true;
    if (now_ms > wheel->now_ms) {
        wheel->now_ms = now_ms;
    }
    uint32_t count = fire_past(wheel);
    int slot = next_slot(wheel);
    while (slot != NO_SLOT && slot_start(wheel, slot) <= wheel->now_ms) {
        wheel->position_ms = slot_start(wheel, slot);
        open_slot(wheel, slot);
        count += fire_all(wheel);
        slot = next_slot(wheel);
    }
    wheel->position_ms = wheel->now_ms;
    wheel->advancing = false;
    return count;
}

int64_t timer_wheel_next_ms(const struct timer_wheel *wheel)
{
    if (!ring_is_empty(&wheel->past)) {
        return wheel->now_ms;
    }
    int slot = next_slot(wheel);
    return slot == NO_SLOT ? -1 : slot_start(wheel, slot);
}
