// SPDX-License-Identifier: MIT
// WebSocket's frames as a stream [RFC 6455 5]: what is in them comes out, whatever their borders;
// what is written goes out in binary frames. libwslay takes frames apart. An attacker controls all
// that comes in. Whatever he does, a WebSocket takes one block of fixed size: payload is passed up
// as it arrives, one pong waits at most (the newest ping is answered), and a read looks at no more
// than a few control frames before it lets others go on.
#ifndef BUD_TRANSPORT_WEBSOCKET_H
#define BUD_TRANSPORT_WEBSOCKET_H

#include "proto/bytes.h"
#include "transport/stream.h"

#include <stdint.h>

#define WEBSOCKET_GREETING_SIZE_MAX 512u
#define WEBSOCKET_MEMORY 6144u // what one takes, roughly; libwslay's input is the most of it

enum websocket_close_code { // [RFC 6455 7.4.1]
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_UNSUPPORTED_DATA = 1003, // text, where MQTT is spoken
    WEBSOCKET_BAD_TEXT = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL_ERROR = 1011,
};

struct websocket_start {
    struct bytes already_read; // from below, behind the handshake; copied
    struct bytes greeting;     // goes out first: the answer to the handshake; copied
    bool is_client;            // masks what it sends, and refuses masks
};

// NULL without memory: `below` is still the caller's then. Any number of bytes may have been read
// already, for they are there.
struct stream *websocket_try_new(struct stream *below, const struct websocket_start *start);

// What `shut` will say; WEBSOCKET_NORMAL if nothing is set.
void websocket_set_close_code(struct stream *stream, enum websocket_close_code code);

// After a read gave -EPROTO: what the peer did, half a sentence. NULL: nothing wrong as yet.
const char *websocket_trouble(const struct stream *stream);

// Reading gives 0 once the peer has closed and was answered, or hung up. After that, and after
// `shut`, writing gives -EPIPE: nothing may follow a close frame. A frame that was begun before the
// peer's close came is taken to its end first; `shut` cuts it.
bool websocket_is(const struct stream *stream);

#endif
