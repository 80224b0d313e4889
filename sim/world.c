// SPDX-License-Identifier: MIT
// The run goes from moment to moment: everything that can happen now happens, in an order that the
// machine's numbers choose, then time passes to the next thing that is due.
#include "sim/world.h"

#include "base/memory.h"
#include "server/worker.h"
#include "sim/broker.h"
#include "sim/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DRAIN_MS 200000   // everything acknowledged has arrived after this long without faults
#define ROUNDS_MAX 200000 // in one moment; more is a livelock
#define RECONNECT_MS 500

struct world {
    const struct script *script;
    bool verbose;
    uint32_t next_action;
    int64_t retry_ms; // clients that are offline and should not be
    struct broker broker;
    struct oracle oracle;
    struct client clients[CLIENTS_MAX];
    uint64_t turns;
};

static void print_log(void *context, struct bytes line)
{
    struct world *world = context;
    if (world->verbose)
        printf("%8" PRId64 "  %.*s", machine_now_ms() - MACHINE_START_MS, (int)line.size,
               (const char *)line.data);
}

static void begin(struct world *world)
{
    const struct setup *setup = &world->script->setup;
    struct machine_options machine;
    struct options options;
    machine_options_default(&machine);
    machine.seed = setup->seed;
    machine.delay_min_ms = setup->delay_min_ms;
    machine.delay_max_ms = setup->delay_max_ms;
    machine.segment_bytes_max = setup->segment_bytes_max;
    machine.socket_bytes_max = setup->socket_bytes_max;
    machine.shuffles = true;
    machine.on_log = print_log;
    machine.context = world;
    machine_start(&machine);
    broker_options(&options, setup->worker_count);
    options.in_flight_max = setup->in_flight_max;
    options.queue_messages_max = setup->queue_messages_max;
    options.topic_alias_max = setup->topic_alias_max;
    options.verbose = 1;
    broker_start(&world->broker, &options);
    oracle_init(&world->oracle, setup);
    world->oracle.verbose = world->verbose;
    for (uint32_t i = 0; i < setup->client_count; i++)
        client_init(&world->clients[i], &world->oracle, (uint8_t)i);
}

// --- one moment ---

static bool poll_clients(struct world *world)
{
    uint32_t count = world->script->setup.client_count;
    uint32_t first = (uint32_t)machine_below(count);
    bool busy = false;
    for (uint32_t i = 0; i < count; i++)
        busy = client_poll(&world->clients[(first + i) % count]) || busy;
    return busy;
}

static void live_through_moment(struct world *world)
{
    uint32_t rounds = 0;
    bool busy = true;
    while (busy && !world->oracle.failed) {
        busy = poll_clients(world);
        for (uint64_t turns = 1 + machine_below(4); turns > 0; turns--) {
            bool turned = broker_turn(&world->broker);
            busy = busy || turned;
            world->turns += turned;
        }
        if (++rounds > ROUNDS_MAX)
            oracle_fail(&world->oracle, "no end of turns in one moment");
    }
}

static int64_t next_moment(const struct world *world)
{
    int64_t next_ms = broker_next_ms(&world->broker);
    for (uint32_t i = 0; i < world->script->setup.client_count; i++) {
        int64_t due_ms = client_next_ms(&world->clients[i]);
        if (due_ms > machine_now_ms() && due_ms < next_ms)
            next_ms = due_ms;
    }
    return next_ms;
}

static void live_until(struct world *world, int64_t until_ms)
{
    for (;;) {
        live_through_moment(world);
        int64_t next_ms = next_moment(world);
        if (world->oracle.failed || next_ms >= until_ms)
            break;
        machine_advance_to(next_ms);
    }
    if (!world->oracle.failed && until_ms > machine_now_ms())
        machine_advance_to(until_ms);
}

// --- the script ---

static void suspend(struct world *world, uint32_t span_ms)
{
    int64_t from_ms = machine_now_ms();
    if (world->oracle.suspend_count == SUSPENDS_MAX)
        return;
    machine_advance_to(from_ms + span_ms);
    oracle_suspended(&world->oracle, from_ms, machine_now_ms());
}

static void fail_memory(uint32_t count)
{
    uint64_t first = 1 + machine_below(count); // not among the arguments: they have no order
    memory_fail(first, 1 + machine_below(count) / 4);
}

