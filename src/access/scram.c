// SPDX-License-Identifier: MIT
#include "access/scram.h"

#include "access/base64.h"
#include "access/secret.h"
#include "os/random.h"
#include "proto/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *fixed_nonce;

void scram_set_nonce(const char *nonce)
{
    fixed_nonce = nonce;
}

static struct bytes text_of(const char *text, size_t size)
{
    return bytes_make(text, size);
}

// The value of the attribute `name`, which must come next; up to a ',' or the end.
static bool take_attribute(struct bytes *rest, char name, struct bytes *ret_value)
{
    if (rest->size < 2 || rest->data[0] != (uint8_t)name || rest->data[1] != '=')
        return false;
    struct bytes value = bytes_from(*rest, 2);
    const uint8_t *comma = value.size > 0 ? memchr(value.data, ',', value.size) : NULL;
    if (comma != NULL)
        value.size = (size_t)(comma - value.data);
    *ret_value = value;
    *rest = bytes_from(*rest, 2 + value.size + (comma != NULL ? 1 : 0));
    return true;
}

// "=2C" is a comma and "=3D" an equals sign; no other '=' may be there.
static bool decode_name(struct bytes value, struct scram *scram)
{
    if (value.size == 0 || value.size > SCRAM_NAME_MAX || !utf8_valid(value))
        return false;
    for (size_t i = 0; i < value.size; i++) {
        char c = (char)value.data[i];
        if (c == '=') {
            if (value.size - i < 3)
                return false;
            c = memcmp(value.data + i, "=2C", 3) == 0   ? ','
                : memcmp(value.data + i, "=3D", 3) == 0 ? '='
                                                        : 0;
            i += 2;
        }
        if ((c >= 0 && c < 0x20) || c == 0x7f)
            return false;
        scram->name[scram->name_size++] = c;
    }
    return true;
}

// Whoever can bind the channel ("y") thinks that we cannot, and that is so; "p=" asks us to.
static bool take_header(struct scram *scram, struct bytes *rest)
{
    if (rest->size < 3 || (rest->data[0] != 'n' && rest->data[0] != 'y') || rest->data[1] != ',' ||
        rest->data[2] != ',')
        return false; // an authorization identity is somebody else's name: not taken
    memcpy(scram->header, rest->data, 3);
    scram->header_size = 3;
    *rest = bytes_from(*rest, 3);
    return true;
}

static bool is_nonce(struct bytes nonce)
{
    for (size_t i = 0; i < nonce.size; i++)
        if (nonce.data[i] < 0x21 || nonce.data[i] > 0x7e)
            return false;
    return nonce.size > 0;
}

// Somebody's verifier whom nobody knows: the same each time, and no password fits it.
static void make_up(struct scram *scram, const struct scram_secret *secret)
{
    struct bytes key = bytes_make(secret->bytes, sizeof(secret->bytes));
    uint8_t salt[SCRAM_KEY_SIZE];
    struct scram_verifier *verifier = &scram->verifier;
    scram_hmac(key, text_of(scram->name, scram->name_size), salt);
    *verifier =
        (struct scram_verifier){.iterations = SCRAM_ITERATIONS, .salt_size = SCRAM_SALT_SIZE};
    memcpy(verifier->salt, salt, SCRAM_SALT_SIZE);
    random_bytes(verifier->stored_key, sizeof(verifier->stored_key));
    random_bytes(verifier->server_key, sizeof(verifier->server_key));
}

// "r=", the client's nonce and ours behind it, the salt, the iterations.
static void write_server_first(struct scram *scram, struct bytes client_nonce)
{
    char nonce[SCRAM_NONCE_SIZE + 1], salt[BASE64_TEXT_MAX(SCRAM_SALT_MAX) + 1];
    uint8_t random[SCRAM_NONCE_SIZE / 4 * 3];
    random_bytes(random, sizeof(random));
    nonce[base64_encode(BASE64_PADDED, bytes_make(random, sizeof(random)), nonce)] = 0;
    salt[base64_encode(BASE64_PADDED, bytes_make(scram->verifier.salt, scram->verifier.salt_size),
                       salt)] = 0;
    const char *own = fixed_nonce != NULL ? fixed_nonce : nonce;
    scram->nonce_size = client_nonce.size + strlen(own);
    scram->server_first_size =
        (size_t)snprintf(scram->server_first, sizeof(scram->server_first),
                         "r=%.*s%s,s=%s,i=%" PRIu32, (int)client_nonce.size,
                         (const char *)client_nonce.data, own, salt, scram->verifier.iterations);
}

