// SPDX-License-Identifier: MIT
// Pre-shared keys for TLS: `identity:hexadecimal key` on each line, lines that begin with '#' and
// blank ones do not count. Leading zeros of a key are part of it. Read once and never changed,
// counted. Whoever writes the file is trusted, who names an identity is not.
#ifndef BUD_ACCESS_PSK_FILE_H
#define BUD_ACCESS_PSK_FILE_H

#include "access/secret_file.h"
#include "base/map.h"

#include <stdatomic.h>

#define PSK_KEY_MAX 256 // bytes; what OpenSSL takes
#define PSK_IDENTITY_MAX 256

struct psk_entry {
    struct bytes identity;
    size_t key_size;
    uint8_t key[PSK_KEY_MAX];
};

struct psk_file {
    _Atomic uint32_t references;
    char *path;
    struct file_contents contents;
    struct psk_entry *entries;
    size_t count, capacity;
    struct map by_identity;
};

// As for a password file.
int psk_file_read(const char *path, struct psk_file **ret_file, char *error);
int psk_file_parse(const char *path, struct bytes text, struct psk_file **ret_file, char *error);
struct psk_file *psk_file_ref(struct psk_file *file);
void psk_file_unref(struct psk_file *file); // NULL is fine

// What TLS asks: `context` is the struct psk_file. *size is the room for the key, then its size.
// False: nobody of that name, or no room.
bool psk_file_find(void *context, struct bytes identity, uint8_t *key, size_t *size);

#endif
