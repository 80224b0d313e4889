// SPDX-License-Identifier: MIT
// The numbers here come from a stream of their own, so that how a run goes does not change what
// was planned for it.
#include "sim/script.h"

#include "proto/packet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *const script_topics[TOPIC_COUNT] = {
    "a", "a/b", "a/b/c", "b", "c/d", "/", "$x/y", "a//c",
};

const char *const script_filters[FILTER_COUNT] = {
    "a",
    "a/b",
    "a/#",
    "#",
    "+/b",
    "+",
    "b",
    "c/+",
    "a/+/c",
    "$x/#",
    "$share/g/a/#",
    "$share/g/+",
    "$share/h/a/b",
    "nobody/writes/here",
};

struct stream {
    uint64_t state;
};

static uint64_t next(struct stream *stream)
{
    stream->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = stream->state;
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

static uint32_t below(struct stream *stream, uint32_t end)
{
    return (uint32_t)(next(stream) % end);
}

static bool one_in(struct stream *stream, uint32_t count)
{
    return below(stream, count) == 0;
}

static uint32_t pick(struct stream *stream, const uint32_t *values, uint32_t count)
{
    return values[below(stream, count)];
}
#define PICK(stream, ...)                                                                          \
    pick(stream, (const uint32_t[]){__VA_ARGS__},                                                  \
         (uint32_t)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))

// --- setup ---

static void make_client(struct stream *stream, struct client_setup *client, bool witness)
{
    // Not 3.1: it does not tell a client whether its session is still there.
    client->version = (uint8_t)PICK(stream, MQTT_3_1_1, MQTT_3_1_1, MQTT_5_0, MQTT_5_0, MQTT_5_0);
    if (witness)
        client->version = MQTT_5_0;
    if (client->version == MQTT_5_0 && !witness) {
        client->receive_maximum = (uint16_t)PICK(stream, 0, 0, 1, 2, 5, 100);
        client->alias_maximum = (uint16_t)PICK(stream, 0, 0, 2, 10);
        client->packet_size_max = PICK(stream, 0, 0, 0, 200, 3000);
    }
    client->ack_delay_ms = witness ? 0 : PICK(stream, 0, 0, 5, 80, 1000);
}

static void make_setup(struct stream *stream, struct setup *setup)
{
    setup->worker_count = PICK(stream, 1, 2, 2, 3, 4);
    setup->client_count = 3 + below(stream, CLIENTS_MAX - 2);
    setup->delay_min_ms = PICK(stream, 0, 0, 1, 20);
    setup->delay_max_ms = setup->delay_min_ms + PICK(stream, 0, 1, 10, 200);
    setup->segment_bytes_max = PICK(stream, 0, 0, 7, 40, 1000);
    setup->socket_bytes_max = PICK(stream, 700, 4096, 65536, 262144);
    setup->in_flight_max = PICK(stream, 1, 3, 32, 32);
    setup->queue_messages_max = PICK(stream, 10000, 10000, 10000, 4);
    setup->topic_alias_max = PICK(stream, 0, 2, 32);
    setup->span_ms = PICK(stream, 500, 5000, 30000, 90000);
    setup->fails_memory = one_in(stream, 8);
    for (uint32_t i = 0; i < setup->client_count; i++)
        make_client(stream, &setup->clients[i], i == 0);
}

// --- actions ---

static void make_connect(struct stream *stream, struct action *action)
{
    action->kind = ACTION_CONNECT;
    action->clean_start = one_in(stream, 4);
    action->keep_alive_s = (uint16_t)PICK(stream, 0, 1, 4, 20, 60);
    action->expiry_s = PICK(stream, 0, 2, 15, 1000, UINT32_MAX);
    action->has_will = one_in(stream, 2);
    action->text = (uint8_t)below(stream, TOPIC_COUNT);
    action->qos = (uint8_t)below(stream, 3);
    action->retain = one_in(stream, 3);
    action->delay_s = PICK(stream, 0, 0, 1, 8, 40);
    action->size = 8 + below(stream, 20);
}

