// SPDX-License-Identifier: MIT
#include "server/inbox.h"

#include "base/assert.h"

void inbox_init(struct inbox *inbox)
{
    *inbox = (struct inbox){0};
    lock_init(&inbox->lock);
}

void inbox_done(struct inbox *inbox)
{
    ASSERT(inbox->chain.first == NULL);
    lock_done(&inbox->lock);
}

void post_chain_add(struct post_chain *chain, struct post *post)
{
    post->next = NULL;
    if (chain->first == NULL)
        chain->first = post;
    else
        chain->last->next = post;
    chain->last = post;
}

bool inbox_append(struct inbox *inbox, struct post_chain *chain)
{
    lock_take(&inbox->lock);
    bool was_empty = inbox->chain.first == NULL;
    if (was_empty)
        inbox->chain.first = chain->first;
    else
        inbox->chain.last->next = chain->first;
    inbox->chain.last = chain->last;
    lock_release(&inbox->lock);
    *chain = (struct post_chain){0};
    return was_empty;
}

struct post *inbox_take(struct inbox *inbox)
{
    lock_take(&inbox->lock);
    struct post *first = inbox->chain.first;
    inbox->chain = (struct post_chain){0};
    lock_release(&inbox->lock);
    return first;
}
