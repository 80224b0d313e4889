// SPDX-License-Identifier: MIT
#include "access/jwt_authority.h"

#include "base/lock.h"
#include "base/memory.h"
#include "os/clock.h"
#include "os/file_contents.h"

#include <stdatomic.h>
#include <string.h>

// What is asked; whoever asks holds a reference, so that it may be replaced meanwhile.
struct counted {
    _Atomic uint32_t references;
    struct jwt *jwt;
};

struct tokens {
    _Atomic uint32_t references;
    struct lock lock; // for `now`
    struct counted *now;
    struct jwt_options options;
    char *texts[6];
    struct file_identity key_file, jwks_file; // at the last look
};

static struct counted *counted_new(struct jwt *jwt)
{
    struct counted *counted = memory_new(sizeof(*counted));
    atomic_init(&counted->references, 1);
    counted->jwt = jwt;
    return counted;
}

static void counted_unref(struct counted *counted)
{
    if (atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) > 1)
        return;
    jwt_free(counted->jwt);
    memory_free(counted);
}

static struct counted *take_now(struct tokens *tokens)
{
    lock_take(&tokens->lock);
    struct counted *now = tokens->now;
    atomic_fetch_add_explicit(&now->references, 1, memory_order_relaxed);
    lock_release(&tokens->lock);
    return now;
}

static void copy_options(struct tokens *tokens, const struct jwt_options *options)
{
    struct jwt_options *own = &tokens->options;
    const char **fields[] = {&own->key_file, &own->jwks_file, &own->algorithms,
                             &own->audience, &own->issuer,    &own->user_claim};
    *own = *options;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        size_t size = strlen(*fields[i]) + 1;
        tokens->texts[i] = memory_new(size);
        memcpy(tokens->texts[i], *fields[i], size);
        *fields[i] = tokens->texts[i];
    }
}

// What is there now. Something that cannot be looked at is as different as can be.
static void look(const struct tokens *tokens, struct file_identity *key_file,
                 struct file_identity *jwks_file)
{
    *key_file = *jwks_file = (struct file_identity){0};
    if (tokens->options.key_file[0] != 0)
        (void)file_identify(tokens->options.key_file, key_file);
    if (tokens->options.jwks_file[0] != 0)
        (void)file_identify(tokens->options.jwks_file, jwks_file);
}

int tokens_open(const struct jwt_options *options, struct tokens **ret_tokens, char *error)
{
    struct jwt *jwt;
    struct tokens *tokens = memory_new(sizeof(*tokens));
    copy_options(tokens, options);
    look(tokens, &tokens->key_file, &tokens->jwks_file);
    atomic_init(&tokens->references, 1);
    lock_init(&tokens->lock);
    int result = jwt_new(&tokens->options, &jwt, error);
    if (result < 0) {
        tokens_unref(tokens);
        return result;
    }
    tokens->now = counted_new(jwt);
    *ret_tokens = tokens;
    return 0;
}

void tokens_unref(struct tokens *tokens)
{
    if (tokens == NULL ||
        atomic_fetch_sub_explicit(&tokens->references, 1, memory_order_acq_rel) > 1)
        return;
    if (tokens->now != NULL)
        counted_unref(tokens->now);
    for (size_t i = 0; i < sizeof(tokens->texts) / sizeof(tokens->texts[0]); i++)
        memory_free(tokens->texts[i]);
    lock_done(&tokens->lock);
    memory_free(tokens);
}

int tokens_refresh(struct tokens *tokens, char *error)
{
    struct file_identity key_file, jwks_file;
    look(tokens, &key_file, &jwks_file);
    if (file_identity_equal(&key_file, &tokens->key_file) &&
        file_identity_equal(&jwks_file, &tokens->jwks_file))
        return 0;
    struct jwt *jwt;
    tokens->key_file = key_file;
    tokens->jwks_file = jwks_file;
    int result = jwt_new(&tokens->options, &jwt, error);
    if (result < 0)
        return result;
    struct counted *newer = counted_new(jwt);
    lock_take(&tokens->lock);
    struct counted *old = tokens->now;
    tokens->now = newer;
    lock_release(&tokens->lock);
    counted_unref(old);
    return 1;
}

static void free_rules(void *rules)
{
    acl_unref(rules);
}

static enum login_verdict refuse(enum login_verdict verdict, const char *why,
                                 struct login_result *result)
{
    result->why = why;
    return verdict;
}

// Whose the token is and what it says, for a login that brings it.
static enum login_verdict use_claims(const struct jwt_claims *claims,
                                     const struct login_request *request,
                                     struct login_result *result)
{
    const char *why = NULL;
    bool has_name = request->has_user && request->user.size > 0;
    if (has_name && !bytes_equal(request->user, claims->user))
        return refuse(LOGIN_NO, "the token is of another user than the user name says", result);
    if (claims->topics.stated) {
        result->rules = topic_claims_try_acl(&claims->topics, claims->user, &why);
        result->free_rules = free_rules;
        if (result->rules == NULL)
            return refuse(LOGIN_TRY_LATER, why, result);
    }
    if (!has_name) {
        result->user = memory_try_new(claims->user.size);
        if (result->user == NULL)
            return refuse(LOGIN_TRY_LATER, "no memory for the token's user", result);
        memcpy(result->user, claims->user.data, claims->user.size);
        result->user_size = claims->user.size;
    }
    result->expires_at_ms = claims->expires_at_ms;
    return LOGIN_YES;
}

static enum login_verdict check(void *context, const struct login_request *request,
                                struct login_result *result)
{
    struct jwt_claims claims = {0};
    const char *why = NULL;
    if (!request->has_password)
        return LOGIN_NOT_MINE;
    struct counted *now = take_now(context);
    enum login_verdict verdict =
        jwt_verify(now->jwt, request->password, clock_wall_ms(), &claims, &why);
    counted_unref(now);
    result->why = why;
    if (verdict == LOGIN_YES)
        verdict = use_claims(&claims, request, result);
    jwt_claims_done(&claims);
    return verdict;
}

static enum login_verdict check_now(void *context, const struct login_request *request,
                                    struct login_result *result)
{
    (void)context;
    (void)result;
    return request->has_password && jwt_looks_like_one(request->password) ? LOGIN_ASK
                                                                          : LOGIN_NOT_MINE;
}

static void release(void *context)
{
    tokens_unref(context);
}

struct authority tokens_authority(struct tokens *tokens)
{
    atomic_fetch_add_explicit(&tokens->references, 1, memory_order_relaxed);
    return (struct authority){
        .kind = AUTHORITY_TOKEN,
        .name = "jwt",
        .context = tokens,
        .cost = AUTHORITY_IS_SLOW,
        .check_now = check_now,
        .check = check,
        .release = release,
    };
}
