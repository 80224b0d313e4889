// SPDX-License-Identifier: MIT
#include "access/auth_http_cache.h"

#include "base/lock.h"
#include "base/map.h"
#include "base/memory.h"
#include "os/random.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define DIGEST_SIZE 32

struct kept {
    struct kept *newer, *older;
    uint8_t digest[DIGEST_SIZE];
    int64_t until_ms;
    long status;
    size_t size;
    uint8_t body[];
};

struct auth_http_cache {
    struct lock lock;
    size_t count_max, bytes_max, bytes;
    uint8_t key[DIGEST_SIZE];
    struct map by_digest;
    struct kept *newest, *oldest;
};

static struct bytes digest_of(const void *value)
{
    return bytes_make(((const struct kept *)value)->digest, DIGEST_SIZE);
}

struct auth_http_cache *auth_http_cache_new(size_t count_max, size_t bytes_max)
{
    struct auth_http_cache *cache = memory_new(sizeof(*cache));
    struct hash_key key;
    random_bytes(&key, sizeof(key));
    random_bytes(cache->key, sizeof(cache->key));
    cache->count_max = count_max;
    cache->bytes_max = bytes_max;
    lock_init(&cache->lock);
    map_init(&cache->by_digest, key, digest_of);
    return cache;
}

static void unlink_kept(struct auth_http_cache *cache, struct kept *kept)
{
    if (kept->newer != NULL)
        kept->newer->older = kept->older;
    else
        cache->newest = kept->older;
    if (kept->older != NULL)
        kept->older->newer = kept->newer;
    else
        cache->oldest = kept->newer;
}

static void link_newest(struct auth_http_cache *cache, struct kept *kept)
{
    kept->newer = NULL;
    kept->older = cache->newest;
    if (cache->newest != NULL)
        cache->newest->newer = kept;
    else
        cache->oldest = kept;
    cache->newest = kept;
}

static void forget(struct auth_http_cache *cache, struct kept *kept)
{
    unlink_kept(cache, kept);
    map_remove(&cache->by_digest, digest_of(kept));
    cache->bytes -= kept->size;
    memory_free(kept);
}

void auth_http_cache_free(struct auth_http_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->newest != NULL)
        forget(cache, cache->newest);
    map_done(&cache->by_digest);
    lock_done(&cache->lock);
    memory_free(cache);
}

static bool digest(const struct auth_http_cache *cache, struct bytes question, uint8_t *digest)
{
    unsigned size;
    return HMAC(EVP_sha256(), cache->key, DIGEST_SIZE, question.data, question.size, digest,
                &size) != NULL;
}

static bool copy(const struct kept *kept, long *ret_status, uint8_t **ret_body, size_t *ret_size)
{
    uint8_t *body = memory_try_new(kept->size + 1);
    if (body == NULL)
        return false;
    memcpy(body, kept->body, kept->size);
    *ret_status = kept->status;
    *ret_body = body;
    *ret_size = kept->size;
    return true;
}

bool auth_http_cache_get(struct auth_http_cache *cache, struct bytes question, int64_t now_ms,
                         long *ret_status, uint8_t **ret_body, size_t *ret_size)
{
    uint8_t key[DIGEST_SIZE];
    bool is_there = false;
    if (!digest(cache, question, key))
        return false;
    lock_take(&cache->lock);
    struct kept *kept = map_find(&cache->by_digest, bytes_make(key, DIGEST_SIZE));
    if (kept != NULL && kept->until_ms <= now_ms) {
        forget(cache, kept);
        kept = NULL;
    }
    if (kept != NULL) {
        unlink_kept(cache, kept);
        link_newest(cache, kept);
        is_there = copy(kept, ret_status, ret_body, ret_size);
    }
    lock_release(&cache->lock);
    return is_there;
}

static void keep(struct auth_http_cache *cache, struct kept *kept)
{
    struct kept *old = map_find(&cache->by_digest, digest_of(kept));
    if (old != NULL)
        forget(cache, old);
    while (cache->oldest != NULL && (cache->by_digest.count >= cache->count_max ||
                                     cache->bytes + kept->size > cache->bytes_max))
        forget(cache, cache->oldest);
    if (kept->size > cache->bytes_max || !map_try_put(&cache->by_digest, kept)) {
        memory_free(kept);
        return;
    }
    cache->bytes += kept->size;
    link_newest(cache, kept);
}

void auth_http_cache_put(struct auth_http_cache *cache, struct bytes question, long status,
                         struct bytes body, int64_t until_ms)
{
    struct kept *kept = memory_try_new(sizeof(*kept) + body.size);
    if (kept == NULL)
        return;
    if (!digest(cache, question, kept->digest)) {
        memory_free(kept);
        return;
    }
    kept->until_ms = until_ms;
    kept->status = status;
    kept->size = body.size;
    if (body.size > 0)
        memcpy(kept->body, body.data, body.size);
    lock_take(&cache->lock);
    keep(cache, kept);
    lock_release(&cache->lock);
}
