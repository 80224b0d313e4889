// SPDX-License-Identifier: MIT
#include "access/psk_file.h"

#include "access/secret.h"
#include "base/memory.h"
#include "os/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct bytes key_of(const void *value)
{
    return ((const struct psk_entry *)value)->identity;
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *parse_key(struct bytes text, struct psk_entry *entry)
{
    if (text.size == 0)
        return "the key is missing";
    if (text.size % 2 != 0)
        return "the key has an odd number of hexadecimal digits";
    if (text.size / 2 > PSK_KEY_MAX)
        return "the key is longer than 256 bytes";
    for (size_t i = 0; i < text.size; i += 2) {
        int high = digit_of(text.data[i]), low = digit_of(text.data[i + 1]);
        if (high < 0 || low < 0)
            return "the key is not hexadecimal (write it without 0x)";
        entry->key[i / 2] = (uint8_t)(high << 4 | low);
    }
    entry->key_size = text.size / 2;
    return NULL;
}

// NULL, or what is wrong with it.
static const char *parse_line(struct psk_file *file, struct bytes line)
{
    if (text_trim(line).size == 0 || line.data[0] == '#')
        return NULL;
    if (memchr(line.data, 0, line.size) != NULL)
        return "there is a NUL byte in this line";
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon == NULL)
        return "there is no ':' between identity and key";
    struct psk_entry *entry = &file->entries[file->count];
    size_t size = (size_t)(colon - line.data);
    entry->identity = text_trim(bytes_make(line.data, size));
    if (entry->identity.size == 0 || entry->identity.size > PSK_IDENTITY_MAX)
        return "the identity is empty or longer than 256 bytes";
    if (map_find(&file->by_identity, entry->identity) != NULL)
        return "this identity has a line already: one of the two has to go";
    const char *wrong = parse_key(text_trim(bytes_from(line, size + 1)), entry);
    if (wrong == NULL && !map_try_put(&file->by_identity, entry))
        wrong = "no memory";
    if (wrong == NULL)
        file->count++;
    return wrong;
}

static int parse_all(struct psk_file *file, char *error)
{
    struct bytes rest = bytes_make(file->contents.data, file->contents.size), line, all = rest;
    struct hash_key key;
    uint32_t number = 0;
    random_bytes(&key, sizeof(key));
    map_init(&file->by_identity, key, key_of);
    while (text_next_line(&all, &line))
        file->capacity++;
    file->entries = memory_try_new(file->capacity * sizeof(file->entries[0]));
    if (file->entries == NULL && file->capacity > 0) {
        (void)snprintf(error, ACCESS_ERROR_MAX, "no memory for %s", file->path);
        return -ENOMEM;
    }
    while (text_next_line(&rest, &line)) {
        number++;
        const char *wrong = parse_line(file, line);
        if (wrong == NULL)
            continue;
        (void)snprintf(error, ACCESS_ERROR_MAX, "%s:%" PRIu32 ": %s", file->path, number, wrong);
        return -EINVAL;
    }
    return 0;
}

// Takes the contents over in any case.
static int parse_contents(const char *path, struct file_contents *contents,
                          struct psk_file **ret_file, char *error)
{
    size_t size = strlen(path) + 1;
    struct psk_file *file = memory_try_new(sizeof(*file));
    char *copy = memory_try_new(size);
    if (file == NULL || copy == NULL) {
        memory_free(file);
        memory_free(copy);
        secret_file_done(contents);
        (void)snprintf(error, ACCESS_ERROR_MAX, "no memory for %s", path);
        return -ENOMEM;
    }
    memcpy(copy, path, size);
    atomic_init(&file->references, 1);
    file->path = copy;
    file->contents = *contents;
    int result = parse_all(file, error);
    if (result < 0)
        psk_file_unref(file);
    else
        *ret_file = file;
    return result;
}

int psk_file_read(const char *path, struct psk_file **ret_file, char *error)
{
    struct file_contents contents;
    int result = secret_file_read(path, &contents, error);
    return result < 0 ? result : parse_contents(path, &contents, ret_file, error);
}

int psk_file_parse(const char *path, struct bytes text, struct psk_file **ret_file, char *error)
{
    struct file_contents contents = {.data = memory_try_new(text.size), .size = text.size};
    if (contents.data == NULL && text.size > 0) {
        (void)snprintf(error, ACCESS_ERROR_MAX, "no memory for %s", path);
        return -ENOMEM;
    }
    if (text.size > 0)
        memcpy(contents.data, text.data, text.size);
    return parse_contents(path, &contents, ret_file, error);
}

struct psk_file *psk_file_ref(struct psk_file *file)
{
    atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
    return file;
}

void psk_file_unref(struct psk_file *file)
{
    if (file == NULL || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) > 1)
        return;
    map_done(&file->by_identity);
    secret_free(file->entries, file->capacity * sizeof(file->entries[0]));
    secret_file_done(&file->contents);
    memory_free(file->path);
    memory_free(file);
}

bool psk_file_find(void *context, struct bytes identity, uint8_t *key, size_t *size)
{
    const struct psk_file *file = context;
    const struct psk_entry *entry = map_find(&file->by_identity, identity);
    if (entry == NULL || entry->key_size > *size)
        return false;
    memcpy(key, entry->key, entry->key_size);
    *size = entry->key_size;
    return true;
}
