// SPDX-License-Identifier: MIT
// HTTP on the one port: a request that is no WebSocket handshake goes to the handler that an upper
// layer has given (edge/), and its answer ends the connection. One request for each connection, the
// body bounded. Without a handler everything is 404.
#ifndef BUD_SERVER_HTTP_H
#define BUD_SERVER_HTTP_H

#include "base/buffer.h"
#include "transport/http_head.h"

#define HTTP_BODY_SIZE_MAX 65536u

struct worker;
struct connection;

struct http_request {
    const struct http_head *head;
    struct bytes body;
    const struct connection *connection; // who asks: its address, whether there is TLS
    bool is_owner;                       // came by the socket in the data directory
};

// Begins as 404 without a body.
struct http_answer {
    unsigned status;
    const char *type;    // Content-Type; static
    struct buffer body;  // freed by the caller
    const char *headers; // more of them, each ended by CR LF; static, NULL none
};

struct http_handler {
    void *context;
    // On the worker that the connection is on; must not block.
    void (*answer)(void *context, struct worker *worker, const struct http_request *request,
                   struct http_answer *answer);
};

// A body of text. Without memory for it the answer becomes 503 without a body.
void http_answer_text(struct http_answer *answer, unsigned status, const char *type,
                      struct bytes text);

// A connection whose bytes begin with a request: `input` is everything that came. It is answered,
// or becomes a WebSocket, or is put aside until more has come.
void connection_on_http(struct connection *connection, struct bytes input);

#endif
