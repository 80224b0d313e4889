// SPDX-License-Identifier: MIT
#include "server/retained_filler.h"

#include "base/condition.h"
#include "base/lock.h"
#include "base/memory.h"
#include "core/message.h"
#include "core/retained.h"
#include "os/thread.h"

#include <stdbool.h>
#include <stddef.h>

#define FEW 10000 // are quicker placed than handed over
#define BLOCK_SIZE 1024

struct block {
    struct block *next;
    uint32_t count;
    struct message *messages[BLOCK_SIZE];
};

struct retained_filler {
    struct retained *retained;
    struct thread *thread; // NULL: there are few so far, or there is but one core
    uint64_t count;
    uint64_t lost;        // the thread's while there is one
    struct block *filled; // not handed over yet
    struct lock lock;
    struct condition came; // a block, or the end
    struct block *first, *last;
    bool is_over;
};

struct retained_filler *retained_filler_new(struct retained *retained)
{
    struct retained_filler *filler = memory_new(sizeof(*filler));
    filler->retained = retained;
    lock_init(&filler->lock);
    condition_init(&filler->came);
    return filler;
}

static void place(struct retained_filler *filler, struct message *message)
{
    if (!retained_restore(filler->retained, message))
        filler->lost++;
    message_unref(message);
}

static struct block *next_block(struct retained_filler *filler)
{
    lock_take(&filler->lock);
    while (filler->first == NULL && !filler->is_over)
        condition_wait(&filler->came, &filler->lock);
    struct block *block = filler->first;
    if (block != NULL)
        filler->first = block->next;
    lock_release(&filler->lock);
    return block;
}

static void run(void *argument)
{
    struct retained_filler *filler = argument;
    struct block *block;
    while ((block = next_block(filler)) != NULL) {
        for (uint32_t i = 0; i < block->count; i++)
            place(filler, block->messages[i]);
        memory_free(block);
    }
}

static void hand_over(struct retained_filler *filler)
{
    struct block *block = filler->filled;
    filler->filled = NULL;
    lock_take(&filler->lock);
    if (filler->first == NULL)
        filler->first = block;
    else
        filler->last->next = block;
    filler->last = block;
    condition_wake_one(&filler->came);
    lock_release(&filler->lock);
}

void retained_filler_add(struct retained_filler *filler, struct message *message)
{
    // Without a thread it only takes longer.
    if (++filler->count == FEW && thread_core_count() > 1 &&
        thread_start(&filler->thread, "bud-retained", run, filler) < 0)
        filler->thread = NULL;
    if (filler->thread == NULL) {
        place(filler, message);
        return;
    }
    if (filler->filled == NULL)
        filler->filled = memory_new(sizeof(*filler->filled));
    struct block *block = filler->filled;
    block->messages[block->count++] = message;
    if (block->count == BLOCK_SIZE)
        hand_over(filler);
}

static void wait_for_thread(struct retained_filler *filler)
{
    if (filler->filled != NULL)
        hand_over(filler);
    lock_take(&filler->lock);
    filler->is_over = true;
    condition_wake_one(&filler->came);
    lock_release(&filler->lock);
    thread_join(filler->thread);
}

uint64_t retained_filler_end(struct retained_filler *filler)
{
    if (filler->thread != NULL)
        wait_for_thread(filler);
    uint64_t lost = filler->lost;
    condition_done(&filler->came);
    lock_done(&filler->lock);
    memory_free(filler);
    return lost;
}
