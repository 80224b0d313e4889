// SPDX-License-Identifier: MIT
// Packet identifiers of QoS 2 messages that came in and were not released yet: a PUBLISH whose
// identifier is here is a duplicate [MQTT-4.3.3-10]. This is the state machine of an incoming QoS 2
// message (absent → here → absent). A few are kept in a list, many in a bitmap of 8 KB, which
// counts against the budget: a client can make it grow no further.
#ifndef BUD_CORE_PACKET_ID_SET_H
#define BUD_CORE_PACKET_ID_SET_H

#include "core/budget.h"

#include <stdbool.h>
#include <stdint.h>

struct packet_id_set {
    uint16_t *list;   // while count <= 32
    uint64_t *bitmap; // 65 536 bits, from then on until empty
    uint32_t count, capacity;
    struct budget *budget; // NULL: none
};

bool packet_id_set_has(const struct packet_id_set *set, uint16_t packet_id);
bool packet_id_set_try_add(struct packet_id_set *set,
                           uint16_t packet_id); // must not be in it; false without memory
bool packet_id_set_remove(struct packet_id_set *set, uint16_t packet_id); // was it there?
void packet_id_set_done(struct packet_id_set *set);                       // forgets all

#endif
