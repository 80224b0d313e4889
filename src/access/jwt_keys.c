// SPDX-License-Identifier: MIT
#include "access/jwt_keys.h"

#include "access/base64.h"
#include "access/secret_file.h"
#include "base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define P256_BYTES 32
#define RSA_BYTES_MAX 2048

enum jwt_algorithm jwt_algorithm_named(struct bytes name)
{
    return bytes_equal(name, BYTES_OF("RS256"))   ? JWT_RS256
           : bytes_equal(name, BYTES_OF("ES256")) ? JWT_ES256
           : bytes_equal(name, BYTES_OF("HS256")) ? JWT_HS256
                                                  : JWT_NONE;
}

static int refuse(char *error, const char *path, const char *why)
{
    (void)snprintf(error, ACCESS_ERROR_MAX, "%s: %s", path, why);
    return -EINVAL;
}

// Takes the key over, also when it fails.
static int add(struct jwt_keys *keys, enum jwt_algorithm algorithm, const char *id,
               cjose_jwk_t *jwk, const char *path, char *error)
{
    size_t id_size = id == NULL ? 0 : strlen(id) + 1;
    char *copy = id == NULL ? NULL : memory_try_new(id_size);
    if (keys->count == keys->capacity) {
        size_t capacity = keys->capacity == 0 ? 4 : keys->capacity * 2;
        struct jwt_key *list = memory_try_resize(keys->list, capacity * sizeof(*list));
        keys->list = list == NULL ? keys->list : list;
        keys->capacity = list == NULL ? keys->capacity : capacity;
    }
    if (keys->count == keys->capacity || (id != NULL && copy == NULL)) {
        memory_free(copy);
        cjose_jwk_release(jwk);
        (void)refuse(error, path, "no memory for its keys");
        return -ENOMEM;
    }
    if (id != NULL)
        memcpy(copy, id, id_size);
    keys->list[keys->count++] = (struct jwt_key){.algorithm = algorithm, .id = copy, .jwk = jwk};
    return 0;
}

void jwt_keys_done(struct jwt_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        cjose_jwk_release(keys->list[i].jwk);
        memory_free(keys->list[i].id);
    }
    memory_free(keys->list);
    *keys = (struct jwt_keys){0};
}

// Big-endian, without leading zeros if `size` is 0. Returns its size, 0 if it does not fit.
static size_t number_of(const EVP_PKEY *key, const char *name, uint8_t *bytes, size_t size)
{
    BIGNUM *number = NULL;
    size_t written = 0;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        return 0;
    if (size > 0)
        written = BN_bn2binpad(number, bytes, (int)size) == (int)size ? size : 0;
    else if (BN_num_bytes(number) <= RSA_BYTES_MAX)
        written = (size_t)BN_bn2bin(number, bytes);
    BN_free(number);
    return written;
}

static cjose_jwk_t *rsa_of(const EVP_PKEY *key)
{
    uint8_t n[RSA_BYTES_MAX], e[RSA_BYTES_MAX];
    cjose_jwk_rsa_keyspec spec = {.n = n, .e = e};
    spec.nlen = number_of(key, OSSL_PKEY_PARAM_RSA_N, n, 0);
    spec.elen = number_of(key, OSSL_PKEY_PARAM_RSA_E, e, 0);
    return spec.nlen == 0 || spec.elen == 0 ? NULL : cjose_jwk_create_RSA_spec(&spec, NULL);
}

static cjose_jwk_t *p256_of(const EVP_PKEY *key)
{
    uint8_t x[P256_BYTES], y[P256_BYTES];
    char curve[32] = "";
    cjose_jwk_ec_keyspec spec = {.crv = CJOSE_JWK_EC_P_256, .x = x, .y = y};
    size_t size;
    if (EVP_PKEY_get_group_name(key, curve, sizeof(curve), &size) != 1 ||
        (strcmp(curve, "prime256v1") != 0 && strcmp(curve, "P-256") != 0))
        return NULL;
    spec.xlen = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, x, sizeof(x));
    spec.ylen = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, y, sizeof(y));
    return spec.xlen == 0 || spec.ylen == 0 ? NULL : cjose_jwk_create_EC_spec(&spec, NULL);
}

static EVP_PKEY *public_key_of(struct bytes text)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (key == NULL && bio != NULL) {
        (void)BIO_reset(bio);
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        key = certificate == NULL ? NULL : X509_get_pubkey(certificate);
        X509_free(certificate);
    }
    BIO_free(bio);
    return key;
}

