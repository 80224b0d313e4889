// SPDX-License-Identifier: MIT
// Base64 [RFC 4648], strict: no blanks, padding as it must be, and only one text for the same
// bytes. What is decoded may come from anybody.
#ifndef BUD_ACCESS_BASE64_H
#define BUD_ACCESS_BASE64_H

#include "proto/bytes.h"

enum base64_kind {
    BASE64_PADDED, // "+/" with '=' at the end: mosquitto_passwd, SCRAM
    BASE64_BARE,   // the same without: argon2's strings
    BASE64_URL,    // "-_" without padding
};

#define BASE64_TEXT_MAX(size) (((size) + 2) / 3 * 4)

// Writes the text, without NUL; returns its size.
size_t base64_encode(enum base64_kind kind, struct bytes bytes, char *text);

// False if it is no such text or has more than `size_max` bytes.
bool base64_decode(enum base64_kind kind, struct bytes text, uint8_t *bytes, size_t size_max,
                   size_t *ret_size);

#endif
