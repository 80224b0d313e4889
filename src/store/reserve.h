// SPDX-License-Identifier: MIT
// A file of 4 MB (less on a small file system) that holds nothing. When the disk is full it is
// given up, so that what makes room (deletions: acknowledgements from subscribers) can still be
// written; when there is space again it is taken back.
#ifndef BUD_STORE_RESERVE_H
#define BUD_STORE_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

struct reserve;

// `low_bytes` 0: the larger of 64 MB and 2 % of the file system, at most an eighth of it.
struct reserve *reserve_new(const char *directory, uint64_t low_bytes);
void reserve_free(struct reserve *reserve); // the file stays; NULL is fine
void reserve_give_up(struct reserve *reserve);
void reserve_take_back(struct reserve *reserve); // if it was given up and there is room again
uint64_t reserve_size(const struct reserve *reserve);

// Is there little space, counting `free_inside` the store's own files? Begins below the limit, ends
// above twice the limit. Takes the file back when it can.
bool reserve_is_low(struct reserve *reserve, uint64_t free_inside);

#endif
