// SPDX-License-Identifier: MIT
// What workers hand to each other: the only way between them. Any worker appends a whole chain of
// posts at once; the owner takes everything at once, first in first out, so what one worker posts
// before another is read before it.
#ifndef BUD_SERVER_INBOX_H
#define BUD_SERVER_INBOX_H

#include "base/lock.h"
#include "core/index.h"
#include "core/message.h"
#include "core/ports.h"

#include <stdbool.h>

struct connection;
struct login_job;
struct read_request;

enum post_kind {
    POST_MESSAGE,    // deliver to these leaves of yours
    POST_MEMBER,     // deliver to this member of a shared subscription, yours: from a turn of mine,
                     // `ticket`, and instead of `moved`
    POST_NO_MEMBER,  // it is none any more: choose another, still in that turn of yours
    POST_CONNECTION, // this connection belongs to a session whose home you are
    POST_STOP,       // read no more, and tell the others
    POST_SYNC,       // tell me when what I posted so far is on the disk: `from`, `ticket`
    POST_SYNCED,     // it is: `ticket`
    POST_COMMITTED,  // from the writer: your batch `ticket` is on the disk
    POST_READ,       // from the writer: what was asked for, in `read`
    POST_STAND,      // come to the standstill at the end of your turn
    POST_VERDICT,    // from the login's threads: `login`
    POST_QUIET,      // I read no more: nothing comes from me after this
};

struct post {
    struct post *next;
    uint8_t kind; // enum post_kind
    uint32_t from;
    uint64_t ticket;
    struct message *message;     // referenced
    struct share_member *member; // POST_NO_MEMBER: referenced
    struct moved moved;
    struct read_request *read;     // owned
    struct connection *connection; // owned
    struct login_job *login;       // owned
    uint32_t leaf_count;
    struct leaf *leaves[];
};

struct post_chain {
    struct post *first, *last;
};

struct inbox {
    struct lock lock;
    struct post_chain chain;
};

void inbox_init(struct inbox *inbox);
void inbox_done(struct inbox *inbox); // must be empty
bool inbox_append(struct inbox *inbox,
                  struct post_chain *chain);  // empties `chain`; true: it was empty, wake the owner
struct post *inbox_take(struct inbox *inbox); // the oldest, linked to the rest; NULL: nothing
void post_chain_add(struct post_chain *chain, struct post *post);

#endif
