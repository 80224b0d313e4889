// SPDX-License-Identifier: MIT
// At start, retained messages find their places in the topic tree. Where there are many, a thread
// does that while the store is read on: each place is a walk through cold memory, and who has a
// million of them wants to listen soon. What is added is in the tree when retained_filler_end
// returns, in the order it was added.
#ifndef BUD_SERVER_RETAINED_FILLER_H
#define BUD_SERVER_RETAINED_FILLER_H

#include <stdint.h>

struct message;
struct retained;
struct retained_filler;

struct retained_filler *retained_filler_new(struct retained *retained);
void retained_filler_add(struct retained_filler *filler, struct message *message); // takes it over
uint64_t retained_filler_end(struct retained_filler *filler); // frees; how many had no place
#endif
