// SPDX-License-Identifier: MIT
// What is read out of a certificate, for the files of TLS. Who made the certificate of a client
// chose every byte of the names in it, though somebody we trust has signed them.
#ifndef BUD_TRANSPORT_CERTIFICATE_PARTS_H
#define BUD_TRANSPORT_CERTIFICATE_PARTS_H

#include "transport/tls_stream.h"

#include <openssl/x509.h>

int64_t certificate_end(const X509 *certificate); // seconds since 1970

enum tls_name certificate_common_name(X509 *certificate, char text[TLS_NAME_MAX]);
enum tls_name certificate_subject(X509 *certificate, char text[TLS_NAME_MAX]);

#endif
