// SPDX-License-Identifier: MIT
// Any bytes as a token, and any two texts as header and claims of one that is signed properly (the
// first byte chooses; 0x01 parts header and claims). Must hold: only what was signed is believed;
// what is believed names a user, has valid topic filters and is not over; and with another
// signature it is believed no more.
#include "access/jwt.h"
#include "access/jwt_keys.h"
#include "access/secret_file.h"
#include "access/test_token.h"
#include "fuzz/fuzz.h"
#include "proto/topic.h"

#include <stdlib.h>

#define NOW_MS INT64_C(1700000000000)
#define TEXT_MAX 12000

static struct jwt *make(void)
{
    static const struct jwt_options options = {
        .key_file = "",
        .jwks_file = "",
        .algorithms = "RS256,ES256,HS256",
        .audience = "",
        .issuer = "",
        .user_claim = "sub",
        .leeway_s = 60,
    };
    struct jwt_keys keys = {0};
    struct jwt *jwt = NULL;
    char error[ACCESS_ERROR_MAX];
    FUZZ_CHECK(jwt_keys_parse_file(&keys, "secret", BYTES_OF(TEST_SECRET), error) == 0);
    FUZZ_CHECK(jwt_new_with(&options, &keys, &jwt, error) == 0);
    return jwt;
}

static void check_claims(const struct jwt_claims *claims)
{
    FUZZ_CHECK(claims->user.size > 0 && claims->expires_at_ms > NOW_MS);
    FUZZ_CHECK(memchr(claims->user.data, 0, claims->user.size) == NULL);
    for (size_t i = 0; i < claims->topics.count; i++)
        FUZZ_CHECK(topic_filter_valid(claims->topics.list[i].filter));
    const char *why = NULL;
    struct acl *acl = topic_claims_try_acl(&claims->topics, claims->user, &why);
    FUZZ_CHECK(acl != NULL);
    acl_unref(acl);
}

static enum login_verdict verify(const struct jwt *jwt, struct bytes token)
{
    struct jwt_claims claims = {0};
    const char *why = NULL;
    enum login_verdict verdict = jwt_verify(jwt, token, NOW_MS, &claims, &why);
    FUZZ_CHECK((verdict == LOGIN_NO) == (why != NULL));
    if (verdict == LOGIN_YES)
        check_claims(&claims);
    jwt_claims_done(&claims);
    return verdict;
}

static void sign_and_verify(const struct jwt *jwt, const uint8_t *data, size_t size)
{
    static char header[TEXT_MAX + 1], claims[TEXT_MAX + 1], token[4 * TEXT_MAX];
    const uint8_t *parting = memchr(data, 1, size);
    size_t header_size = parting == NULL ? size : (size_t)(parting - data);
    size_t claims_size = parting == NULL ? 0 : size - header_size - 1;
    memcpy(header, data, header_size);
    header[header_size] = 0;
    if (claims_size > 0)
        memcpy(claims, parting + 1, claims_size);
    claims[claims_size] = 0;
    size_t token_size = test_token(header, claims, NULL, TEST_SECRET, token);
    if (verify(jwt, bytes_make(token, token_size)) != LOGIN_YES)
        return;
    token[token_size - 2] = token[token_size - 2] == 'A' ? 'B' : 'A';
    FUZZ_CHECK(verify(jwt, bytes_make(token, token_size)) == LOGIN_NO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwt *jwt;
    if (jwt == NULL)
        jwt = make(); // for the whole run; reachable, so no leak
    if (size == 0 || size > TEXT_MAX)
        return 0;
    if (data[0] % 2 == 0)
        FUZZ_CHECK(verify(jwt, bytes_make(data + 1, size - 1)) !=
                   LOGIN_YES); // nobody knows the secret
    else
        sign_and_verify(jwt, data + 1, size - 1);
    return 0;
}
