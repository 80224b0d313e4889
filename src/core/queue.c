// SPDX-License-Identifier: MIT
#include "core/queue.h"

#include "base/memory.h"

size_t delivery_weight(const struct delivery *delivery)
{
    return sizeof(*delivery) + message_size(delivery->message);
}

static bool grow(struct queue *queue)
{
    uint32_t capacity = queue->capacity == 0 ? 4 : queue->capacity * 2;
    if (capacity < queue->capacity)
        return false;
    struct delivery *slots = memory_try_resize(NULL, capacity * sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < queue->count; i++)
        slots[i] = *queue_at(queue, i);
    memory_free(queue->slots);
    queue->slots = slots;
    queue->capacity = capacity;
    queue->first = 0;
    return true;
}

bool queue_try_push(struct queue *queue, struct delivery delivery)
{
    if (queue->count == queue->capacity && !grow(queue))
        return false;
    queue->slots[(queue->first + queue->count) & (queue->capacity - 1)] = delivery;
    queue->count++;
    queue->bytes += delivery_weight(&delivery);
    return true;
}

struct delivery *queue_at(struct queue *queue, uint32_t position)
{
    return &queue->slots[(queue->first + position) & (queue->capacity - 1)];
}

struct delivery *queue_front(struct queue *queue)
{
    return queue->count == 0 ? NULL : queue_at(queue, 0);
}

struct delivery queue_pop(struct queue *queue)
{
    ASSERT(queue->count > 0);
    struct delivery delivery = *queue_at(queue, 0);
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->count--;
    queue->bytes -= delivery_weight(&delivery);
    if (queue->count == 0)
        queue_done(queue);
    return delivery;
}

void queue_done(struct queue *queue)
{
    ASSERT(queue->count == 0);
    memory_free(queue->slots);
    *queue = (struct queue){0};
}
