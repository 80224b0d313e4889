// SPDX-License-Identifier: MIT
// Randomness for keys and identifiers that nobody may guess: the kernel's, and nothing instead.
#include "os/random.h"

#include "base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>

void random_bytes(void *memory, size_t size)
{
    uint8_t *next = memory;
    while (size > 0) {
        ssize_t count = getrandom(next, size, 0);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        ASSERT(count > 0);
        next += count;
        size -= (size_t)count;
    }
}
