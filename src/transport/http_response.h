// SPDX-License-Identifier: MIT
// The answer to an HTTP request: a head, and a short body. Each answer ends its connection, and
// none lets a page of another origin read it (no CORS). Nothing a peer has sent goes into one.
#ifndef BUD_TRANSPORT_HTTP_RESPONSE_H
#define BUD_TRANSPORT_HTTP_RESPONSE_H

#include "proto/writer.h"

struct http_response {
    unsigned status;
    const char *content_type; // NULL: text/plain in UTF-8
    const char *headers;      // more of them, each with its CRLF; NULL: none
    struct bytes body;
    bool without_body; // the answer to HEAD: its length is told, and it is left out
};

// Writes all of it; `bad` is set if it does not fit.
void http_response_write(const struct http_response *response, struct writer *writer);

// An error, for a person who looks at it: `why` is half a sentence, and becomes the body.
void http_response_refuse(unsigned status, const char *why, struct writer *writer);

const char *http_status_text(unsigned status); // "Not Found"

#define HTTP_REFUSAL_SIZE_MAX 512u // with a `why` of at most 200 bytes

#endif
