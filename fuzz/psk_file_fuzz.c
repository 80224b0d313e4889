// SPDX-License-Identifier: MIT
// Any bytes as a PSK file: understood or refused with its line; each identity has its key, whole,
// and no other has one.
#include "access/psk_file.h"
#include "fuzz/fuzz.h"

#include <string.h>

static void check_entry(struct psk_file *file, const struct psk_entry *entry)
{
    uint8_t key[PSK_KEY_MAX];
    size_t size = sizeof(key);
    FUZZ_CHECK(psk_file_find(file, entry->identity, key, &size));
    FUZZ_CHECK(size > 0 && size == entry->key_size && memcmp(key, entry->key, size) == 0);
    size--;
    FUZZ_CHECK(!psk_file_find(file, entry->identity, key, &size)); // no room
    size = sizeof(key);
    FUZZ_CHECK(!psk_file_find(file, bytes_make(entry->identity.data, 0), key, &size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct psk_file *file;
    char error[ACCESS_ERROR_MAX] = "";
    if (psk_file_parse("file", bytes_make(data, size), &file, error) < 0) {
        FUZZ_CHECK(strncmp(error, "file:", 5) == 0);
        return 0;
    }
    for (size_t i = 0; i < file->count; i++)
        check_entry(file, &file->entries[i]);
    psk_file_unref(file);
    return 0;
}