static int add_public_key(struct jwt_keys *keys, const char *path, const EVP_PKEY *key, char *error)
{
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        if (EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
            return refuse(error, path, "its RSA key has less than 2048 bits: make a longer one");
        cjose_jwk_t *jwk = rsa_of(key);
        return jwk == NULL ? refuse(error, path, "its RSA key cannot be used")
                           : add(keys, JWT_RS256, NULL, jwk, path, error);
    }
    cjose_jwk_t *jwk = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? p256_of(key) : NULL;
    return jwk == NULL ? refuse(error, path, "its key is neither RSA nor of the curve P-256")
                       : add(keys, JWT_ES256, NULL, jwk, path, error);
}

static bool has(struct bytes text, const char *words)
{
    return memmem(text.data, text.size, words, strlen(words)) != NULL;
}

static bool is_der(struct bytes text)
{
    const uint8_t *at = text.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)text.size);
    bool found = key != NULL;
    EVP_PKEY_free(key);
    return found;
}

// What is no secret, though it may be in the wrong place: its remedy; NULL: it may be one.
static const char *not_a_secret(struct bytes text)
{
    if (has(text, "ssh-") || has(text, "ecdsa-sha2"))
        return "this is a key of SSH: make a PEM file of it (ssh-keygen -e -m PKCS8 -f ...)";
    if (is_der(text))
        return "this is a public key in DER: make a PEM file of it (openssl pkey -pubin -inform "
               "DER ...)";
    if (text_trim(text).size > 0 && text_trim(text).data[0] == '{')
        return "this is JSON: a set of keys belongs to jwt_jwks_file";
    return NULL;
}

// One end of line at the end is the editor's.
static struct bytes without_line_end(struct bytes text)
{
    if (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    if (text.size > 0 && text.data[text.size - 1] == '\r')
        text.size--;
    return text;
}

static int add_secret(struct jwt_keys *keys, const char *path, struct bytes text, char *error)
{
    const char *other = not_a_secret(text);
    if (other != NULL)
        return refuse(error, path, other);
    text = without_line_end(text);
    if (text.size < JWT_SECRET_SIZE_MIN)
        return refuse(error, path,
                      "a secret for tokens has at least 32 bytes (openssl rand -base64 48)");
    cjose_jwk_t *jwk = cjose_jwk_create_oct_spec(text.data, text.size, NULL);
    return jwk == NULL ? refuse(error, path, "the secret cannot be used")
                       : add(keys, JWT_HS256, NULL, jwk, path, error);
}

int jwt_keys_parse_file(struct jwt_keys *keys, const char *path, struct bytes text, char *error)
{
    if (text.size == 0 || text.size > INT32_MAX)
        return refuse(error, path, "the file is empty");
    if (!has(text, "-----BEGIN"))
        return add_secret(keys, path, text, error);
    if (has(text, "PRIVATE KEY-----"))
        return refuse(error, path,
                      "this is a private key, which a broker must not have: give it "
                      "the public one (openssl pkey -in ... -pubout)");
    EVP_PKEY *key = public_key_of(text);
    if (key == NULL)
        return refuse(error, path, "there is no public key and no certificate in it");
    int result = add_public_key(keys, path, key, error);
    EVP_PKEY_free(key);
    return result;
}

static bool says(const json_t *object, const char *name, const char *word)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL && strcmp(value, word) == 0;
}

// For signatures, and of a kind that is used here.
static enum jwt_algorithm algorithm_of(const json_t *object)
{
    enum jwt_algorithm algorithm = says(object, "kty", "RSA") ? JWT_RS256
                                   : says(object, "kty", "EC") && says(object, "crv", "P-256")
                                       ? JWT_ES256
                                       : JWT_NONE;
    const char *name = algorithm == JWT_RS256 ? "RS256" : "ES256";
    if (json_object_get(object, "use") != NULL && !says(object, "use", "sig"))
        return JWT_NONE;
    if (json_object_get(object, "alg") != NULL && !says(object, "alg", name))
        return JWT_NONE;
    return algorithm;
}

// A number of a key. The library stops the process at base64 that is not right, so nothing of a
// file is left to it to decode. The size, 0 if it is none.
static size_t decoded(const json_t *object, const char *name, uint8_t *bytes, size_t size_max)
{
    const json_t *value = json_object_get(object, name);
    struct bytes text = bytes_make(json_string_value(value), json_string_length(value));
    size_t size;
    return text.size > 0 && base64_decode(BASE64_URL, text, bytes, size_max, &size) ? size : 0;
}

