// SPDX-License-Identifier: MIT
// The keys that tokens are checked with: of a PEM file (a public key or a certificate), of a file
// with a secret, of a JWKS file [RFC 7517]. Each key is good for one algorithm alone, which its own
// kind decides and never the token: RSA of at least 2048 bits for RS256, P-256 for ES256, a secret
// of at least 32 bytes for HS256. What looks like a key of another kind is never taken for a
// secret. Never changes once read. Who writes the files is trusted; who chooses the key's id is
// not.
#ifndef BUD_ACCESS_JWT_KEYS_H
#define BUD_ACCESS_JWT_KEYS_H

#include "os/file_contents.h"
#include "proto/bytes.h"

#include <cjose/cjose.h>

enum jwt_algorithm { JWT_NONE, JWT_RS256, JWT_ES256, JWT_HS256 };

#define JWT_SECRET_SIZE_MIN 32

struct jwt_key {
    enum jwt_algorithm algorithm;
    char *id; // NULL: it has none
    cjose_jwk_t *jwk;
};

struct jwt_keys {
    struct jwt_key *list;
    size_t count, capacity;
};

enum jwt_algorithm jwt_algorithm_named(struct bytes name); // JWT_NONE: not one of ours

// Adds the keys of a file. 0, or -errno (-EINVAL: the contents) with a sentence about cause and
// remedy in `error` (ACCESS_ERROR_MAX bytes).
int jwt_keys_read_file(struct jwt_keys *keys, const char *path, char *error);
int jwt_keys_read_set(struct jwt_keys *keys, const char *path, char *error);
void jwt_keys_done(struct jwt_keys *keys);

// The same of text in memory; `path` is what to call it.
int jwt_keys_parse_file(struct jwt_keys *keys, const char *path, struct bytes text, char *error);
int jwt_keys_parse_set(struct jwt_keys *keys, const char *path, struct bytes text, char *error);

// The key for a token: the one with this id; without one (an empty id) the only one of this
// algorithm. A key without an id, of a file of its own, stands in for one that is not known. NULL:
// there is none, and why.
const struct jwt_key *jwt_keys_find(const struct jwt_keys *keys, enum jwt_algorithm algorithm,
                                    struct bytes id, const char **ret_why);

#endif
