// SPDX-License-Identifier: MIT
#include "transport/tls_parts.h"

#include "base/memory.h"
#include "os/clock.h"
#include "transport/certificate_parts.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// AEAD with forward secrecy first; the CBC ones are for modems and libraries of some years ago.
// Without forward secrecy there is none; `ciphers` can name it.
#define CERTIFICATE_CIPHERS                                                                        \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"       \
    "ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"                    \
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
#define TLS13_CIPHERS                                                                              \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"                  \
    "TLS_AES_128_CCM_SHA256"
// The larger ones cost an attacker less than us.
#define GROUPS "X25519:P-256:P-384"

bool tls_complain(char *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, TLS_ERROR_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

// -------------------------------------------------------------------- what is asked for at all

static bool judge_settings(const struct tls_settings *settings, char *error)
{
    bool has_psk = tls_is_set(settings->psk_hint);
    bool has_certificate = tls_is_set(settings->certfile);
    bool has_authorities = tls_is_set(settings->cafile) || tls_is_set(settings->capath);
    if (tls_is_set(settings->tls_engine))
        return tls_complain(error,
                            "tls_engine %s: engines are not supported; name the key as a "
                            "PEM file in keyfile, and remove tls_engine",
                            settings->tls_engine);
    if (tls_is_set(settings->tls_keyform) && strcmp(settings->tls_keyform, "pem") != 0)
        return tls_complain(error,
                            "tls_keyform %s: engines are not supported, keys are PEM files; "
                            "remove tls_keyform",
                            settings->tls_keyform);
    if (has_psk && (has_certificate || has_authorities))
        return tls_complain(error,
                            "psk_hint and %s exclude each other: with a key of its own a "
                            "client needs no certificate; make two listeners",
                            has_certificate ? "certfile" : "cafile or capath");
    if (!has_psk && !has_certificate)
        return tls_complain(error,
                            "%s certfile and keyfile: without a certificate of its own the "
                            "broker cannot speak TLS",
                            has_authorities ? "cafile or capath needs" : "TLS needs");
    if (has_certificate && !tls_is_set(settings->keyfile))
        return tls_complain(error, "certfile needs keyfile: which private key belongs to %s?",
                            settings->certfile);
    return true;
}

static bool set_version(SSL_CTX *ssl, const char *version, char *error)
{
    int oldest = TLS1_2_VERSION;
    if (tls_is_set(version) && strcmp(version, "tlsv1.3") == 0)
        oldest = TLS1_3_VERSION;
    else if (tls_is_set(version) &&
             (strcmp(version, "tlsv1.1") == 0 || strcmp(version, "tlsv1") == 0))
        return tls_complain(error,
                            "tls_version %s: TLS before 1.2 is broken and not spoken here; "
                            "use tlsv1.2",
                            version);
    else if (tls_is_set(version) && strcmp(version, "tlsv1.2") != 0)
        return tls_complain(error, "tls_version %s: use tlsv1.2 (with 1.3 beside it) or tlsv1.3",
                            version);
    return SSL_CTX_set_min_proto_version(ssl, oldest) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1;
}

static bool set_ciphers(SSL_CTX *ssl, const struct tls_settings *settings, char *error)
{
    if (SSL_CTX_set_ciphersuites(ssl, TLS13_CIPHERS) != 1 ||
        SSL_CTX_set1_groups_list(ssl, GROUPS) != 1)
        return tls_complain(error, "this OpenSSL lacks the usual ciphers");
    if (tls_is_set(settings->ciphers) && SSL_CTX_set_cipher_list(ssl, settings->ciphers) != 1)
        return tls_complain(error,
                            "ciphers %s: OpenSSL knows none of these; `openssl ciphers -v` "
                            "lists them",
                            settings->ciphers);
    if (tls_is_set(settings->ciphers_tls13) &&
        SSL_CTX_set_ciphersuites(ssl, settings->ciphers_tls13) != 1)
        return tls_complain(error,
                            "ciphers_tls1.3 %s: OpenSSL does not know all of these; "
                            "`openssl ciphers -tls1_3 -s` lists them",
                            settings->ciphers_tls13);
    return true;
}

// ----------------------------------------------------------------------- our own certificate

static bool use_chain(SSL_CTX *ssl, const char *path, struct stack_st_X509 *chain, char *error)
{
    if (SSL_CTX_use_certificate(ssl, sk_X509_value(chain, 0)) != 1) {
        unsigned long code = ERR_peek_last_error();
        return tls_complain(error,
                            "certfile %s cannot be used: %s; make one with RSA of 2048 bits "
                            "or more, or P-256",
                            path, ERR_reason_error_string(code));
    }
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (SSL_CTX_add1_chain_cert(ssl, sk_X509_value(chain, i)) != 1)
            return tls_complain(error, "certfile %s: certificate %d of the chain cannot be used",
                                path, i + 1);
    return true;
}

static void note_dates(struct tls_context *context, const char *path, const X509 *certificate)
{
    int64_t now = clock_wall_ms() / 1000;
    context->expires_at = certificate_end(certificate);
    if (context->expires_at <= now)
        tls_complain(context->warning, "certfile %s has expired: clients that verify it stay away",
                     path);
    else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        tls_complain(context->warning, "certfile %s is not valid yet: is the clock right?", path);
}

static bool use_key(struct tls_context *context, const struct tls_settings *settings, char *error)
{
    bool others_can_read = false;
    EVP_PKEY *key = tls_pem_key("keyfile", settings->keyfile, &others_can_read, error);
    if (key == NULL)
        return false;
    // SSL_CTX_use_PrivateKey would drop a certificate that does not fit, and say nothing.
    bool fits = X509_check_private_key(SSL_CTX_get0_certificate(context->ssl), key) == 1;
    if (!fits)
        tls_complain(error,
                     "keyfile %s does not belong to certfile %s: name two that were made "
                     "together",
                     settings->keyfile, settings->certfile);
    else if (SSL_CTX_use_PrivateKey(context->ssl, key) != 1)
        fits = tls_complain(error, "keyfile %s cannot be used: %s", settings->keyfile,
                            ERR_reason_error_string(ERR_peek_last_error()));
    EVP_PKEY_free(key);
    if (fits && others_can_read && context->warning[0] == '\0')
        tls_complain(context->warning,
                     "keyfile %s can be read by every user of this machine; "
                     "chmod 600",
                     settings->keyfile);
    return fits;
}

static bool use_certificate(struct tls_context *context, const struct tls_settings *settings,
                            EVP_MD_CTX *digest, char *error)
{
    struct stack_st_X509 *chain =
        tls_pem_certificates("certfile", settings->certfile, digest, error);
    if (chain == NULL)
        return false;
    bool done = use_chain(context->ssl, settings->certfile, chain, error);
    if (done)
        note_dates(context, settings->certfile, sk_X509_value(chain, 0));
    sk_X509_pop_free(chain, X509_free);
    return done && use_key(context, settings, error) &&
           SSL_CTX_set_cipher_list(context->ssl, CERTIFICATE_CIPHERS) == 1;
}

// ------------------------------------------------------------------------------------------ all

// Who offers something else than these gets no answer and not a refusal: devices send the names of
// the cloud they were made for, and talk MQTT all the same.
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *unused)
{
    static const unsigned char ours[] = "\x04mqtt\x08http/1.1";
    (void)ssl;
    (void)unused;
    unsigned char *name;
    int result =
        SSL_select_next_proto(&name, ret_size, ours, sizeof(ours) - 1, offered, offered_size);
    *ret_name = name;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static void set_behaviour(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    // Buffers are given back while nothing is on the way. The certificates of authorities are for
    // clients, and do not go into the chain that we show.
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(ssl, 1); // one read for many records
    SSL_CTX_set_max_cert_list(ssl, HANDSHAKE_MESSAGE_MAX);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
}

// What a ticket is good for: contexts with the same rules.
static void mix_in_rules(EVP_MD_CTX *digest, const struct tls_context *context)
{
    uint8_t rules[] = {context->asks_certificate, context->requires_certificate,
                       context->ignores_dates};
    EVP_DigestUpdate(digest, rules, sizeof(rules));
}

static bool set_all(struct tls_context *context, const struct tls_settings *settings,
                    EVP_MD_CTX *digest, char *error)
{
    bool with_psk = tls_is_set(settings->psk_hint);
    set_behaviour(context->ssl);
    if (!set_version(context->ssl, settings->tls_version, error))
        return false;
    if (with_psk ? !tls_psk_set(context, settings, error)
                 : !use_certificate(context, settings, digest, error))
        return false;
    if (!set_ciphers(context->ssl, settings, error) ||
        !tls_trust_set(context, settings, digest, error))
        return false;
    // No tickets with keys of one's own: the handshake is cheap, and a key that is taken back is
    // taken back at once.
    context->tickets = with_psk ? NULL : ticket_keys_ref(settings->tickets);
    mix_in_rules(digest, context);
    return tls_resume_set(context, digest, error);
}

static struct tls_context *make(void)
{
    struct tls_context *context = memory_new(sizeof(*context));
    atomic_init(&context->references, 1);
    context->ssl = SSL_CTX_new(TLS_server_method());
    return context;
}

struct tls_context *tls_context_new(const struct tls_settings *settings, char *error)
{
    if (!judge_settings(settings, error))
        return NULL;
    tls_complain(error, "OpenSSL does not work here");
    struct tls_context *context = make();
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    ERR_clear_error();
    bool done = context->ssl != NULL && digest != NULL &&
                EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                set_all(context, settings, digest, error);
    EVP_MD_CTX_free(digest);
    ERR_clear_error();
    if (done) {
        error[0] = '\0';
        return context;
    }
    context->psk = (struct tls_psk){0}; // stays the caller's
    tls_context_unref(context);
    return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    if (context != NULL)
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (context == NULL)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    SSL_CTX_free(context->ssl);
    ticket_keys_unref(context->tickets);
    if (context->psk.release != NULL)
        context->psk.release(context->psk.context);
    memory_free(context);
}

const char *tls_context_warning(const struct tls_context *context)
{
    return context->warning;
}

int64_t tls_context_expires_at(const struct tls_context *context)
{
    return context->expires_at;
}
