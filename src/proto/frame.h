// SPDX-License-Identifier: MIT
// Where does a control packet end? The fixed header: type, flags, Remaining Length [MQTT5 2.1].
#ifndef BUD_PROTO_FRAME_H
#define BUD_PROTO_FRAME_H

#include "proto/bytes.h"

enum packet_type {
    PACKET_CONNECT = 1,
    PACKET_CONNACK = 2,
    PACKET_PUBLISH = 3,
    PACKET_PUBACK = 4,
    PACKET_PUBREC = 5,
    PACKET_PUBREL = 6,
    PACKET_PUBCOMP = 7,
    PACKET_SUBSCRIBE = 8,
    PACKET_SUBACK = 9,
    PACKET_UNSUBSCRIBE = 10,
    PACKET_UNSUBACK = 11,
    PACKET_PINGREQ = 12,
    PACKET_PINGRESP = 13,
    PACKET_DISCONNECT = 14,
    PACKET_AUTH = 15,
};

enum frame_state {
    FRAME_PARTIAL,   // the header itself is not whole yet
    FRAME_HEADER,    // the header is whole, the body is not: `frame` is filled in, `frame.body` is
                     // empty
    FRAME_WHOLE,     // all of it is there
    FRAME_MALFORMED, // packet type 0, bad flag bits for the type [MQTT-2.1.3-1], or a Remaining
                     // Length of five bytes
};

struct frame {
    uint8_t type;        // enum packet_type
    uint8_t flags;       // the low four bits of the first byte
    uint8_t header_size; // 2 to 5
    uint32_t body_size;  // the Remaining Length
    struct bytes body;   // views the input; empty unless FRAME_WHOLE
};

// Looks at the start of `input`. Reads nothing beyond the first frame and never more than the
// header decides. PUBLISH flags are not judged here (QoS 3 is the decoder's), nor is the
// PUBREL/SUBSCRIBE/UNSUBSCRIBE 0010 rule lenient: any other value is FRAME_MALFORMED. 3.1 allowed
// DUP (bit 3) on those three and on nothing else: accepted as 1010.
enum frame_state frame_scan(struct bytes input, struct frame *ret_frame);

const char *packet_type_name(uint8_t type); // "PUBLISH"; "reserved" for 0; static storage

#endif
