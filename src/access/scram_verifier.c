// SPDX-License-Identifier: MIT
#include "access/scram_verifier.h"

#include "access/base64.h"
#include "access/secret.h"
#include "base/assert.h"
#include "os/random.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "SCRAM-SHA-256$"

void scram_hash(struct bytes bytes, uint8_t *out)
{
    ASSERT(EVP_Digest(bytes.data, bytes.size, out, NULL, EVP_sha256(), NULL) == 1);
}

void scram_hmac(struct bytes key, struct bytes bytes, uint8_t *out)
{
    ASSERT(HMAC(EVP_sha256(), key.data, (int)key.size, bytes.data, bytes.size, out, NULL) != NULL);
}

void scram_verifier_make(struct bytes password, struct scram_verifier *ret_verifier)
{
    struct scram_verifier verifier = {.iterations = SCRAM_ITERATIONS, .salt_size = SCRAM_SALT_SIZE};
    uint8_t salted[SCRAM_KEY_SIZE], client_key[SCRAM_KEY_SIZE];
    const char *text = password.size > 0 ? (const char *)password.data : "";
    random_bytes(verifier.salt, verifier.salt_size);
    ASSERT(PKCS5_PBKDF2_HMAC(text, (int)password.size, verifier.salt, verifier.salt_size,
                             (int)verifier.iterations, EVP_sha256(), SCRAM_KEY_SIZE, salted) == 1);
    struct bytes key = bytes_make(salted, sizeof(salted));
    scram_hmac(key, BYTES_OF("Client Key"), client_key);
    scram_hash(bytes_make(client_key, sizeof(client_key)), verifier.stored_key);
    scram_hmac(key, BYTES_OF("Server Key"), verifier.server_key);
    secret_wipe(salted, sizeof(salted));
    secret_wipe(client_key, sizeof(client_key));
    *ret_verifier = verifier;
}

size_t scram_verifier_write(const struct scram_verifier *verifier, char *text)
{
    size_t size = (size_t)snprintf(text, SCRAM_VERIFIER_TEXT_MAX, PREFIX "%" PRIu32 ":",
                                   verifier->iterations);
    size +=
        base64_encode(BASE64_PADDED, bytes_make(verifier->salt, verifier->salt_size), text + size);
    text[size++] = '$';
    size +=
        base64_encode(BASE64_PADDED, bytes_make(verifier->stored_key, SCRAM_KEY_SIZE), text + size);
    text[size++] = ':';
    size +=
        base64_encode(BASE64_PADDED, bytes_make(verifier->server_key, SCRAM_KEY_SIZE), text + size);
    text[size] = 0;
    return size;
}

// What stands before `end`, which is taken off with it.
static bool take_until(struct bytes *rest, char end, struct bytes *ret_part)
{
    const uint8_t *found = rest->size > 0 ? memchr(rest->data, end, rest->size) : NULL;
    if (found == NULL)
        return false;
    *ret_part = bytes_make(rest->data, (size_t)(found - rest->data));
    *rest = bytes_from(*rest, ret_part->size + 1);
    return true;
}

static bool parse_number(struct bytes text, uint32_t *ret_number)
{
    uint32_t number = 0;
    if (text.size == 0 || text.size > 8)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

static bool parse_key(struct bytes text, uint8_t *key)
{
    size_t size;
    return base64_decode(BASE64_PADDED, text, key, SCRAM_KEY_SIZE, &size) && size == SCRAM_KEY_SIZE;
}

const char *scram_verifier_parse(struct bytes text, struct scram_verifier *ret_verifier)
{
    struct scram_verifier verifier = {0};
    struct bytes prefix = BYTES_OF(PREFIX), iterations, salt, stored;
    size_t size;
    if (text.size < prefix.size || memcmp(text.data, prefix.data, prefix.size) != 0)
        return "does not begin with SCRAM-SHA-256$";
    text = bytes_from(text, prefix.size);
    if (!take_until(&text, ':', &iterations) || !take_until(&text, '$', &salt) ||
        !take_until(&text, ':', &stored))
        return "ends too early";
    if (!parse_number(iterations, &verifier.iterations) ||
        verifier.iterations < SCRAM_ITERATIONS_MIN || verifier.iterations > SCRAM_ITERATIONS_MAX)
        return "has an absurd number of iterations (4096 to 10000000 are taken)";
    if (!base64_decode(BASE64_PADDED, salt, verifier.salt, SCRAM_SALT_MAX, &size) || size == 0)
        return "has a salt that is not base64 of 1 to 64 bytes";
    verifier.salt_size = (uint8_t)size;
    if (!parse_key(stored, verifier.stored_key) || !parse_key(text, verifier.server_key))
        return "has a key that is not base64 of 32 bytes";
    *ret_verifier = verifier;
    return NULL;
}
