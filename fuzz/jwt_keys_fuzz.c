// SPDX-License-Identifier: MIT
// Any bytes as a key file (PEM or a secret) and as a JWKS. Must hold: what is read can be found,
// what is refused says why, a file is of one kind, and a public key never becomes a secret.
#include "access/jwt_keys.h"
#include "access/secret_file.h"
#include "fuzz/fuzz.h"

#include <string.h>

typedef int parse_keys(struct jwt_keys *keys, const char *path, struct bytes text, char *error);

static size_t check(parse_keys *parse, struct bytes text, bool may_be_secret)
{
    struct jwt_keys keys = {0};
    char error[ACCESS_ERROR_MAX] = "";
    int result = parse(&keys, "x", text, error);
    FUZZ_CHECK((result < 0) == (error[0] != 0));
    size_t count = result == 0 ? keys.count : 0;
    FUZZ_CHECK(result < 0 || count > 0);
    for (size_t i = 0; i < count; i++) {
        const struct jwt_key *key = &keys.list[i];
        const char *why = NULL;
        struct bytes id = bytes_make(key->id, key->id == NULL ? 0 : strlen(key->id));
        FUZZ_CHECK(key->algorithm != JWT_NONE && (key->algorithm != JWT_HS256 || may_be_secret));
        if (id.size > 0 || count == 1)
            FUZZ_CHECK(jwt_keys_find(&keys, key->algorithm, id, &why) != NULL);
    }
    jwt_keys_done(&keys);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_make(data, size);
    bool is_pem = size > 0 && memmem(data, size, "-----BEGIN", 10) != NULL;
    size_t of_file = check(jwt_keys_parse_file, text, !is_pem);
    size_t of_set = check(jwt_keys_parse_set, text, false);
    FUZZ_CHECK(of_file == 0 || of_set == 0);
    return 0;
}
