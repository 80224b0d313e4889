// SPDX-License-Identifier: MIT
// One POST to a service over HTTP or HTTPS, with libcurl; waits for the answer, at most as long as
// told. Its connection is kept for the next call. What the peer sends is bounded; redirects are not
// followed; nothing of the environment (proxies, .netrc) is used. For any thread.
#ifndef BUD_ACCESS_HTTP_CALL_H
#define BUD_ACCESS_HTTP_CALL_H

#include "base/buffer.h"

struct http_caller_options {
    const char *headers; // "Name: value|Name: value"
    const char *proxy;   // "" none
    const char *ca_file; // "" the system's
    uint32_t timeout_ms;
    size_t body_size_max;
};

struct http_reply {
    long status;
    struct buffer body;
    char cache_control[256]; // "" none, or longer
};

struct http_caller;

// NULL: the options or the library cannot be used.
struct http_caller *http_caller_new(const struct http_caller_options *options);
void http_caller_free(struct http_caller *caller); // NULL is fine

// Is it a URL that may be called?
bool http_call_may_use(const char *url);

// NULL and the reply, which the caller frees with http_reply_done; or why there is none, static.
const char *http_call(struct http_caller *caller, const char *url, struct bytes body,
                      struct http_reply *ret_reply);
void http_reply_done(struct http_reply *reply);

#endif
