// SPDX-License-Identifier: MIT
// Which packet identifiers are in use, and for what answer. Small and searched in order: a window
// is a few dozen.
#include "client/client_parts.h"

static bool in_use(const struct client *client, uint16_t packet_id)
{
    for (size_t i = 0; i < CLIENT_WINDOW_MAX; i++) {
        if (client->requests[i].awaits != 0 && client->requests[i].packet_id == packet_id)
            return true;
    }
    return false;
}

// Never 0 [MQTT-2.2.1-3], never one in use [MQTT-2.2.1-2].
static uint16_t next_free_id(struct client *client)
{
    do {
        client->packet_id_last++;
    } while (client->packet_id_last == 0 || in_use(client, client->packet_id_last));
    return client->packet_id_last;
}

static struct client_request *free_slot(struct client *client)
{
    for (size_t i = 0; i < CLIENT_WINDOW_MAX; i++) {
        if (client->requests[i].awaits == 0)
            return &client->requests[i];
    }
    return NULL;
}

static bool is_of_publish(const struct client_request *request)
{
    return request->awaits == PACKET_PUBACK || request->awaits == PACKET_PUBREC ||
           request->awaits == PACKET_PUBCOMP;
}

size_t client_unanswered(const struct client *client)
{
    size_t count = 0;

    for (size_t i = 0; i < CLIENT_WINDOW_MAX; i++)
        count += is_of_publish(&client->requests[i]);
    return count;
}

uint16_t client_request_new(struct client *client, uint8_t type)
{
    struct client_request request = {0, type};
    struct client_request *slot = free_slot(client);

    if (!slot)
        return 0;
    if (is_of_publish(&request) && client_unanswered(client) >= client->publishes_max)
        return 0; // [MQTT-3.3.4-7]
    request.packet_id = next_free_id(client);
    *slot = request;
    return request.packet_id;
}

struct client_request *client_request_find(struct client *client, uint16_t packet_id,
                                           uint8_t awaits)
{
    for (size_t i = 0; i < CLIENT_WINDOW_MAX; i++) {
        struct client_request *request = &client->requests[i];

        if (request->awaits == awaits && request->packet_id == packet_id)
            return request;
    }
    return NULL;
}
