// SPDX-License-Identifier: MIT
#include "access/password_hash.h"

#include "access/base64.h"
#include "access/secret.h"
#include "base/assert.h"
#include "os/random.h"

#include <argon2.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_SIZE 64   // SHA-512
#define OLD_SALT_SIZE 12 // the one that every Mosquitto reads
#define SALT_SIZE 16
#define OUR_HASH_SIZE 32

// The part up to the next '$', which is taken off; false if there is none.
static bool take_part(struct bytes *rest, struct bytes *ret_part)
{
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, '$', rest->size) : NULL;
    if (end == NULL)
        return false;
    *ret_part = bytes_make(rest->data, (size_t)(end - rest->data));
    *rest = bytes_from(*rest, ret_part->size + 1);
    return true;
}

static bool take_word(struct bytes *rest, struct bytes word)
{
    if (rest->size < word.size || memcmp(rest->data, word.data, word.size) != 0)
        return false;
    *rest = bytes_from(*rest, word.size);
    return true;
}

// Digits up to the end or something else; what does not fit is UINT32_MAX.
static bool take_number(struct bytes *rest, uint32_t *ret_number)
{
    uint64_t number = 0;
    size_t count = 0;
    for (; count < rest->size && rest->data[count] >= '0' && rest->data[count] <= '9'; count++)
        number = number > UINT32_MAX ? number : number * 10 + (uint64_t)(rest->data[count] - '0');
    *rest = bytes_from(*rest, count);
    *ret_number = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    return count > 0;
}

static bool decode(enum base64_kind kind, struct bytes text, uint8_t *part, uint8_t *ret_size)
{
    size_t size;
    if (!base64_decode(kind, text, part, PASSWORD_PART_MAX, &size) || size == 0)
        return false;
    *ret_size = (uint8_t)size;
    return true;
}

static const char *parse_salt_and_hash(enum base64_kind kind, struct bytes rest,
                                       struct password_hash *hash)
{
    struct bytes salt;
    if (!take_part(&rest, &salt))
        return "ends too early";
    if (!decode(kind, salt, hash->salt, &hash->salt_size))
        return "has a salt that is not base64 of 1 to 64 bytes";
    if (!decode(kind, rest, hash->hash, &hash->hash_size))
        return "is not base64 of the size it must have";
    return NULL;
}

static const char *parse_digest(struct bytes rest, struct password_hash *hash)
{
    const char *wrong = parse_salt_and_hash(BASE64_PADDED, rest, hash);
    if (wrong == NULL && hash->hash_size != DIGEST_SIZE)
        return "is not base64 of 64 bytes";
    return wrong;
}

static const char *parse_pbkdf2(struct bytes rest, struct password_hash *hash)
{
    if (!take_number(&rest, &hash->iterations) || !take_word(&rest, BYTES_OF("$")))
        return "has no number of iterations";
    if (hash->iterations == 0 || hash->iterations > PASSWORD_ITERATIONS_MAX)
        return "has an absurd number of iterations (1 to 10000000 are taken)";
    return parse_digest(rest, hash);
}

static const char *check_work(const struct password_hash *hash)
{
    if (hash->memory_kb > PASSWORD_MEMORY_KB_MAX)
        return "asks for more than 1 GB of memory";
    if (hash->iterations == 0 || hash->iterations > PASSWORD_PASSES_MAX)
        return "has an absurd number of passes (1 to 100 are taken)";
    if ((uint64_t)hash->memory_kb * hash->iterations > PASSWORD_WORK_KB_MAX)
        return "asks for too much work (memory times passes beyond 8 GB)";
    if (hash->lanes == 0 || hash->lanes > PASSWORD_LANES_MAX)
        return "has an absurd number of lanes (1 to 64 are taken)";
    if (hash->memory_kb < 8 * hash->lanes)
        return "has less than 8 KB of memory for a lane";
    return NULL;
}

