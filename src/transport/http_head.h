// SPDX-License-Identifier: MIT
// The head of an HTTP/1.1 request [RFC 9112], found in bytes that come piece by piece: the caller
// keeps what came and asks again with more. Nothing is copied, nothing is allocated. An attacker
// controls everything: what two readers could understand differently (bare LF, folded lines,
// doubled or missing Host, a length said twice) is refused, so that no proxy in front sees another
// request than we do. libhttp-parser does the grammar, http_head.c is stricter where it is lenient.
#ifndef BUD_TRANSPORT_HTTP_HEAD_H
#define BUD_TRANSPORT_HTTP_HEAD_H

#include "proto/bytes.h"

#define HTTP_HEAD_SIZE_MAX 16384u
#define HTTP_TARGET_SIZE_MAX 8000u
#define HTTP_HEADERS_MAX 64u

enum http_result {
    HTTP_MORE, // so far it may become a request
    HTTP_WHOLE,
    HTTP_BAD, // answer `status` and close
};

enum request_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_PATCH,
};

struct http_header {
    struct bytes name;  // as it was written; compare with http_token_equal
    struct bytes value; // without the spaces around it
};

// Views into what was parsed.
struct http_head {
    enum request_method method;
    uint8_t minor_version; // HTTP/1.0 or 1.1
    struct bytes path;     // of the target, as it was sent: visible ASCII from '/', or "*"
    struct bytes query;    // what is behind its '?', empty if there is none
    uint64_t content_size; // of the body, which begins at `size`
    size_t size;
    unsigned header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
    unsigned status; // with HTTP_BAD: 400, 405, 411, 413, 414, 431 or 505
    const char *why; // with HTTP_BAD: half a sentence
};

// `input`: everything that came since the request began, maybe with more behind it. *ret_head means
// something with HTTP_WHOLE; its `status` and `why` do with HTTP_BAD.
enum http_result http_head_parse(struct bytes input, uint64_t content_size_max,
                                 struct http_head *ret_head);

// NULL: no such header. The name of a header that may come several times: see http_head_next.
const struct http_header *http_head_find(const struct http_head *head, struct bytes name);
// The next one of this name behind `before` (NULL: the first).
const struct http_header *http_head_next(const struct http_head *head, struct bytes name,
                                         const struct http_header *before);

bool http_token_equal(struct bytes a, struct bytes b); // ASCII letters in any case
// Takes the first element off a comma-separated list, without spaces around it; empty ones are
// skipped. False: there was none left.
bool http_list_next(struct bytes *list, struct bytes *ret_element);
bool http_list_has(struct bytes list, struct bytes token); // in any case

#endif
