// SPDX-License-Identifier: MIT
// Why a handshake failed, for somebody who reads the log and wants to mend it. OpenSSL's own words
// name its functions; these name what to look at.
#include "transport/tls_parts.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

struct words {
    int code;
    const char *of_client; // about the client, for the log of a server
    const char *of_server; // about the server, for a client
};

static const struct words reasons[] = {
    {SSL_R_NO_SHARED_CIPHER, "no common cipher, or no certificate that fits the client's",
     "no common cipher"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
     "the client does not take the kind of our certificate, or gave no pre-shared key",
     "the server takes no certificate of this kind"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "no common curve", "no common curve"},
    {SSL_R_NO_SUITABLE_GROUPS, "no common curve", "no common curve"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the client's TLS version is too old", "no common TLS version"},
    {SSL_R_VERSION_TOO_LOW, "the client's TLS version is too old", "no common TLS version"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, "no common TLS version", "no common TLS version"},
    {SSL_R_WRONG_VERSION_NUMBER, "this is not TLS", "the server does not speak TLS here"},
    {SSL_R_HTTP_REQUEST, "plain HTTP where TLS is spoken", "the server does not speak TLS here"},
    {SSL_R_HTTPS_PROXY_REQUEST, "plain HTTP where TLS is spoken",
     "the server does not speak TLS here"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the client does not speak our TLS versions",
     "the server does not speak our TLS versions"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the client does not trust our certificate",
     "the server does not trust our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the client does not accept our certificate",
     "the server does not accept our certificate"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the client does not accept our certificate",
     "the server does not accept our certificate"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
     "the client says our certificate is not for this use or of a kind that it does not know",
     "the server says our certificate is not for this use"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the client says our certificate has expired",
     "the server says our certificate has expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the client says our certificate was revoked",
     "the server says our certificate was revoked"},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, "the client denies us access", "the server denies access"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the client found nothing in common with us",
     "the server found nothing in common with us: cipher, curve, or a certificate that it wants"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY, "the client does not know the identity",
     "the server does not know our identity"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the client wants a certificate",
     "the server wants a certificate"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
     "the client showed no certificate, and require_certificate is set",
     "the server showed no certificate"},
    {SSL_R_PSK_IDENTITY_NOT_FOUND, "the client's identity is not in psk_file",
     "there is no key for this server"},
    {SSL_R_BINDER_DOES_NOT_VERIFY, "the client's pre-shared key is another one than in psk_file",
     "the pre-shared key is wrong"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "damaged, or encrypted with another key",
     "damaged, or encrypted with another key"},
    {SSL_R_DIGEST_CHECK_FAILED, "encrypted with another key", "encrypted with another key"},
    {SSL_R_SSLV3_ALERT_BAD_RECORD_MAC, "the client says our data was encrypted with another key",
     "the server says our data was encrypted with another key"},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, "the client says our data was encrypted with another key",
     "the server says our data was encrypted with another key"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, "a handshake message of more than 16384 bytes",
     "a handshake message that is too large"},
    {SSL_R_EE_KEY_TOO_SMALL, "the key of the client's certificate is too small",
     "the key of the server's certificate is too small"},
    {SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, "the client is without secure renegotiation",
     "the server is without secure renegotiation"},
};

static const struct words verdicts[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "the client's certificate has expired",
     "the server's certificate has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "the client's certificate is not valid yet",
     "the server's certificate is not valid yet"},
    {X509_V_ERR_CERT_REVOKED, "the client's certificate was revoked",
     "the server's certificate was revoked"},
    {X509_V_ERR_UNABLE_TO_GET_CRL,
     "there is no revocation list of who signed the client's "
     "certificate in crlfile",
     "there is no revocation list of who signed the server's certificate"},
    {X509_V_ERR_CRL_HAS_EXPIRED,
     "the revocation list in crlfile has expired, so nobody is let in; "
     "get a new one",
     "the revocation list has expired"},
    {X509_V_ERR_CRL_NOT_YET_VALID, "the revocation list in crlfile is not valid yet",
     "the revocation list is not valid yet"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, "the revocation list in crlfile has a wrong signature",
     "the revocation list has a wrong signature"},
    {X509_V_ERR_INVALID_PURPOSE, "the client's certificate is not for clients",
     "the server's certificate is not for servers"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "who signed the client's certificate is not in cafile or capath",
     "who signed the server's certificate is not in --cafile or --capath"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
     "who signed the client's certificate is not in cafile or capath",
     "who signed the server's certificate is not in --cafile or --capath"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
     "who signed the client's certificate is not in cafile or capath",
     "who signed the server's certificate is not in --cafile or --capath"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
     "the client's certificate is self-signed and not in cafile or capath",
     "the server's certificate is self-signed and not the one in --cafile"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
     "who signed the client's certificate is not in cafile or capath",
     "who signed the server's certificate is not in --cafile or --capath"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "the client's certificate has a wrong signature",
     "the server's certificate has a wrong signature"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "the key of the client's certificate is too small",
     "the key of the server's certificate is too small"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "the key of who signed the client's certificate is too small",
     "the key of who signed the server's certificate is too small"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "the client's certificate is signed with a broken hash",
     "the server's certificate is signed with a broken hash"},
    {X509_V_ERR_HOSTNAME_MISMATCH, "the client's certificate has another name",
     "the server's certificate is for another host name"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "the client's certificate has another name",
     "the server's certificate is for another address"},
};

static const char *find(const struct words *words, size_t count, long code, bool is_client)
{
    for (size_t i = 0; i < count; i++)
        if (words[i].code == code)
            return is_client ? words[i].of_server : words[i].of_client;
    return NULL;
}

static const char *verdict_of(long verdict, bool is_client)
{
    const char *known = find(verdicts, sizeof(verdicts) / sizeof(verdicts[0]), verdict, is_client);
    return known != NULL ? known : X509_verify_cert_error_string(verdict);
}

const char *tls_words_failure(const SSL *ssl, unsigned long code, bool is_client)
{
    int reason = ERR_GET_REASON(code);
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return "the peer broke the rules of TLS";
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return verdict_of(SSL_get_verify_result(ssl), is_client);
    const char *known = find(reasons, sizeof(reasons) / sizeof(reasons[0]), reason, is_client);
    if (known != NULL)
        return known;
    known = ERR_reason_error_string(code);
    return known != NULL ? known : "the peer broke the rules of TLS";
}
