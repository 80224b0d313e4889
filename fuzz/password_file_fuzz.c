// SPDX-License-Identifier: MIT
// Any bytes as a password file of Mosquitto's and as a users file of ours: it is understood or
// refused with its line, every user that was understood is found and written the same again, and
// changing one user leaves the others alone.
#include "access/password_file.h"
#include "access/password_text.h"
#include "fuzz/fuzz.h"

#include <string.h>

static void check_entry(const struct password_file *file, const struct password_entry *entry)
{
    char text[PASSWORD_HASH_TEXT_MAX];
    struct password_hash again;
    FUZZ_CHECK(entry->name.size > 0 && memchr(entry->name.data, ':', entry->name.size) == NULL);
    FUZZ_CHECK(password_file_find(file, entry->name) == entry);
    FUZZ_CHECK(entry->has_hash || entry->has_verifier);
    if (!entry->has_hash)
        return;
    size_t size = password_hash_write(&entry->hash, text);
    FUZZ_CHECK(size < sizeof(text) && strlen(text) == size);
    FUZZ_CHECK(password_hash_parse(bytes_make(text, size), &again) == NULL);
    FUZZ_CHECK(memcmp(&again, &entry->hash, sizeof(again)) == 0);
}

// Without its first user the file is still good, and has everybody else.
static void check_removal(const struct password_file *file, enum password_file_kind kind)
{
    struct buffer out = {0};
    struct password_file *less;
    char error[ACCESS_ERROR_MAX];
    bool was_there;
    struct bytes text = bytes_make(file->contents.data, file->contents.size);
    FUZZ_CHECK(password_text_remove(text, file->entries[0].name, &out, &was_there) && was_there);
    FUZZ_CHECK(password_file_parse("less", kind, buffer_bytes(&out), &less, error) == 0);
    FUZZ_CHECK(less->count == file->count - 1);
    FUZZ_CHECK(password_file_find(less, file->entries[0].name) == NULL);
    password_file_unref(less);
    buffer_done(&out);
}

static void check_kind(enum password_file_kind kind, struct bytes text)
{
    struct password_file *file;
    char error[ACCESS_ERROR_MAX] = "";
    if (password_file_parse("file", kind, text, &file, error) < 0) {
        FUZZ_CHECK(strncmp(error, "file:", 5) == 0);
        return;
    }
    for (size_t i = 0; i < file->count; i++)
        check_entry(file, &file->entries[i]);
    if (file->count > 0)
        check_removal(file, kind);
    password_file_unref(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_kind(PASSWORD_FILE_OF_MOSQUITTO, bytes_make(data, size));
    check_kind(PASSWORD_FILE_OF_USERS, bytes_make(data, size));
    return 0;
}
