// SPDX-License-Identifier: MIT
// The last will of a session: prepared at CONNECT, published when the connection ends in any way
// but a normal DISCONNECT, after its delay or when the session ends, whichever is first, and never
// twice [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.1.3-9].
#ifndef BUD_CORE_WILL_H
#define BUD_CORE_WILL_H

#include "core/session.h"

// Keeps the will of a CONNECT in the session, in place of an earlier one. `will` NULL: there is
// none. False without memory.
bool will_try_set(struct session *session, const struct packet_will *will, int64_t now_ms);

// Gives the session's will its number, which nothing else has or had.
void will_name(struct session *session, uint64_t number);

void will_forget(struct session *session); // a normal DISCONNECT, or the client came back in time

// Publishes it now, if there is one and its user may still write there; it is gone afterwards.
void will_publish(struct session *session, int64_t now_ms);

#endif
