// SPDX-License-Identifier: MIT
// For tests and fuzzers only: certificates of every kind, made on the spot, and a TLS client of
// OpenSSL in memory, opposite to a server's stream over a memory_stream.
#ifndef BUD_TRANSPORT_TEST_TLS_H
#define BUD_TRANSPORT_TEST_TLS_H

#include "transport/memory_stream.h"
#include "transport/tls_stream.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 86400L

// ------------------------------------------------------------------------------------ certificates

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

struct kind { // of a certificate; all zero: an ordinary one of P-256, valid now
    const char *name;
    const char *extended_usage; // "clientAuth", "serverAuth"; NULL: none is named
    const char *alternative;    // "DNS:localhost"
    bool is_authority;
    long begins, ends; // seconds from now; both 0: yesterday and tomorrow
};

static inline void test_extend(X509 *certificate, X509 *issuer, int what, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
    ASSERT(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static inline void test_name(X509 *certificate, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    ASSERT(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Test", -1,
                                      -1, 0) == 1);
    ASSERT(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1);
}

// Signed by `issuer`; NULL: by itself.
static inline struct identity test_identity(const struct identity *issuer, struct kind kind)
{
    static long serial = 1;
    struct identity made = {EVP_EC_gen("P-256"), X509_new()};
    ASSERT(made.key != NULL && made.certificate != NULL);
    const struct identity *by = issuer == NULL ? &made : issuer;
    bool dated = kind.begins != 0 || kind.ends != 0;
    X509_set_version(made.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), dated ? kind.begins : -DAY);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), dated ? kind.ends : DAY);
    X509_set_pubkey(made.certificate, made.key);
    test_name(made.certificate, kind.name);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(by->certificate));
    test_extend(made.certificate, by->certificate, NID_basic_constraints,
                kind.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (kind.extended_usage != NULL)
        test_extend(made.certificate, by->certificate, NID_ext_key_usage, kind.extended_usage);
    if (kind.alternative != NULL)
        test_extend(made.certificate, by->certificate, NID_subject_alt_name, kind.alternative);
    ASSERT(X509_sign(made.certificate, by->key, EVP_sha256()) > 0);
    return made;
}

static inline void test_identity_free(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    *identity = (struct identity){0};
}

// A list of revoked certificates (NULL: none), good until `ends` seconds from now.
static inline X509_CRL *test_crl(const struct identity *issuer, const X509 *revoked, long ends)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *begin = X509_gmtime_adj(NULL, ends < 0 ? 2 * ends : -DAY);
    ASN1_TIME *end = X509_gmtime_adj(NULL, ends);
    ASSERT(crl != NULL && begin != NULL && end != NULL);
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate));
    X509_CRL_set1_lastUpdate(crl, begin);
    X509_CRL_set1_nextUpdate(crl, end);
    if (revoked != NULL) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASSERT(entry != NULL);
        X509_REVOKED_set_serialNumber(entry,
                                      (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(entry, begin);
        X509_CRL_add0_revoked(crl, entry);
    }
    ASSERT(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
    ASN1_TIME_free(begin);
    ASN1_TIME_free(end);
    return crl;
}

// ------------------------------------------------------------------------------------------- files

struct test_files {
    char directory[64];
    char paths[40][PATH_MAX];
    int count;
};

static inline void test_files_make(struct test_files *files)
{
    files->count = 0;
    (void)snprintf(files->directory, sizeof(files->directory), "/tmp/bud_tls_XXXXXX");
    ASSERT(mkdtemp(files->directory) != NULL);
}

// A path of this name; removed at the end.
static inline const char *test_path(struct test_files *files, const char *name)
{
    char path[PATH_MAX];
    ASSERT(snprintf(path, sizeof(path), "%s/%s", files->directory, name) < PATH_MAX);
    for (int i = 0; i < files->count; i++)
        if (strcmp(files->paths[i], path) == 0)
            return files->paths[i];
    ASSERT(files->count < 40);
    memcpy(files->paths[files->count], path, sizeof(path));
    return files->paths[files->count++];
}

static inline void test_files_remove(struct test_files *files)
{
    for (int i = files->count; i > 0; i--)
        (void)remove(files->paths[i - 1]);
    (void)rmdir(files->directory);
}

static inline FILE *test_open(const char *path)
{
    FILE *file = fopen(path, "w");
    ASSERT(file != NULL);
    (void)chmod(path, 0600);
    return file;
}

static inline const char *test_write_text(const char *path, const char *text)
{
    FILE *file = test_open(path);
    ASSERT(fputs(text, file) >= 0 && fclose(file) == 0);
    return path;
}

static inline const char *test_write_certificate(const char *path, X509 *first, X509 *second)
{
    FILE *file = test_open(path);
    ASSERT(PEM_write_X509(file, first) == 1);
    ASSERT(second == NULL || PEM_write_X509(file, second) == 1);
    ASSERT(fclose(file) == 0);
    return path;
}

static inline const char *test_write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = test_open(path);
    ASSERT(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    ASSERT(fclose(file) == 0);
    return path;
}

// Frees the list.
static inline const char *test_write_crl(const char *path, X509_CRL *crl)
{
    FILE *file = test_open(path);
    ASSERT(PEM_write_X509_CRL(file, crl) == 1);
    ASSERT(fclose(file) == 0);
    X509_CRL_free(crl);
    return path;
}

// ------------------------------------------------------------------------------- both ends of a
// line

struct pair {
    struct memory_stream *socket; // of the server
    struct stream *server;
    SSL *client;
    BIO *to_client, *from_client;
    bool greeted, welcomed, heard; // see pair_meet
    ssize_t server_read;
};

// A client that trusts everybody unless told otherwise.
static inline SSL_CTX *test_client_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    ASSERT(context != NULL);
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    return context;
}

