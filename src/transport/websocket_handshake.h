// SPDX-License-Identifier: MIT
// Does this HTTP request open a WebSocket, and may it? [RFC 6455 4.2] Any path will do. The Origin
// rule is what keeps a page of somebody else's, open in a browser inside the house, away from the
// broker: a browser cannot be made to lie about it, and who is no browser sends none. All headers
// are an attacker's; nothing of them is repeated in an answer but one of our own protocol names.
#ifndef BUD_TRANSPORT_WEBSOCKET_HANDSHAKE_H
#define BUD_TRANSPORT_WEBSOCKET_HANDSHAKE_H

#include "proto/writer.h"
#include "transport/http_head.h"

// Pages that may connect beside those of the same host and port: "https://panel.example", exactly
// as browsers send it; "*" lets every page in.
struct websocket_origins {
    const char *const *list;
    size_t count;
};

enum { WEBSOCKET_ACCEPT_SIZE = 28 };

struct websocket_handshake {
    unsigned status;       // 101, or what to refuse it with: 400, 403, 405, 426, 505
    const char *why;       // of a refusal: a sentence for whoever looks for it in the log
    struct bytes protocol; // what was chosen; empty: none was offered
    char accept[WEBSOCKET_ACCEPT_SIZE + 1];
};

// A request without "Upgrade: websocket" is for the page and the API.
bool websocket_is_asked_for(const struct http_head *head);

struct websocket_handshake websocket_handshake_judge(const struct http_head *head,
                                                     struct websocket_origins origins);

// The 101, or the refusal. HTTP_REFUSAL_SIZE_MAX bytes are always enough.
void websocket_handshake_answer(const struct websocket_handshake *handshake, struct writer *writer);

#endif
