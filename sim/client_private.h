// SPDX-License-Identifier: MIT
// Between client.c and client_receive.c only.
#ifndef BUD_SIM_CLIENT_PRIVATE_H
#define BUD_SIM_CLIENT_PRIVATE_H

#include "sim/client.h"

// A line of the readable trace, when it is wanted.
void client_say(const struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void client_send_message(struct client *client, uint32_t number, uint16_t packet_id, bool dup);
bool client_receive(struct client *client);   // everything that has come
bool client_send_acks(struct client *client); // that are due

#endif
