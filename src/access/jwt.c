// SPDX-License-Identifier: MIT
#include "access/jwt.h"

#include "access/base64.h"
#include "access/jwt_keys.h"
#include "access/secret_file.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_MAX 253402300799.0 // the year 9999

struct jwt {
    struct jwt_keys keys;
    bool allowed[JWT_HS256 + 1]; // by enum jwt_algorithm
    char *audience, *issuer, *user_claim;
    uint32_t leeway_s;
    bool may_last_for_ever;
};

// Where the parts of a token are, and what they decode to.
struct parts {
    struct bytes token;
    struct bytes header, payload; // decoded, in `memory`
    uint8_t *memory;
};

static char *copy_of(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_new(size), text, size);
}

static int refuse_option(char *error, const char *why)
{
    (void)snprintf(error, ACCESS_ERROR_MAX, "%s", why);
    return -EINVAL;
}

static bool take_algorithms(struct jwt *jwt, const char *names)
{
    while (true) {
        size_t size = strcspn(names, ", ");
        enum jwt_algorithm algorithm = jwt_algorithm_named(bytes_make(names, size));
        if (size > 0 && algorithm == JWT_NONE)
            return false;
        if (size > 0)
            jwt->allowed[algorithm] = true;
        if (names[size] == 0)
            return true;
        names += size + 1;
    }
}

// A key that no allowed algorithm uses is a mistake in the options, better found now.
static bool keys_are_of_use(const struct jwt *jwt)
{
    for (size_t i = 0; i < jwt->keys.count; i++)
        if (jwt->allowed[jwt->keys.list[i].algorithm])
            return true;
    return false;
}

int jwt_new_with(const struct jwt_options *options, struct jwt_keys *keys, struct jwt **ret_jwt,
                 char *error)
{
    struct jwt *jwt = memory_new(sizeof(*jwt));
    jwt->keys = *keys;
    *keys = (struct jwt_keys){0};
    jwt->audience = copy_of(options->audience);
    jwt->issuer = copy_of(options->issuer);
    jwt->user_claim = copy_of(options->user_claim[0] == 0 ? "sub" : options->user_claim);
    jwt->leeway_s = options->leeway_s;
    jwt->may_last_for_ever = options->may_last_for_ever;
    int result = 0;
    if (!take_algorithms(jwt, options->algorithms))
        result = refuse_option(error, "jwt_algorithms: only RS256, ES256 and HS256 are known");
    else if (!keys_are_of_use(jwt))
        result = refuse_option(error, "jwt_algorithms: there is no key for any of them in "
                                      "jwt_key_file and jwt_jwks_file (a secret is for HS256, "
                                      "which must be named)");
    if (result < 0) {
        jwt_free(jwt);
        return result;
    }
    *ret_jwt = jwt;
    return 0;
}

int jwt_new(const struct jwt_options *options, struct jwt **ret_jwt, char *error)
{
    struct jwt_keys keys = {0};
    int result = 0;
    if (options->key_file[0] != 0)
        result = jwt_keys_read_file(&keys, options->key_file, error);
    if (result == 0 && options->jwks_file[0] != 0)
        result = jwt_keys_read_set(&keys, options->jwks_file, error);
    if (result == 0)
        return jwt_new_with(options, &keys, ret_jwt, error);
    jwt_keys_done(&keys);
    return result;
}

void jwt_free(struct jwt *jwt)
{
    if (jwt == NULL)
        return;
    jwt_keys_done(&jwt->keys);
    memory_free(jwt->audience);
    memory_free(jwt->issuer);
    memory_free(jwt->user_claim);
    memory_free(jwt);
}

static bool refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

// Every token's header is an object and begins with '{"', which base64 always writes so.
bool jwt_looks_like_one(struct bytes token)
{
    return token.size > 4 && memcmp(token.data, "eyJ", 3) == 0 &&
           memchr(token.data, '.', token.size) != NULL;
}

