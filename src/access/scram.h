// SPDX-License-Identifier: MIT
// SCRAM-SHA-256 [RFC 5802, RFC 7677], the server's side, as pure text in and text out: a client
// proves that it knows a password without sending it, and sees that the server knows it too. No
// channel binding. A user whom nobody knows goes through the same exchange, with a salt that is the
// same each time, and fails at its end. Names and passwords are taken as the UTF-8 they are
// (no SASLprep beyond refusing control characters). No hash is iterated here: the client does that.
// An attacker controls every byte of the client's messages.
#ifndef BUD_ACCESS_SCRAM_H
#define BUD_ACCESS_SCRAM_H

#include "access/scram_verifier.h"

#define SCRAM_NAME_MAX 512
#define SCRAM_MESSAGE_MAX 2048 // of a client
#define SCRAM_NONCE_SIZE 24    // of ours, in base64

enum scram_step {
    SCRAM_CONTINUE, // send what was answered, and wait
    SCRAM_DONE,     // it has proved who it is: send what was answered
    SCRAM_MALFORMED,
    SCRAM_REFUSED, // a wrong proof, or nobody
};

struct scram {
    bool has_begun, is_over;
    bool is_known;                  // `verifier` is a user's
    struct scram_verifier verifier; // of the user, or one that nothing fits
    size_t name_size;
    size_t header_size; // of the first message: "n,,"
    size_t nonce_size;  // of both nonces together, in `server_first` behind "r="
    size_t bare_size;   // of the first message without its header
    size_t server_first_size;
    char name[SCRAM_NAME_MAX];
    char header[8];
    char bare[SCRAM_MESSAGE_MAX];
    char server_first[2 * SCRAM_MESSAGE_MAX];
    char final[64];
};

// Finds the verifier of a user; false: nobody. `context` is the caller's.
typedef bool scram_find(void *context, struct bytes name, struct scram_verifier *ret_verifier);

// What unknown users are told must not change from one try to the next, nor be known to others.
struct scram_secret {
    uint8_t bytes[SCRAM_KEY_SIZE];
};

// The next message of the client. *ret_answer is valid until the next call.
enum scram_step scram_next(struct scram *scram, struct bytes message, scram_find *find,
                           void *context, const struct scram_secret *secret,
                           struct bytes *ret_answer);

// For tests, which know what a run of the standard's example sends: this nonce instead of a random
// one. NULL: random again.
void scram_set_nonce(const char *nonce);

#endif
