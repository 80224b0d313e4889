// SPDX-License-Identifier: MIT
// A certificate for those who have none: signed by itself, made on the first start. Whoever wants
// to be sure to speak with this broker compares its fingerprint, or gives cert.pem to the client as
// its CA file.
#ifndef BUD_TRANSPORT_CERTIFICATE_H
#define BUD_TRANSPORT_CERTIFICATE_H

#include <stdint.h>

#define CERTIFICATE_FINGERPRINT_SIZE 96 // "AB:CD:...", SHA-256, with its NUL

// Sees to it that `directory`, which is made if it is missing, holds cert.pem and key.pem (P-256).
// 1 made, 0 they were there, -errno with a sentence in `error` (of TLS_ERROR_SIZE bytes).
int certificate_ensure(const char *directory, int64_t now_ms, char *error);

struct certificate_facts {
    int64_t expires_at_s; // since 1970
    char fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
};
// Of the first certificate in a PEM file. 0, or -errno with a sentence in `error`.
int certificate_read(const char *path, struct certificate_facts *ret_facts, char *error);

// Whole days; negative when it is over.
int64_t certificate_days_left(int64_t expires_at_s, int64_t now_ms);
#define CERTIFICATE_DAYS_WARNED 30 // with so many left it is time to say so

#endif
