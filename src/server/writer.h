// SPDX-License-Identifier: MIT
// The one thread that writes the store. It takes every batch that waits, from all workers, and
// commits them as one transaction; when the barrier has passed, each worker is told. A full disk is
// waited out; any other failure ends the broker with status 74, and nothing that was not committed
// has been acknowledged.
#ifndef BUD_SERVER_WRITER_H
#define BUD_SERVER_WRITER_H

#include "server/journal.h"

struct server;
struct writer_thread;

// The store of server->options is opened and everything in it loaded into the workers. 0 or -errno
// with a sentence in `error`.
int writer_new(struct server *server, struct writer_thread **ret_writer, char *error);
int writer_start(struct writer_thread *writer); // its thread; 0 or -errno
void writer_stop(struct writer_thread *writer); // what was given is committed first
void writer_free(struct writer_thread *writer); // closes the store

void writer_give(struct writer_thread *writer,
                 struct batch *batch); // from any worker; takes it over

// Deliveries of a session that only the store has. Answered by POST_READ to the worker once its
// batch `batch` is committed.
struct read_request {
    struct read_request *next;
    uint32_t worker;
    uint64_t batch;
    uint64_t session; // its number
    uint64_t after;
    uint32_t count; // asked for
    uint32_t got;
    bool is_last;                // there are no more
    struct delivery *deliveries; // `count` places; owned, as the request is by whoever has it
    uint32_t client_id_size;
    uint8_t client_id[];
};

void writer_ask(struct writer_thread *writer,
                struct read_request *request);        // from any worker; takes it over
void read_request_free(struct read_request *request); // with the deliveries in it

// One round: commits what waits. For the thread, and for the simulator. False: there was nothing.
bool writer_step(struct writer_thread *writer);

bool writer_is_low(
    const struct writer_thread *writer); // little disk space: durable publishes are to wait

_Noreturn void writer_fail(const char *why); // says so and exits with 74

#endif
