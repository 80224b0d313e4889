// SPDX-License-Identifier: MIT
// What is kept of a password for SCRAM-SHA-256 [RFC 5802, RFC 7677]: enough to check a client's
// proof, not enough to be a client. Written as
//   SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY        (base64 with padding)
#ifndef BUD_ACCESS_SCRAM_VERIFIER_H
#define BUD_ACCESS_SCRAM_VERIFIER_H

#include "proto/bytes.h"

#define SCRAM_KEY_SIZE 32
#define SCRAM_SALT_MAX 64
#define SCRAM_SALT_SIZE 16
#define SCRAM_ITERATIONS 15000    // of ours: small devices have to do them with each login
#define SCRAM_ITERATIONS_MIN 4096 // RFC 7677
#define SCRAM_ITERATIONS_MAX 10000000
#define SCRAM_VERIFIER_TEXT_MAX 256

struct scram_verifier {
    uint32_t iterations;
    uint8_t salt_size;
    uint8_t salt[SCRAM_SALT_MAX];
    uint8_t stored_key[SCRAM_KEY_SIZE];
    uint8_t server_key[SCRAM_KEY_SIZE];
};

// NULL, or what is wrong with it, as the rest of a sentence "the verifier ...".
const char *scram_verifier_parse(struct bytes text, struct scram_verifier *ret_verifier);
void scram_verifier_make(struct bytes password, struct scram_verifier *ret_verifier);
size_t scram_verifier_write(const struct scram_verifier *verifier, char *text); // with NUL

// SHA-256 and HMAC-SHA-256, for it and for the exchange.
void scram_hash(struct bytes bytes, uint8_t *out);
void scram_hmac(struct bytes key, struct bytes bytes, uint8_t *out);

#endif
