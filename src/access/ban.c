// SPDX-License-Identifier: MIT
#include "access/ban.h"

#include "base/lock.h"
#include "base/map.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_MAX 8
#define KEY_MAX (1 + PREFIX_MAX + 1 + BAN_USER_MAX)
#define WITH_USER 1

// The key: family, address (IPv6: its network), then nothing or WITH_USER and the name.
struct entry {
    struct entry *newer, *older;
    struct entries *list;
    int64_t window_ms; // of the first failure
    int64_t until_ms;  // banned until then
    uint32_t failures, times;
    uint8_t key_size;
    uint8_t key[];
};

struct entries {
    struct entry *newest, *oldest;
    size_t count;
};

// What is banned is in a list of its own, and forgotten last.
struct bans {
    struct lock lock;
    struct ban_options options;
    struct map by_key;
    struct entries waiting, banned;
    _Atomic size_t banned_count; // of the list, to be asked without the lock
};

struct key {
    uint8_t size;
    uint8_t bytes[KEY_MAX];
};

static struct bytes key_of_entry(const void *value)
{
    const struct entry *entry = value;
    return bytes_make(entry->key, entry->key_size);
}

static uint8_t prefix_size(uint8_t family)
{
    return family == 4 ? 4 : family == 6 ? PREFIX_MAX : 0;
}

static struct key key_of_address(const struct net_address *address)
{
    struct key key = {.size = 1};
    uint8_t size = prefix_size(address->family);
    key.bytes[0] = address->family;
    memcpy(key.bytes + 1, address->octets, size);
    key.size = (uint8_t)(key.size + size);
    return key;
}

static struct key key_of_pair(const struct ban_subject *subject)
{
    struct key key = key_of_address(&subject->address);
    size_t size = subject->user.size < BAN_USER_MAX ? subject->user.size : BAN_USER_MAX;
    key.bytes[key.size++] = WITH_USER;
    if (size > 0)
        memcpy(key.bytes + key.size, subject->user.data, size);
    key.size = (uint8_t)(key.size + size);
    return key;
}

static void take_out(struct bans *bans, struct entry *entry)
{
    struct entries *list = entry->list;
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        list->newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        list->oldest = entry->newer;
    list->count--;
    atomic_store_explicit(&bans->banned_count, bans->banned.count, memory_order_relaxed);
}

static void put_in(struct bans *bans, struct entry *entry, struct entries *list)
{
    entry->list = list;
    entry->newer = NULL;
    entry->older = list->newest;
    if (list->newest != NULL)
        list->newest->newer = entry;
    else
        list->oldest = entry;
    list->newest = entry;
    list->count++;
    atomic_store_explicit(&bans->banned_count, bans->banned.count, memory_order_relaxed);
}

static void forget(struct bans *bans, struct entry *entry)
{
    take_out(bans, entry);
    map_remove(&bans->by_key, key_of_entry(entry));
    memory_free(entry);
}

static struct entry *find(const struct bans *bans, const struct key *key)
{
    return map_find(&bans->by_key, bytes_make(key->bytes, key->size));
}

static void make_room(struct bans *bans)
{
    while (bans->by_key.count >= bans->options.entries_max && bans->by_key.count > 0)
        forget(bans, bans->waiting.oldest != NULL ? bans->waiting.oldest : bans->banned.oldest);
}

// NULL without memory: then this failure is not remembered.
static struct entry *try_entry(struct bans *bans, const struct key *key)
{
    struct entry *entry = find(bans, key);
    if (entry != NULL)
        return entry;
    make_room(bans);
    entry = memory_try_new(sizeof(*entry) + key->size);
    if (entry == NULL)
        return NULL;
    entry->key_size = key->size;
    memcpy(entry->key, key->bytes, key->size);
    if (!map_try_put(&bans->by_key, entry)) {
        memory_free(entry);
        return NULL;
    }
    put_in(bans, entry, &bans->waiting);
    return entry;
}

