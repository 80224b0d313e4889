// SPDX-License-Identifier: MIT
// A whole broker with two workers on the simulated machine. The input is a script: three clients
// write any bytes, close, break, stop reading, and time passes. Beside them a healthy publisher
// goes on sending to a healthy subscriber, whom none of this may concern. At the end everything is
// given back: the broker asserts it of its memory budget, the sanitizer of the heap.
#include "fuzz/fuzz.h"
#include "sim/broker.h"
#include "sim/fake_mechanism.h"
#include "sim/machine.h"
#include "sim/peer.h"

#include <errno.h>
#include <string.h>

#define SCRIPT_SIZE_MAX 65536
#define CLIENTS 3
#define HEALTHY_TOPIC "the healthy"
#define HEALTHY_KEEP_ALIVE_S 60000

enum operation { WRITE, WRITE_LONG, CLOSE, RESET, CUT, WAIT, CONNECT, STALL };

struct script {
    struct bytes rest;
    struct broker broker;
    struct peer clients[CLIENTS];
    bool stalled[CLIENTS]; // reads nothing
    struct peer publisher, subscriber;
    uint16_t sent;
    uint16_t received;
};

static uint8_t next_byte(struct script *script)
{
    if (script->rest.size == 0)
        return 0;
    uint8_t byte = script->rest.data[0];
    script->rest = bytes_from(script->rest, 1);
    return byte;
}

// --- the healthy pair ---

static void connect_healthy(struct script *script, struct peer *peer)
{
    struct packet packet;
    struct packet_connect connect = {
        .version = MQTT_5_0, .clean_start = true, .keep_alive = HEALTHY_KEEP_ALIVE_S};
    FUZZ_CHECK(peer_call(peer, MQTT_5_0));
    // The broker chooses the name, and the machine's numbers depend on the whole input: no script
    // can know it and take the session over.
    peer_connect(peer, &connect);
    broker_settle(&script->broker);
    FUZZ_CHECK(peer_take(peer, &packet) && packet.type == PACKET_CONNACK);
    FUZZ_CHECK(packet.connack.reason == BUD_SUCCESS);
}

// Others may publish to the same topic: only what bears our mark is ours.
static void mark(const struct script *script, uint16_t number, uint8_t *payload)
{
    memcpy(payload, &script->broker.server->hash_key, 8);
    memcpy(payload + 8, &number, 2);
}

static void receive(struct script *script)
{
    struct packet packet;
    uint8_t expected[10];
    while (peer_take(&script->subscriber, &packet)) {
        if (packet.type != PACKET_PUBLISH)
            continue;
        if (packet.publish.qos == 1)
            peer_ack(&script->subscriber, PACKET_PUBACK, packet.publish.packet_id, BUD_SUCCESS);
        mark(script, (uint16_t)(script->received + 1), expected);
        if (bytes_equal(packet.publish.payload, bytes_make(expected, sizeof expected)))
            script->received++;
    }
    FUZZ_CHECK(!script->subscriber.ended && !script->subscriber.broken);
}

static void check_healthy(struct script *script)
{
    struct packet packet;
    uint8_t payload[10];
    mark(script, ++script->sent, payload);
    struct packet_publish publish = {
        .qos = 1,
        .packet_id = script->sent,
        .topic = BYTES_OF(HEALTHY_TOPIC),
        .payload = bytes_make(payload, sizeof payload),
    };
    peer_publish(&script->publisher, &publish);
    broker_settle(&script->broker);
    FUZZ_CHECK(peer_take(&script->publisher, &packet) && packet.type == PACKET_PUBACK);
    FUZZ_CHECK(packet.ack.packet_id == script->sent && packet.ack.reason == BUD_SUCCESS);
    for (int i = 0; i < 64 && script->received < script->sent; i++) {
        receive(script); // there may be much of others' before it
        broker_settle(&script->broker);
    }
    FUZZ_CHECK(script->received == script->sent);
}

static void begin_healthy(struct script *script)
{
    struct packet packet;
    connect_healthy(script, &script->publisher);
    connect_healthy(script, &script->subscriber);
    peer_subscribe(&script->subscriber, 1, BYTES_OF(HEALTHY_TOPIC),
                   (struct subscription_options){.qos = 1}, 0);
    broker_settle(&script->broker);
    FUZZ_CHECK(peer_take(&script->subscriber, &packet) && packet.type == PACKET_SUBACK);
}

// --- the others ---

