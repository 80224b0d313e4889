// SPDX-License-Identifier: MIT
// Between the files of TLS, for nobody else: what a context and a stream are made of.
#ifndef BUD_TRANSPORT_TLS_PARTS_H
#define BUD_TRANSPORT_TLS_PARTS_H

#include "base/buffer.h"
#include "transport/handshake_guard.h"
#include "transport/stream.h"
#include "transport/tls_context.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_context {
    _Atomic uint32_t references;
    SSL_CTX *ssl;
    struct ticket_keys *tickets; // NULL: none
    struct tls_psk psk;          // find NULL: none
    int64_t expires_at;
    bool asks_certificate; // of the client
    bool requires_certificate;
    bool ignores_dates;
    char warning[TLS_ERROR_SIZE];
};

struct tls_stream {
    struct stream stream;
    struct tls_context *context;
    SSL *ssl;
    struct buffer early; // what was read from below before this stream was put on it
    size_t early_read;
    struct buffer output; // ciphertext that the one below has not taken yet
    struct handshake_guard guard;
    struct buffer psk_identity;
    const char *failure; // in words; NULL: none
    size_t intake;       // bytes that this read may still take from below
    int error;           // what every call gives from now on; 0: none
    bool starved;        // nothing comes out until something comes in
    bool ended_below;
    bool ended;       // the peer says no more, and that was read
    bool told;        // ... or the error was
    bool shut_wanted; // when `output` is empty
    bool shut_below;
    bool is_client;
};

struct tls_stream *tls_stream_of_ssl(const SSL *ssl);

// A sentence into `error` (of TLS_ERROR_SIZE bytes); gives false, so that it can be returned.
bool tls_complain(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool tls_is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

// tls_pem.c. `option` is what the configuration calls the file. The caller frees what it gets; what
// was read is mixed into `digest`, unless that is NULL.
struct stack_st_X509 *tls_pem_certificates(const char *option, const char *path, EVP_MD_CTX *digest,
                                           char *error);
struct stack_st_X509_CRL *tls_pem_crls(const char *option, const char *path, EVP_MD_CTX *digest,
                                       char *error);
EVP_PKEY *tls_pem_key(const char *option, const char *path, bool *ret_others_can_read, char *error);

// tls_trust.c: whose client certificates are accepted.
bool tls_trust_set(struct tls_context *context, const struct tls_settings *settings,
                   EVP_MD_CTX *digest, char *error);
// Is this certificate accepted now, as a full handshake would?
bool tls_trust_accepts(const struct tls_context *context, X509 *certificate);

// tls_psk.c
bool tls_psk_set(struct tls_context *context, const struct tls_settings *settings, char *error);

// tls_resume.c: `digest` is of everything that decides who may come in.
bool tls_resume_set(struct tls_context *context, EVP_MD_CTX *digest, char *error);

// tls_words.c: why a handshake failed, as the log says it. Static text.
const char *tls_words_failure(const SSL *ssl, unsigned long code, bool is_client);

#endif
