// SPDX-License-Identifier: MIT
// Whom a proxy says it speaks for: X-Forwarded-For, Forwarded [RFC 7239], X-Real-IP. From a
// stranger these are lies, so only the word of a trusted proxy counts, and of a chain only as far
// as each one that reports is trusted itself: from the right, the first address that is no trusted
// proxy's. A client can put in anything left of it, and whole headers of a kind that his proxy does
// not write; two kinds that disagree therefore say nothing.
#ifndef BUD_TRANSPORT_HTTP_FORWARDED_H
#define BUD_TRANSPORT_HTTP_FORWARDED_H

#include "os/net_network.h"
#include "transport/http_head.h"

// Some header says that this request came by a proxy, so the peer's address is not the client's.
bool http_forwarded_hides(const struct http_head *head);

// Only if the peer itself is in `trusted`. False: nothing usable was said, so who it is stays
// unknown, and he must not be taken for a neighbour because his proxy is one. The port is 0.
bool http_forwarded_client(const struct http_head *head, const struct net_networks *trusted,
                           struct net_address *ret_client);

#endif
