// SPDX-License-Identifier: MIT
#include "server/held.h"

#include "base/memory.h"
#include "server/worker.h"

static void list_in(struct connection *connection)
{
    struct worker *worker = connection->worker;
    connection->holding = true;
    connection->previous_holding = NULL;
    connection->next_holding = worker->holding;
    if (worker->holding != NULL)
        worker->holding->previous_holding = connection;
    worker->holding = connection;
}

static void list_out(struct connection *connection)
{
    if (!connection->holding)
        return;
    if (connection->previous_holding != NULL)
        connection->previous_holding->next_holding = connection->next_holding;
    else
        connection->worker->holding = connection->next_holding;
    if (connection->next_holding != NULL)
        connection->next_holding->previous_holding = connection->previous_holding;
    connection->holding = false;
}

void held_begin(struct connection *connection)
{
    const struct journal *journal = &connection->worker->journal;
    if (!journal->keeps)
        return;
    struct held *held = connection->held_last;
    if (held == NULL || held->ticket != journal->ticket) {
        held = memory_try_new(sizeof(*held));
        if (held == NULL) {
            connection->failed = true;
            return;
        }
        held->ticket = journal->ticket;
        if (connection->held_first == NULL)
            connection->held_first = held;
        else
            connection->held_last->next = held;
        connection->held_last = held;
        if (!connection->holding)
            list_in(connection);
    }
    connection->into = &held->output;
}

void held_begin_answer(struct connection *connection)
{
    if (connection->worker->journal.noted || connection->held_first != NULL)
        held_begin(connection);
}

void held_begin_if_waiting(struct connection *connection)
{
    if (connection->held_first != NULL)
        held_begin(connection);
}

void held_begin_behind(struct connection *connection, uint64_t ticket)
{
    struct held *held = connection->held_first;
    while (held != NULL && held->ticket < ticket)
        held = held->next;
    if (held != NULL && held->ticket == ticket)
        connection->into = &held->output;
}

void held_end(struct connection *connection)
{
    connection->into = &connection->output;
}

static void release(struct connection *connection, uint64_t durable)
{
    struct held *held;
    while ((held = connection->held_first) != NULL && held->ticket <= durable) {
        connection->held_first = held->next;
        output_append(&connection->output, &held->output);
        memory_free(held);
        connection->welcomed = true;
        connection_mark_dirty(connection);
    }
    if (connection->held_first == NULL) {
        connection->held_last = NULL;
        list_out(connection);
    }
}

void held_release(struct worker *worker)
{
    struct connection *next;
    uint64_t durable = worker->journal.durable;
    if (durable == worker->released)
        return;
    worker->released = durable;
    for (struct connection *connection = worker->holding; connection != NULL; connection = next) {
        next = connection->next_holding;
        release(connection, durable);
    }
}

void held_drop(struct connection *connection)
{
    struct held *held;
    while ((held = connection->held_first) != NULL) {
        connection->held_first = held->next;
        output_done(&held->output, &connection->worker->chunks);
        memory_free(held);
    }
    connection->held_last = NULL;
    list_out(connection);
}
