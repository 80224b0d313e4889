// SPDX-License-Identifier: MIT
#include "sim/broker.h"

#include "server/worker.h"
#include "sim/machine.h"

// A worker with so many turns in one moment does not wait for anything: it spins.
#define TURNS_IN_A_MOMENT_MAX 20000

void broker_options(struct options *options, uint32_t worker_count)
{
    options_set_defaults(options);
    options->persistence = 0;
    options->workers = worker_count;
    options->allow_anonymous = ANONYMOUS_TRUE;
    options->log_format = LOG_LOGFMT;
    options->takeovers_max = 0; // simulated clients come back more often than those of the field
    options->connect_rate = options->network_connect_rate = 0;
}

void broker_start(struct broker *broker, const struct options *options)
{
    char error[SERVER_ERROR_MAX];
    *broker = (struct broker){0};
    ASSERT(server_new(options, &broker->server, error) == 0);
}

static bool may_turn(const struct broker *broker, uint32_t number)
{
    const struct worker *worker = broker->server->workers[number];
    return !worker->stopped && broker->asleep_until_ms[number] <= machine_now_ms() &&
           machine_loop_is_due(worker->loop);
}

bool broker_turn(struct broker *broker)
{
    uint32_t due[EPOCH_WORKERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < broker->server->worker_count; i++)
        if (may_turn(broker, i))
            due[count++] = i;
    if (count == 0)
        return false;
    uint32_t chosen = count == 1 ? 0 : (uint32_t)machine_below(count);
    worker_turn(broker->server->workers[due[chosen]]);
    return true;
}

void broker_settle(struct broker *broker)
{
    uint32_t turns = 0;
    while (broker_turn(broker))
        ASSERT(++turns < TURNS_IN_A_MOMENT_MAX);
}

int64_t broker_next_ms(const struct broker *broker)
{
    int64_t next_ms = machine_next_ms();
    for (uint32_t i = 0; i < broker->server->worker_count; i++) {
        const struct worker *worker = broker->server->workers[i];
        int64_t due_ms = machine_loop_due_ms(worker->loop);
        int64_t awake_ms = broker->asleep_until_ms[i];
        if (awake_ms > machine_now_ms() && machine_loop_is_due(worker->loop))
            due_ms = awake_ms;
        else if (due_ms < awake_ms)
            due_ms = awake_ms;
        if (!worker->stopped && due_ms < next_ms)
            next_ms = due_ms;
    }
    return next_ms;
}

void broker_run_to(struct broker *broker, int64_t until_ms)
{
    for (;;) {
        broker_settle(broker);
        int64_t next_ms = broker_next_ms(broker);
        if (next_ms > until_ms)
            break;
        machine_advance_to(next_ms);
    }
    machine_advance_to(until_ms);
    broker_settle(broker);
}

void broker_run_for(struct broker *broker, int64_t span_ms)
{
    broker_run_to(broker, machine_now_ms() + span_ms);
}

void broker_stop(struct broker *broker)
{
    struct server *server = broker->server;
    bool running = true;
    for (uint32_t i = 0; i < server->worker_count; i++)
        worker_stop(server->workers[i]);
    while (running) {
        broker_settle(broker);
        running = false;
        for (uint32_t i = 0; i < server->worker_count; i++)
            running = running || !server->workers[i]->stopped;
        if (running)
            machine_advance_to(broker_next_ms(broker));
    }
    server_free(server); // asserts that nothing of the memory budget is left in use
}