// Bans that are over are bans no more, but their number is remembered for the next.
static void sweep(struct bans *bans, int64_t now_ms)
{
    struct entry *newer;
    for (struct entry *entry = bans->banned.oldest; entry != NULL; entry = newer) {
        newer = entry->newer;
        if (entry->until_ms > now_ms)
            continue;
        take_out(bans, entry);
        put_in(bans, entry, &bans->waiting);
    }
}

struct bans *bans_new(const struct ban_options *options, struct hash_key key)
{
    struct bans *bans = memory_new(sizeof(*bans));
    bans->options = *options;
    lock_init(&bans->lock);
    map_init(&bans->by_key, key, key_of_entry);
    return bans;
}

static void forget_all(struct bans *bans)
{
    while (bans->waiting.newest != NULL)
        forget(bans, bans->waiting.newest);
    while (bans->banned.newest != NULL)
        forget(bans, bans->banned.newest);
}

void bans_free(struct bans *bans)
{
    if (bans == NULL)
        return;
    forget_all(bans);
    map_done(&bans->by_key);
    lock_done(&bans->lock);
    memory_free(bans);
}

void bans_set_options(struct bans *bans, const struct ban_options *options)
{
    lock_take(&bans->lock);
    bans->options = *options;
    lock_release(&bans->lock);
}

static uint64_t doubled(uint32_t first, uint32_t times, uint32_t most)
{
    uint64_t value = (uint64_t)first << (times < 31 ? times : 31);
    return value < most ? value : most;
}