static void perform(struct world *world, const struct action *action)
{
    const struct setup *setup = &world->script->setup;
    switch (action->kind) {
    case ACTION_SLEEP:
        world->broker.asleep_until_ms[action->client % setup->worker_count] =
            machine_now_ms() + action->span_ms;
        break;
    case ACTION_FAIL_MEMORY: fail_memory(action->count); break;
    case ACTION_FAIL_ACCEPTS: machine_fail_accepts(-EMFILE, action->count); break;
    case ACTION_SUSPEND: suspend(world, action->span_ms); break;
    case ACTION_WALL_CLOCK: machine_jump_wall_clock(-(int64_t)action->span_ms); break;
    default: client_act(&world->clients[action->client], action); break;
    }
}

static void introduce_witness(struct world *world)
{
    struct client *witness = &world->clients[0];
    struct action connect = {.kind = ACTION_CONNECT, .expiry_s = UINT32_MAX};
    client_act(witness, &connect);
    live_until(world, machine_now_ms() + 2000);
    for (uint8_t i = 0; i < FILTER_COUNT; i++) {
        struct action subscribe = {.kind = ACTION_SUBSCRIBE, .text = i, .qos = 2};
        if (strcmp(script_filters[i], "#") == 0 || strcmp(script_filters[i], "$x/#") == 0)
            client_act(witness, &subscribe);
    }
    live_until(world, machine_now_ms() + 2000);
}

// Only a fault of memory can have thrown it out.
static void bring_back_witness(struct world *world)
{
    struct action connect = {.kind = ACTION_CONNECT, .expiry_s = UINT32_MAX};
    if (world->clients[0].state == CLIENT_OFFLINE && machine_now_ms() >= world->retry_ms) {
        world->retry_ms = machine_now_ms() + RECONNECT_MS;
        client_act(&world->clients[0], &connect);
    }
}

static void play(struct world *world)
{
    const struct script *script = world->script;
    int64_t start_ms = machine_now_ms();
    for (uint32_t i = 0; i < script->count && !world->oracle.failed; i++) {
        const struct action *action = &script->actions[i];
        if (start_ms + action->at_ms > machine_now_ms())
            live_until(world, start_ms + action->at_ms);
        bring_back_witness(world);
        perform(world, action);
    }
}

// --- the end ---

static void end_faults(struct world *world)
{
    machine_calm();
    memory_fail(0, 0);
    memset(world->broker.asleep_until_ms, 0, sizeof world->broker.asleep_until_ms);
    for (uint32_t i = 0; i < world->script->setup.client_count; i++) {
        struct client *client = &world->clients[i];
        client->stalled_until_ms = client->mute_until_ms = machine_now_ms();
        client->hurries = true;
    }
}

static bool everybody_is_done(struct world *world)
{
    struct action connect = {.kind = ACTION_CONNECT, .expiry_s = 1000};
    bool done = server_count(world->broker.server, COUNTER_QUEUED_MESSAGES) == 0;
    for (uint32_t i = 0; i < world->script->setup.client_count; i++) {
        struct client *client = &world->clients[i];
        if (client->state == CLIENT_OFFLINE)
            client_act(client, &connect);
        done = done && client_is_done(client);
    }
    return done;
}

static void drain(struct world *world)
{
    int64_t until_ms = machine_now_ms() + DRAIN_MS;
    end_faults(world);
    // Late wills and cut connections show only with time, so it goes on when all are done.
    int64_t calm_ms = machine_now_ms() + 3000;
    while (!world->oracle.failed && machine_now_ms() < until_ms &&
           (!everybody_is_done(world) || machine_now_ms() < calm_ms))
        live_until(world, machine_now_ms() + RECONNECT_MS);
    for (uint32_t i = 0; i < world->script->setup.client_count; i++) {
        const struct client *client = &world->clients[i];
        if (!client_is_done(client))
            oracle_fail(&world->oracle,
                        "client %u is not done: state %d, %u out, %u in, %u requests", i,
                        client->state, client->outgoing_count, client->incoming_count,
                        client->request_count);
    }
    if (!everybody_is_done(world))
        oracle_fail(&world->oracle, "%" PRIu64 " messages stay queued",
                    server_count(world->broker.server, COUNTER_QUEUED_MESSAGES));
}

