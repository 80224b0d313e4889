// SPDX-License-Identifier: MIT
// One end of one connection, without input or output: bytes in, whole packets out, in the order the
// specification allows. Knows framing, the protocol version and which packet may come when; knows
// no socket, clock, heap, topic alias or session. The caller owns all memory: the input bytes, the
// engine and the packet; views in a packet live as long as the input. The same engine serves the
// broker and the client: `role` says whose packets it receives.
#ifndef BUD_PROTO_ENGINE_H
#define BUD_PROTO_ENGINE_H

#include "proto/packet.h"

enum engine_role { ENGINE_SERVER, ENGINE_CLIENT };

enum engine_state {
    ENGINE_EXPECTS_CONNECT, // server: nothing came yet. client: CONNECT not sent yet
    ENGINE_CONNECTING, // server: CONNECT came, CONNACK not sent (or AUTH going on). client: waits
                       // for CONNACK
    ENGINE_OPEN,
    ENGINE_CLOSED, // DISCONNECT came or an error was found: nothing more is taken
};

struct engine {
    uint8_t role;    // enum engine_role
    uint8_t version; // enum mqtt_version; the server's is set by CONNECT (MQTT_3_1_1 until then)
    uint8_t state;   // enum engine_state; the caller moves CONNECTING to OPEN
    bool enhanced;   // CONNECT carried an Authentication Method, so AUTH may come
    uint32_t packet_size_max; // the largest packet accepted, header included; the caller may change
                              // it at any time
};

enum engine_result {
    ENGINE_NEEDS_MORE, // `needed` more bytes at least (the rest of the packet once its header is
                       // known)
    ENGINE_PACKET,     // *ret_packet is filled; `consumed` bytes belong to it
    ENGINE_ERROR,      // `reason` says why; the state is ENGINE_CLOSED
};

struct engine_step {
    enum engine_result result;
    enum bud_reason reason;
    size_t consumed;
    size_t needed;
    uint8_t type; // of the packet, as far as the first byte shows: for logs and for limits by type
};

void engine_init(struct engine *engine, enum engine_role role, uint32_t packet_size_max);

// The next packet at the start of `input`. A packet beyond packet_size_max is refused on its
// header, BUD_PACKET_TOO_LARGE. Server: anything but CONNECT first [MQTT-3.1.0-1], a second CONNECT
// [MQTT-3.1.0-2], a packet that only servers send, AUTH without enhanced authentication or
// before 5.0: BUD_PROTOCOL_ERROR. A first byte that is not CONNECT's is refused at once. While
// CONNECTING a server accepts what a client may send early (3.1.4: any packet after CONNECT).
// Client: CONNACK (or AUTH) first; no packet that only clients send.
// Also by direction, BUD_PROTOCOL_ERROR: a Subscription Identifier in a client's PUBLISH
// [MQTT-3.3.4-6], Session Expiry in a server's DISCONNECT [MQTT-3.14.2-2], an AUTH reason of the
// other side. CONNECT sets version and enhanced, even when refused for what follows its level.
// A DISCONNECT moves to CLOSED after it was returned; in CLOSED the answer is NEEDS_MORE with
// `needed` 0. For the frames' own errors see frame_scan and packet_decode.
struct engine_step engine_next(struct engine *engine, struct bytes input,
                               struct packet *ret_packet);

#endif
