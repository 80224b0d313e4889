// SPDX-License-Identifier: MIT
// Names out of certificates. They become user names, so a name that two readers would read
// differently ("admin" with a NUL behind it) is nobody's.
#include "transport/certificate_parts.h"

#include "proto/utf8.h"

#include <openssl/err.h>
#include <string.h>

// As UTF-8, whatever string type it is. Empty, and `*ret_fine` false, if it cannot be a name.
static int to_utf8(const ASN1_STRING *string, unsigned char **ret_text, bool *ret_fine)
{
    int size = ASN1_STRING_to_UTF8(ret_text, string);
    *ret_fine = size >= 0 && size < TLS_NAME_MAX &&
                utf8_valid(bytes_make(*ret_text, (size_t)(size < 0 ? 0 : size)));
    ERR_clear_error();
    return size;
}

static bool is_fine(const X509_NAME_ENTRY *entry)
{
    unsigned char *text = NULL;
    bool fine;
    if (to_utf8(X509_NAME_ENTRY_get_data(entry), &text, &fine) >= 0)
        OPENSSL_free(text);
    return fine;
}

enum tls_name certificate_common_name(X509 *certificate, char text[TLS_NAME_MAX])
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *name = NULL;
    bool fine;
    if (index < 0)
        return TLS_NAME_NONE;
    int size = to_utf8(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)), &name, &fine);
    if (fine) {
        memcpy(text, name, (size_t)size);
        text[size] = '\0';
    }
    if (size >= 0)
        OPENSSL_free(name);
    if (!fine)
        return TLS_NAME_REFUSED;
    return size > 0 ? TLS_NAME_GIVEN : TLS_NAME_NONE;
}

enum tls_name certificate_subject(X509 *certificate, char text[TLS_NAME_MAX])
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int count = X509_NAME_entry_count(subject);
    if (count == 0)
        return TLS_NAME_NONE;
    for (int i = 0; i < count; i++)
        if (!is_fine(X509_NAME_get_entry(subject, i)))
            return TLS_NAME_REFUSED;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL)
        return TLS_NAME_REFUSED;
    int size = X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253);
    bool fits = size > 0 && size < TLS_NAME_MAX && BIO_read(bio, text, size) == size;
    if (fits)
        text[size] = '\0';
    BIO_free(bio);
    ERR_clear_error();
    return fits ? TLS_NAME_GIVEN : TLS_NAME_REFUSED;
}
