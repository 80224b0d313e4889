// SPDX-License-Identifier: MIT
// Somebody else's service decides who may come in, asked by HTTP: a POST of
//   {"action": "connect", "clientid", "username", "password", "address", "protocol", "listener"}
// (what the client did not bring is left out), answered as auth_http_answer.h says. If there is a
// second URL and the answer named no topics, it is asked for them in the same way, with the action
// "topics" and without the password: once for each login. What it says holds as long as the
// connection; no message is held up for it. Who brings neither name nor password is not asked for.
// No answer, not in time, too large or not understood: nobody comes in. Answers are kept for a
// while, by an HMAC of the question under a random key. No redirects, nothing but http and https,
// no proxy but a configured one. For any thread that may wait. The service is trusted; what is
// asked about is anything a client chose.
#ifndef BUD_ACCESS_AUTH_HTTP_H
#define BUD_ACCESS_AUTH_HTTP_H

#include "access/authority.h"

#define AUTH_HTTP_KEEP_S_MAX 3600u

// A text that is not set is "".
struct auth_http_options {
    const char *url;
    const char *acl_url;
    const char *headers; // "Name: value", several with '|' between them
    const char *proxy;
    const char *ca_file;
    uint32_t timeout_ms; // of each question
    uint32_t cache_s;    // unless the answer says otherwise; at most AUTH_HTTP_KEEP_S_MAX
};

struct auth_http;

// 0, or -errno with a sentence about cause and remedy in `error` (ACCESS_ERROR_MAX bytes).
int auth_http_new(const struct auth_http_options *options, struct auth_http **ret_service,
                  char *error);
void auth_http_unref(struct auth_http *service); // NULL is fine

enum login_verdict auth_http_check(struct auth_http *service, const struct login_request *request,
                                   struct login_result *result);

// How many questions were answered by the service, from what was kept, and not at all.
struct auth_http_counts {
    uint64_t answered, kept, failed;
};
struct auth_http_counts auth_http_count(const struct auth_http *service);

// An authority that holds a reference, and gives it back with the gate.
struct authority auth_http_authority(struct auth_http *service);

#endif