static bool take_part(struct bytes *rest, struct bytes *ret_part)
{
    const uint8_t *dot = rest->size == 0 ? NULL : memchr(rest->data, '.', rest->size);
    if (dot == NULL)
        return false;
    *ret_part = bytes_make(rest->data, (size_t)(dot - rest->data));
    *rest = bytes_from(*rest, ret_part->size + 1);
    return true;
}

static bool decode(struct bytes text, uint8_t *memory, size_t size_max, struct bytes *ret_bytes)
{
    size_t size;
    if (!base64_decode(BASE64_URL, text, memory, size_max, &size))
        return false;
    *ret_bytes = bytes_make(memory, size);
    return true;
}

// The library takes base64 that is not quite right; two tokens are then the same one.
static bool take_apart(struct bytes token, struct parts *parts, const char **ret_why)
{
    struct bytes rest = token, header, payload, signature;
    if (token.size > JWT_SIZE_MAX)
        return refuse(ret_why, "the token is larger than 16 KB");
    if (!take_part(&rest, &header) || !take_part(&rest, &payload))
        return refuse(ret_why, "the token does not have three parts");
    parts->token = token;
    parts->memory = memory_try_new(token.size);
    if (parts->memory == NULL)
        return refuse(ret_why, "no memory for the token");
    uint8_t *second = parts->memory + header.size;
    if (!decode(header, parts->memory, header.size, &parts->header) ||
        !decode(payload, second, payload.size, &parts->payload) ||
        !decode(rest, second + payload.size, rest.size, &signature))
        return refuse(ret_why, "the token is not written as it must be (base64url)");
    return true;
}

