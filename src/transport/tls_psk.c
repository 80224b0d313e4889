// SPDX-License-Identifier: MIT
// Pre-shared keys, in TLS 1.2 and 1.3. A context with them has no certificate, so that there is
// nothing unverified to fall back to: who has no key does not come in.
#include "transport/tls_parts.h"

#include "transport/tls_stream.h"

#include <openssl/err.h>
#include <string.h>

// TLS 1.3 binds a key to a hash and the hash to the cipher; keys from outside go with SHA-256
// [RFC 8446 4.2.11].
static const unsigned char AES_128_GCM_SHA256[] = {0x13, 0x01};

static bool remember(struct tls_stream *stream, struct bytes identity)
{
    buffer_done(&stream->psk_identity);
    return buffer_try_append(&stream->psk_identity, identity, PSK_MAX_IDENTITY_LEN);
}

// The size of the key, 0 if this is nobody. What is in a name goes on as a user name, so one with
// a NUL inside is nobody's.
static size_t find(SSL *ssl, struct bytes identity, uint8_t *key, size_t size)
{
    struct tls_stream *stream = tls_stream_of_ssl(ssl);
    const struct tls_psk *psk = &stream->context->psk;
    if (identity.size == 0 || identity.size > PSK_MAX_IDENTITY_LEN ||
        memchr(identity.data, 0, identity.size) != NULL)
        return 0;
    if (!psk->find(psk->context, identity, key, &size) || !remember(stream, identity))
        return 0;
    return size;
}

static unsigned find_key(SSL *ssl, const char *identity, unsigned char *key, unsigned size)
{
    // OpenSSL asks here, too, when find_session knew nobody, and has cut the name at a NUL by then.
    if (SSL_version(ssl) >= TLS1_3_VERSION)
        return 0;
    return (unsigned)find(ssl, bytes_make(identity, strlen(identity)), key, size);
}

static SSL_SESSION *make_session(SSL *ssl, const uint8_t *key, size_t size)
{
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, AES_128_GCM_SHA256);
    SSL_SESSION *session = SSL_SESSION_new();
    if (session != NULL && cipher != NULL && SSL_SESSION_set1_master_key(session, key, size) &&
        SSL_SESSION_set_cipher(session, cipher) &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

static int find_session(SSL *ssl, const unsigned char *identity, size_t identity_size,
                        SSL_SESSION **ret_session)
{
    uint8_t key[PSK_MAX_PSK_LEN];
    size_t size = find(ssl, bytes_make(identity, identity_size), key, sizeof(key));
    *ret_session = NULL; // nobody: OpenSSL looks at the next identity
    if (size > 0) {
        *ret_session = make_session(ssl, key, size);
        OPENSSL_cleanse(key, sizeof(key));
        return *ret_session != NULL;
    }
    return 1;
}

// Forward secrecy first; then what small devices have.
#define PSK_CIPHERS                                                                                \
    "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:ECDHE-PSK-AES256-CBC-SHA384:"         \
    "ECDHE-PSK-AES128-CBC-SHA:PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384:"                        \
    "PSK-CHACHA20-POLY1305:PSK-AES128-CCM:PSK-AES256-CCM:PSK-AES128-CCM8:"                         \
    "PSK-AES128-CBC-SHA256:PSK-AES256-CBC-SHA384:PSK-AES128-CBC-SHA:PSK-AES256-CBC-SHA"

bool tls_psk_set(struct tls_context *context, const struct tls_settings *settings, char *error)
{
    if (settings->psk.find == NULL)
        return tls_complain(error, "psk_hint needs psk_file: which identities have which keys?");
    if (SSL_CTX_use_psk_identity_hint(context->ssl, settings->psk_hint) != 1)
        return tls_complain(error, "psk_hint is longer than %d bytes", PSK_MAX_IDENTITY_LEN);
    if (SSL_CTX_set_cipher_list(context->ssl, PSK_CIPHERS) != 1)
        return tls_complain(error, "this OpenSSL has no ciphers for pre-shared keys");
    SSL_CTX_set_psk_server_callback(context->ssl, find_key);
    SSL_CTX_set_psk_find_session_callback(context->ssl, find_session);
    context->psk = settings->psk;
    return true;
}
