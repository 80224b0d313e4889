// SPDX-License-Identifier: MIT
#include "access/rate.h"

#include "access/token_bucket.h"
#include "base/assert.h"
#include "base/lock.h"
#include "base/map.h"
#include "base/memory.h"

#include <string.h>

struct rate {
    struct rate *newer, *older; // among the idle
    struct lock lock;           // for the buckets
    struct token_bucket publishes, bytes;
    uint32_t references;
    uint32_t name_size;
    uint8_t name[];
};

struct rate_table {
    struct lock lock; // for all but the buckets
    struct rate_limits limits;
    struct map by_name;
    struct rate *newest, *oldest; // idle
    size_t idle_count, idle_max;
};

static struct bytes name_of(const void *value)
{
    const struct rate *rate = value;
    return bytes_make(rate->name, rate->name_size);
}

static uint64_t burst_of(uint64_t rate, uint64_t burst)
{
    return burst > 0 ? burst : rate;
}

static void fill(struct rate *rate, const struct rate_limits *limits, int64_t now_ms)
{
    token_bucket_init(&rate->publishes, limits->publish_rate,
                      burst_of(limits->publish_rate, limits->publish_burst), now_ms);
    token_bucket_init(&rate->bytes, limits->byte_rate,
                      burst_of(limits->byte_rate, limits->byte_burst), now_ms);
}

struct rate_table *rate_table_new(const struct rate_limits *limits, size_t idle_max,
                                  struct hash_key key)
{
    struct rate_table *table = memory_new(sizeof(*table));
    table->limits = *limits;
    table->idle_max = idle_max;
    lock_init(&table->lock);
    map_init(&table->by_name, key, name_of);
    return table;
}

static void take_from_idle(struct rate_table *table, struct rate *rate)
{
    if (rate->newer != NULL)
        rate->newer->older = rate->older;
    else
        table->newest = rate->older;
    if (rate->older != NULL)
        rate->older->newer = rate->newer;
    else
        table->oldest = rate->newer;
    table->idle_count--;
}

static void put_to_idle(struct rate_table *table, struct rate *rate)
{
    rate->newer = NULL;
    rate->older = table->newest;
    if (table->newest != NULL)
        table->newest->newer = rate;
    else
        table->oldest = rate;
    table->newest = rate;
    table->idle_count++;
}

static void forget(struct rate_table *table, struct rate *rate)
{
    take_from_idle(table, rate);
    map_remove(&table->by_name, name_of(rate));
    lock_done(&rate->lock);
    memory_free(rate);
}

void rate_table_free(struct rate_table *table)
{
    if (table == NULL)
        return;
    while (table->oldest != NULL)
        forget(table, table->oldest);
    ASSERT(table->by_name.count == 0);
    map_done(&table->by_name);
    lock_done(&table->lock);
    memory_free(table);
}

void rate_table_set_limits(struct rate_table *table, const struct rate_limits *limits,
                           int64_t now_ms)
{
    size_t position = 0;
    struct rate *rate;
    lock_take(&table->lock);
    bool differ = memcmp(&table->limits, limits, sizeof(*limits)) != 0;
    table->limits = *limits;
    while (differ && (rate = map_next(&table->by_name, &position)) != NULL) {
        lock_take(&rate->lock);
        fill(rate, limits, now_ms);
        lock_release(&rate->lock);
    }
    lock_release(&table->lock);
}

struct rate_limits rate_table_limits(struct rate_table *table)
{
    lock_take(&table->lock);
    struct rate_limits limits = table->limits;
    lock_release(&table->lock);
    return limits;
}

static struct rate *try_new(struct rate_table *table, struct bytes name, int64_t now_ms)
{
    struct rate *rate = memory_try_new(sizeof(*rate) + name.size);
    if (rate == NULL)
        return NULL;
    rate->name_size = (uint32_t)name.size;
    if (name.size > 0)
        memcpy(rate->name, name.data, name.size);
    if (!map_try_put(&table->by_name, rate)) {
        memory_free(rate);
        return NULL;
    }
    lock_init(&rate->lock);
    fill(rate, &table->limits, now_ms);
    return rate;
}

struct rate *rate_try_take(struct rate_table *table, struct bytes name, int64_t now_ms)
{
    lock_take(&table->lock);
    struct rate *rate = map_find(&table->by_name, name);
    if (rate == NULL)
        rate = try_new(table, name, now_ms);
    else if (rate->references == 0)
        take_from_idle(table, rate);
    if (rate != NULL)
        rate->references++;
    lock_release(&table->lock);
    return rate;
}

void rate_give(struct rate_table *table, struct rate *rate)
{
    if (rate == NULL)
        return;
    lock_take(&table->lock);
    if (--rate->references == 0)
        put_to_idle(table, rate);
    while (table->idle_count > table->idle_max)
        forget(table, table->oldest);
    lock_release(&table->lock);
}

int64_t rate_charge(struct rate *rate, uint64_t publishes, uint64_t bytes, int64_t now_ms)
{
    lock_take(&rate->lock);
    int64_t for_publishes = token_bucket_charge(&rate->publishes, publishes, now_ms);
    int64_t for_bytes = token_bucket_charge(&rate->bytes, bytes, now_ms);
    lock_release(&rate->lock);
    return for_publishes > for_bytes ? for_publishes : for_bytes;
}
