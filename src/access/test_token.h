// SPDX-License-Identifier: MIT
// Makes tokens and keys for tests, with OpenSSL alone: another hand than the one that checks them.
#ifndef BUD_ACCESS_TEST_TOKEN_H
#define BUD_ACCESS_TEST_TOKEN_H

#include "access/base64.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <string.h>

#define TEST_TOKEN_MAX (64 * 1024)
#define TEST_SECRET "0123456789abcdef0123456789abcdef"

static inline EVP_PKEY *test_rsa_key(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
}

static inline EVP_PKEY *test_p256_key(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static inline size_t test_public_pem(EVP_PKEY *key, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key);
    int got = BIO_read(bio, text, (int)size - 1);
    BIO_free(bio);
    text[got] = 0;
    return (size_t)got;
}

static inline size_t test_base64(struct bytes bytes, char *text)
{
    size_t size = base64_encode(BASE64_URL, bytes, text);
    text[size] = 0;
    return size;
}

// r and s, 32 bytes each, as JWS wants them.
static inline size_t test_flatten(const uint8_t *der, size_t size, uint8_t *raw)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)size);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
    ECDSA_SIG_free(signature);
    return 64;
}

// The signature of `text`: by a key, or with `secret` when there is none.
static inline size_t test_sign(EVP_PKEY *key, const char *secret, const char *text, uint8_t *raw)
{
    uint8_t signature[1024];
    size_t size = sizeof(signature);
    unsigned hmac_size;
    if (key == NULL) {
        HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)text, strlen(text), raw,
             &hmac_size);
        return hmac_size;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key);
    EVP_DigestSign(context, signature, &size, (const uint8_t *)text, strlen(text));
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        return test_flatten(signature, size, raw);
    memcpy(raw, signature, size);
    return size;
}

// A whole token, with its NUL; `key` and `secret` NULL: without a signature.
static inline size_t test_token(const char *header, const char *claims, EVP_PKEY *key,
                                const char *secret, char *token)
{
    uint8_t raw[1024];
    size_t size = test_base64(bytes_make(header, strlen(header)), token);
    token[size++] = '.';
    size += test_base64(bytes_make(claims, strlen(claims)), token + size);
    size_t raw_size = key == NULL && secret == NULL ? 0 : test_sign(key, secret, token, raw);
    token[size++] = '.';
    return size + test_base64(bytes_make(raw, raw_size), token + size);
}

#endif