static const char *parse_argon2id(struct bytes rest, struct password_hash *hash)
{
    uint32_t version = ARGON2_VERSION_10; // what it was before the string said so
    if (take_word(&rest, BYTES_OF("v=")) &&
        (!take_number(&rest, &version) || !take_word(&rest, BYTES_OF("$"))))
        return "has no version";
    if (version != ARGON2_VERSION_10 && version != ARGON2_VERSION_13)
        return "is of a version of argon2 that is not known (16 and 19 are)";
    hash->version = (uint8_t)version;
    if (!take_word(&rest, BYTES_OF("m=")) || !take_number(&rest, &hash->memory_kb) ||
        !take_word(&rest, BYTES_OF(",t=")) || !take_number(&rest, &hash->iterations) ||
        !take_word(&rest, BYTES_OF(",p=")) || !take_number(&rest, &hash->lanes) ||
        !take_word(&rest, BYTES_OF("$")))
        return "has no m=,t=,p=";
    const char *wrong = check_work(hash);
    if (wrong == NULL)
        wrong = parse_salt_and_hash(BASE64_BARE, rest, hash);
    if (wrong == NULL && (hash->salt_size < ARGON2_MIN_SALT_LENGTH || hash->hash_size < 16))
        return "has a salt or a hash that is too short";
    return wrong;
}

const char *password_hash_parse(struct bytes text, struct password_hash *ret_hash)
{
    struct password_hash hash = {0};
    const char *wrong;
    if (take_word(&text, BYTES_OF("$6$"))) {
        hash.scheme = PASSWORD_SHA512;
        wrong = parse_digest(text, &hash);
    } else if (take_word(&text, BYTES_OF("$7$"))) {
        hash.scheme = PASSWORD_PBKDF2;
        wrong = parse_pbkdf2(text, &hash);
    } else if (take_word(&text, BYTES_OF("$argon2id$"))) {
        hash.scheme = PASSWORD_ARGON2ID;
        wrong = parse_argon2id(text, &hash);
    } else
        wrong = text.size > 0 && text.data[0] == '$'
                    ? "is of a kind that is not known ($6$, $7$ and $argon2id$ are)"
                    : "is missing: a password in plain text is not taken";
    if (wrong == NULL)
        *ret_hash = hash;
    return wrong;
}

static void digest(const struct password_hash *hash, struct bytes password, uint8_t *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context != NULL && EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1 &&
           EVP_DigestUpdate(context, password.data, password.size) == 1 &&
           EVP_DigestUpdate(context, hash->salt, hash->salt_size) == 1 &&
           EVP_DigestFinal_ex(context, out, NULL) == 1);
    EVP_MD_CTX_free(context);
}

static void pbkdf2(const struct password_hash *hash, struct bytes password, uint8_t *out)
{
    // OpenSSL takes a NULL password for "none given", which is not an empty one.
    const char *text = password.size > 0 ? (const char *)password.data : "";
    ASSERT(PKCS5_PBKDF2_HMAC(text, (int)password.size, hash->salt, hash->salt_size,
                             (int)hash->iterations, EVP_sha512(), hash->hash_size, out) == 1);
}

static int argon2id(const struct password_hash *hash, struct bytes password, uint8_t *out)
{
    struct password_hash copy = *hash; // the library wants what it reads to be writable
    argon2_context context = {
        .out = out,
        .outlen = hash->hash_size,
        .pwd = (uint8_t *)(uintptr_t)password.data,
        .pwdlen = (uint32_t)password.size,
        .salt = copy.salt,
        .saltlen = hash->salt_size,
        .t_cost = hash->iterations,
        .m_cost = hash->memory_kb,
        .lanes = hash->lanes,
        .threads = 1, // how many hashes run at once is decided elsewhere
        .version = hash->version,
    };
    int result = argon2id_ctx(&context);
    ASSERT(result == ARGON2_OK || result == ARGON2_MEMORY_ALLOCATION_ERROR);
    return result == ARGON2_OK ? 0 : -ENOMEM;
}

