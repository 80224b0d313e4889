// SPDX-License-Identifier: MIT
// The broker of a power-cut world and its turns: workers and the writer in an order that the
// machine's random numbers choose. Clients read after every turn, so that at any operation of the
// disk the world's state holds all that had left the broker.
#include "sim/power_world.h"

#include "server/worker.h"
#include "server/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_PAGES 60      // so that the log is copied often
#define MOMENT_MAX 40000u // turns of one moment
#define STOP_TURNS 20     // of one millisecond
#define STOP_MS_MAX 10000

void power_fail(struct power_world *world, const char *format, ...)
{
    va_list arguments;
    if (world->failed)
        return;
    world->failed = true;
    va_start(arguments, format);
    (void)vsnprintf(world->words, sizeof(world->words), format, arguments);
    va_end(arguments);
}

bool power_start(struct power_world *world, struct disk_fault *disk, const char *directory)
{
    char error[SERVER_ERROR_MAX];
    static struct listener_options listener;
    struct options *options = &world->options;
    broker_options(options, world->workload->workers);
    options->persistence = 1;
    options->durability = DURABILITY_COMMIT;
    options->queue_messages_max = options->queue_bytes_max = 0;
    options->in_flight_max = 24;
    options->store_vfs = disk_fault_vfs(disk);
    options->store_log_pages_max = LOG_PAGES;
    options->data = directory;
    options_fill_listener(options, &listener);
    listener.tls = LISTENER_TLS_NONE; // no keys are made
    options->listeners = &listener;
    options->listener_count = 1;
    world->broker = (struct broker){0};
    if (server_new(options, &world->broker.server, error) == 0)
        return true;
    world->broker.server = NULL;
    power_fail(world, "it does not open: %.200s", error);
    return false;
}

static bool write_store(struct power_world *world)
{
    bool wrote = writer_step(world->broker.server->writer);
    return power_read(world) || wrote;
}

// One turn of a worker, or a step of the writer.
static bool turn(struct power_world *world)
{
    if (machine_below(4) == 0 && write_store(world))
        return true;
    if (broker_turn(&world->broker)) {
        (void)power_read(world);
        return true;
    }
    // What is read from the store wakes its worker.
    return write_store(world) || broker_turn(&world->broker) || power_read(world);
}

void power_turns(struct power_world *world, uint32_t count)
{
    while (count-- > 0 && turn(world))
        ;
}

void power_settle(struct power_world *world)
{
    uint32_t count = 0;
    while (turn(world))
        if (++count == MOMENT_MAX) {
            power_fail(world, "the broker does not come to rest");
            return;
        }
}

void power_wait(struct power_world *world, int64_t span_ms)
{
    int64_t until_ms = machine_now_ms() + span_ms;
    power_settle(world);
    while (!world->failed && broker_next_ms(&world->broker) <= until_ms) {
        machine_advance_to(broker_next_ms(&world->broker));
        power_settle(world);
    }
    machine_advance_to(until_ms);
    power_settle(world);
}

static bool all_stopped(const struct server *server)
{
    for (uint32_t i = 0; i < server->worker_count; i++)
        if (!server->workers[i]->stopped)
            return false;
    return true;
}

void power_stop(struct power_world *world)
{
    struct server *server = world->broker.server;
    int64_t until_ms = machine_now_ms() + STOP_MS_MAX;
    for (uint32_t i = 0; i < power_clients(world->workload); i++)
        power_drop(world, i);
    power_settle(world);
    for (uint32_t i = 0; i < server->worker_count; i++)
        worker_stop(server->workers[i]);
    while (!all_stopped(server)) {
        ASSERT(machine_now_ms() < until_ms);
        for (uint32_t i = 0; i < STOP_TURNS && !all_stopped(server); i++) {
            (void)broker_turn(&world->broker);
            (void)writer_step(server->writer);
        }
        machine_advance_to(machine_now_ms() + 1);
    }
    server_stop(server); // what is left is written
    server_free(server);
    world->broker.server = NULL;
}
