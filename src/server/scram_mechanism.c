// SPDX-License-Identifier: MIT
#include "server/scram_mechanism.h"

#include "access/password_authority.h"
#include "access/secret.h"
#include "base/memory.h"

struct exchange {
    struct scram_shared *shared;
    uint64_t entry; // of the user's line
    struct scram scram;
};

static bool is_there(void *context)
{
    struct authority users = users_authority(((struct scram_shared *)context)->users);
    return !users.is_empty(users.context);
}

static void *begin(void *context)
{
    struct exchange *exchange = memory_try_new(sizeof(*exchange));
    if (exchange != NULL)
        exchange->shared = context;
    return exchange;
}

static bool find(void *context, struct bytes name, struct scram_verifier *ret_verifier)
{
    struct exchange *exchange = context;
    struct password_file *file = users_now(exchange->shared->users);
    const struct password_entry *entry = password_file_find(file, name);
    bool has_verifier = entry != NULL && entry->has_verifier;
    if (has_verifier) {
        *ret_verifier = entry->verifier;
        exchange->entry = entry->number;
    }
    password_file_unref(file);
    return has_verifier;
}

static enum bud_reason step(void *memory, struct bytes data, struct bytes *ret_data,
                            struct bytes *ret_user)
{
    struct exchange *exchange = memory;
    struct scram *scram = &exchange->scram;
    switch (scram_next(scram, data, find, exchange, &exchange->shared->secret, ret_data)) {
    case SCRAM_CONTINUE: return BUD_CONTINUE_AUTHENTICATION;
    case SCRAM_DONE: *ret_user = bytes_make(scram->name, scram->name_size); return BUD_SUCCESS;
    case SCRAM_MALFORMED:
    case SCRAM_REFUSED: break;
    }
    return BUD_NOT_AUTHORIZED;
}

static void fill_result(void *memory, struct login_result *result)
{
    const struct exchange *exchange = memory;
    result->kind = AUTHORITY_USERS;
    result->entry = exchange->entry;
}

static void end(void *exchange)
{
    secret_free(exchange, sizeof(struct exchange));
}

struct auth_mechanism scram_mechanism(struct scram_shared *shared)
{
    return (struct auth_mechanism){
        .name = "SCRAM-SHA-256",
        .is_there = is_there,
        .begin = begin,
        .step = step,
        .fill_result = fill_result,
        .end = end,
        .context = shared,
    };
}
