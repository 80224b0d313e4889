// SPDX-License-Identifier: MIT
// A JSON Web Token [RFC 7519] as the password of a CONNECT. Signed with RS256, ES256 or HS256; the
// key decides which, see jwt_keys.h. Checked in this order: its size, three parts of strict base64,
// the header (an algorithm that is allowed, nothing critical that is not known), the signature, and
// only then the claims: exp (must be there, unless the options say otherwise), nbf, iat, aud, iss,
// whose token it is, what its bearer may read and write (topic_claims.h). The connection ends when
// the token does. Never changes once made. An attacker controls every byte of a token.
#ifndef BUD_ACCESS_JWT_H
#define BUD_ACCESS_JWT_H

#include "access/authority.h"
#include "access/topic_claims.h"

#define JWT_SIZE_MAX ((size_t)16 * 1024)

// A text that is not set is "".
struct jwt_options {
    const char *key_file;   // PEM or a secret
    const char *jwks_file;  // a set of keys
    const char *algorithms; // "RS256,ES256"
    const char *audience, *issuer;
    const char *user_claim; // whose token it is: "sub"
    uint32_t leeway_s;      // by which clocks may differ
    bool may_last_for_ever; // exp may be missing
};

struct jwt;

// 0, or -errno with a sentence about cause and remedy in `error` (ACCESS_ERROR_MAX bytes).
int jwt_new(const struct jwt_options *options, struct jwt **ret_jwt, char *error);
// The same with keys that are there already, and are taken over in any case.
struct jwt_keys;
int jwt_new_with(const struct jwt_options *options, struct jwt_keys *keys, struct jwt **ret_jwt,
                 char *error);
void jwt_free(struct jwt *jwt); // NULL is fine

// Is this a token at all, or somebody's password? By its first bytes, at once.
bool jwt_looks_like_one(struct bytes token);

// What a token says, if it is to be believed.
struct jwt_claims {
    struct bytes user;     // in `json`
    int64_t expires_at_ms; // leeway included; 0: never
    struct topic_claims topics;
    json_t *json;
};

// LOGIN_NOT_MINE: it does not look like a token. LOGIN_NO: and *ret_why says why not. `claims` is
// to be freed after LOGIN_YES.
enum login_verdict jwt_verify(const struct jwt *jwt, struct bytes token, int64_t wall_ms,
                              struct jwt_claims *ret_claims, const char **ret_why);
void jwt_claims_done(struct jwt_claims *claims);

#endif
