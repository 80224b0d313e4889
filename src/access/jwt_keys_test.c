// SPDX-License-Identifier: MIT
#include "access/jwt_keys.h"

#include "access/secret_file.h"
#include "access/test_token.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef int parse_keys(struct jwt_keys *keys, const char *path, struct bytes text, char *error);

static struct jwt_keys keys;
static char error[ACCESS_ERROR_MAX];

static int parse(parse_keys *how, const char *text)
{
    return how(&keys, "the file", bytes_make(text, strlen(text)), error);
}

static void refused(parse_keys *how, const char *text, const char *words)
{
    assert_int_equal(parse(how, text), -EINVAL);
    if (strstr(error, words) == NULL)
        fail_msg("'%s' instead of '%s'", error, words);
    assert_int_equal(keys.count, 0);
}

static void number(const EVP_PKEY *key, const char *name, char *text)
{
    BIGNUM *value = NULL;
    uint8_t bytes[1024];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &value), 1);
    test_base64(bytes_make(bytes, (size_t)BN_bn2bin(value, bytes)), text);
    BN_free(value);
}

// A JWK of RSA with these further members.
static void rsa_object(const EVP_PKEY *key, const char *more, char *text, size_t size)
{
    char n[1024], e[16];
    number(key, OSSL_PKEY_PARAM_RSA_N, n);
    number(key, OSSL_PKEY_PARAM_RSA_E, e);
    (void)snprintf(text, size, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", n, e, more);
}

static void public_keys_are_read(void **state)
{
    (void)state;
    char pem[4096];
    const char *why = NULL;
    EVP_PKEY *rsa = test_rsa_key(), *p256 = test_p256_key();
    test_public_pem(rsa, pem, sizeof(pem));
    assert_int_equal(parse(jwt_keys_parse_file, pem), 0);
    test_public_pem(p256, pem, sizeof(pem));
    assert_int_equal(parse(jwt_keys_parse_file, pem), 0);
    assert_int_equal(keys.list[0].algorithm, JWT_RS256);
    assert_int_equal(keys.list[1].algorithm, JWT_ES256);
    assert_ptr_equal(jwt_keys_find(&keys, JWT_ES256, (struct bytes){0}, &why), &keys.list[1]);
    assert_ptr_equal(jwt_keys_find(&keys, JWT_RS256, BYTES_OF("any"), &why), &keys.list[0]);
    assert_null(jwt_keys_find(&keys, JWT_HS256, (struct bytes){0}, &why));
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    jwt_keys_done(&keys);
}

static void other_keys_are_refused_with_a_remedy(void **state)
{
    (void)state;
    char pem[8192];
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    test_public_pem(key, pem, sizeof(pem));
    refused(jwt_keys_parse_file, pem, "2048");
    EVP_PKEY_free(key);
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    test_public_pem(key, pem, sizeof(pem));
    refused(jwt_keys_parse_file, pem, "P-256");
    EVP_PKEY_free(key);
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    test_public_pem(key, pem, sizeof(pem));
    refused(jwt_keys_parse_file, pem, "P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    pem[BIO_read(bio, pem, sizeof(pem) - 1)] = 0;
    BIO_free(bio);
    refused(jwt_keys_parse_file, pem, "private");
    EVP_PKEY_free(key);
    refused(jwt_keys_parse_file, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "no public key");
    refused(jwt_keys_parse_file, "", "empty");
}

static void a_secret_is_long_and_nothing_else(void **state)
{
    (void)state;
    uint8_t der[512], *at = der;
    refused(jwt_keys_parse_file, "0123456789abcdef0123456789abcde\n", "32 bytes");
    refused(jwt_keys_parse_file, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0aaaaaaaa me@here", "SSH");
    refused(jwt_keys_parse_file, "  {\"keys\":[{\"kty\":\"oct\",\"k\":\"0123456789\"}]}", "JSON");
    EVP_PKEY *rsa = test_rsa_key();
    int size = i2d_PUBKEY(rsa, &at);
    EVP_PKEY_free(rsa);
    assert_int_equal(jwt_keys_parse_file(&keys, "the file", bytes_make(der, (size_t)size), error),
                     -EINVAL);
    assert_non_null(strstr(error, "DER"));
    assert_int_equal(parse(jwt_keys_parse_file, TEST_SECRET "\r\n"), 0);
    assert_int_equal(keys.list[0].algorithm, JWT_HS256);
    jwt_keys_done(&keys);
}

static void the_id_chooses_the_key_of_a_set(void **state)
{
    (void)state;
    static char first[2048], second[2048], set[8192];
    const char *why = NULL;
    EVP_PKEY *rsa = test_rsa_key();
    rsa_object(rsa, ",\"kid\":\"one\",\"use\":\"sig\"", first, sizeof(first));
    rsa_object(rsa, ",\"kid\":\"two\",\"alg\":\"RS256\"", second, sizeof(second));
    (void)snprintf(set, sizeof(set), "{\"keys\":[%s,%s]}", first, second);
    assert_int_equal(parse(jwt_keys_parse_set, set), 0);
    assert_int_equal(keys.count, 2);
    assert_ptr_equal(jwt_keys_find(&keys, JWT_RS256, BYTES_OF("two"), &why), &keys.list[1]);
    assert_null(jwt_keys_find(&keys, JWT_RS256, BYTES_OF("three"), &why));
    assert_non_null(strstr(why, "kid"));
    assert_null(jwt_keys_find(&keys, JWT_RS256, (struct bytes){0}, &why));
    assert_non_null(strstr(why, "several"));
    assert_null(jwt_keys_find(&keys, JWT_ES256, BYTES_OF("two"), &why));
    jwt_keys_done(&keys);
    EVP_PKEY_free(rsa);
}

static void keys_for_something_else_are_left_out(void **state)
{
    (void)state;
    static const char *const more[] = {",\"use\":\"enc\"", ",\"alg\":\"RS512\"", ",\"use\":7"};
    static char object[2048], set[8192];
    EVP_PKEY *rsa = test_rsa_key(), *weak = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        rsa_object(rsa, more[i], object, sizeof(object));
        (void)snprintf(set, sizeof(set), "{\"keys\":[%s]}", object);
        refused(jwt_keys_parse_set, set, "no key");
    }
    rsa_object(weak, "", object, sizeof(object));
    (void)snprintf(set, sizeof(set), "{\"keys\":[%s]}", object);
    refused(jwt_keys_parse_set, set, "no key");
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(weak);
    refused(jwt_keys_parse_set,
            "{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}",
            "no key");
    refused(jwt_keys_parse_set, "{\"keys\":[]}", "no key");
    refused(jwt_keys_parse_set, "{\"keys\":[1,null,{},{\"kty\":\"EC\",\"crv\":\"P-256\"}]}",
            "no key");
}

static void what_is_no_set_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "{", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        refused(jwt_keys_parse_set, texts[i], "JWKS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys_are_read),
        cmocka_unit_test(other_keys_are_refused_with_a_remedy),
        cmocka_unit_test(a_secret_is_long_and_nothing_else),
        cmocka_unit_test(the_id_chooses_the_key_of_a_set),
        cmocka_unit_test(keys_for_something_else_are_left_out),
        cmocka_unit_test(what_is_no_set_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