static json_t *object_of(struct bytes text)
{
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static struct bytes text_of(const json_t *value)
{
    return bytes_make(json_string_value(value), json_string_length(value));
}

static const struct jwt_key *key_for(const struct jwt *jwt, const json_t *header,
                                     const char **ret_why)
{
    // What changes how the rest is to be read; nothing of it is known here [RFC 7515 4.1.11].
    static const char *const refused[] = {"crit", "b64", "zip", "enc"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (json_object_get(header, refused[i]) != NULL) {
            *ret_why = "the token's header has something critical that is not known here";
            return NULL;
        }
    enum jwt_algorithm algorithm = jwt_algorithm_named(text_of(json_object_get(header, "alg")));
    if (algorithm == JWT_NONE || !jwt->allowed[algorithm]) {
        *ret_why = "the token's algorithm is not allowed (jwt_algorithms)";
        return NULL;
    }
    const json_t *id = json_object_get(header, "kid");
    if (id != NULL && !json_is_string(id)) {
        *ret_why = "the token's kid is no text";
        return NULL;
    }
    return jwt_keys_find(&jwt->keys, algorithm, text_of(id), ret_why);
}

static bool is_signed(const struct jwt *jwt, const struct parts *parts, const char **ret_why)
{
    json_t *header = object_of(parts->header);
    if (header == NULL)
        return refuse(ret_why, "the token's header is no JSON object, or says something twice");
    const struct jwt_key *key = key_for(jwt, header, ret_why);
    json_decref(header);
    if (key == NULL)
        return false;
    cjose_jws_t *jws = cjose_jws_import((const char *)parts->token.data, parts->token.size, NULL);
    bool is_valid = jws != NULL && cjose_jws_verify(jws, key->jwk, NULL);
    cjose_jws_release(jws);
    return is_valid || refuse(ret_why, "the token's signature is wrong");
}

// A time of a claim in seconds. False: it is there and no number.
static bool take_seconds(const json_t *claims, const char *name, bool *ret_is_there,
                         double *ret_seconds)
{
    const json_t *value = json_object_get(claims, name);
    *ret_is_there = value != NULL;
    if (value == NULL)
        return true;
    double seconds = json_number_value(value);
    *ret_seconds = seconds < -SECONDS_MAX  ? -SECONDS_MAX
                   : seconds > SECONDS_MAX ? SECONDS_MAX
                                           : seconds;
    return json_is_number(value);
}

static bool check_times(const struct jwt *jwt, const json_t *claims, int64_t wall_ms,
                        int64_t *ret_expires_at_ms, const char **ret_why)
{
    bool has_end, has_start, has_issue;
    double end = 0, start = 0, issue = 0;
    double now = (double)wall_ms / 1000, leeway = jwt->leeway_s;
    if (!take_seconds(claims, "exp", &has_end, &end) ||
        !take_seconds(claims, "nbf", &has_start, &start) ||
        !take_seconds(claims, "iat", &has_issue, &issue))
        return refuse(ret_why, "a time of the token is no number");
    if (!has_end && !jwt->may_last_for_ever)
        return refuse(ret_why, "the token has no exp (jwt_require_expiry)");
    if (has_end && end + leeway <= now)
        return refuse(ret_why, "the token has expired");
    if (has_start && start - leeway > now)
        return refuse(ret_why, "the token is not valid yet (nbf): see this machine's clock");
    if (has_issue && issue - leeway > now)
        return refuse(ret_why, "the token was issued in the future: see this machine's clock");
    *ret_expires_at_ms = has_end ? (int64_t)((end + leeway) * 1000) : 0;
    return true;
}

static bool says(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool is_for(const json_t *audience, const char *us)
{
    size_t index;
    const json_t *one;
    if (says(audience, us))
        return true;
    json_array_foreach(audience, index, one)
    {
        if (says(one, us))
            return true;
    }
    return false;
}

static bool check_parties(const struct jwt *jwt, const json_t *claims, const char **ret_why)
{
    if (jwt->audience[0] != 0 && !is_for(json_object_get(claims, "aud"), jwt->audience))
        return refuse(ret_why, "the token is for somebody else (aud, jwt_audience)");
    if (jwt->issuer[0] != 0 && !says(json_object_get(claims, "iss"), jwt->issuer))
        return refuse(ret_why, "the token is by somebody else (iss, jwt_issuer)");
    return true;
}

static bool read_claims(const struct jwt *jwt, int64_t wall_ms, struct jwt_claims *claims,
                        const char **ret_why)
{
    if (claims->json == NULL)
        return refuse(ret_why, "the token's claims are no JSON object, or say something twice");
    if (!check_times(jwt, claims->json, wall_ms, &claims->expires_at_ms, ret_why) ||
        !check_parties(jwt, claims->json, ret_why))
        return false;
    claims->user = text_of(json_object_get(claims->json, jwt->user_claim));
    if (claims->user.size == 0 || claims->user.size > UINT16_MAX)
        return refuse(ret_why, "the token does not say whose it is (jwt_user_claim)");
    return topic_claims_read(claims->json, &claims->topics, ret_why);
}

enum login_verdict jwt_verify(const struct jwt *jwt, struct bytes token, int64_t wall_ms,
                              struct jwt_claims *ret_claims, const char **ret_why)
{
    struct parts parts = {0};
    struct jwt_claims claims = {0};
    if (!jwt_looks_like_one(token))
        return LOGIN_NOT_MINE;
    bool is_good = take_apart(token, &parts, ret_why) && is_signed(jwt, &parts, ret_why);
    if (is_good) {
        claims.json = object_of(parts.payload);
        is_good = read_claims(jwt, wall_ms, &claims, ret_why);
    }
    memory_free(parts.memory);
    if (!is_good) {
        jwt_claims_done(&claims);
        return LOGIN_NO;
    }
    *ret_claims = claims;
    return LOGIN_YES;
}

void jwt_claims_done(struct jwt_claims *claims)
{
    topic_claims_done(&claims->topics);
    json_decref(claims->json);
    *claims = (struct jwt_claims){0};
}
