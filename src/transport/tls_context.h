// SPDX-License-Identifier: MIT
// What the TLS connections of one listener share: certificate, key, whom it trusts, which versions
// and ciphers it speaks. Made from plain settings, never changed after that, and counted: a reload
// makes a new one beside the old one, and connections keep theirs. Any thread may use it. TLS 1.2
// and 1.3 only; no renegotiation, no compression, no session cache (tickets alone).
#ifndef BUD_TRANSPORT_TLS_CONTEXT_H
#define BUD_TRANSPORT_TLS_CONTEXT_H

#include "proto/bytes.h"
#include "transport/ticket_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_ERROR_SIZE 1024

// Who asks for a pre-shared key. May be called by several threads at once.
struct tls_psk {
    // The key of this identity; *size is the room for it and becomes its size. Leading zeros are
    // part of a key.
    bool (*find)(void *context, struct bytes identity, uint8_t *key, size_t *size);
    void (*release)(void *context); // when the last connection is gone; NULL: nothing to release
    void *context;
};

// Named as in the configuration. A text that is not set is "" or NULL. Needed only while a context
// is made.
struct tls_settings {
    const char *certfile, *keyfile;
    const char *cafile, *capath, *crlfile; // of those who sign client certificates
    const char *ciphers, *ciphers_tls13;
    const char *tls_version; // the oldest that is spoken: tlsv1.2, which is the default, or tlsv1.3
    const char *tls_engine, *tls_keyform;
    const char *psk_hint; // pre-shared keys instead of certificates
    struct tls_psk psk;
    struct ticket_keys *tickets; // NULL: every connection starts anew
    bool require_certificate;
    bool disable_client_cert_date_checks;
};

struct tls_context;

// NULL, and a sentence with cause and remedy in `error` (of TLS_ERROR_SIZE bytes). On success
// `psk.context` belongs to the context; `tickets` gets one reference more.
struct tls_context *tls_context_new(const struct tls_settings *settings, char *error);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); // NULL is fine

// What is odd but works (an expired certificate, a key that others can read); "" nothing.
const char *tls_context_warning(const struct tls_context *context);
int64_t tls_context_expires_at(const struct tls_context *context); // seconds since 1970; 0 never

// Changes whenever one of the files that the settings name does. Looks at names and dates only, so
// it can be asked a few times a second. Asked before the context is made, a change in between is
// noticed, too.
uint64_t tls_settings_state(const struct tls_settings *settings);

#endif
