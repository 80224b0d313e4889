// SPDX-License-Identifier: MIT
// Whose client certificates are accepted. All files are read when the context is made: a handshake
// waits for no disk, and a sandbox may have taken the files away by then.
#include "transport/tls_parts.h"

#include "os/directory.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

enum {
    CAPATH_FILES_MAX = 10000,
    NAMED_CAS_MAX = 20, // more would make the question to every client longer than its answer
};

struct trust {
    const struct tls_settings *settings;
    X509_STORE *store;
    SSL_CTX *ssl;
    EVP_MD_CTX *digest;
    char *error;
    int named;
};

static bool add_authorities(struct trust *trust, const char *option, const char *path)
{
    struct stack_st_X509 *all = tls_pem_certificates(option, path, trust->digest, trust->error);
    bool added = all != NULL;
    for (int i = 0; added && i < sk_X509_num(all); i++) {
        X509 *authority = sk_X509_value(all, i);
        added = X509_STORE_add_cert(trust->store, authority) == 1;
        // So that a client with several certificates knows which one to show.
        if (trust->named++ < NAMED_CAS_MAX)
            added = added && SSL_CTX_add_client_CA(trust->ssl, authority) == 1;
        if (!added)
            tls_complain(trust->error, "%s %s: certificate %d cannot be used", option, path, i + 1);
    }
    sk_X509_pop_free(all, X509_free);
    return added;
}

static bool add_crls(struct trust *trust, const char *option, const char *path)
{
    struct stack_st_X509_CRL *all = tls_pem_crls(option, path, trust->digest, trust->error);
    bool added = all != NULL;
    for (int i = 0; added && i < sk_X509_CRL_num(all); i++) {
        added = X509_STORE_add_crl(trust->store, sk_X509_CRL_value(all, i)) == 1;
        if (!added)
            tls_complain(trust->error, "%s %s: list %d cannot be used", option, path, i + 1);
    }
    sk_X509_CRL_pop_free(all, X509_CRL_free);
    return added;
}

// Names as `openssl rehash` makes them: 5ed36f99.0 is a certificate, 5ed36f99.r0 a CRL.
static bool is_hash_name(const char *name, bool *ret_crl)
{
    size_t hash = strspn(name, "0123456789abcdef");
    if (hash != 8 || name[8] != '.')
        return false;
    const char *number = name + 9;
    *ret_crl = *number == 'r';
    number += *ret_crl;
    return *number != '\0' && strspn(number, "0123456789") == strlen(number);
}

static bool add_directory_names(struct trust *trust, const char *directory,
                                const struct directory_names *names)
{
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++) {
        char path[PATH_MAX];
        bool is_crl;
        if (!is_hash_name(names->names[i], &is_crl))
            continue;
        count++;
        if (snprintf(path, sizeof(path), "%s/%s", directory, names->names[i]) >= PATH_MAX)
            return tls_complain(trust->error, "capath %s: the path is too long", directory);
        if (is_crl ? !add_crls(trust, "capath", path) : !add_authorities(trust, "capath", path))
            return false;
    }
    if (count > 0)
        return true;
    return tls_complain(
        trust->error, "capath %s has no certificates by hash; `openssl rehash %s` makes the names",
        directory, directory);
}

static bool add_directory(struct trust *trust, const char *directory)
{
    struct directory_names names;
    int result = directory_read(directory, CAPATH_FILES_MAX, &names);
    if (result < 0)
        return tls_complain(trust->error, "capath %s cannot be read: %s", directory,
                            strerror(-result));
    bool added = add_directory_names(trust, directory, &names);
    directory_done(&names);
    return added;
}

// ------------------------------------------------------------------------------- is it accepted?

static bool is_about_dates(int error)
{
    return error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
}

// disable_client_cert_date_checks: devices that outlive their certificates.
// X509_V_FLAG_NO_CHECK_TIME would let an outdated CRL pass, too.
static int forgive_dates(int is_fine, X509_STORE_CTX *checking)
{
    if (is_fine || !is_about_dates(X509_STORE_CTX_get_error(checking)))
        return is_fine;
    X509_STORE_CTX_set_error(checking, X509_V_OK);
    return 1;
}

bool tls_trust_accepts(const struct tls_context *context, X509 *certificate)
{
    X509_STORE_CTX *checking = X509_STORE_CTX_new();
    bool accepted = false;
    if (checking == NULL)
        return false;
    if (X509_STORE_CTX_init(checking, SSL_CTX_get_cert_store(context->ssl), certificate, NULL) &&
        X509_STORE_CTX_set_default(checking, "ssl_client")) {
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(checking),
                                         SSL_CTX_get_security_level(context->ssl));
        if (context->ignores_dates)
            X509_STORE_CTX_set_verify_cb(checking, forgive_dates);
        accepted = X509_verify_cert(checking) == 1;
    }
    X509_STORE_CTX_free(checking);
    ERR_clear_error();
    return accepted;
}

// ------------------------------------------------------------------------------------ the settings

static bool add_all(struct trust *trust)
{
    const struct tls_settings *settings = trust->settings;
    if (tls_is_set(settings->cafile) && !add_authorities(trust, "cafile", settings->cafile))
        return false;
    if (tls_is_set(settings->capath) && !add_directory(trust, settings->capath))
        return false;
    if (!tls_is_set(settings->crlfile))
        return true;
    if (!add_crls(trust, "crlfile", settings->crlfile))
        return false;
    // From now on a certificate without a valid list of its issuer is refused.
    return X509_STORE_set_flags(trust->store, X509_V_FLAG_CRL_CHECK) == 1;
}

bool tls_trust_set(struct tls_context *context, const struct tls_settings *settings,
                   EVP_MD_CTX *digest, char *error)
{
    bool has_authorities = tls_is_set(settings->cafile) || tls_is_set(settings->capath);
    if (settings->require_certificate && !has_authorities)
        return tls_complain(error, "require_certificate needs cafile or capath: who signs the "
                                   "certificates of clients?");
    if (tls_is_set(settings->crlfile) && !has_authorities)
        return tls_complain(error, "crlfile needs cafile or capath: without one no client is asked "
                                   "for a certificate");
    if (!has_authorities)
        return true;
    struct trust trust = {
        settings, SSL_CTX_get_cert_store(context->ssl), context->ssl, digest, error, 0};
    if (!add_all(&trust))
        return false;
    context->asks_certificate = true;
    context->requires_certificate = settings->require_certificate;
    context->ignores_dates = settings->disable_client_cert_date_checks;
    int mode = SSL_VERIFY_PEER;
    if (settings->require_certificate)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context->ssl, mode, context->ignores_dates ? forgive_dates : NULL);
    return true;
}
