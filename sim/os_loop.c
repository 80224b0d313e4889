// SPDX-License-Identifier: MIT
// os/loop.h over the simulated network, level-triggered as epoll is. Waiting never blocks: a
// loop_wait that finds nothing notes until when it would have waited, and whoever drives the
// workers calls again when that moment has come or something is ready.
#include "os/loop.h"

#include "base/assert.h"
#include "base/memory.h"
#include "sim/machine_private.h"

#include <errno.h>

struct watch {
    unsigned events; // 0 is a watch, too: errors and hang-ups are always reported
    bool watched;
    void *owner;
};

struct loop {
    bool woken;
    int64_t due_ms; // of the last waiting
    int end;        // no descriptor from here on is watched
    struct watch watches[DESCRIPTORS_MAX];
};

int loop_new(struct loop **ret_loop)
{
    struct loop *loop = memory_try_new(sizeof *loop);
    if (loop == NULL)
        return -ENOMEM;
    *ret_loop = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    memory_free(loop);
}

int loop_watch(struct loop *loop, int fd, unsigned events, void *owner)
{
    (void)descriptor_at(fd);
    if (loop->watches[fd].watched)
        return -EEXIST;
    loop->watches[fd] = (struct watch){events, true, owner};
    loop->end = fd < loop->end ? loop->end : fd + 1;
    return 0;
}

int loop_change(struct loop *loop, int fd, unsigned events, void *owner)
{
    (void)descriptor_at(fd);
    if (!loop->watches[fd].watched)
        return -ENOENT;
    loop->watches[fd] = (struct watch){events, true, owner};
    return 0;
}

void loop_unwatch(struct loop *loop, int fd)
{
    (void)descriptor_at(fd);
    ASSERT(loop->watches[fd].watched);
    loop->watches[fd] = (struct watch){0};
}

static bool somebody_calls(void)
{
    for (const struct wire *wire = machine.wires; wire != NULL; wire = wire->next)
        if (wire_has_called(wire))
            return true;
    return false;
}

static unsigned readiness(const struct descriptor *descriptor)
{
    if (descriptor->kind == DESCRIPTOR_LISTENER)
        return somebody_calls() ? LOOP_READ : 0;
    const struct wire *wire = descriptor->wire;
    const struct pipe *in = &wire->to_broker;
    unsigned events = 0;
    if (pipe_is_readable(in))
        events |= LOOP_READ;
    if (pipe_room(&wire->to_far) > 0)
        events |= LOOP_WRITE;
    bool reset = in->is_reset || (in->first != NULL && in->first->kind == SEGMENT_RESET &&
                                  in->first->arrives_ms <= machine.now_ms);
    if (reset || wire_timed_out(wire) || (in->has_end && wire->to_far.ended))
        events |= LOOP_HANGUP | LOOP_READ | LOOP_WRITE;
    return events;
}

static unsigned events_of(const struct loop *loop, int fd)
{
    const struct watch *watch = &loop->watches[fd];
    if (!watch->watched)
        return 0;
    return readiness(&machine.descriptors[fd]) & (watch->events | LOOP_HANGUP);
}

// Ready sockets in the order of their descriptors, or starting somewhere and with neighbours
// changed.
static void shuffle(struct loop_event *events, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int other = (int)machine_below((uint64_t)i + 1);
        struct loop_event kept = events[i];
        events[i] = events[other];
        events[other] = kept;
    }
}

int loop_wait(struct loop *loop, int timeout_ms, struct loop_event *events, int events_max)
{
    ASSERT(events_max > 0);
    int count = 0;
    for (int fd = DESCRIPTOR_FIRST; fd < loop->end && count < events_max; fd++) {
        unsigned ready = events_of(loop, fd);
        if (ready != 0)
            events[count++] = (struct loop_event){loop->watches[fd].owner, ready};
    }
    if (machine.options.shuffles)
        shuffle(events, count);
    bool sleeps = count == 0 && !loop->woken && timeout_ms != 0;
    loop->due_ms = !sleeps          ? machine.now_ms
                   : timeout_ms < 0 ? INT64_MAX
                                    : machine.now_ms + timeout_ms;
    loop->woken = false;
    return count;
}

void loop_wake(struct loop *loop)
{
    loop->woken = true;
}

bool machine_loop_is_due(const struct loop *loop)
{
    bool due = loop->woken || loop->due_ms <= machine.now_ms;
    for (int fd = DESCRIPTOR_FIRST; fd < loop->end && !due; fd++)
        due = events_of(loop, fd) != 0;
    return due;
}

int64_t machine_loop_due_ms(const struct loop *loop)
{
    return loop->due_ms;
}
