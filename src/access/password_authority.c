// SPDX-License-Identifier: MIT
#include "access/password_authority.h"

#include "base/assert.h"
#include "base/lock.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>

struct passwords {
    struct password_file *file;
    struct login_cache *cache;
};

static enum login_verdict say_yes(const struct password_entry *entry, struct login_result *result)
{
    result->entry = entry->number;
    return LOGIN_YES;
}

static enum login_verdict say_no(const char *why, struct login_result *result)
{
    result->why = why;
    return LOGIN_NO;
}

static bool is_remembered(struct passwords passwords, const struct password_entry *entry,
                          const struct login_request *request)
{
    return entry->has_hash &&
           login_cache_has(passwords.cache, &entry->hash, request->user, request->password);
}

static enum login_verdict check_now(struct passwords passwords, const struct login_request *request,
                                    struct login_result *result)
{
    const struct password_entry *entry =
        request->has_user ? password_file_find(passwords.file, request->user) : NULL;
    if (entry == NULL)
        return LOGIN_NOT_MINE;
    if (!request->has_password)
        return say_no("a user name without a password", result);
    return is_remembered(passwords, entry, request) ? say_yes(entry, result) : LOGIN_ASK;
}

static enum login_verdict check(struct passwords passwords, const struct login_request *request,
                                struct login_result *result)
{
    enum login_verdict verdict = check_now(passwords, request, result);
    if (verdict != LOGIN_ASK)
        return verdict;
    const struct password_entry *entry = password_file_find(passwords.file, request->user);
    if (!entry->has_hash) {
        password_file_check_nobody(passwords.file, request->password);
        return say_no("this user logs in by SCRAM alone", result);
    }
    int fits = password_hash_check(&entry->hash, request->password);
    if (fits < 0) {
        result->why = "no memory to check the password";
        return LOGIN_TRY_LATER;
    }
    if (fits == 0)
        return say_no("wrong password", result);
    login_cache_put(passwords.cache, &entry->hash, request->user, request->password);
    return say_yes(entry, result);
}

static bool has_entry(const struct password_file *file, struct bytes user, uint64_t number)
{
    const struct password_entry *entry = password_file_find(file, user);
    return entry != NULL && entry->number == number;
}

// A file that stays as it is.

static enum login_verdict file_check_now(void *context, const struct login_request *request,
                                         struct login_result *result)
{
    return check_now(*(struct passwords *)context, request, result);
}

static enum login_verdict file_check(void *context, const struct login_request *request,
                                     struct login_result *result)
{
    return check(*(struct passwords *)context, request, result);
}

static void file_spend(void *context, const struct login_request *request)
{
    password_file_check_nobody(((struct passwords *)context)->file, request->password);
}

static bool file_still_valid(void *context, struct bytes user, uint64_t entry)
{
    return has_entry(((struct passwords *)context)->file, user, entry);
}

static bool file_knows(void *context, struct bytes user)
{
    return password_file_find(((struct passwords *)context)->file, user) != NULL;
}

static void file_release(void *context)
{
    password_file_unref(((struct passwords *)context)->file);
    memory_free(context);
}

struct authority password_file_authority(struct password_file *file, struct login_cache *cache)
{
    struct passwords *passwords = memory_new(sizeof(*passwords));
    *passwords = (struct passwords){.file = file, .cache = cache};
    return (struct authority){
        .kind = AUTHORITY_PASSWORD_FILE,
        .name = file->path,
        .context = passwords,
        .cost = AUTHORITY_IS_SLOW,
        .check_now = file_check_now,
        .check = file_check,
        .spend = file_spend,
        .knows = file_knows,
        .still_valid = file_still_valid,
        .release = file_release,
    };
}

// Our users.

struct users {
    struct lock lock; // for `file`
    struct password_file *file;
    struct login_cache *cache;
    struct file_identity identity; // of what was read or tried last
    int trouble;                   // of the last try to read it, 0 none
    struct file_identity seen;     // at the last look
    _Atomic bool was_there;        // there is or was a file since the start
    char path[];
};

struct password_file *users_now(struct users *users)
{
    lock_take(&users->lock);
    struct password_file *file = password_file_ref(users->file);
    lock_release(&users->lock);
    return file;
}

const char *users_path(const struct users *users)
{
    return users->path;
}

