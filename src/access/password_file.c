// SPDX-License-Identifier: MIT
#include "access/password_file.h"

#include "access/secret.h"
#include "base/memory.h"
#include "os/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct parsing {
    struct password_file *file;
    enum password_file_kind kind;
    uint32_t line;
    char *error;
};

static struct bytes key_of(const void *value)
{
    return ((const struct password_entry *)value)->name;
}

static int wrong(const struct parsing *parsing, const char *what)
{
    (void)snprintf(parsing->error, ACCESS_ERROR_MAX, "%s:%" PRIu32 ": %s", parsing->file->path,
                   parsing->line, what);
    return -EINVAL;
}

static int no_memory(const struct parsing *parsing)
{
    (void)snprintf(parsing->error, ACCESS_ERROR_MAX, "no memory for %s", parsing->file->path);
    return -ENOMEM;
}

static int wrong_hash(const struct parsing *parsing, const char *what)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "the hash %s (`bud passwd -U %s` hashes plain passwords)",
                   what, parsing->file->path);
    return wrong(parsing, text);
}

static int wrong_verifier(const struct parsing *parsing, const char *what)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "the verifier for SCRAM %s (`bud user add` writes it anew)",
                   what);
    return wrong(parsing, text);
}

static int parse_secrets(const struct parsing *parsing, struct bytes text,
                         struct password_entry *entry)
{
    const uint8_t *colon = parsing->kind == PASSWORD_FILE_OF_USERS && text.size > 0
                               ? memchr(text.data, ':', text.size)
                               : NULL;
    struct bytes hash = colon != NULL ? bytes_make(text.data, (size_t)(colon - text.data)) : text;
    struct bytes verifier = colon != NULL ? bytes_from(text, hash.size + 1) : (struct bytes){0};
    const char *what = NULL;
    entry->has_verifier = colon != NULL;
    entry->has_hash = colon == NULL || hash.size > 0;
    if (entry->has_hash)
        what = password_hash_parse(text_trim(hash), &entry->hash);
    if (what != NULL)
        return wrong_hash(parsing, what);
    if (entry->has_verifier)
        what = scram_verifier_parse(text_trim(verifier), &entry->verifier);
    return what != NULL ? wrong_verifier(parsing, what) : 0;
}

// What tells this line from a later one of the same user. Salts are random, so that nobody has two
// of the same number by chance.
static uint64_t number_of(struct bytes secrets)
{
    uint8_t hash[SCRAM_KEY_SIZE];
    uint64_t number;
    scram_hash(secrets, hash);
    memcpy(&number, hash, sizeof(number));
    return number;
}

static int parse_line(struct parsing *parsing, struct bytes line)
{
    struct password_file *file = parsing->file;
    if (line.size > 0 && line.data[0] == '#')
        return 0;
    if (line.size > 0 && memchr(line.data, 0, line.size) != NULL)
        return wrong(parsing, "there is a NUL byte in this line");
    const uint8_t *colon = line.size > 0 ? memchr(line.data, ':', line.size) : NULL;
    if (colon == NULL) {
        if (text_trim(line).size > 0 && file->skipped_line == 0)
            file->skipped_line = parsing->line;
        return 0;
    }
    struct password_entry *entry = &file->entries[file->count];
    size_t size = (size_t)(colon - line.data);
    struct bytes secrets = text_trim(bytes_from(line, size + 1));
    entry->name = text_trim(bytes_make(line.data, size));
    if (entry->name.size == 0)
        return wrong(parsing, "the user has no name");
    if (entry->name.size > UINT16_MAX)
        return wrong(parsing, "the user's name is longer than 65535 bytes");
    int result = parse_secrets(parsing, secrets, entry);
    if (result < 0)
        return result;
    entry->number = number_of(secrets);
    if (map_find(&file->by_name, entry->name) != NULL)
        return wrong(parsing, "this user has a line already: one of the two has to go");
    if (!map_try_put(&file->by_name, entry))
        return no_memory(parsing);
    file->count++;
    return 0;
}