static bool note_retained(struct world *world, struct peer *probe, uint32_t *found)
{
    struct packet packet;
    size_t before = probe->input.size;
    bool any = false;
    while (peer_take(probe, &packet)) {
        any = true;
        if (packet.type == PACKET_PUBLISH && packet.publish.payload.size == 0)
            oracle_fail(&world->oracle, "an empty message is retained");
        if (packet.type != PACKET_PUBLISH || packet.publish.payload.size < 8)
            continue;
        struct reader reader = reader_of(bytes_from(packet.publish.payload, 4));
        for (uint32_t i = 0; i < TOPIC_COUNT; i++)
            if (bytes_equal(packet.publish.topic,
                            bytes_make(script_topics[i], strlen(script_topics[i]))))
                found[i] = reader_u32(&reader);
    }
    return any || probe->input.size != before;
}

// A stranger asks for everything that is retained.
static void probe_retained(struct world *world)
{
    struct peer probe;
    uint32_t found[TOPIC_COUNT] = {0};
    struct packet_connect connect = {
        .version = MQTT_5_0, .clean_start = true, .client_id = BYTES_OF("probe")};
    if (!peer_call(&probe, MQTT_5_0))
        return;
    peer_connect(&probe, &connect);
    peer_subscribe(&probe, 1, BYTES_OF("#"), (struct subscription_options){0}, 0);
    peer_subscribe(&probe, 2, BYTES_OF("$x/#"), (struct subscription_options){0}, 0);
    for (int quiet = 0; quiet < 20; quiet++) {
        live_until(world, machine_now_ms() + 2);
        if (note_retained(world, &probe, found))
            quiet = 0;
    }
    for (uint8_t i = 0; i < TOPIC_COUNT; i++)
        oracle_judge_retained(&world->oracle, i, found[i]);
    peer_done(&probe);
}

static uint64_t check_counters(struct world *world)
{
    struct server *server = world->broker.server;
    const struct setup *setup = &world->script->setup;
    uint64_t full = server_count(server, COUNTER_DROPPED_QUEUE_FULL);
    uint64_t memory = server_count(server, COUNTER_DROPPED_NO_MEMORY) +
                      server_count(server, COUNTER_REFUSED_MEMORY);
    if (full > 0 && setup->queue_messages_max > 100)
        oracle_fail(&world->oracle, "%" PRIu64 " messages dropped: a queue was full", full);
    if (memory > 0 && !setup->fails_memory)
        oracle_fail(&world->oracle, "%" PRIu64 " failures of memory, and it did not fail", memory);
    return full + memory + server_count(server, COUNTER_DROPPED_OUTPUT_FULL);
}

static void say_goodbye(struct world *world)
{
    struct action goodbye = {.kind = ACTION_DISCONNECT, .how = BUD_SUCCESS, .expiry_s = UINT32_MAX};
    for (uint32_t i = 0; i < world->script->setup.client_count; i++)
        client_act(&world->clients[i], &goodbye);
    live_until(world, machine_now_ms() + 5000);
    for (uint32_t i = 0; i < world->script->setup.client_count; i++)
        client_done(&world->clients[i]);
}

static void finish(struct world *world)
{
    drain(world);
    if (!world->oracle.failed)
        probe_retained(world);
    if (!world->oracle.failed)
        say_goodbye(world);
    if (world->oracle.failed)
        return;
    oracle_judge(&world->oracle, check_counters(world));
}

void world_run(const struct script *script, bool verbose, struct outcome *ret_outcome)
{
    struct world *world = memory_new(sizeof *world);
    world->script = script;
    world->verbose = verbose;
    begin(world);
    introduce_witness(world);
    uint64_t allocations = memory_try_count();
    if (script->setup.failing_allocation > 0)
        memory_fail(script->setup.failing_allocation, 1);
    play(world);
    finish(world);
    *ret_outcome = (struct outcome){
        .failed = world->oracle.failed,
        .trace_hash = machine_trace_hash(),
        .messages = world->oracle.message_count,
        .deliveries = server_count(world->broker.server, COUNTER_PUBLISH_SENT),
        .turns = world->turns,
        .allocations = memory_try_count() - allocations,
    };
    memcpy(ret_outcome->words, world->oracle.words, sizeof world->oracle.words);
    for (uint32_t i = 0; i < script->setup.client_count; i++)
        client_done(&world->clients[i]);
    memory_fail(0, 0);
    machine_calm();
    broker_stop(&world->broker);
    machine_stop();
    memory_free(world);
}