static void hang_up(struct script *script, unsigned client, enum operation operation)
{
    struct peer *peer = &script->clients[client];
    if (peer->wire == NULL)
        return;
    if (operation == RESET)
        wire_reset(peer->wire);
    if (operation == CUT)
        wire_cut(peer->wire);
    peer_done(peer);
    script->stalled[client] = false;
}

static void write_bytes(struct script *script, unsigned client, size_t size)
{
    struct peer *peer = &script->clients[client];
    if (peer->wire == NULL)
        FUZZ_CHECK(peer_call(peer, MQTT_5_0));
    size = size < script->rest.size ? size : script->rest.size;
    peer_send(peer, bytes_make(script->rest.data, size));
    script->rest = bytes_from(script->rest, size);
}

// Getting in costs a mutator many guesses, so there is a short word for it.
static void connect(struct script *script, unsigned client)
{
    static const uint8_t versions[] = {MQTT_3_1, MQTT_3_1_1, MQTT_5_0, MQTT_5_0};
    static const uint8_t names[] = {'a', 'b', 'c'};
    uint8_t choice = next_byte(script);
    struct peer *peer = &script->clients[client];
    struct packet_connect packet = {
        .version = versions[choice & 3],
        .clean_start = (choice & 4) != 0,
        .keep_alive = (choice & 8) != 0 ? 10 : 0,
        .client_id = bytes_make(names + (choice >> 4) % 3, 1),
    };
    if (packet.version == MQTT_5_0 && (choice & 128) != 0) {
        packet.properties.session_expiry_interval = 100;
        packet.properties.present = UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL;
    }
    if (peer->wire == NULL)
        FUZZ_CHECK(peer_call(peer, packet.version));
    peer_connect(peer, &packet);
}

// Writes what did not fit and reads what came, as long as the broker does its part.
static void exchange(struct script *script, unsigned client)
{
    uint8_t memory[4096];
    struct peer *peer = &script->clients[client];
    ssize_t got = 1;
    size_t left = SIZE_MAX;
    while (peer->wire != NULL && (got > 0 || peer->output.size < left)) {
        left = peer->output.size;
        peer_flush(peer);
        broker_settle(&script->broker);
        got = script->stalled[client] ? -EAGAIN : wire_read(peer->wire, memory, sizeof memory);
    }
    if (got != -EAGAIN) // the broker's end: the next write calls again
        hang_up(script, client, CLOSE);
}

static void perform(struct script *script)
{
    uint8_t byte = next_byte(script);
    unsigned client = (byte & 3) % CLIENTS;
    enum operation operation = (enum operation)(byte >> 2 & 7);
    switch (operation) {
    case WRITE: write_bytes(script, client, next_byte(script)); break;
    case WRITE_LONG: write_bytes(script, client, (size_t)next_byte(script) << 6); break;
    case CLOSE:
    case RESET:
    case CUT: hang_up(script, client, operation); break;
    case WAIT: broker_run_for(&script->broker, INT64_C(1) << (next_byte(script) % 18)); break;
    case CONNECT: connect(script, client); break;
    case STALL: script->stalled[client] = !script->stalled[client]; break;
    }
    broker_settle(&script->broker);
    for (unsigned i = 0; i < CLIENTS; i++)
        exchange(script, i);
    check_healthy(script);
}

// Limits so small that a script reaches them.
static void set_limits(struct options *options)
{
    options->connect_packet_bytes_max = 2048;
    options->in_flight_max = 3;
    options->queue_messages_max = 6;
    options->output_bytes_max = 4096;
    options->subscriptions_max = 5;
    options->topic_levels_max = 16;
    options->user_properties_max = 3;
    options->topic_alias_max = 3;
    options->retained_count_max = 4;
    options->stalled_output_s = 20;
    options->session_expiry_s = 200;
}

static uint64_t hash_of(struct bytes bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {.rest = bytes_make(data, size)};
    struct machine_options machine;
    struct options options;
    if (size > SCRIPT_SIZE_MAX)
        return 0;
    machine_options_default(&machine);
    machine.seed = hash_of(script.rest);
    machine.socket_bytes_max = 4096;
    machine_start(&machine);
    broker_options(&options, 2);
    set_limits(&options);
    broker_start(&script.broker, &options);
    script.broker.server->auth.mechanisms = &fake_mechanism;
    script.broker.server->auth.mechanism_count = 1;
    begin_healthy(&script);
    while (script.rest.size > 0)
        perform(&script);
    for (unsigned i = 0; i < CLIENTS; i++)
        hang_up(&script, i, CLOSE);
    peer_done(&script.publisher);
    peer_done(&script.subscriber);
    broker_stop(&script.broker);
    machine_stop();
    return 0;
}
