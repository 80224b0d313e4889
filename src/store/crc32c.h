// SPDX-License-Identifier: MIT
// CRC32C (Castagnoli): the check on every row and page of the store. Uses the processor's own
// instruction where there is one. Notices every single flipped bit and nearly all other damage; it
// is no protection against someone who wants to forge.
#ifndef BUD_STORE_CRC32C_H
#define BUD_STORE_CRC32C_H

#include "proto/bytes.h"

// Continues from `crc` (0 to start), so that crc32c(crc32c(0, a), b) is that of a and b in a row.
uint32_t crc32c(uint32_t crc, struct bytes bytes);

// The same without the processor's help, for the test that compares both.
uint32_t crc32c_by_table(uint32_t crc, struct bytes bytes);

#endif
