// SPDX-License-Identifier: MIT
// It is valid for ten years: nothing renews it, devices that pinned it would all stay away on the
// same day, and its trust is in its fingerprint and not in a date. It begins in 2020, because at
// their first start small machines often do not know what day it is.
#include "transport/certificate.h"

#include "base/memory.h"
#include "os/file.h"
#include "os/file_contents.h"
#include "os/host.h"
#include "os/random.h"
#include "transport/certificate_parts.h"
#include "transport/tls_parts.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BEGINNING 1577836800       // 2020-01-01
#define NOT_BEFORE_THIS 1767225600 // 2026-01-01: a clock that says less is wrong
#define LIFETIME (3652LL * 86400)

enum { ADDRESSES_MAX = 32, NAMES_SIZE = 4096 };

// ------------------------------------------------------------------------------------- its names

static bool is_host_name(const char *name)
{
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t size = strlen(name);
    return size > 0 && size <= 63 && strspn(name, letters) == size && name[0] != '.' &&
           name[0] != '-';
}

static void append(char *names, const char *kind, const char *name, const char *suffix)
{
    size_t size = strlen(names);
    (void)snprintf(names + size, NAMES_SIZE - size, ",%s:%s%s", kind, name, suffix);
}

// As OpenSSL reads it: "DNS:localhost,IP:127.0.0.1,...".
static void list_names(const char *host, char *names)
{
    struct net_address addresses[ADDRESSES_MAX];
    char text[NET_ADDRESS_TEXT_MAX];
    (void)snprintf(names, NAMES_SIZE, "DNS:localhost,IP:127.0.0.1,IP:::1");
    if (is_host_name(host) && strcmp(host, "localhost") != 0) {
        append(names, "DNS", host, "");
        if (strchr(host, '.') == NULL)
            append(names, "DNS", host, ".local"); // by multicast DNS
    }
    size_t count = host_addresses(addresses, ADDRESSES_MAX);
    for (size_t i = 0; i < count; i++) {
        net_address_host_text(&addresses[i], text);
        append(names, "IP", text, "");
    }
}

// ---------------------------------------------------------------------------------------- making
// it

static bool add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

// Not an authority: with its key nobody can make certificates of other names.
static bool add_extensions(X509 *certificate, const char *names)
{
    return add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, NID_subject_alt_name, names);
}

static bool set_serial(X509 *certificate)
{
    unsigned char random[16];
    random_bytes(random, sizeof(random));
    random[0] = (unsigned char)((random[0] & 0x3f) | 0x40); // positive, and no leading zero
    BIGNUM *number = BN_bin2bn(random, sizeof(random), NULL);
    bool set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

static bool set_dates(X509 *certificate, int64_t now_ms)
{
    int64_t now = now_ms / 1000 < NOT_BEFORE_THIS ? NOT_BEFORE_THIS : now_ms / 1000;
    return ASN1_TIME_set(X509_getm_notBefore(certificate), BEGINNING) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), now + LIFETIME) != NULL;
}

static bool set_subject(X509 *certificate, const char *host)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    const unsigned char *text = (const unsigned char *)(is_host_name(host) ? host : "localhost");
    const unsigned char *organization = (const unsigned char *)"Budstikke";
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, organization, -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1;
}

static X509 *make_certificate(EVP_PKEY *key, int64_t now_ms)
{
    char host[HOST_NAME_SIZE], names[NAMES_SIZE];
    X509 *certificate = X509_new();
    host_name(host);
    list_names(host, names);
    if (certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        set_serial(certificate) && set_dates(certificate, now_ms) &&
        set_subject(certificate, host) && X509_set_pubkey(certificate, key) == 1 &&
        add_extensions(certificate, names) && X509_sign(certificate, key, EVP_sha256()) > 0)
        return certificate;
    X509_free(certificate);
    return NULL;
}

// --------------------------------------------------------------------------------------- the files

