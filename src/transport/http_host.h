// SPDX-License-Identifier: MIT
// By which name was this page's server called? A page in somebody's browser can have its own name
// point at an address inside the house (DNS rebinding); then Origin and Host agree, and only the
// name tells: it is one that anybody can register.
#ifndef BUD_TRANSPORT_HTTP_HOST_H
#define BUD_TRANSPORT_HTTP_HOST_H

#include "transport/http_head.h"

// True if the request is a browser's (it has an Origin) and its Host is neither an address nor a
// name that only means something here: localhost, one without a dot, or below local, lan, internal,
// home.arpa or localhost.
bool http_host_is_public(const struct http_head *head);

#endif
