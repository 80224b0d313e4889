// SPDX-License-Identifier: MIT
// Bytes on their way to one socket: small packets are gathered in chunks, large payloads are
// referenced where they are. Chunks come from the worker's pool and go back as soon as they are
// written, so an idle connection holds none.
#ifndef BUD_SERVER_OUTPUT_H
#define BUD_SERVER_OUTPUT_H

#include "core/message.h"

#include <sys/uio.h>

#define CHUNK_SIZE 8192

// Payloads from here on are not copied.
#define REFERENCED_SIZE_MIN 2048

struct chunk {
    struct chunk *next;
    struct message *message; // its payload is these bytes; NULL: they are in bytes[]
    const uint8_t *start;    // first byte not yet written to the socket
    size_t size;
    uint8_t bytes[];
};

struct chunk_pool {
    struct chunk *free;
    uint32_t free_count;
    struct budget *budget; // counts all chunks, in use or free; NULL: none
};

struct output {
    struct chunk *first, *last;
    size_t size; // bytes in all
};

// Room for `size` (at most CHUNK_SIZE) bytes in one piece at the end: write there, then
// output_wrote. NULL without memory.
uint8_t *output_try_room(struct output *output, struct chunk_pool *pool, size_t size);
void output_wrote(struct output *output, size_t size);

// Any number of bytes, over as many chunks as it takes. False without memory; part of it may be
// there then, so the output is lost.
bool output_try_append(struct output *output, struct chunk_pool *pool, struct bytes bytes);

// The payload of `message` comes next; a reference is taken. False without memory.
bool output_try_payload(struct output *output, struct message *message);

void output_append(struct output *output,
                   struct output *more); // takes over all of `more`, which is empty then

// Up to `count_max` parts to write; returns how many.
int output_parts(const struct output *output, struct iovec *parts, int count_max);
void output_consume(struct output *output, struct chunk_pool *pool,
                    size_t size);                                 // those bytes were written
void output_done(struct output *output, struct chunk_pool *pool); // lets everything go

void chunk_pool_trim(struct chunk_pool *pool, uint32_t keep);

#endif