static inline void pair_make(struct pair *pair, struct tls_context *server, SSL_CTX *client)
{
    *pair = (struct pair){.socket = memory_stream_new(), .server_read = -EAGAIN};
    pair->server = tls_try_new(server, &pair->socket->stream, bytes_make(NULL, 0));
    pair->client = SSL_new(client);
    pair->to_client = BIO_new(BIO_s_mem());
    pair->from_client = BIO_new(BIO_s_mem());
    ASSERT(pair->server != NULL && pair->client != NULL);
    SSL_set_bio(pair->client, pair->to_client, pair->from_client);
    SSL_set_connect_state(pair->client);
}

static inline void pair_done(struct pair *pair)
{
    stream_free(pair->server);
    // Else OpenSSL takes it for broken, and its session is not resumed.
    SSL_set_shutdown(pair->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(pair->client);
    ERR_clear_error();
}

// What each has written becomes what the other can read. True if anything moved.
static inline bool pair_carry(struct pair *pair)
{
    uint8_t memory[4096];
    bool moved = pair->socket->output.size > 0;
    if (moved) {
        ASSERT(BIO_write(pair->to_client, pair->socket->output.data,
                         (int)pair->socket->output.size) == (int)pair->socket->output.size);
        buffer_consume(&pair->socket->output, pair->socket->output.size);
    }
    for (int size; (size = BIO_read(pair->from_client, memory, sizeof(memory))) > 0; moved = true)
        memory_stream_feed(pair->socket, memory, (size_t)size);
    return moved;
}

struct outcome {
    bool client_is_in; // its handshake finished, and it read "welcome"
    ssize_t server;    // what the server's last read gave
};

static inline void pair_client_turn(struct pair *pair)
{
    char heard[64];
    if (!pair->greeted && SSL_do_handshake(pair->client) == 1)
        pair->greeted = SSL_write(pair->client, "hello", 5) == 5;
    if (pair->greeted && SSL_read(pair->client, heard, sizeof(heard)) == 7)
        pair->heard = true;
}

static inline void pair_server_turn(struct pair *pair)
{
    char read[64];
    struct iovec part = {(void *)(uintptr_t) "welcome", 7};
    if (pair->server_read == -EAGAIN)
        pair->server_read = stream_read(pair->server, read, sizeof(read));
    if (pair->server_read > 0 && !pair->welcomed)
        pair->welcomed = stream_writev(pair->server, &part, 1) == 7;
    (void)stream_flush(pair->server);
}

// Both shake hands as far as they get; then the client says "hello" and the server "welcome", and
// each reads the other. In TLS 1.3 a client learns only by reading that it was refused. Called
// again, it goes on where it stopped.
static inline struct outcome pair_meet(struct pair *pair)
{
    for (int still = 0; still < 3; still++) {
        pair_client_turn(pair);
        bool moved = pair_carry(pair);
        pair_server_turn(pair);
        if (pair_carry(pair) || moved)
            still = 0;
    }
    return (struct outcome){pair->heard, pair->server_read};
}

static inline bool pair_is_in(struct pair *pair)
{
    struct outcome outcome = pair_meet(pair);
    return outcome.client_is_in && outcome.server == 5;
}

#endif
