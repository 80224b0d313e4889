// SPDX-License-Identifier: MIT
#include "transport/ticket_keys.h"

#include "base/assert.h"
#include "base/lock.h"
#include "base/memory.h"
#include "os/file.h"
#include "os/file_contents.h"
#include "os/random.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <string.h>

// The file: this line, and the keys as they are in memory on this machine.
#define MAGIC "budstikke ticket keys 1\n"

struct ticket_keys {
    _Atomic uint32_t references;
    struct lock lock;                        // of `keys`; held for a copy only
    struct ticket_key keys[TICKET_KEYS_MAX]; // the newest first
    char *path;
};

struct file_image {
    char magic[sizeof(MAGIC) - 1];
    struct ticket_key keys[TICKET_KEYS_MAX];
};

static struct ticket_key make_key(int64_t now_s)
{
    struct ticket_key key = {.made_at_s = now_s};
    random_bytes(key.name, sizeof(key.name));
    random_bytes(key.aes, sizeof(key.aes));
    random_bytes(key.mac, sizeof(key.mac));
    return key;
}

static bool is_usable(const struct ticket_key *key, int64_t now_s)
{
    int64_t age = now_s - key->made_at_s;
    return key->made_at_s > 0 && age >= 0 && age < (int64_t)TICKET_KEYS_MAX * TICKET_LIFETIME_S;
}

// Keys that somebody else can have seen, or that are too old, are as good as none.
static void take_from(const struct file_contents *contents, int64_t now_s,
                      struct ticket_key *ret_keys)
{
    struct file_image image;
    size_t count = 0;
    if (contents->size != sizeof(image) || (contents->mode & 077) != 0)
        return;
    memcpy(&image, contents->data, sizeof(image));
    if (memcmp(image.magic, MAGIC, sizeof(image.magic)) == 0)
        for (size_t i = 0; i < TICKET_KEYS_MAX; i++)
            if (is_usable(&image.keys[i], now_s))
                ret_keys[count++] = image.keys[i];
    OPENSSL_cleanse(&image, sizeof(image));
}

static void load(struct ticket_keys *keys, int64_t now_s)
{
    struct file_contents contents;
    if (keys->path == NULL ||
        file_read_contents(keys->path, false, sizeof(struct file_image), &contents) < 0)
        return;
    take_from(&contents, now_s, keys->keys);
    if (contents.data != NULL)
        OPENSSL_cleanse(contents.data, contents.size);
    memory_free(contents.data);
}

static int save(const struct ticket_keys *keys)
{
    struct file_image image;
    if (keys->path == NULL)
        return 0;
    memset(&image, 0, sizeof(image));
    memcpy(image.magic, MAGIC, sizeof(image.magic));
    memcpy(image.keys, keys->keys, sizeof(image.keys));
    // Not file_replace: that keeps the mode of what was there.
    int error = file_remove(keys->path);
    if (error == 0)
        error = file_make_secret(keys->path, &image, sizeof(image));
    OPENSSL_cleanse(&image, sizeof(image));
    return error;
}

static char *copy_path(const char *path)
{
    if (path == NULL || path[0] == '\0')
        return NULL;
    size_t size = strlen(path) + 1;
    char *copy = memory_new(size);
    memcpy(copy, path, size);
    return copy;
}

struct ticket_keys *ticket_keys_new(const char *path, int64_t now_ms, int *ret_error)
{
    struct ticket_keys *keys = memory_new(sizeof(*keys));
    atomic_init(&keys->references, 1);
    lock_init(&keys->lock);
    keys->path = copy_path(path);
    load(keys, now_ms / 1000);
    int error = ticket_keys_rotate(keys, now_ms);
    *ret_error = error < 0 ? error : 0;
    return keys;
}

struct ticket_keys *ticket_keys_ref(struct ticket_keys *keys)
{
    if (keys != NULL)
        atomic_fetch_add_explicit(&keys->references, 1, memory_order_relaxed);
    return keys;
}

void ticket_keys_unref(struct ticket_keys *keys)
{
    if (keys == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&keys->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    lock_done(&keys->lock);
    memory_free(keys->path);
    OPENSSL_cleanse(keys, sizeof(*keys));
    memory_free(keys);
}

int ticket_keys_rotate(struct ticket_keys *keys, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    // Only the caller's thread changes the keys, so it may look at them without the lock.
    int64_t age = now_s - keys->keys[0].made_at_s;
    if (keys->keys[0].made_at_s > 0 && age >= 0 && age < TICKET_LIFETIME_S)
        return 0;
    struct ticket_key key = make_key(now_s);
    lock_take(&keys->lock);
    memmove(keys->keys + 1, keys->keys, sizeof(key) * (TICKET_KEYS_MAX - 1));
    keys->keys[0] = key;
    lock_release(&keys->lock);
    OPENSSL_cleanse(&key, sizeof(key));
    int error = save(keys);
    return error < 0 ? error : 1;
}

void ticket_keys_newest(struct ticket_keys *keys, struct ticket_key *ret_key)
{
    lock_take(&keys->lock);
    *ret_key = keys->keys[0];
    lock_release(&keys->lock);
}

bool ticket_keys_find(struct ticket_keys *keys, const uint8_t *name, struct ticket_key *ret_key,
                      bool *ret_newest)
{
    bool found = false;
    lock_take(&keys->lock);
    for (size_t i = 0; i < TICKET_KEYS_MAX && !found; i++) {
        const struct ticket_key *key = &keys->keys[i];
        found = key->made_at_s > 0 && memcmp(key->name, name, TICKET_NAME_SIZE) == 0;
        if (found) {
            *ret_key = *key;
            *ret_newest = i == 0;
        }
    }
    lock_release(&keys->lock);
    return found;
}