static void make_subscribe(struct stream *stream, struct action *action)
{
    action->kind = ACTION_SUBSCRIBE;
    action->text = (uint8_t)below(stream, FILTER_COUNT);
    action->qos = (uint8_t)below(stream, 3);
    action->how = (uint8_t)PICK(stream, 0, 0, 1, 2);
    action->no_local = one_in(stream, 6);
    action->retain_as_published = one_in(stream, 3);
    action->identifier = one_in(stream, 2) ? 1 + below(stream, 200) : 0;
}

static void make_publish(struct stream *stream, struct action *action)
{
    action->kind = ACTION_PUBLISH;
    action->text = (uint8_t)below(stream, TOPIC_COUNT);
    action->qos = (uint8_t)below(stream, 3);
    action->retain = one_in(stream, 4);
    action->empty = action->retain && one_in(stream, 4);
    action->expiry_s = one_in(stream, 5) ? PICK(stream, 1, 2, 10) : 0;
    action->size =
        one_in(stream, 12) ? PICK(stream, 300, 2500, 9000, 40000) : 8 + below(stream, 60);
}

static void make_disconnect(struct stream *stream, struct action *action)
{
    if (one_in(stream, 2)) {
        action->kind = ACTION_BREAK;
        action->how = (uint8_t)below(stream, 3);
        return;
    }
    action->kind = ACTION_DISCONNECT;
    action->how = one_in(stream, 3) ? BUD_DISCONNECT_WITH_WILL : BUD_SUCCESS;
    action->expiry_s = PICK(stream, UINT32_MAX, UINT32_MAX, 1, 30);
}

static void make_fault(struct stream *stream, const struct setup *setup, struct action *action)
{
    switch (below(stream, 6)) {
    case 0: action->kind = ACTION_STALL; break;
    case 1: action->kind = ACTION_MUTE; break;
    case 2:
        action->kind = ACTION_SLEEP;
        action->client = (uint8_t)below(stream, setup->worker_count);
        break;
    case 3: action->kind = ACTION_STALL; break;
    case 4: action->kind = ACTION_FAIL_ACCEPTS; break;
    case 5: action->kind = one_in(stream, 4) ? ACTION_SUSPEND : ACTION_WALL_CLOCK; break;
    default: break;
    }
    action->count = 1 + below(stream, 60);
    action->span_ms = action->kind == ACTION_SUSPEND ? PICK(stream, 3000, 60000, 4000000)
                      : action->kind == ACTION_SLEEP ? PICK(stream, 1, 20, 300)
                                                     : PICK(stream, 50, 1000, 7000, 30000);
}

static void make_action(struct stream *stream, const struct setup *setup, struct action *action)
{
    action->at_ms = below(stream, setup->span_ms);
    action->client = (uint8_t)(1 + below(stream, setup->client_count - 1));
    uint32_t kind = below(stream, 100);
    if (setup->fails_memory && one_in(stream, 10)) {
        action->kind = ACTION_FAIL_MEMORY;
        action->count = 1 + below(stream, 60);
        return;
    }
    if (kind < 18)
        make_connect(stream, action);
    else if (kind < 26)
        make_disconnect(stream, action);
    else if (kind < 43)
        make_subscribe(stream, action);
    else if (kind < 48) {
        action->kind = ACTION_UNSUBSCRIBE;
        action->text = (uint8_t)below(stream, FILTER_COUNT);
    } else if (kind < 93)
        make_publish(stream, action);
    else
        make_fault(stream, setup, action);
}

static int by_time(const void *a, const void *b)
{
    const struct action *left = a, *right = b;
    if (left->at_ms != right->at_ms)
        return left->at_ms < right->at_ms ? -1 : 1;
    return left->number < right->number ? -1 : 1;
}

