// SPDX-License-Identifier: MIT
#include "core/message.h"

#include "base/memory.h"

#include <string.h>

bool spread_has(const struct spread *spread, uint64_t reached)
{
    for (uint32_t i = 0; spread != NULL && i < spread->count; i++)
        if (spread->reached[i] == reached)
            return true;
    return false;
}

struct spread *spread_try_add(struct spread *spread, uint16_t packet_id, uint64_t reached)
{
    uint32_t count = spread == NULL ? 0 : spread->count;
    struct spread *larger =
        memory_try_resize(spread, sizeof(*spread) + (count + 1) * sizeof(spread->reached[0]));
    if (larger == NULL)
        return NULL;
    larger->packet_id = packet_id;
    larger->count = count + 1;
    larger->reached[count] = reached;
    return larger;
}

static bool is_forwarded(uint8_t identifier)
{
    return identifier == PROPERTY_PAYLOAD_FORMAT_INDICATOR || identifier == PROPERTY_CONTENT_TYPE ||
           identifier == PROPERTY_RESPONSE_TOPIC || identifier == PROPERTY_CORRELATION_DATA ||
           identifier == PROPERTY_USER_PROPERTY;
}

// Copies the forwarded properties to `to` (unless NULL) and returns their size.
static size_t copy_forwarded(const struct properties *properties, uint8_t *to)
{
    if (properties == NULL)
        return 0;
    struct bytes rest = properties->raw;
    struct property_item item;
    size_t size = 0;
    while (property_iterate(&rest, &item)) {
        if (!is_forwarded(item.identifier))
            continue;
        if (to != NULL)
            memcpy(to + size, item.encoded.data, item.encoded.size);
        size += item.encoded.size;
    }
    return size;
}

static int64_t expiry_of(const struct message_source *source)
{
    if (source->properties == NULL ||
        !properties_have(source->properties, PROPERTY_MESSAGE_EXPIRY_INTERVAL))
        return MESSAGE_NEVER_EXPIRES;
    return source->now_ms + (int64_t)source->properties->message_expiry_interval * 1000;
}

static void place_text(struct message *message, const struct message_source *source)
{
    if (source->storage != NULL) {
        message->storage = source->storage;
        message->topic = source->topic.data;
        message->payload = source->payload.data;
        return;
    }
    uint8_t *topic = message->bytes + message->properties_size;
    uint8_t *payload = topic + source->topic.size;
    if (source->topic.size > 0)
        memcpy(topic, source->topic.data, source->topic.size);
    if (source->payload.size > 0)
        memcpy(payload, source->payload.data, source->payload.size);
    message->topic = topic;
    message->payload = payload;
}

struct message *message_try_new(struct budget *budget, const struct message_source *source)
{
    size_t properties_size = copy_forwarded(source->properties, NULL);
    ASSERT(source->storage_size <= UINT32_MAX); // a packet is at most 256 MB
    size_t own = sizeof(struct message) + properties_size;
    if (source->storage == NULL)
        own += source->topic.size + source->payload.size;
    size_t size = own + source->storage_size;
    if (!(source->is_own ? budget_take_reserve(budget, size) : budget_take(budget, size)))
        return NULL;
    struct message *message = memory_try_resize(NULL, own);
    if (message == NULL) {
        budget_give(budget, size);
        return NULL;
    }
    *message = (struct message){
        .qos = source->qos,
        .retain = source->retain,
        .topic_size = (uint16_t)source->topic.size,
        .properties_size = (uint32_t)properties_size,
        .payload_size = (uint32_t)source->payload.size,
        .storage_size = (uint32_t)source->storage_size,
        .packet_id = source->packet_id,
        .publisher = source->publisher,
        .spread = source->spread,
        .principal = source->retain ? principal_ref(source->principal) : NULL,
        .expires_ms = expiry_of(source),
        .budget = budget,
    };
    atomic_init(&message->references, 1);
    copy_forwarded(source->properties, message->bytes);
    place_text(message, source);
    return message;
}

struct message *message_ref(struct message *message)
{
    atomic_fetch_add_explicit(&message->references, 1, memory_order_relaxed);
    return message;
}

void message_unref(struct message *message)
{
    if (message == NULL)
        return;
    // Release: this holder's reads happen before the free; acquire: the free happens after
    // everybody's.
    uint32_t before = atomic_fetch_sub_explicit(&message->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1)
        return;
    budget_give(message->budget, message_size(message));
    memory_free(message->spread);
    principal_unref(message->principal);
    memory_free(message->storage);
    memory_free(message);
}

size_t message_size(const struct message *message)
{
    size_t size = sizeof(*message) + message->properties_size;
    if (message->storage != NULL)
        return size + message->storage_size;
    return size + message->topic_size + message->payload_size;
}
