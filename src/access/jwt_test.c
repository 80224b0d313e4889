// SPDX-License-Identifier: MIT
#include "access/jwt.h"

#include "access/jwt_authority.h"
#include "access/jwt_keys.h"
#include "access/secret_file.h"
#include "access/test_token.h"
#include "base/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1700000000000)
#define RS256 "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"
#define ES256 "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD "{\"sub\":\"anna\",\"exp\":1700000100}"

static EVP_PKEY *rsa, *p256, *stranger;
static char directory[] = "/tmp/jwt-test-XXXXXX";
static char rsa_path[64], p256_path[64], secret_path[64], set_path[64];
static char text[TEST_TOKEN_MAX];

static void put(char *path, const char *name, const void *data, size_t size)
{
    (void)snprintf(path, 64, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    char pem[4096];
    rsa = test_rsa_key();
    p256 = test_p256_key();
    stranger = test_rsa_key();
    assert_non_null(mkdtemp(directory));
    put(rsa_path, "rsa.pem", pem, test_public_pem(rsa, pem, sizeof(pem)));
    put(p256_path, "p256.pem", pem, test_public_pem(p256, pem, sizeof(pem)));
    put(secret_path, "secret", TEST_SECRET "\n", strlen(TEST_SECRET) + 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(stranger);
    (void)unlink(rsa_path);
    (void)unlink(p256_path);
    (void)unlink(secret_path);
    (void)unlink(set_path);
    (void)rmdir(directory);
    return 0;
}

static struct jwt_options options_with(const char *key_file, const char *algorithms)
{
    return (struct jwt_options){
        .key_file = key_file,
        .jwks_file = "",
        .algorithms = algorithms,
        .audience = "",
        .issuer = "",
        .user_claim = "sub",
        .leeway_s = 60,
    };
}

static struct jwt *make(const struct jwt_options *options)
{
    char error[ACCESS_ERROR_MAX] = "";
    struct jwt *jwt = NULL;
    int result = jwt_new(options, &jwt, error);
    assert_string_equal(error, "");
    assert_int_equal(result, 0);
    return jwt;
}

static struct jwt *make_for(const char *key_file, const char *algorithms)
{
    struct jwt_options options = options_with(key_file, algorithms);
    return make(&options);
}

// The reason of the refusal; NULL: it was believed.
static const char *judge(const struct jwt *jwt, const char *token)
{
    struct jwt_claims claims = {0};
    const char *why = NULL;
    enum login_verdict verdict =
        jwt_verify(jwt, bytes_make(token, strlen(token)), NOW_MS, &claims, &why);
    assert_true(verdict == LOGIN_YES || verdict == LOGIN_NO);
    assert_true((verdict == LOGIN_NO) == (why != NULL));
    jwt_claims_done(&claims);
    return why;
}

static const char *judge_claims(const struct jwt *jwt, const char *claims)
{
    test_token(HS256, claims, NULL, TEST_SECRET, text);
    return judge(jwt, text);
}

#define REFUSED(why, words)                                                                        \
    do {                                                                                           \
        const char *reason_ = (why);                                                               \
        assert_non_null(reason_);                                                                  \
        if (strstr(reason_, words) == NULL)                                                        \
            fail_msg("'%s' instead of '%s'", reason_, words);                                      \
    } while (0)

static void each_algorithm_is_believed_with_its_own_key(void **state)
{
    (void)state;
    struct jwt *by_rsa = make_for(rsa_path, "RS256,ES256");
    struct jwt *by_p256 = make_for(p256_path, "RS256,ES256");
    struct jwt *by_secret = make_for(secret_path, "HS256");
    test_token(RS256, GOOD, rsa, NULL, text);
    assert_null(judge(by_rsa, text));
    REFUSED(judge(by_p256, text), "no key");
    REFUSED(judge(by_secret, text), "not allowed");
    test_token(ES256, GOOD, p256, NULL, text);
    assert_null(judge(by_p256, text));
    REFUSED(judge(by_rsa, text), "no key");
    test_token(HS256, GOOD, NULL, TEST_SECRET, text);
    assert_null(judge(by_secret, text));
    REFUSED(judge(by_rsa, text), "not allowed");
    jwt_free(by_rsa);
    jwt_free(by_p256);
    jwt_free(by_secret);
}

static void a_strangers_signature_is_wrong(void **state)
{
    (void)state;
    struct jwt *jwt = make_for(rsa_path, "RS256");
    test_token(RS256, GOOD, stranger, NULL, text);
    REFUSED(judge(jwt, text), "signature");
    jwt_free(jwt);
    jwt = make_for(secret_path, "HS256");
    test_token(HS256, GOOD, NULL, TEST_SECRET "x", text);
    REFUSED(judge(jwt, text), "signature");
    jwt_free(jwt);
}

static void no_signature_is_none(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"none\"}", "{\"alg\":\"None\"}",   "{\"alg\":\"NONE\"}", "{\"alg\":\"\"}",
        "{\"typ\":\"JWT\"}",  "{\"alg\":[\"none\"]}", "{\"alg\":null}",     RS256,
    };
    struct jwt *jwt = make_for(rsa_path, "RS256,ES256,HS256");
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        test_token(headers[i], GOOD, NULL, NULL, text);
        assert_non_null(judge(jwt, text));
        test_token(headers[i], GOOD, NULL, "", text);
        assert_non_null(judge(jwt, text));
    }
    jwt_free(jwt);
}

