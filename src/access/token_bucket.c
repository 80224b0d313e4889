// SPDX-License-Identifier: MIT
#include "access/token_bucket.h"

// What a bucket can hold or owe, in thousandths, so that no sum overflows.
#define FILLED_MAX (INT64_MAX / 4)
#define COUNT_MAX ((uint64_t)(FILLED_MAX / 1000))

static int64_t thousandths(uint64_t count)
{
    return (int64_t)(count < COUNT_MAX ? count : COUNT_MAX) * 1000;
}

void token_bucket_init(struct token_bucket *bucket, uint64_t rate, uint64_t burst, int64_t now_ms)
{
    *bucket = (struct token_bucket){
        .rate = rate, .burst = burst, .filled = thousandths(burst), .at_ms = now_ms};
}

// A thousandth of a token for each token of the rate and millisecond.
static void fill(struct token_bucket *bucket, int64_t now_ms)
{
    int64_t full = thousandths(bucket->burst);
    int64_t room = full - bucket->filled;
    int64_t passed_ms = now_ms - bucket->at_ms;
    bucket->at_ms = now_ms;
    if (passed_ms <= 0 || room <= 0)
        return;
    if (bucket->rate > (uint64_t)room / (uint64_t)passed_ms)
        bucket->filled = full;
    else
        bucket->filled += (int64_t)bucket->rate * passed_ms;
}

bool token_bucket_take(struct token_bucket *bucket, uint64_t count, int64_t now_ms)
{
    if (bucket->rate == 0)
        return true;
    fill(bucket, now_ms);
    if (bucket->filled < thousandths(count))
        return false;
    bucket->filled -= thousandths(count);
    return true;
}

int64_t token_bucket_charge(struct token_bucket *bucket, uint64_t count, int64_t now_ms)
{
    if (bucket->rate == 0)
        return 0;
    fill(bucket, now_ms);
    bucket->filled -= thousandths(count);
    if (bucket->filled < -FILLED_MAX)
        bucket->filled = -FILLED_MAX;
    if (bucket->filled >= 0)
        return 0;
    int64_t rate = bucket->rate < (uint64_t)FILLED_MAX ? (int64_t)bucket->rate : FILLED_MAX;
    return (-bucket->filled + rate - 1) / rate;
}