// One more failure; the seconds of the ban that it earns.
static uint32_t count_failure(struct bans *bans, struct entry *entry, bool may_ban, int64_t now_ms)
{
    const struct ban_options *options = &bans->options;
    if (entry->failures == 0 || now_ms - entry->window_ms > (int64_t)options->window_s * 1000) {
        entry->failures = 0;
        entry->window_ms = now_ms;
    }
    // Who has behaved for as long as the longest ban begins anew.
    if (now_ms - entry->until_ms > (int64_t)options->ban_s_max * 1000)
        entry->times = 0;
    entry->failures++;
    take_out(bans, entry);
    if (!may_ban || options->failures_max == 0 || entry->failures < options->failures_max) {
        put_in(bans, entry, entry->until_ms > now_ms ? &bans->banned : &bans->waiting);
        return 0;
    }
    uint32_t ban_s = (uint32_t)doubled(options->ban_s, entry->times++, options->ban_s_max);
    entry->failures = 0;
    entry->until_ms = now_ms + (int64_t)ban_s * 1000;
    put_in(bans, entry, &bans->banned);
    return ban_s;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

struct ban_judgement bans_failed(struct bans *bans, const struct ban_subject *subject,
                                 int64_t now_ms)
{
    struct ban_judgement judgement = {0};
    bool may_ban = !net_address_is_loopback(&subject->address);
    struct key key = key_of_address(&subject->address);
    lock_take(&bans->lock);
    sweep(bans, now_ms);
    struct entry *entry = try_entry(bans, &key);
    if (entry != NULL) {
        judgement.ban_s = count_failure(bans, entry, may_ban, now_ms);
        uint32_t earlier = entry->failures > 0 ? entry->failures - 1 : bans->options.failures_max;
        judgement.delay_ms =
            (uint32_t)doubled(bans->options.delay_ms, earlier, bans->options.delay_ms_max);
    }
    if (subject->has_user) {
        key = key_of_pair(subject);
        entry = try_entry(bans, &key);
        if (entry != NULL)
            judgement.ban_s = larger(judgement.ban_s, count_failure(bans, entry, may_ban, now_ms));
    }
    lock_release(&bans->lock);
    return judgement;
}

// Only what this user added: who has one good password does not wipe off guesses at others.
void bans_succeeded(struct bans *bans, const struct ban_subject *subject)
{
    struct key key = key_of_address(&subject->address), pair_key = key_of_pair(subject);
    lock_take(&bans->lock);
    struct entry *entry = find(bans, &key), *pair = find(bans, &pair_key);
    if (pair != NULL && pair->list == &bans->waiting) {
        if (entry != NULL)
            entry->failures -= pair->failures < entry->failures ? pair->failures : entry->failures;
        forget(bans, pair);
    }
    lock_release(&bans->lock);
}

static int64_t left_of(const struct bans *bans, const struct key *key, int64_t now_ms)
{
    const struct entry *entry = find(bans, key);
    return entry == NULL || entry->until_ms <= now_ms ? 0 : entry->until_ms - now_ms;
}

int64_t bans_left_ms(struct bans *bans, const struct ban_subject *subject, int64_t now_ms)
{
    if (atomic_load_explicit(&bans->banned_count, memory_order_relaxed) == 0)
        return 0;
    struct key key = key_of_address(&subject->address);
    lock_take(&bans->lock);
    int64_t left_ms = left_of(bans, &key, now_ms);
    if (left_ms == 0 && subject->has_user) {
        key = key_of_pair(subject);
        left_ms = left_of(bans, &key, now_ms);
    }
    lock_release(&bans->lock);
    return left_ms;
}

size_t bans_count(struct bans *bans, int64_t now_ms)
{
    lock_take(&bans->lock);
    sweep(bans, now_ms);
    size_t count = bans->banned.count;
    lock_release(&bans->lock);
    return count;
}

static void describe(const struct entry *entry, int64_t now_ms, struct ban *ban)
{
    struct net_address address = {.family = entry->key[0]};
    uint8_t size = prefix_size(address.family);
    memcpy(address.octets, entry->key + 1, size);
    net_address_host_text(&address, ban->address);
    size_t length = strlen(ban->address);
    if (address.family == 6)
        (void)snprintf(ban->address + length, sizeof(ban->address) - length, "/64");
    if (entry->key_size > 1u + size)
        ban->user = bytes_make(entry->key + 1 + size + 1, entry->key_size - 2u - size);
    ban->left_ms = entry->until_ms - now_ms;
    ban->times = entry->times;
}

void bans_list(struct bans *bans, int64_t now_ms,
               void (*each)(void *context, const struct ban *ban), void *context)
{
    lock_take(&bans->lock);
    sweep(bans, now_ms);
    for (const struct entry *entry = bans->banned.newest; entry != NULL; entry = entry->older) {
        struct ban ban = {0};
        describe(entry, now_ms, &ban);
        each(context, &ban);
    }
    lock_release(&bans->lock);
}

static bool begins_with(const struct entry *entry, const struct key *key)
{
    return entry->key_size >= key->size && memcmp(entry->key, key->bytes, key->size) == 0;
}

static size_t forget_those_of(struct bans *bans, struct entries *list, const struct key *key)
{
    size_t count = 0;
    struct entry *older;
    for (struct entry *entry = list->newest; entry != NULL; entry = older) {
        older = entry->older;
        if (!begins_with(entry, key))
            continue;
        forget(bans, entry);
        count++;
    }
    return count;
}

size_t bans_lift(struct bans *bans, const struct net_address *address, int64_t now_ms)
{
    struct key key = key_of_address(address);
    lock_take(&bans->lock);
    sweep(bans, now_ms);
    size_t count = forget_those_of(bans, &bans->banned, &key);
    (void)forget_those_of(bans, &bans->waiting, &key);
    lock_release(&bans->lock);
    return count;
}

size_t bans_lift_all(struct bans *bans, int64_t now_ms)
{
    lock_take(&bans->lock);
    sweep(bans, now_ms);
    size_t count = bans->banned.count;
    forget_all(bans);
    lock_release(&bans->lock);
    return count;
}

bool ban_address_parse(struct bytes text, struct net_address *ret_address)
{
    static const char suffix[] = "/64";
    size_t size = sizeof(suffix) - 1;
    struct net_address address;
    bool is_network = text.size > size && memcmp(text.data + text.size - size, suffix, size) == 0;
    if (is_network)
        text.size -= size;
    if (!net_address_parse(text, &address) || (is_network && address.family != 6))
        return false;
    *ret_address = address;
    return true;
}