// Signed with HS256, and the public key's own text as the secret.
static void a_public_key_is_never_a_secret(void **state)
{
    (void)state;
    char pem[4096], error[ACCESS_ERROR_MAX];
    size_t size = test_public_pem(rsa, pem, sizeof(pem));
    struct jwt *jwt = make_for(rsa_path, "RS256,HS256");
    test_token(HS256, GOOD, NULL, pem, text);
    REFUSED(judge(jwt, text), "no key");
    pem[size - 1] = 0;
    test_token(HS256, GOOD, NULL, pem, text);
    REFUSED(judge(jwt, text), "no key");
    jwt_free(jwt);
    struct jwt_options options = options_with(rsa_path, "HS256");
    assert_int_equal(jwt_new(&options, &jwt, error), -EINVAL);
    REFUSED(error, "jwt_algorithms");
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct jwt *jwt = make_for(p256_path, "ES256");
    size_t size = test_token(ES256, GOOD, p256, NULL, text);
    assert_null(judge(jwt, text));
    for (size_t i = 0; i < size; i++) {
        static const char others[] = {'A', 'B', '.', '-', '=', '\n', 'z'};
        for (size_t j = 0; j < sizeof(others); j++) {
            char original = text[i];
            struct jwt_claims claims = {0};
            const char *why = NULL;
            text[i] = others[j];
            if (original != others[j])
                assert_int_not_equal(jwt_verify(jwt, bytes_make(text, size), NOW_MS, &claims, &why),
                                     LOGIN_YES);
            text[i] = original;
        }
    }
    for (size_t i = 0; i < size; i++) {
        struct jwt_claims claims = {0};
        const char *why = NULL;
        assert_int_not_equal(jwt_verify(jwt, bytes_make(text, i), NOW_MS, &claims, &why),
                             LOGIN_YES);
    }
    jwt_free(jwt);
}

// The last letter of a text of base64 has bits that mean nothing.
static void a_token_has_one_text(void **state)
{
    (void)state;
    struct jwt *jwt = make_for(secret_path, "HS256");
    size_t size = test_token(HS256, GOOD, NULL, TEST_SECRET, text);
    char last = text[size - 1];
    for (char c = 'A'; c <= 'Z'; c++) {
        text[size - 1] = c;
        assert_true(c == last || judge(jwt, text) != NULL);
    }
    text[size - 1] = last;
    assert_null(judge(jwt, text));
    text[size] = '=';
    text[size + 1] = 0;
    assert_non_null(judge(jwt, text));
    jwt_free(jwt);
}

