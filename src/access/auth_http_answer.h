// SPDX-License-Identifier: MIT
// What an HTTP service answers to the question whether somebody may come in:
//   200 or 204 without a body                  yes
//   200 {"result": "allow" | "deny" | "ignore"}  yes, no, or: ask the next authority. With allow:
//                                              "user" (its name from here on), "expire_at" (seconds
//                                              since 1970: then it has to log in again), and what
//                                              it may read and write, see topic_claims.h
//   401, 403                                   no
// Anything else, a page that means to be read by people too, is no answer: nobody is let in.
// The service is trusted to be itself, not to be right: bodies are bounded and checked.
#ifndef BUD_ACCESS_AUTH_HTTP_ANSWER_H
#define BUD_ACCESS_AUTH_HTTP_ANSWER_H

#include "access/authority.h"
#include "access/topic_claims.h"

#define AUTH_HTTP_ANSWER_SIZE_MAX ((size_t)64 * 1024)

struct auth_http_answer {
    enum login_verdict verdict;
    const char *why;       // of a no; static
    struct bytes user;     // in `json`; empty: the name that it gave
    int64_t expires_at_ms; // on the wall clock; 0: never
    struct topic_claims topics;
    json_t *json;
};

// LOGIN_TRY_LATER is what is no answer. To be freed in every case.
void auth_http_answer_read(long status, struct bytes body, struct auth_http_answer *ret_answer);

// The same for the question what it may read and write: 200 with topic claims, or with
// {"result": "ignore"} (what the access lists say), or 401 or 403 (it may not come in after all).
void auth_http_answer_read_topics(long status, struct bytes body,
                                  struct auth_http_answer *ret_answer);

void auth_http_answer_done(struct auth_http_answer *answer);

// How long an answer may be kept by its Cache-Control, in seconds; `standard` if that says nothing.
uint32_t auth_http_answer_keep_s(struct bytes cache_control, uint32_t standard, uint32_t most);

#endif