static size_t count_lines(struct bytes text)
{
    size_t count = 0;
    struct bytes line;
    while (text_next_line(&text, &line))
        count++;
    return count;
}

// The kind that most users have decides how long an unknown one takes.
static void choose_dummy(struct password_file *file)
{
    size_t counts[3] = {0}, most = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct password_entry *entry = &file->entries[i];
        if (!entry->has_hash || ++counts[entry->hash.scheme] <= most)
            continue;
        most = counts[entry->hash.scheme];
        file->dummy = password_hash_dummy(&entry->hash);
        file->has_dummy = true;
    }
}

static int parse_all(struct parsing *parsing)
{
    struct password_file *file = parsing->file;
    struct bytes rest = bytes_make(file->contents.data, file->contents.size), line;
    struct hash_key key;
    random_bytes(&key, sizeof(key));
    map_init(&file->by_name, key, key_of);
    file->capacity = count_lines(rest);
    file->entries = memory_try_new(file->capacity * sizeof(file->entries[0]));
    if (file->capacity > 0 && file->entries == NULL)
        return no_memory(parsing);
    while (text_next_line(&rest, &line)) {
        parsing->line++;
        int result = parse_line(parsing, line);
        if (result < 0)
            return result;
    }
    choose_dummy(file);
    return 0;
}

static struct password_file *try_new(const char *path)
{
    size_t size = strlen(path) + 1;
    struct password_file *file = memory_try_new(sizeof(*file));
    if (file == NULL)
        return NULL;
    atomic_init(&file->references, 1);
    file->path = memory_try_new(size);
    if (file->path == NULL) {
        memory_free(file);
        return NULL;
    }
    memcpy(file->path, path, size);
    return file;
}

// Takes the contents over in any case.
static int parse_contents(const char *path, enum password_file_kind kind,
                          struct file_contents *contents, struct password_file **ret_file,
                          char *error)
{
    struct parsing parsing = {.file = try_new(path), .kind = kind, .error = error};
    if (parsing.file == NULL) {
        secret_file_done(contents);
        (void)snprintf(error, ACCESS_ERROR_MAX, "no memory for %s", path);
        return -ENOMEM;
    }
    parsing.file->contents = *contents;
    int result = parse_all(&parsing);
    if (result < 0)
        password_file_unref(parsing.file);
    else
        *ret_file = parsing.file;
    return result;
}

int password_file_read(const char *path, enum password_file_kind kind,
                       struct password_file **ret_file, char *error)
{
    struct file_contents contents;
    int result = secret_file_read(path, &contents, error);
    return result < 0 ? result : parse_contents(path, kind, &contents, ret_file, error);
}

int password_file_parse(const char *path, enum password_file_kind kind, struct bytes text,
                        struct password_file **ret_file, char *error)
{
    struct file_contents contents = {.data = memory_try_new(text.size), .size = text.size};
    if (contents.data == NULL && text.size > 0) {
        (void)snprintf(error, ACCESS_ERROR_MAX, "no memory for %s", path);
        return -ENOMEM;
    }
    if (text.size > 0)
        memcpy(contents.data, text.data, text.size);
    return parse_contents(path, kind, &contents, ret_file, error);
}

struct password_file *password_file_ref(struct password_file *file)
{
    atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
    return file;
}

void password_file_unref(struct password_file *file)
{
    if (file == NULL || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) > 1)
        return;
    map_done(&file->by_name);
    secret_free(file->entries, file->capacity * sizeof(file->entries[0]));
    secret_file_done(&file->contents);
    memory_free(file->path);
    memory_free(file);
}

const struct password_entry *password_file_find(const struct password_file *file, struct bytes name)
{
    return map_find(&file->by_name, name);
}

void password_file_check_nobody(const struct password_file *file, struct bytes password)
{
    if (file->has_dummy)
        (void)password_hash_check(&file->dummy, password);
}