static void times_are_kept_with_a_minute_of_leeway(void **state)
{
    (void)state;
    struct jwt *jwt = make_for(secret_path, "HS256");
    assert_null(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":1699999941}"));
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":1699999940}"), "expired");
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":0}"), "expired");
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":-1e300}"), "expired");
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\"}"), "no exp");
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":\"1700000100\"}"), "no number");
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":null}"), "no number");
    assert_null(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":1700000100.5,\"nbf\":1700000060}"));
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":1700000100,\"nbf\":1700000061}"), "yet");
    assert_null(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":1700000100,\"iat\":1700000060}"));
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":1700000100,\"iat\":1700000061}"), "future");
    REFUSED(judge_claims(jwt, "{\"sub\":\"a\",\"exp\":1700000100,\"iat\":[]}"), "no number");
    jwt_free(jwt);
}

static void when_it_ends_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        int64_t expires_at_ms;
    } cases[] = {
        {GOOD, INT64_C(1700000160000)},
        {"{\"sub\":\"a\",\"exp\":1e300}", INT64_C(253402300859000)},
        {"{\"sub\":\"a\"}", 0},
    };
    struct jwt_options options = options_with(secret_path, "HS256");
    options.may_last_for_ever = true;
    struct jwt *jwt = make(&options);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct jwt_claims claims = {0};
        const char *why = NULL;
        size_t size = test_token(HS256, cases[i].claims, NULL, TEST_SECRET, text);
        assert_int_equal(jwt_verify(jwt, bytes_make(text, size), NOW_MS, &claims, &why), LOGIN_YES);
        assert_int_equal(claims.expires_at_ms, cases[i].expires_at_ms);
        jwt_claims_done(&claims);
    }
    jwt_free(jwt);
}

static void it_says_whose_it_is(void **state)
{
    (void)state;
    struct jwt *jwt = make_for(secret_path, "HS256");
    struct jwt_claims claims = {0};
    const char *why = NULL;
    size_t size = test_token(HS256, GOOD, NULL, TEST_SECRET, text);
    assert_int_equal(jwt_verify(jwt, bytes_make(text, size), NOW_MS, &claims, &why), LOGIN_YES);
    assert_true(bytes_equal(claims.user, BYTES_OF("anna")));
    assert_false(claims.topics.stated);
    jwt_claims_done(&claims);
    REFUSED(judge_claims(jwt, "{\"exp\":1700000100}"), "whose");
    REFUSED(judge_claims(jwt, "{\"exp\":1700000100,\"sub\":\"\"}"), "whose");
    REFUSED(judge_claims(jwt, "{\"exp\":1700000100,\"sub\":7}"), "whose");
    REFUSED(judge_claims(jwt, "{\"exp\":1700000100,\"sub\":\"a\\u0000b\"}"), "JSON");
    REFUSED(judge_claims(jwt, "{\"exp\":1700000100,\"sub\":\"a\",\"sub\":\"b\"}"), "twice");
    REFUSED(judge_claims(jwt, "[]"), "JSON");
    REFUSED(judge_claims(jwt, ""), "JSON");
    REFUSED(judge_claims(jwt, GOOD "x"), "JSON");
    jwt_free(jwt);
}