static enum scram_step begin(struct scram *scram, struct bytes message, scram_find *find,
                             void *context, const struct scram_secret *secret,
                             struct bytes *ret_answer)
{
    struct bytes rest = message, name, nonce;
    if (!take_header(scram, &rest))
        return SCRAM_MALFORMED;
    memcpy(scram->bare, rest.data, rest.size);
    scram->bare_size = rest.size;
    // Extensions that must be understood stand first, and none is.
    if (!take_attribute(&rest, 'n', &name) || !decode_name(name, scram) ||
        !take_attribute(&rest, 'r', &nonce) || !is_nonce(nonce))
        return SCRAM_MALFORMED;
    scram->is_known = find(context, text_of(scram->name, scram->name_size), &scram->verifier);
    if (!scram->is_known)
        make_up(scram, secret);
    write_server_first(scram, nonce);
    *ret_answer = text_of(scram->server_first, scram->server_first_size);
    return SCRAM_CONTINUE;
}

// Is `proof` the client key XOR the signature over the whole conversation?
static bool is_proved(const struct scram *scram, struct bytes auth_message, const uint8_t *proof)
{
    uint8_t signature[SCRAM_KEY_SIZE], key[SCRAM_KEY_SIZE], stored[SCRAM_KEY_SIZE];
    scram_hmac(bytes_make(scram->verifier.stored_key, SCRAM_KEY_SIZE), auth_message, signature);
    for (size_t i = 0; i < SCRAM_KEY_SIZE; i++)
        key[i] = signature[i] ^ proof[i];
    scram_hash(bytes_make(key, sizeof(key)), stored);
    bool equal = secret_equal(bytes_make(stored, sizeof(stored)),
                              bytes_make(scram->verifier.stored_key, SCRAM_KEY_SIZE));
    secret_wipe(key, sizeof(key));
    return equal && scram->is_known;
}

static size_t append(char *text, size_t size, const void *more, size_t more_size)
{
    memcpy(text + size, more, more_size);
    return size + more_size;
}

// What both have signed: the first message without its header, our answer, the last one without
// its proof.
static bool check_proof(struct scram *scram, struct bytes without_proof, const uint8_t *proof)
{
    char text[4 * SCRAM_MESSAGE_MAX + 2];
    uint8_t signature[SCRAM_KEY_SIZE];
    size_t size = append(text, 0, scram->bare, scram->bare_size);
    size = append(text, size, ",", 1);
    size = append(text, size, scram->server_first, scram->server_first_size);
    size = append(text, size, ",", 1);
    size = append(text, size, without_proof.data, without_proof.size);
    bool proved = is_proved(scram, text_of(text, size), proof);
    scram_hmac(bytes_make(scram->verifier.server_key, SCRAM_KEY_SIZE), text_of(text, size),
               signature);
    memcpy(scram->final, "v=", 2);
    (void)base64_encode(BASE64_PADDED, bytes_make(signature, sizeof(signature)), scram->final + 2);
    return proved;
}

static bool is_header(const struct scram *scram, struct bytes value)
{
    uint8_t header[sizeof(scram->header)];
    size_t size;
    return base64_decode(BASE64_PADDED, value, header, sizeof(header), &size) &&
           size == scram->header_size && memcmp(header, scram->header, size) == 0;
}

static enum scram_step finish(struct scram *scram, struct bytes message, struct bytes *ret_answer)
{
    struct bytes rest = message, header, nonce, proof_text = {0};
    uint8_t proof[SCRAM_KEY_SIZE];
    size_t proof_size;
    if (!take_attribute(&rest, 'c', &header) || !take_attribute(&rest, 'r', &nonce) ||
        !is_header(scram, header))
        return SCRAM_MALFORMED;
    if (!bytes_equal(nonce, text_of(scram->server_first + 2, scram->nonce_size)))
        return SCRAM_REFUSED;
    // Extensions may stand before the proof, which is last.
    size_t proof_at = message.size;
    while (rest.size > 0) {
        proof_at = (size_t)(rest.data - message.data);
        if (!take_attribute(&rest, (char)rest.data[0], &proof_text))
            return SCRAM_MALFORMED;
    }
    if (proof_at >= message.size || message.data[proof_at] != 'p' ||
        !base64_decode(BASE64_PADDED, proof_text, proof, sizeof(proof), &proof_size) ||
        proof_size != sizeof(proof))
        return SCRAM_MALFORMED;
    if (!check_proof(scram, bytes_make(message.data, proof_at - 1), proof))
        return SCRAM_REFUSED;
    *ret_answer = text_of(scram->final, 2 + BASE64_TEXT_MAX(SCRAM_KEY_SIZE));
    return SCRAM_DONE;
}

enum scram_step scram_next(struct scram *scram, struct bytes message, scram_find *find,
                           void *context, const struct scram_secret *secret,
                           struct bytes *ret_answer)
{
    enum scram_step step = SCRAM_MALFORMED;
    if (!scram->is_over && message.size > 0 && message.size <= SCRAM_MESSAGE_MAX)
        step = scram->has_begun ? finish(scram, message, ret_answer)
                                : begin(scram, message, find, context, secret, ret_answer);
    scram->has_begun = true;
    scram->is_over = step != SCRAM_CONTINUE;
    return step;
}
