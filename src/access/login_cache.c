// SPDX-License-Identifier: MIT
#include "access/login_cache.h"

#include "access/secret.h"
#include "base/assert.h"
#include "base/lock.h"
#include "base/map.h"
#include "base/memory.h"
#include "os/random.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#define DIGEST_SIZE 32

struct verified {
    struct verified *newer, *older;
    uint8_t digest[DIGEST_SIZE];
};

struct login_cache {
    struct lock lock;
    struct map by_digest;
    struct verified *newest, *oldest;
    size_t count_max;
    EVP_MAC_CTX *keyed; // copied for each use
};

static struct bytes digest_of(const void *value)
{
    return bytes_make(((const struct verified *)value)->digest, DIGEST_SIZE);
}

static EVP_MAC_CTX *make_keyed(void)
{
    uint8_t key[DIGEST_SIZE];
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    ASSERT(mac != NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    random_bytes(key, sizeof(key));
    ASSERT(context != NULL && EVP_MAC_init(context, key, sizeof(key), params) == 1);
    secret_wipe(key, sizeof(key));
    return context;
}

struct login_cache *login_cache_new(size_t count_max)
{
    struct login_cache *cache = memory_new(sizeof(*cache));
    struct hash_key key;
    random_bytes(&key, sizeof(key));
    lock_init(&cache->lock);
    map_init(&cache->by_digest, key, digest_of);
    cache->count_max = count_max;
    cache->keyed = make_keyed();
    return cache;
}

void login_cache_free(struct login_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->newest != NULL) {
        struct verified *older = cache->newest->older;
        memory_free(cache->newest);
        cache->newest = older;
    }
    map_done(&cache->by_digest);
    EVP_MAC_CTX_free(cache->keyed);
    lock_done(&cache->lock);
    memory_free(cache);
}

static bool add(EVP_MAC_CTX *context, struct bytes bytes)
{
    uint64_t size = bytes.size; // first, so that no two logins look alike
    return EVP_MAC_update(context, (const unsigned char *)&size, sizeof(size)) == 1 &&
           EVP_MAC_update(context, bytes.data, bytes.size) == 1;
}

static bool make_digest(const struct login_cache *cache, const struct password_hash *hash,
                        struct bytes user, struct bytes password, uint8_t *digest)
{
    size_t size;
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(cache->keyed);
    bool ok = context != NULL && add(context, user) && add(context, password) &&
              add(context, bytes_make(hash, sizeof(*hash))) &&
              EVP_MAC_final(context, digest, &size, DIGEST_SIZE) == 1;
    EVP_MAC_CTX_free(context);
    return ok;
}

static void unlink_one(struct login_cache *cache, struct verified *one)
{
    *(one->newer != NULL ? &one->newer->older : &cache->newest) = one->older;
    *(one->older != NULL ? &one->older->newer : &cache->oldest) = one->newer;
}

static void link_newest(struct login_cache *cache, struct verified *one)
{
    one->newer = NULL;
    one->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = one;
    cache->newest = one;
}

bool login_cache_has(struct login_cache *cache, const struct password_hash *hash, struct bytes user,
                     struct bytes password)
{
    uint8_t digest[DIGEST_SIZE];
    if (!make_digest(cache, hash, user, password, digest))
        return false;
    lock_take(&cache->lock);
    struct verified *one = map_find(&cache->by_digest, bytes_make(digest, DIGEST_SIZE));
    if (one != NULL) {
        unlink_one(cache, one);
        link_newest(cache, one);
    }
    lock_release(&cache->lock);
    return one != NULL;
}

static void put(struct login_cache *cache, struct verified *one)
{
    if (map_find(&cache->by_digest, digest_of(one)) != NULL ||
        !map_try_put(&cache->by_digest, one)) {
        memory_free(one);
        return;
    }
    link_newest(cache, one);
    if (cache->by_digest.count <= cache->count_max)
        return;
    struct verified *oldest = cache->oldest;
    map_remove(&cache->by_digest, digest_of(oldest));
    unlink_one(cache, oldest);
    memory_free(oldest);
}

void login_cache_put(struct login_cache *cache, const struct password_hash *hash, struct bytes user,
                     struct bytes password)
{
    struct verified *one = memory_try_new(sizeof(*one));
    if (one == NULL)
        return;
    if (!make_digest(cache, hash, user, password, one->digest)) {
        memory_free(one);
        return;
    }
    lock_take(&cache->lock);
    put(cache, one);
    lock_release(&cache->lock);
}
