// SPDX-License-Identifier: MIT
// PEM files: read whole first, so that what is wrong with one is told by its own name.
#include "transport/tls_parts.h"

#include "base/memory.h"
#include "os/file_contents.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

enum { PEM_SIZE_MAX = 32 << 20 }; // CRLs can be large

struct pem {
    const char *option, *path;
    struct file_contents contents;
    BIO *bio;
};

static void pem_close(struct pem *pem)
{
    BIO_free(pem->bio);
    if (pem->contents.data != NULL) // a key may have been in it
        OPENSSL_cleanse(pem->contents.data, pem->contents.size);
    memory_free(pem->contents.data);
}

static bool pem_open(struct pem *pem, const char *option, const char *path, char *error)
{
    *pem = (struct pem){.option = option, .path = path};
    int result = file_read_contents(path, true, PEM_SIZE_MAX, &pem->contents);
    if (result < 0)
        return tls_complain(error, "%s %s cannot be read: %s", option, path, strerror(-result));
    ERR_clear_error();
    // An empty BIO made from NULL would be one that can be written to.
    pem->bio = BIO_new_mem_buf(pem->contents.data == NULL ? (const void *)"" : pem->contents.data,
                               (int)pem->contents.size);
    if (pem->bio != NULL)
        return true;
    pem_close(pem);
    return tls_complain(error, "%s %s: no memory", option, path);
}

static void mix_in(EVP_MD_CTX *digest, const struct pem *pem)
{
    if (digest != NULL && pem->contents.size > 0)
        EVP_DigestUpdate(digest, pem->contents.data, pem->contents.size);
}

static bool not_pem(const struct pem *pem, const char *what, char *error)
{
    if (pem->contents.size > 1 && pem->contents.data[0] == 0x30)
        return tls_complain(error,
                            "%s %s is not PEM, but looks like DER; `openssl ... -inform der "
                            "-in %s -out NEW.pem` makes it PEM",
                            pem->option, pem->path, pem->path);
    return tls_complain(error, "%s %s is not PEM: there is no line -----BEGIN %s----- in it",
                        pem->option, pem->path, what);
}

// Why did reading the next block end? The end of the file is none of the reasons.
static bool pem_ended_well(const struct pem *pem, int count, const char *what, char *error)
{
    unsigned long code = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (at_end && count > 0)
        return true;
    if (at_end)
        return not_pem(pem, what, error);
    return tls_complain(error, "%s %s: block %d of -----BEGIN %s----- is damaged", pem->option,
                        pem->path, count + 1, what);
}

struct stack_st_X509 *tls_pem_certificates(const char *option, const char *path, EVP_MD_CTX *digest,
                                           char *error)
{
    struct pem pem;
    if (!pem_open(&pem, option, path, error))
        return NULL;
    struct stack_st_X509 *all = sk_X509_new_null();
    for (X509 *next; all != NULL && (next = PEM_read_bio_X509(pem.bio, NULL, NULL, NULL)) != NULL;)
        if (sk_X509_push(all, next) == 0)
            X509_free(next);
    if (!pem_ended_well(&pem, sk_X509_num(all), "CERTIFICATE", error)) {
        sk_X509_pop_free(all, X509_free);
        all = NULL;
    }
    mix_in(digest, &pem);
    pem_close(&pem);
    return all;
}

struct stack_st_X509_CRL *tls_pem_crls(const char *option, const char *path, EVP_MD_CTX *digest,
                                       char *error)
{
    struct pem pem;
    if (!pem_open(&pem, option, path, error))
        return NULL;
    struct stack_st_X509_CRL *all = sk_X509_CRL_new_null();
    for (X509_CRL *next;
         all != NULL && (next = PEM_read_bio_X509_CRL(pem.bio, NULL, NULL, NULL)) != NULL;)
        if (sk_X509_CRL_push(all, next) == 0)
            X509_CRL_free(next);
    if (!pem_ended_well(&pem, sk_X509_CRL_num(all), "X509 CRL", error)) {
        sk_X509_CRL_pop_free(all, X509_CRL_free);
        all = NULL;
    }
    mix_in(digest, &pem);
    pem_close(&pem);
    return all;
}

// Nobody is there to be asked for a passphrase.
static int no_passphrase(char *text, int size, int is_writing, void *asked)
{
    (void)text;
    (void)size;
    (void)is_writing;
    *(bool *)asked = true;
    return -1;
}

static void no_key(const struct pem *pem, bool is_encrypted, char *error)
{
    static const char mark[] = "PRIVATE KEY-----"; // "EC", "RSA", or nothing before it
    ERR_clear_error();
    if (is_encrypted)
        tls_complain(error,
                     "%s %s is encrypted; `openssl pkey -in %s -out NEW.pem` takes the "
                     "passphrase off",
                     pem->option, pem->path, pem->path);
    else if (pem->contents.size > 0 &&
             memmem(pem->contents.data, pem->contents.size, mark, sizeof(mark) - 1) != NULL)
        tls_complain(error, "%s %s: its key is damaged, or of a kind that OpenSSL does not know",
                     pem->option, pem->path);
    else
        not_pem(pem, "PRIVATE KEY", error);
}

EVP_PKEY *tls_pem_key(const char *option, const char *path, bool *ret_others_can_read, char *error)
{
    struct pem pem;
    bool is_encrypted = false;
    if (!pem_open(&pem, option, path, error))
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem.bio, NULL, no_passphrase, &is_encrypted);
    if (key == NULL)
        no_key(&pem, is_encrypted, error);
    else
        *ret_others_can_read = (pem.contents.mode & 007) != 0;
    pem_close(&pem);
    return key;
}
