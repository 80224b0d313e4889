// SPDX-License-Identifier: MIT
// The header that a TCP proxy (haproxy, nginx, a cloud's balancer) puts before a connection's
// bytes: whose connection it is. PROXY protocol 1 and 2. Found in bytes that come piece by piece,
// nothing is copied or allocated. It says who somebody is, so the caller must have asked first
// whether the peer is a trusted proxy; still every byte of it is checked, for a proxy passes on
// what clients choose (names, certificates).
#ifndef BUD_TRANSPORT_PROXY_HEADER_H
#define BUD_TRANSPORT_PROXY_HEADER_H

#include "os/net.h"
#include "proto/bytes.h"

#define PROXY_HEADER_V1_SIZE_MAX 107u
#define PROXY_HEADER_SIZE_MAX 4096u // the protocol allows 16 + 65535, nobody needs them

enum proxy_result { PROXY_MORE, PROXY_WHOLE, PROXY_BAD };

struct proxy_header {
    size_t size; // the connection's own bytes begin behind it
    uint8_t version;
    // LOCAL, UNKNOWN: it says nothing of another peer (a health check, say): the socket's addresses
    // are the ones to use. The two below are zero then.
    bool is_local;
    struct net_address source, destination;
    // Of version 2; views into the input, empty when it did not say.
    struct bytes alpn, authority;
    bool has_tls; // between client and proxy
    bool has_verified_certificate;
    struct bytes tls_version;
    struct bytes tls_common_name; // of the certificate; empty unless it was verified
    const char *why;              // with PROXY_BAD: half a sentence
};

enum proxy_result proxy_header_parse(struct bytes input, struct proxy_header *ret_header);

#endif