void script_make(uint64_t seed, struct script *script)
{
    struct stream stream = {seed * UINT64_C(0x2545f4914f6cdd1d) + 1};
    *script = (struct script){.setup.seed = seed};
    make_setup(&stream, &script->setup);
    script->count = PICK(&stream, 30, 80, 150, 300, ACTIONS_MAX);
    for (uint32_t i = 0; i < script->count; i++)
        make_action(&stream, &script->setup, &script->actions[i]);
    // Everybody tries to come in at the start: otherwise much would be said to nobody.
    for (uint32_t i = 1; i < script->setup.client_count; i++) {
        struct action *action = &script->actions[i - 1];
        *action = (struct action){.client = (uint8_t)i};
        make_connect(&stream, action);
    }
    for (uint32_t i = 0; i < script->count; i++)
        script->actions[i].number = i;
    qsort(script->actions, script->count, sizeof script->actions[0], by_time);
}

// --- print ---

static void print_setup(const struct setup *setup)
{
    printf("seed %" PRIu64 ": %u workers, delay %u to %u ms, segments of %u, sockets of %u bytes, "
           "%u in flight, %u queued, %u aliases%s\n",
           setup->seed, setup->worker_count, setup->delay_min_ms, setup->delay_max_ms,
           setup->segment_bytes_max, setup->socket_bytes_max, setup->in_flight_max,
           setup->queue_messages_max, setup->topic_alias_max,
           setup->fails_memory ? ", memory fails" : "");
    for (uint32_t i = 0; i < setup->client_count; i++) {
        const struct client_setup *client = &setup->clients[i];
        printf("  client %u: MQTT level %u, receive maximum %u, %u aliases, packets to %u bytes, "
               "acknowledges within %u ms\n",
               i, client->version, client->receive_maximum, client->alias_maximum,
               client->packet_size_max, client->ack_delay_ms);
    }
}

static void print_action(const struct action *action)
{
    static const char *const breaks[] = {"closes", "resets", "is cut off"};
    printf("  %6u ms  ", action->at_ms);
    switch (action->kind) {
    case ACTION_CONNECT:
        printf("client %u connects, clean start %d, keep-alive %u, expiry %u", action->client,
               action->clean_start, action->keep_alive_s, action->expiry_s);
        if (action->has_will)
            printf(", will on %s, QoS %u, retain %d, delay %u", script_topics[action->text],
                   action->qos, action->retain, action->delay_s);
        break;
    case ACTION_DISCONNECT:
        printf("client %u says goodbye, reason %u, expiry %u", action->client, action->how,
               action->expiry_s);
        break;
    case ACTION_BREAK: printf("client %u %s", action->client, breaks[action->how]); break;
    case ACTION_SUBSCRIBE:
        printf("client %u subscribes to %s, QoS %u, retain handling %u, no local %d, as published "
               "%d, identifier %u",
               action->client, script_filters[action->text], action->qos, action->how,
               action->no_local, action->retain_as_published, action->identifier);
        break;
    case ACTION_UNSUBSCRIBE:
        printf("client %u unsubscribes from %s", action->client, script_filters[action->text]);
        break;
    case ACTION_PUBLISH:
        printf("client %u publishes to %s, QoS %u, retain %d, %u bytes, expiry %u", action->client,
               script_topics[action->text], action->qos, action->retain,
               action->empty ? 0 : action->size, action->expiry_s);
        break;
    case ACTION_STALL:
        printf("client %u reads nothing for %u ms", action->client, action->span_ms);
        break;
    case ACTION_MUTE:
        printf("client %u says nothing for %u ms", action->client, action->span_ms);
        break;
    case ACTION_SLEEP: printf("worker %u sleeps for %u ms", action->client, action->span_ms); break;
    case ACTION_FAIL_MEMORY: printf("%u allocations fail", action->count); break;
    case ACTION_FAIL_ACCEPTS: printf("%u accepts fail", action->count); break;
    case ACTION_SUSPEND: printf("the machine sleeps for %u ms", action->span_ms); break;
    case ACTION_WALL_CLOCK: printf("the wall clock jumps back by %u ms", action->span_ms); break;
    }
    printf("\n");
}

void script_print(const struct script *script)
{
    print_setup(&script->setup);
    for (uint32_t i = 0; i < script->count; i++)
        print_action(&script->actions[i]);
}
