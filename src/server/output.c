// SPDX-License-Identifier: MIT
#include "server/output.h"

#include "base/memory.h"

#include <string.h>

static struct chunk *take_chunk(struct chunk_pool *pool)
{
    struct chunk *chunk = pool->free;
    if (chunk != NULL) {
        pool->free = chunk->next;
        pool->free_count--;
    } else {
        chunk = memory_try_resize(NULL, sizeof(*chunk) + CHUNK_SIZE);
        // Anyway: an acknowledgement that finds no room would cost the client its connection. What
        // is counted is seen, and shed from those who do not read.
        if (chunk != NULL && pool->budget != NULL)
            budget_take_anyway(pool->budget, sizeof(*chunk) + CHUNK_SIZE);
    }
    if (chunk != NULL)
        *chunk = (struct chunk){.start = chunk->bytes};
    return chunk;
}

static void append(struct output *output, struct chunk *chunk)
{
    if (output->first == NULL)
        output->first = chunk;
    else
        output->last->next = chunk;
    output->last = chunk;
}

static size_t room_in(const struct chunk *chunk)
{
    if (chunk == NULL || chunk->message != NULL)
        return 0;
    return (size_t)(chunk->bytes + CHUNK_SIZE - (chunk->start + chunk->size));
}

uint8_t *output_try_room(struct output *output, struct chunk_pool *pool, size_t size)
{
    ASSERT(size <= CHUNK_SIZE);
    if (room_in(output->last) < size) {
        struct chunk *chunk = take_chunk(pool);
        if (chunk == NULL)
            return NULL;
        append(output, chunk);
    }
    struct chunk *last = output->last;
    return last->bytes + (last->start - last->bytes) + last->size;
}

void output_wrote(struct output *output, size_t size)
{
    ASSERT(room_in(output->last) >= size);
    output->last->size += size;
    output->size += size;
}

bool output_try_append(struct output *output, struct chunk_pool *pool, struct bytes bytes)
{
    while (bytes.size > 0) {
        size_t size = bytes.size < CHUNK_SIZE ? bytes.size : CHUNK_SIZE;
        uint8_t *room = output_try_room(output, pool, size);
        if (room == NULL)
            return false;
        memcpy(room, bytes.data, size);
        output_wrote(output, size);
        bytes = bytes_from(bytes, size);
    }
    return true;
}

bool output_try_payload(struct output *output, struct message *message)
{
    struct chunk *chunk = memory_try_resize(NULL, sizeof(*chunk));
    if (chunk == NULL)
        return false;
    *chunk = (struct chunk){
        .message = message_ref(message), .start = message->payload, .size = message->payload_size};
    append(output, chunk);
    output->size += chunk->size;
    return true;
}

void output_append(struct output *output, struct output *more)
{
    if (more->first == NULL)
        return;
    if (output->first == NULL)
        output->first = more->first;
    else
        output->last->next = more->first;
    output->last = more->last;
    output->size += more->size;
    *more = (struct output){0};
}

int output_parts(const struct output *output, struct iovec *parts, int count_max)
{
    int count = 0;
    for (struct chunk *chunk = output->first; chunk != NULL && count < count_max;
         chunk = chunk->next) {
        if (chunk->size == 0)
            continue;
        // writev does not write to its parts; iovec has no const.
        parts[count].iov_base = (void *)(uintptr_t)chunk->start;
        parts[count].iov_len = chunk->size;
        count++;
    }
    return count;
}

static void drop_first(struct output *output, struct chunk_pool *pool)
{
    struct chunk *chunk = output->first;
    output->first = chunk->next;
    if (output->first == NULL)
        output->last = NULL;
    if (chunk->message != NULL) {
        message_unref(chunk->message);
        memory_free(chunk);
        return;
    }
    chunk->next = pool->free;
    pool->free = chunk;
    pool->free_count++;
}

void output_consume(struct output *output, struct chunk_pool *pool, size_t size)
{
    ASSERT(size <= output->size);
    output->size -= size;
    while (output->first != NULL && output->first->size <= size) {
        size -= output->first->size;
        drop_first(output, pool);
    }
    if (size > 0) {
        output->first->start += size;
        output->first->size -= size;
    }
}

void output_done(struct output *output, struct chunk_pool *pool)
{
    while (output->first != NULL)
        drop_first(output, pool);
    output->size = 0;
}

void chunk_pool_trim(struct chunk_pool *pool, uint32_t keep)
{
    while (pool->free_count > keep) {
        struct chunk *chunk = pool->free;
        pool->free = chunk->next;
        pool->free_count--;
        if (pool->budget != NULL)
            budget_give(pool->budget, sizeof(*chunk) + CHUNK_SIZE);
        memory_free(chunk);
    }
}
