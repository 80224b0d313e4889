// SPDX-License-Identifier: MIT
// Session tickets. A ticket says who its holder was when it was given, so it opens nothing that a
// full handshake would not open now: it is good only for a context with the same certificate and
// the same files of trust (a revocation or another CA changes these, and with them the name of the
// context), and a client certificate in it is verified anew. Whatever does not fit becomes a full
// handshake.
#include "transport/tls_parts.h"

#include "os/random.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <string.h>

static bool set_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
    char digest[] = "SHA256";
    struct ticket_key copy = *key; // OpenSSL takes no pointer to what is constant
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy.mac, sizeof(copy.mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool set = EVP_MAC_CTX_set_params(mac, parameters) == 1;
    OPENSSL_cleanse(&copy, sizeof(copy));
    return set;
}

static int seal(struct ticket_keys *keys, unsigned char *name, unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    ticket_keys_newest(keys, &key);
    memcpy(name, key.name, sizeof(key.name));
    random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    bool done =
        EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.aes, iv) == 1 && set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof(key));
    return done ? 1 : -1;
}

static int open_ticket(struct ticket_keys *keys, const unsigned char *name, const unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    struct ticket_key key;
    bool newest;
    if (!ticket_keys_find(keys, name, &key, &newest))
        return 0; // too old, or somebody else's: a full handshake
    bool done =
        EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.aes, iv) == 1 && set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof(key));
    if (!done)
        return -1;
    return newest ? 1 : 2; // 2: and a new ticket goes out
}

static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int is_new)
{
    struct ticket_keys *keys = tls_stream_of_ssl(ssl)->context->tickets;
    return is_new ? seal(keys, name, iv, cipher, mac) : open_ticket(keys, name, iv, cipher, mac);
}

// What the client proved then: would it do now?
static bool may_resume(const struct tls_context *context, const SSL_SESSION *session)
{
    X509 *certificate = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);
    if (certificate == NULL)
        return !context->requires_certificate;
    // Without the intermediate certificates that the client may have shown then: those are not in
    // the ticket, and their holders shake hands in full.
    return context->asks_certificate && tls_trust_accepts(context, certificate);
}

static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t name_size, SSL_TICKET_STATUS status, void *unused)
{
    (void)name;
    (void)name_size;
    (void)unused;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (!may_resume(tls_stream_of_ssl(ssl)->context, session))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    // In 1.3 clients use a ticket once, and need the next one for the next time.
    bool renew = status == SSL_TICKET_SUCCESS_RENEW || SSL_version(ssl) >= TLS1_3_VERSION;
    return renew ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

bool tls_resume_set(struct tls_context *context, EVP_MD_CTX *digest, char *error)
{
    unsigned char name[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    if (context->tickets == NULL) {
        SSL_CTX_set_options(context->ssl, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context->ssl, 0);
        return true;
    }
    if (EVP_DigestFinal_ex(digest, name, &size) != 1 ||
        SSL_CTX_set_session_id_context(context->ssl, name, size) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context->ssl, on_ticket_key) != 1 ||
        SSL_CTX_set_session_ticket_cb(context->ssl, NULL, on_ticket, NULL) != 1)
        return tls_complain(error, "session tickets cannot be set up");
    SSL_CTX_set_num_tickets(context->ssl, 1); // a device has one connection, and memory for one
    SSL_CTX_set_timeout(context->ssl, TICKET_LIFETIME_S);
    return true;
}