static int read_users(const char *path, struct password_file **ret_file, char *error)
{
    struct file_identity identity;
    if (file_identify(path, &identity) == -ENOENT)
        return password_file_parse(path, PASSWORD_FILE_OF_USERS, (struct bytes){0}, ret_file,
                                   error);
    return password_file_read(path, PASSWORD_FILE_OF_USERS, ret_file, error);
}

static void note_identity(struct users *users, const struct password_file *file)
{
    users->identity = users->seen = file->contents.identity;
    if (users->identity.inode != 0)
        atomic_store_explicit(&users->was_there, true, memory_order_relaxed);
}

int users_open(const char *path, struct login_cache *cache, struct users **ret_users, char *error)
{
    struct password_file *file;
    int result = read_users(path, &file, error);
    if (result < 0)
        return result;
    size_t size = strlen(path) + 1;
    struct users *users = memory_new(sizeof(*users) + size);
    lock_init(&users->lock);
    users->file = file;
    users->cache = cache;
    note_identity(users, file);
    memcpy(users->path, path, size);
    *ret_users = users;
    return 0;
}

void users_close(struct users *users)
{
    if (users == NULL)
        return;
    password_file_unref(users->file);
    lock_done(&users->lock);
    memory_free(users);
}

// Some programs remove a file before they write it anew, others write it in pieces: what is seen
// for the first time counts only if it is still so at the next look.
static bool is_unchanged(struct users *users, const struct file_identity *identity)
{
    bool is_settled = file_identity_equal(identity, &users->seen);
    users->seen = *identity;
    return !is_settled || file_identity_equal(identity, &users->identity);
}

int users_refresh(struct users *users, char *error)
{
    struct file_identity identity = {0};
    int result = file_identify(users->path, &identity);
    if (is_unchanged(users, &identity))
        return 0;
    struct password_file *file, *old;
    if (result == 0)
        atomic_store_explicit(&users->was_there, true, memory_order_relaxed);
    result = read_users(users->path, &file, error);
    if (result < 0) {
        bool is_told = result == users->trouble;
        users->trouble = result;
        if (result == -EINVAL) // what stands there; anything else may be over at the next look
            users->identity = identity;
        return is_told && result != -EINVAL ? 0 : result;
    }
    users->trouble = 0;
    // What was read may be newer than what was looked at.
    note_identity(users, file);
    lock_take(&users->lock);
    old = users->file;
    users->file = file;
    lock_release(&users->lock);
    password_file_unref(old);
    return 1;
}

static enum login_verdict users_check_now(void *context, const struct login_request *request,
                                          struct login_result *result)
{
    struct users *users = context;
    struct passwords passwords = {.file = users_now(users), .cache = users->cache};
    enum login_verdict verdict = check_now(passwords, request, result);
    password_file_unref(passwords.file);
    return verdict;
}

static enum login_verdict users_check(void *context, const struct login_request *request,
                                      struct login_result *result)
{
    struct users *users = context;
    struct passwords passwords = {.file = users_now(users), .cache = users->cache};
    enum login_verdict verdict = check(passwords, request, result);
    password_file_unref(passwords.file);
    return verdict;
}

static void users_spend(void *context, const struct login_request *request)
{
    struct password_file *file = users_now(context);
    password_file_check_nobody(file, request->password);
    password_file_unref(file);
}

static bool users_is_empty(void *context)
{
    // A file without users is no reason to believe everybody's name.
    return !atomic_load_explicit(&((struct users *)context)->was_there, memory_order_relaxed);
}

static bool users_know(void *context, struct bytes user)
{
    struct password_file *file = users_now(context);
    bool is_known = password_file_find(file, user) != NULL;
    password_file_unref(file);
    return is_known;
}

static bool users_still_valid(void *context, struct bytes user, uint64_t entry)
{
    struct password_file *file = users_now(context);
    bool is_valid = has_entry(file, user, entry);
    password_file_unref(file);
    return is_valid;
}

struct authority users_authority(struct users *users)
{
    return (struct authority){
        .kind = AUTHORITY_USERS,
        .name = users->path,
        .context = users,
        .cost = AUTHORITY_IS_SLOW,
        .check_now = users_check_now,
        .check = users_check,
        .spend = users_spend,
        .is_empty = users_is_empty,
        .knows = users_know,
        .still_valid = users_still_valid,
    };
}