static void audience_and_issuer_are_checked_if_asked_for(void **state)
{
    (void)state;
    struct jwt_options options = options_with(secret_path, "HS256");
    options.audience = "home";
    options.issuer = "me";
    struct jwt *jwt = make(&options);
    static const char *const good[] = {
        "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":\"me\",\"aud\":\"home\"}",
        "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":\"me\",\"aud\":[\"x\",\"home\"]}",
    };
    static const char *const bad[] = {
        GOOD,
        "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":\"me\"}",
        "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":\"you\",\"aud\":\"home\"}",
        "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":[\"me\"],\"aud\":\"home\"}",
        "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":\"me\",\"aud\":\"hom\"}",
        "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":\"me\",\"aud\":[]}",
        "{\"sub\":\"a\",\"exp\":1700000100,\"iss\":\"me\",\"aud\":{\"home\":1}}",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_null(judge_claims(jwt, good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        REFUSED(judge_claims(jwt, bad[i]), "somebody else");
    jwt_free(jwt);
}

static void unknown_and_twofold_headers_are_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256\"} ",
    };
    struct jwt *jwt = make_for(secret_path, "HS256");
    for (size_t i = 0; i + 1 < sizeof(headers) / sizeof(headers[0]); i++) {
        test_token(headers[i], GOOD, NULL, TEST_SECRET, text);
        assert_non_null(judge(jwt, text));
    }
    // A key that the token brings along is never used.
    test_token("{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}", GOOD, NULL, "\0\0\0",
               text);
    REFUSED(judge(jwt, text), "signature");
    jwt_free(jwt);
}

static void what_is_no_token_is_somebody_elses(void **state)
{
    (void)state;
    static const char *const passwords[] = {"", "a", "hunter2", "eyJ", "a.b.c", "eyJhbGci"};
    struct jwt *jwt = make_for(secret_path, "HS256");
    for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++) {
        struct jwt_claims claims = {0};
        const char *why = NULL;
        assert_int_equal(
            jwt_verify(jwt, bytes_make(passwords[i], strlen(passwords[i])), NOW_MS, &claims, &why),
            LOGIN_NOT_MINE);
    }
    REFUSED(judge(jwt, "eyJ.b"), "three parts");
    REFUSED(judge(jwt, "eyJ.."), "");
    REFUSED(judge(jwt, "eyJ...."), "");
    REFUSED(judge(jwt, "eyJhbGciOiJIUzI1NiJ9.e30."), "signature");
    jwt_free(jwt);
}

static void a_token_has_at_most_16_kb(void **state)
{
    (void)state;
    static char claims[32 * 1024];
    struct jwt *jwt = make_for(secret_path, "HS256");
    for (int size = 12000; size <= 20000; size += 4000) {
        (void)snprintf(claims, sizeof(claims),
                       "{\"sub\":\"anna\",\"exp\":1700000100,\"x\":\"%0*d\"}", size, 0);
        const char *why = judge_claims(jwt, claims);
        if (strlen(text) <= JWT_SIZE_MAX)
            assert_null(why);
        else
            REFUSED(why, "16 KB");
    }
    // Deeper than any claim.
    memset(claims, '[', 12000);
    claims[12000] = 0;
    REFUSED(judge_claims(jwt, claims), "JSON");
    jwt_free(jwt);
}

static void topics_are_read_from_each_form_of_claim(void **state)
{
    (void)state;
    struct jwt *jwt = make_for(secret_path, "HS256");
    struct jwt_claims claims = {0};
    const char *why = NULL;
    size_t size = test_token(
        HS256,
        "{\"sub\":\"a\",\"exp\":1700000100,\"publ\":[\"p/#\"],\"subs\":[\"s/+\",\"$SYS/#\"],"
        "\"acl\":[{\"permission\":\"deny\",\"action\":\"all\",\"topic\":\"d\"}]}",
        NULL, TEST_SECRET, text);
    assert_int_equal(jwt_verify(jwt, bytes_make(text, size), NOW_MS, &claims, &why), LOGIN_YES);
    const struct topic_claim *list = claims.topics.list;
    assert_int_equal(claims.topics.count, 4);
    assert_true(bytes_equal(list[0].filter, BYTES_OF("p/#")));
    assert_int_equal(list[0].access, TOPIC_CLAIM_WRITE);
    assert_int_equal(list[1].access, TOPIC_CLAIM_READ);
    assert_true(bytes_equal(list[2].filter, BYTES_OF("$SYS/#")));
    assert_true(list[3].is_deny);
    assert_int_equal(list[3].access, TOPIC_CLAIM_READ | TOPIC_CLAIM_WRITE);
    jwt_claims_done(&claims);
    size =
        test_token(HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"acl\":{\"pub\":[\"p\"],\"all\":[]}}",
                   NULL, TEST_SECRET, text);
    assert_int_equal(jwt_verify(jwt, bytes_make(text, size), NOW_MS, &claims, &why), LOGIN_YES);
    assert_int_equal(claims.topics.count, 1);
    jwt_claims_done(&claims);
    size = test_token(HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"subs\":[]}", NULL, TEST_SECRET,
                      text);
    assert_int_equal(jwt_verify(jwt, bytes_make(text, size), NOW_MS, &claims, &why), LOGIN_YES);
    assert_true(claims.topics.stated && claims.topics.count == 0);
    jwt_claims_done(&claims);
    jwt_free(jwt);
}

static void topics_that_are_not_understood_let_nobody_in(void **state)
{
    (void)state;
    static const char *const claims[] = {
        "\"publ\":\"a\"",
        "\"publ\":[1]",
        "\"publ\":[\"\"]",
        "\"subs\":[\"a/#/b\"]",
        "\"subs\":[\"a+\"]",
        "\"subs\":null",
        "\"acl\":\"a\"",
        "\"acl\":{\"read\":[\"a\"]}",
        "\"acl\":{\"pub\":{}}",
        "\"acl\":[\"a\"]",
        "\"acl\":[{\"permission\":\"allow\",\"action\":\"all\"}]",
        "\"acl\":[{\"permission\":\"perhaps\",\"action\":\"all\",\"topic\":\"a\"}]",
        "\"acl\":[{\"permission\":\"allow\",\"action\":\"eat\",\"topic\":\"a\"}]",
        "\"acl\":[{\"permission\":\"allow\",\"action\":\"all\",\"topic\":\"a\",\"qos\":[0]}]",
        "\"acl\":[{\"permission\":\"deny\",\"action\":\"all\",\"topic\":\"a\",\"retain\":true}]",
    };
    struct jwt *jwt = make_for(secret_path, "HS256");
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        char whole[256];
        (void)snprintf(whole, sizeof(whole), "{\"sub\":\"a\",\"exp\":1700000100,%s}", claims[i]);
        assert_non_null(judge_claims(jwt, whole));
    }
    jwt_free(jwt);
}

