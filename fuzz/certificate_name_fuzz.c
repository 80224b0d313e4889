// SPDX-License-Identifier: MIT
// The subject of a certificate, as DER. A name that is given is UTF-8 without NUL and fits; the
// subject is given only if every part of it could be.
#include "fuzz/fuzz.h"

#include "proto/utf8.h"
#include "transport/certificate_parts.h"

#include <openssl/err.h>
#include <string.h>

static void check(enum tls_name given, const char *text)
{
    if (given != TLS_NAME_GIVEN)
        return;
    size_t size = strnlen(text, TLS_NAME_MAX);
    FUZZ_CHECK(size > 0 && size < TLS_NAME_MAX);
    FUZZ_CHECK(utf8_valid(bytes_make(text, size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TLS_NAME_MAX];
    X509_NAME *name = d2i_X509_NAME(NULL, &data, (long)size);
    X509 *certificate = X509_new();
    if (name != NULL && X509_set_subject_name(certificate, name) == 1) {
        enum tls_name common_name = certificate_common_name(certificate, text);
        check(common_name, text);
        enum tls_name subject = certificate_subject(certificate, text);
        check(subject, text);
        FUZZ_CHECK(common_name != TLS_NAME_REFUSED || subject == TLS_NAME_REFUSED);
    }
    X509_free(certificate);
    X509_NAME_free(name);
    ERR_clear_error();
    return 0;
}
