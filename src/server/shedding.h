// SPDX-License-Identifier: MIT
// What happens when memory runs short, in a written order, once a second:
//   beyond 70 % of memory_limit: no new sessions (0x89; who comes back to one may, and takes off
//                what waits there), and publishers are read from only every other second;
//   beyond 85 %: the client with most output waiting whose session does not survive is closed
//                (0x97). When no worker has such a client: one that has not sent CONNECT, then the
//                one that published most; never a client with a durable session that keeps up.
// At 100 % messages are refused one by one, with their reason. Also here: clients that read nothing
// for stalled_output_timeout.
#ifndef BUD_SERVER_SHEDDING_H
#define BUD_SERVER_SHEDDING_H

#include <stdbool.h>

struct worker;

void shedding_check(struct worker *worker);

// The disk cannot follow (or can again): those who publish are read from no more (again).
void shedding_on_deaf(struct worker *worker, bool deaf);

#endif
