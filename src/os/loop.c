// SPDX-License-Identifier: MIT
// epoll for sockets, an eventfd for wakes.
// No wake is lost, and an already woken loop costs its wakers no system call:
//  - `woken` goes up by the waker that then writes the eventfd, and comes down only here, after the
//    eventfd was drained. So while it is up exactly one write is pending or about to be made.
//  - Draining before lowering: a waker in between finds the flag up and writes nothing, but our
//    lowering is an exchange (acquire) that reads what the waker's exchange (release) wrote, so
//    the caller sees whatever the waker had prepared. The other way round, the drain could swallow
//    the write of a waker that came after the lowering: flag up, eventfd empty, asleep for ever.
//  - The waker exchanges even when a load would show the flag up: a load alone could be ordered
//    before its preparations, and we would lower the flag without seeing them.
#include "os/loop.h"

#include "base/assert.h"
#include "base/memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BATCH_MAX = 512 };

struct loop {
    int epoll;
    int wake;
    atomic_bool woken;
    struct epoll_event batch[BATCH_MAX];
};

static uint32_t to_epoll(unsigned events)
{
    uint32_t bits = 0;
    bits |= events & LOOP_READ ? EPOLLIN : 0u;
    bits |= events & LOOP_WRITE ? EPOLLOUT : 0u;
    bits |= events & LOOP_EXCLUSIVE ? EPOLLEXCLUSIVE : 0u;
    return bits; // errors and hang-ups are always reported
}

static unsigned from_epoll(uint32_t bits)
{
    unsigned events = 0;
    events |= bits & EPOLLIN ? LOOP_READ : 0u;
    events |= bits & EPOLLOUT ? LOOP_WRITE : 0u;
    events |= bits & (EPOLLERR | EPOLLHUP) ? LOOP_HANGUP : 0u;
    return events;
}

static int control(struct loop *loop, int operation, int fd, struct epoll_event event)
{
    return epoll_ctl(loop->epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

// The loop's own address marks its wake: no owner can have it.
static int open_descriptors(struct loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        return -errno;
    }
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake < 0) {
        return -errno;
    }
    return loop_watch(loop, loop->wake, LOOP_READ, loop);
}

int loop_new(struct loop **ret_loop)
{
    struct loop *loop = memory_try_new(sizeof *loop);
    if (loop == NULL) {
        return -ENOMEM;
    }
    loop->epoll = -1;
    loop->wake = -1;
    atomic_init(&loop->woken, false);
    int error = open_descriptors(loop);
    if (error != 0) {
        loop_free(loop);
        return error;
    }
    *ret_loop = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (loop->wake >= 0) {
        close(loop->wake);
    }
    if (loop->epoll >= 0) {
        close(loop->epoll);
    }
    memory_free(loop);
}

int loop_watch(struct loop *loop, int fd, unsigned events, void *owner)
{
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = owner};
    return control(loop, EPOLL_CTL_ADD, fd, event);
}

int loop_change(struct loop *loop, int fd, unsigned events, void *owner)
{
    struct epoll_event event = {.events = to_epoll(events), .data.ptr = owner};
    return control(loop, EPOLL_CTL_MOD, fd, event);
}

void loop_unwatch(struct loop *loop, int fd)
{
    ASSERT(control(loop, EPOLL_CTL_DEL, fd, (struct epoll_event){0}) == 0);
}

static void accept_wake(struct loop *loop)
{
    uint64_t count;
    ssize_t size = read(loop->wake, &count, sizeof count);
    ASSERT(size == (ssize_t)sizeof count);
    atomic_exchange_explicit(&loop->woken, false, memory_order_acquire);
}

int loop_wait(struct loop *loop, int timeout_ms, struct loop_event *events, int events_max)
{
    ASSERT(events_max > 0);
    int batch_max = events_max < BATCH_MAX ? events_max : BATCH_MAX;
    int count = epoll_wait(loop->epoll, loop->batch, batch_max, timeout_ms);
    if (count < 0) {
        ASSERT(errno == EINTR);
        return 0;
    }
    int filled = 0;
    for (int index = 0; index < count; index++) {
        const struct epoll_event *event = &loop->batch[index];
        if (event->data.ptr == loop) {
            accept_wake(loop);
            continue;
        }
        events[filled].owner = event->data.ptr;
        events[filled].events = from_epoll(event->events);
        filled++;
    }
    return filled;
}

void loop_wake(struct loop *loop)
{
    // Release: what was prepared before the wake is visible to the loop that lowers the flag.
    if (atomic_exchange_explicit(&loop->woken, true, memory_order_acq_rel)) {
        return;
    }
    uint64_t one = 1;
    ASSERT(write(loop->wake, &one, sizeof one) == (ssize_t)sizeof one);
}
