// SPDX-License-Identifier: MIT
// What is kept of a password. Three kinds, as Mosquitto's files have them:
//   $6$SALT$HASH              SHA-512 once over password and salt (Mosquitto 1.x)
//   $7$ITERATIONS$SALT$HASH   PBKDF2 with HMAC-SHA-512 (Mosquitto 2)
//   $argon2id$v=19$m=KB,t=PASSES,p=LANES$SALT$HASH
// A file's owner chooses how much work a check is: absurd figures are refused when it is read, so
// that checking needs no bound of its own. The password comes from anybody.
#ifndef BUD_ACCESS_PASSWORD_HASH_H
#define BUD_ACCESS_PASSWORD_HASH_H

#include "proto/bytes.h"

enum password_scheme { PASSWORD_SHA512, PASSWORD_PBKDF2, PASSWORD_ARGON2ID };

#define PASSWORD_PART_MAX 64       // of salt and hash, in bytes
#define PASSWORD_HASH_TEXT_MAX 256 // of the written form
#define PASSWORD_ITERATIONS 210000 // PBKDF2 of ours: OWASP's figure for SHA-512
#define PASSWORD_ITERATIONS_MAX 10000000
// argon2id of ours: OWASP's first recommendation, 19 MB twice over one lane. About 20 ms on a
// desktop's processor, and 50 to 100 on a Raspberry Pi 4.
#define PASSWORD_MEMORY_KB 19456
#define PASSWORD_PASSES 2
#define PASSWORD_MEMORY_KB_MAX (1u << 20)
#define PASSWORD_PASSES_MAX 100
#define PASSWORD_LANES_MAX 64
#define PASSWORD_WORK_KB_MAX (8u << 20) // memory times passes

struct password_hash {
    uint8_t scheme; // enum password_scheme
    uint8_t salt_size, hash_size;
    uint8_t version;     // of argon2
    uint32_t iterations; // of PBKDF2; passes of argon2id
    uint32_t memory_kb, lanes;
    uint8_t salt[PASSWORD_PART_MAX];
    uint8_t hash[PASSWORD_PART_MAX];
};

// NULL, or what is wrong with it, as the rest of a sentence "the hash ...". `ret_hash` is then
// untouched.
const char *password_hash_parse(struct bytes text, struct password_hash *ret_hash);

// 1 yes, 0 no, -ENOMEM: argon2id did not get its memory. Takes as long for a no as for a yes.
int password_hash_check(const struct password_hash *hash, struct bytes password);

// With a random salt. `iterations` for PBKDF2, 0: ours. 0 or -ENOMEM.
int password_hash_make(enum password_scheme scheme, uint32_t iterations, struct bytes password,
                       struct password_hash *ret_hash);

// One like it that no password fits: checking it takes as long.
struct password_hash password_hash_dummy(const struct password_hash *like);

size_t password_hash_write(const struct password_hash *hash, char *text); // with NUL; the size

#endif
