// SPDX-License-Identifier: MIT
// A handshake message says how long it is before it comes, and OpenSSL makes room by that word: 175
// KB for nine bytes. The guard reads along and says stop before OpenSSL sees too large a size.
// An attacker controls every byte, and how messages are cut into records.
#ifndef BUD_TRANSPORT_HANDSHAKE_GUARD_H
#define BUD_TRANSPORT_HANDSHAKE_GUARD_H

#include "proto/bytes.h"

// A ClientHello has 200 to 2000 bytes, a chain of client certificates a few thousand.
#define HANDSHAKE_MESSAGE_MAX 16384

struct handshake_guard {
    uint8_t record[5];                 // type, version, size
    uint8_t message[4];                // type, size
    uint8_t record_head, message_head; // bytes of them that have come
    uint32_t record_left, message_left;
    bool is_over; // what follows is encrypted
};

// The next bytes of the stream. False: a message is larger than it may be. `ends_at_change`: what
// follows a ChangeCipherSpec is encrypted, and may look like anything (TLS 1.2; in 1.3 encrypted
// records say that they are).
bool handshake_guard_take(struct handshake_guard *guard, struct bytes bytes, bool ends_at_change);

#endif