static void without_memory_nobody_is_let_in(void **state)
{
    (void)state;
    struct jwt *jwt = make_for(secret_path, "HS256");
    size_t size = test_token(HS256, "{\"sub\":\"a\",\"exp\":1700000100,\"publ\":[\"1\",\"2\"]}",
                             NULL, TEST_SECRET, text);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct jwt_claims claims = {0};
        const char *why = NULL;
        memory_fail(nth, 1);
        assert_int_equal(jwt_verify(jwt, bytes_make(text, size), NOW_MS, &claims, &why), LOGIN_NO);
        memory_fail(0, 0);
        REFUSED(why, "memory");
    }
    jwt_free(jwt);
}

static enum login_verdict log_in(struct authority *authority, const char *user, const char *token,
                                 struct login_result *result)
{
    struct login_request request = {
        .client_id = BYTES_OF("c"),
        .user = bytes_make(user, user == NULL ? 0 : strlen(user)),
        .has_user = user != NULL,
        .password = bytes_make(token, token == NULL ? 0 : strlen(token)),
        .has_password = token != NULL,
        .listener = "",
    };
    *result = (struct login_result){0};
    return authority->check(authority->context, &request, result);
}

static void a_token_logs_its_user_in(void **state)
{
    (void)state;
    struct jwt_options options = options_with(secret_path, "HS256");
    struct tokens *tokens;
    struct login_result result;
    char error[ACCESS_ERROR_MAX];
    assert_int_equal(tokens_open(&options, &tokens, error), 0);
    struct authority authority = tokens_authority(tokens);
    test_token(HS256, "{\"sub\":\"anna\",\"exp\":9999999999,\"subs\":[\"a\"]}", NULL, TEST_SECRET,
               text);
    assert_int_equal(log_in(&authority, "anna", text, &result), LOGIN_YES);
    assert_null(result.user);
    assert_int_equal(result.expires_at_ms, INT64_C(10000000059000));
    struct acl_subject subject = {.client_id = BYTES_OF("c"), .user = BYTES_OF("anna"), true};
    assert_true(acl_check(result.rules, &subject, ACL_READ, BYTES_OF("a"), NULL));
    assert_false(acl_check(result.rules, &subject, ACL_READ, BYTES_OF("b"), NULL));
    login_result_done(&result);
    assert_int_equal(log_in(&authority, "", text, &result), LOGIN_YES);
    assert_true(bytes_equal(bytes_make(result.user, result.user_size), BYTES_OF("anna")));
    login_result_done(&result);
    assert_int_equal(log_in(&authority, NULL, text, &result), LOGIN_YES);
    login_result_done(&result);
    assert_int_equal(log_in(&authority, "berit", text, &result), LOGIN_NO);
    REFUSED(result.why, "another user");
    assert_int_equal(log_in(&authority, "anna", NULL, &result), LOGIN_NOT_MINE);
    assert_int_equal(log_in(&authority, "anna", "password", &result), LOGIN_NOT_MINE);
    tokens_unref(tokens);
    assert_int_equal(log_in(&authority, "anna", "eyJ.x.", &result), LOGIN_NO);
    authority.release(authority.context);
}