static int write_key(const char *path, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text;
    int error = -ENOMEM;
    if (bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        long size = BIO_get_mem_data(bio, &text);
        error = file_make_secret(path, text, (size_t)size);
    }
    BIO_free(bio);
    return error;
}

static int write_certificate(const char *path, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    int error = -ENOMEM;
    if (bio != NULL && PEM_write_bio_X509(bio, certificate) == 1) {
        long size = BIO_get_mem_data(bio, &text);
        error = file_replace(path, text, (size_t)size, 0644); // everybody may compare it
    }
    BIO_free(bio);
    return error;
}

static int fail(int error, char *text, const char *path)
{
    tls_complain(text, "%s cannot be written: %s", path, strerror(-error));
    return error;
}

// The key that is there: the last start may have ended before there was a certificate.
static EVP_PKEY *take_key(const char *path, char *error)
{
    bool ignored;
    if (file_exists(path))
        return tls_pem_key("tls key", path, &ignored, error);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    int result = key == NULL ? -ENOMEM : write_key(path, key);
    if (result == 0)
        return key;
    EVP_PKEY_free(key);
    fail(result, error, path);
    return NULL;
}

static int make_files(const char *certificate_path, const char *key_path, int64_t now_ms,
                      char *error)
{
    EVP_PKEY *key = take_key(key_path, error);
    if (key == NULL)
        return -EIO;
    X509 *certificate = make_certificate(key, now_ms);
    EVP_PKEY_free(key);
    int result = certificate == NULL ? -ENOMEM : write_certificate(certificate_path, certificate);
    X509_free(certificate);
    ERR_clear_error();
    return result < 0 ? fail(result, error, certificate_path) : 1;
}

int certificate_ensure(const char *directory, int64_t now_ms, char *error)
{
    char certificate[PATH_MAX], key[PATH_MAX];
    if (snprintf(certificate, sizeof(certificate), "%s/cert.pem", directory) >= PATH_MAX ||
        snprintf(key, sizeof(key), "%s/key.pem", directory) >= PATH_MAX)
        return fail(-ENAMETOOLONG, error, directory);
    int result = file_make_directory(directory);
    if (result < 0)
        return fail(result, error, directory);
    bool has_certificate = file_exists(certificate);
    if (has_certificate && file_exists(key))
        return 0;
    if (!has_certificate)
        return make_files(certificate, key, now_ms, error);
    tls_complain(error,
                 "%s is there, but its key %s is not; bring it back, or remove the "
                 "certificate and both are made anew",
                 certificate, key);
    return -ENOENT;
}

// ----------------------------------------------------------------------------------------- reading

int64_t certificate_end(const X509 *certificate)
{
    struct tm end;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return 0; // 1970: over
    return timegm(&end);
}

static bool write_fingerprint(const X509 *certificate, char *text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1 ||
        size * 3 != CERTIFICATE_FINGERPRINT_SIZE)
        return false;
    for (unsigned i = 0; i < size; i++)
        (void)snprintf(text + 3 * i, CERTIFICATE_FINGERPRINT_SIZE - 3 * (size_t)i,
                       i + 1 < size ? "%02X:" : "%02X", digest[i]);
    return true;
}

int certificate_read(const char *path, struct certificate_facts *ret_facts, char *error)
{
    struct stack_st_X509 *all = tls_pem_certificates("certificate", path, NULL, error);
    if (all == NULL)
        return -EINVAL;
    struct certificate_facts facts = {.expires_at_s = certificate_end(sk_X509_value(all, 0))};
    bool done = write_fingerprint(sk_X509_value(all, 0), facts.fingerprint);
    sk_X509_pop_free(all, X509_free);
    if (!done)
        return -ENOMEM;
    *ret_facts = facts;
    return 0;
}

int64_t certificate_days_left(int64_t expires_at_s, int64_t now_ms)
{
    int64_t left = expires_at_s - now_ms / 1000;
    return left < 0 ? -1 - (-1 - left) / 86400 : left / 86400;
}
