// SPDX-License-Identifier: MIT
// Inside client/ only: the byte side (client_io.c), the table of requests (client_request.c) and
// how an end is noted (client.c).
#ifndef BUD_CLIENT_CLIENT_PARTS_H
#define BUD_CLIENT_CLIENT_PARTS_H

#include "client/client.h"

static inline struct client_status client_status_ok(void)
{
    return (struct client_status){0, BUD_SUCCESS};
}

static inline struct client_status client_status_error(int error)
{
    return (struct client_status){error, BUD_SUCCESS};
}

static inline struct client_status client_status_reason(enum bud_reason reason)
{
    return (struct client_status){0, reason};
}

static inline int64_t client_now_ms(const struct client *client)
{
    return client->transport.now_ms(client->transport.context);
}

// io: all that was queued in client->output leaves, within client->timeout_ms. 0 or -errno.
int client_flush(struct client *client);
// Sends `bytes` after what is queued, without copying them.
int client_send_through(struct client *client, struct bytes bytes);
// Room for one more packet of `size` bytes at the end of the output; fill it, then client_queued.
struct writer client_queue(struct client *client, size_t size);
void client_queued(struct client *client, const struct writer *writer);
// Reads what is there into client->input, waiting for it until timeout_ms have passed (-1: for
// ever). 1: something came, 0: time-out, -ECONNRESET at the end, -errno.
int client_fill(struct client *client, size_t needed, int timeout_ms);
// The input that was not taken yet.
struct bytes client_input(const struct client *client);

// request: a free identifier, noted as awaiting `type`; 0 when the table is full.
uint16_t client_request_new(struct client *client, uint8_t type);
struct client_request *client_request_find(struct client *client, uint16_t packet_id,
                                           uint8_t awaits);

// client: the connection is over because of the server's `reason` or the world's `error`. Closes.
struct client_status client_end(struct client *client, int error, enum bud_reason reason);
// The same for a breach of the protocol, which 5.0 is told of.
struct client_status client_refuse(struct client *client, enum bud_reason reason);
void client_note_reason_string(struct client *client, const struct properties *properties);
// Queues and sends an acknowledgement.
int client_acknowledge(struct client *client, uint8_t type, struct packet_ack ack);

#endif