// The hash of this password by the same salt and the same work.
static int compute(const struct password_hash *hash, struct bytes password, uint8_t *out)
{
    ASSERT(password.size <= INT_MAX);
    switch ((enum password_scheme)hash->scheme) {
    case PASSWORD_SHA512: digest(hash, password, out); return 0;
    case PASSWORD_PBKDF2: pbkdf2(hash, password, out); return 0;
    case PASSWORD_ARGON2ID: return argon2id(hash, password, out);
    }
    ASSERT(false);
    return -EINVAL;
}

int password_hash_check(const struct password_hash *hash, struct bytes password)
{
    uint8_t out[PASSWORD_PART_MAX] = {0};
    int result = compute(hash, password, out);
    if (result < 0)
        return result;
    bool equal =
        secret_equal(bytes_make(out, hash->hash_size), bytes_make(hash->hash, hash->hash_size));
    // HMAC fills up its key with zeros, so these would not be told from the password without.
    if (hash->scheme == PASSWORD_PBKDF2 && password.size > 0 &&
        password.data[password.size - 1] == 0)
        equal = false;
    secret_wipe(out, sizeof(out));
    return equal ? 1 : 0;
}

int password_hash_make(enum password_scheme scheme, uint32_t iterations, struct bytes password,
                       struct password_hash *ret_hash)
{
    struct password_hash hash = {
        .scheme = (uint8_t)scheme, .salt_size = OLD_SALT_SIZE, .hash_size = DIGEST_SIZE};
    if (scheme == PASSWORD_PBKDF2)
        hash.iterations = iterations > 0 ? iterations : PASSWORD_ITERATIONS;
    if (scheme == PASSWORD_ARGON2ID) {
        hash.salt_size = SALT_SIZE;
        hash.hash_size = OUR_HASH_SIZE;
        hash.version = ARGON2_VERSION_13;
        hash.iterations = PASSWORD_PASSES;
        hash.memory_kb = PASSWORD_MEMORY_KB;
        hash.lanes = 1;
    }
    random_bytes(hash.salt, hash.salt_size);
    int result = compute(&hash, password, hash.hash);
    if (result == 0)
        *ret_hash = hash;
    return result;
}

struct password_hash password_hash_dummy(const struct password_hash *like)
{
    struct password_hash dummy = *like;
    random_bytes(dummy.salt, dummy.salt_size);
    random_bytes(dummy.hash, dummy.hash_size);
    return dummy;
}

static int write_head(const struct password_hash *hash, char *text)
{
    switch ((enum password_scheme)hash->scheme) {
    case PASSWORD_SHA512: return snprintf(text, PASSWORD_HASH_TEXT_MAX, "$6$");
    case PASSWORD_PBKDF2:
        return snprintf(text, PASSWORD_HASH_TEXT_MAX, "$7$%" PRIu32 "$", hash->iterations);
    case PASSWORD_ARGON2ID:
        return snprintf(text, PASSWORD_HASH_TEXT_MAX,
                        "$argon2id$v=%u$m=%" PRIu32 ",t=%" PRIu32 ",p=%" PRIu32 "$",
                        (unsigned)hash->version, hash->memory_kb, hash->iterations, hash->lanes);
    }
    ASSERT(false);
    return 0;
}

size_t password_hash_write(const struct password_hash *hash, char *text)
{
    enum base64_kind kind = hash->scheme == PASSWORD_ARGON2ID ? BASE64_BARE : BASE64_PADDED;
    size_t size = (size_t)write_head(hash, text);
    size += base64_encode(kind, bytes_make(hash->salt, hash->salt_size), text + size);
    text[size++] = '$';
    size += base64_encode(kind, bytes_make(hash->hash, hash->hash_size), text + size);
    text[size] = 0;
    return size;
}