static cjose_jwk_t *import_rsa(const json_t *object)
{
    uint8_t n[RSA_BYTES_MAX], e[RSA_BYTES_MAX];
    cjose_jwk_rsa_keyspec spec = {.n = n, .e = e};
    spec.nlen = decoded(object, "n", n, sizeof(n));
    spec.elen = decoded(object, "e", e, sizeof(e));
    size_t zeros = 0;
    while (zeros < spec.nlen && n[zeros] == 0)
        zeros++;
    if (spec.elen == 0 || (spec.nlen - zeros) * 8 < RSA_BITS_MIN)
        return NULL;
    return cjose_jwk_create_RSA_spec(&spec, NULL);
}

static cjose_jwk_t *import_p256(const json_t *object)
{
    uint8_t x[P256_BYTES], y[P256_BYTES];
    cjose_jwk_ec_keyspec spec = {.crv = CJOSE_JWK_EC_P_256, .x = x, .y = y};
    spec.xlen = decoded(object, "x", x, sizeof(x));
    spec.ylen = decoded(object, "y", y, sizeof(y));
    bool is_whole = spec.xlen == sizeof(x) && spec.ylen == sizeof(y); // as RFC 7518 6.2.1.2 has it
    return is_whole ? cjose_jwk_create_EC_spec(&spec, NULL) : NULL;
}

// Keys of other kinds and for other purposes stand in such files too, and are left out.
static int add_object(struct jwt_keys *keys, const char *path, const json_t *object, char *error)
{
    enum jwt_algorithm algorithm = algorithm_of(object);
    cjose_jwk_t *jwk = algorithm == JWT_RS256   ? import_rsa(object)
                       : algorithm == JWT_ES256 ? import_p256(object)
                                                : NULL;
    if (jwk == NULL)
        return 0;
    return add(keys, algorithm, json_string_value(json_object_get(object, "kid")), jwk, path,
               error);
}

int jwt_keys_parse_set(struct jwt_keys *keys, const char *path, struct bytes text, char *error)
{
    size_t index, before = keys->count;
    const json_t *object;
    json_t *set = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(set, "keys");
    int result = json_is_array(list)
                     ? 0
                     : refuse(error, path, "this is no JSON with a list \"keys\" (a JWKS)");
    json_array_foreach(list, index, object)
    {
        if (result == 0)
            result = add_object(keys, path, object, error);
    }
    json_decref(set);
    if (result == 0 && keys->count == before)
        return refuse(error, path,
                      "there is no key in it that can be used: RSA of at least 2048 "
                      "bits, or EC of the curve P-256, for signatures");
    return result;
}

typedef int parse_keys(struct jwt_keys *keys, const char *path, struct bytes text, char *error);

static int read_with(parse_keys *parse, struct jwt_keys *keys, const char *path, char *error)
{
    struct file_contents contents = {0};
    int result = secret_file_read(path, &contents, error);
    if (result < 0)
        return result;
    result = parse(keys, path, bytes_make(contents.data, contents.size), error);
    secret_file_done(&contents);
    return result;
}

int jwt_keys_read_file(struct jwt_keys *keys, const char *path, char *error)
{
    return read_with(jwt_keys_parse_file, keys, path, error);
}

int jwt_keys_read_set(struct jwt_keys *keys, const char *path, char *error)
{
    return read_with(jwt_keys_parse_set, keys, path, error);
}

static bool has_id(const struct jwt_key *key, struct bytes id)
{
    return key->id != NULL && bytes_equal(bytes_make(key->id, strlen(key->id)), id);
}

const struct jwt_key *jwt_keys_find(const struct jwt_keys *keys, enum jwt_algorithm algorithm,
                                    struct bytes id, const char **ret_why)
{
    const struct jwt_key *only = NULL, *nameless = NULL;
    size_t count = 0;
    for (size_t i = 0; i < keys->count; i++) {
        const struct jwt_key *key = &keys->list[i];
        if (key->algorithm != algorithm)
            continue;
        if (id.size > 0 && has_id(key, id))
            return key;
        only = key;
        nameless = key->id == NULL ? key : nameless;
        count++;
    }
    const struct jwt_key *found = id.size > 0 ? nameless : count == 1 ? only : NULL;
    if (found == NULL)
        *ret_why = count == 0    ? "there is no key for the token's algorithm"
                   : id.size > 0 ? "there is no key with the token's kid"
                                 : "the token has no kid, and there are several keys";
    return found;
}
