// SPDX-License-Identifier: MIT
// What every fuzz target shares. A target is one file <name>_fuzz.c with one function, which must
// return 0, keep nothing, and abort when a promise is broken. libFuzzer calls it with inputs it
// invents, replay.c with the kept ones.
#ifndef BUD_FUZZ_FUZZ_H
#define BUD_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(promise) ((promise) ? (void)0 : __builtin_trap())

#endif
