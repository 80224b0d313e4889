// SPDX-License-Identifier: MIT
#ifndef BUD_OS_RANDOM_H
#define BUD_OS_RANDOM_H

#include <stddef.h>

void random_bytes(void *memory, size_t size); // from the kernel; aborts when it has none

#endif
