// SPDX-License-Identifier: MIT
// TLS around a stream. The handshake goes on by itself while somebody reads; until it is finished a
// read gives -EAGAIN and so does a write. At most about 64 KB of ciphertext wait for the one below;
// with more, no plaintext is taken. An end without close_notify counts as the end of what is read:
// MQTT, WebSocket and HTTP all say themselves when a message is whole, so one who cuts a connection
// short wins nothing by it. An attacker controls what comes from below.
#ifndef BUD_TRANSPORT_TLS_STREAM_H
#define BUD_TRANSPORT_TLS_STREAM_H

#include "proto/bytes.h"
#include "transport/stream.h"
#include "transport/tls_context.h"

// Over `below`, of which `already_read` was read before (and is copied). On success the new stream
// owns `below` and a reference to the context. NULL without memory.
struct stream *tls_try_new(struct tls_context *context, struct stream *below,
                           struct bytes already_read);

// The uppermost TLS stream of a chain; NULL: there is none. What is below is asked of it.
struct stream *tls_find(struct stream *stream);

// While it is, each read is one expensive step (a signature, a verified chain): a server may want
// to do only so many in a turn.
bool tls_is_handshaking(const struct stream *tls);

// Why it failed, half a sentence for a log; NULL while it did not.
const char *tls_failure(const struct stream *tls);

// Of a finished handshake. The texts live as long as the stream.
struct tls_description {
    const char *version;       // "TLSv1.3"
    const char *cipher;        // "TLS_AES_128_GCM_SHA256"
    struct bytes protocol;     // by ALPN: "mqtt", "http/1.1", or empty
    struct bytes psk_identity; // empty: none
    bool resumed;              // by a ticket
    bool has_certificate;      // of the client; it was verified
};
struct tls_description tls_describe(const struct stream *tls);

// The names in the certificate of the client, as UTF-8 into `text`, for use as user names.
enum tls_name {
    TLS_NAME_NONE, // no certificate, or no such name in it
    TLS_NAME_GIVEN,
    TLS_NAME_REFUSED, // it has a NUL or is not UTF-8: nobody's name
};
#define TLS_NAME_MAX 4096
enum tls_name tls_common_name(const struct stream *tls, char text[TLS_NAME_MAX]);
// As Mosquitto writes it: "CN=lamp-7,OU=floor 3,O=Example" (RFC 2253).
enum tls_name tls_subject(const struct stream *tls, char text[TLS_NAME_MAX]);

#endif
