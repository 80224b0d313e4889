// SPDX-License-Identifier: MIT
#include "access/secret.h"

#include "base/memory.h"

#include <openssl/crypto.h>

void secret_wipe(void *memory, size_t size)
{
    if (size > 0)
        OPENSSL_cleanse(memory, size);
}

void secret_free(void *memory, size_t size)
{
    if (memory == NULL)
        return;
    secret_wipe(memory, size);
    memory_free(memory);
}

bool secret_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}
