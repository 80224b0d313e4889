// SPDX-License-Identifier: MIT
// What does this peer speak? One port understands everything, and the first bytes tell.
#ifndef BUD_TRANSPORT_FIRST_BYTES_H
#define BUD_TRANSPORT_FIRST_BYTES_H

#include "proto/bytes.h"

enum first_bytes {
    FIRST_MORE, // too few to tell
    FIRST_MQTT, // or anything else: the MQTT engine says what is wrong with it
    FIRST_TLS,
    FIRST_HTTP, // WebSocket begins so, too
    FIRST_PROXY,
};

// At most 12 bytes are looked at.
enum first_bytes first_bytes_tell(struct bytes bytes);

#endif
