// SPDX-License-Identifier: MIT
// The far end of a connection as whole packets: what to write is encoded, what comes is decoded by
// the same engine that the client library has. No protocol behaviour: nothing is answered here.
#ifndef BUD_SIM_PEER_H
#define BUD_SIM_PEER_H

#include "base/buffer.h"
#include "proto/engine.h"
#include "sim/machine.h"

struct peer {
    struct wire *wire; // NULL: not connected
    struct engine engine;
    struct buffer input;  // came and was not taken yet
    struct buffer output; // does not fit into the socket yet
    uint64_t sent_bytes;  // in all, what waits in `output` included
    size_t taken;         // the packet of the last peer_take, still at the start of `input`
    bool ended;           // the broker's end (or a reset) came
    bool broken;          // what came was no packet: `reason`
    enum bud_reason reason;
};

bool peer_call(struct peer *peer, uint8_t version); // opens a connection from this machine
void peer_done(struct peer *peer);                  // closes it, if it is open, and frees

void peer_send(struct peer *peer, struct bytes bytes);
void peer_connect(struct peer *peer, const struct packet_connect *connect);
void peer_publish(struct peer *peer, const struct packet_publish *publish);
void peer_ack(struct peer *peer, uint8_t type, uint16_t packet_id, enum bud_reason reason);
void peer_subscribe(struct peer *peer, uint16_t packet_id, struct bytes filter,
                    struct subscription_options options, uint32_t identifier);
void peer_unsubscribe(struct peer *peer, uint16_t packet_id, struct bytes filter);
void peer_ping(struct peer *peer);
void peer_disconnect(struct peer *peer, const struct packet_disconnect *disconnect);
void peer_auth(struct peer *peer, const struct packet_auth *auth);

void peer_flush(struct peer *peer); // writes what was left over, as far as the socket takes it

// The next packet that has arrived; views stay valid until the next call. False: there is none, or
// the connection has ended or is broken.
bool peer_take(struct peer *peer, struct packet *ret_packet);

#endif
