// SPDX-License-Identifier: MIT
// How often may something happen? A bucket fills at a rate up to a burst; what happens takes from
// it. Times are milliseconds of one monotonic clock that never goes back.
#ifndef BUD_ACCESS_TOKEN_BUCKET_H
#define BUD_ACCESS_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
    uint64_t rate;  // tokens a second; 0: no limit
    uint64_t burst; // how many it holds
    int64_t filled; // in thousandths of a token; below 0: in debt
    int64_t at_ms;  // when that was true
};

void token_bucket_init(struct token_bucket *bucket, uint64_t rate, uint64_t burst, int64_t now_ms);

// True if `count` tokens were there and are taken. More than a burst can never be.
bool token_bucket_take(struct token_bucket *bucket, uint64_t count, int64_t now_ms);

// Takes them in any case, into debt: for what has happened already. How many milliseconds until the
// bucket is out of debt again; 0: it is not in debt.
int64_t token_bucket_charge(struct token_bucket *bucket, uint64_t count, int64_t now_ms);

#endif