static void keys_are_read_again_when_they_change(void **state)
{
    (void)state;
    static const char other[] = "another secret of more than 32 bytes";
    char path[64], error[ACCESS_ERROR_MAX] = "";
    struct tokens *tokens;
    struct login_result result;
    put(path, "changing", TEST_SECRET, strlen(TEST_SECRET));
    struct jwt_options options = options_with(path, "HS256");
    assert_int_equal(tokens_open(&options, &tokens, error), 0);
    struct authority authority = tokens_authority(tokens);
    test_token(HS256, "{\"sub\":\"anna\",\"exp\":9999999999}", NULL, other, text);
    assert_int_equal(tokens_refresh(tokens, error), 0);
    assert_int_equal(log_in(&authority, "anna", text, &result), LOGIN_NO);
    put(path, "changing", other, strlen(other));
    assert_int_equal(tokens_refresh(tokens, error), 1);
    assert_int_equal(log_in(&authority, "anna", text, &result), LOGIN_YES);
    put(path, "changing", "short", 5);
    assert_int_equal(tokens_refresh(tokens, error), -EINVAL);
    REFUSED(error, "32 bytes");
    assert_int_equal(tokens_refresh(tokens, error), 0);
    assert_int_equal(log_in(&authority, "anna", text, &result), LOGIN_YES); // the old one holds
    (void)unlink(path);
    assert_int_equal(tokens_refresh(tokens, error), -ENOENT);
    tokens_unref(tokens);
    authority.release(authority.context);
}

static void wrong_options_are_explained(void **state)
{
    (void)state;
    char error[ACCESS_ERROR_MAX] = "";
    struct jwt *jwt = NULL;
    struct jwt_options options = options_with(secret_path, "HS256,none");
    assert_int_equal(jwt_new(&options, &jwt, error), -EINVAL);
    REFUSED(error, "only RS256");
    options = options_with("/nowhere/at/all", "RS256");
    assert_int_equal(jwt_new(&options, &jwt, error), -ENOENT);
    REFUSED(error, "/nowhere/at/all");
    options =
        options_with(secret_path, "RS256,ES256"); // the defaults: a secret alone is not enough
    assert_int_equal(jwt_new(&options, &jwt, error), -EINVAL);
    REFUSED(error, "HS256");
    options = options_with("", "");
    assert_int_equal(jwt_new(&options, &jwt, error), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_algorithm_is_believed_with_its_own_key),
        cmocka_unit_test(a_strangers_signature_is_wrong),
        cmocka_unit_test(no_signature_is_none),
        cmocka_unit_test(a_public_key_is_never_a_secret),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(a_token_has_one_text),
        cmocka_unit_test(times_are_kept_with_a_minute_of_leeway),
        cmocka_unit_test(when_it_ends_is_told),
        cmocka_unit_test(it_says_whose_it_is),
        cmocka_unit_test(audience_and_issuer_are_checked_if_asked_for),
        cmocka_unit_test(unknown_and_twofold_headers_are_refused),
        cmocka_unit_test(what_is_no_token_is_somebody_elses),
        cmocka_unit_test(a_token_has_at_most_16_kb),
        cmocka_unit_test(topics_are_read_from_each_form_of_claim),
        cmocka_unit_test(topics_that_are_not_understood_let_nobody_in),
        cmocka_unit_test(without_memory_nobody_is_let_in),
        cmocka_unit_test(a_token_logs_its_user_in),
        cmocka_unit_test(keys_are_read_again_when_they_change),
        cmocka_unit_test(wrong_options_are_explained),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
