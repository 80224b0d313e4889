// SPDX-License-Identifier: MIT
#include "sim/peer.h"

#include "base/assert.h"
#include "base/memory.h"

#include <errno.h>

#define ENCODED_MAX (512 * 1024)
#define READ_SIZE 4096

bool peer_call(struct peer *peer, uint8_t version)
{
    struct net_address here = {.family = 4, .port = 40000, .octets = {127, 0, 0, 1}};
    *peer = (struct peer){.wire = wire_connect(&here)};
    engine_init(&peer->engine, ENGINE_CLIENT, PACKET_SIZE_MAX);
    peer->engine.version = version;
    peer->engine.state = ENGINE_CONNECTING;
    return peer->wire != NULL;
}

void peer_done(struct peer *peer)
{
    if (peer->wire != NULL)
        wire_free(peer->wire);
    peer->wire = NULL;
    buffer_done(&peer->input);
    buffer_done(&peer->output);
}

void peer_flush(struct peer *peer)
{
    while (peer->wire != NULL && !peer->ended && peer->output.size > 0) {
        size_t written = wire_write(peer->wire, buffer_bytes(&peer->output));
        if (written == 0)
            return;
        buffer_consume(&peer->output, written);
    }
}

// Allocations of the broker may fail on purpose meanwhile; those of the far side must not.
static void append(struct buffer *buffer, struct bytes bytes)
{
    if (bytes.size == 0)
        return;
    if (buffer->size + bytes.size > buffer->capacity) {
        size_t capacity = 2 * (buffer->size + bytes.size);
        uint8_t *data = memory_new(capacity);
        if (buffer->size > 0)
            __builtin_memcpy(data, buffer->data, buffer->size);
        memory_free(buffer->data);
        buffer->data = data;
        buffer->capacity = capacity;
    }
    __builtin_memcpy(buffer->data + buffer->size, bytes.data, bytes.size);
    buffer->size += bytes.size;
}

void peer_send(struct peer *peer, struct bytes bytes)
{
    append(&peer->output, bytes);
    peer->sent_bytes += bytes.size;
    peer_flush(peer);
}

static uint8_t encoded[ENCODED_MAX];

static struct writer begin(void)
{
    return writer_of(encoded, sizeof encoded);
}

static void finish(struct peer *peer, const struct writer *writer)
{
    ASSERT(!writer->bad);
    peer_send(peer, bytes_make(encoded, writer->size));
}

void peer_connect(struct peer *peer, const struct packet_connect *connect)
{
    struct writer writer = begin();
    packet_encode_connect(&writer, connect);
    peer->engine.enhanced = properties_have(&connect->properties, PROPERTY_AUTHENTICATION_METHOD);
    finish(peer, &writer);
}

void peer_publish(struct peer *peer, const struct packet_publish *publish)
{
    struct writer writer = begin();
    packet_encode_publish(&writer, peer->engine.version, publish);
    finish(peer, &writer);
}

void peer_ack(struct peer *peer, uint8_t type, uint16_t packet_id, enum bud_reason reason)
{
    struct writer writer = begin();
    struct packet_ack ack = {.packet_id = packet_id, .reason = reason};
    packet_encode_ack(&writer, peer->engine.version, type, &ack);
    finish(peer, &writer);
}

void peer_subscribe(struct peer *peer, uint16_t packet_id, struct bytes filter,
                    struct subscription_options options, uint32_t identifier)
{
    static uint8_t filters[UINT16_MAX + 16];
    struct writer list = writer_of(filters, sizeof filters);
    subscribe_write_filter(&list, peer->engine.version, filter, options);
    struct packet_subscribe subscribe = {
        .packet_id = packet_id, .count = 1, .filters = bytes_make(filters, list.size)};
    if (identifier != 0) {
        subscribe.properties.subscription_identifier = identifier;
        subscribe.properties.present = UINT64_C(1) << PROPERTY_SUBSCRIPTION_IDENTIFIER;
    }
    struct writer writer = begin();
    packet_encode_subscribe(&writer, peer->engine.version, &subscribe);
    finish(peer, &writer);
}

void peer_unsubscribe(struct peer *peer, uint16_t packet_id, struct bytes filter)
{
    static uint8_t filters[UINT16_MAX + 16];
    struct writer list = writer_of(filters, sizeof filters);
    unsubscribe_write_filter(&list, filter);
    struct packet_unsubscribe unsubscribe = {
        .packet_id = packet_id, .count = 1, .filters = bytes_make(filters, list.size)};
    struct writer writer = begin();
    packet_encode_unsubscribe(&writer, peer->engine.version, &unsubscribe);
    finish(peer, &writer);
}

void peer_ping(struct peer *peer)
{
    struct writer writer = begin();
    packet_encode_ping(&writer, PACKET_PINGREQ);
    finish(peer, &writer);
}

void peer_disconnect(struct peer *peer, const struct packet_disconnect *disconnect)
{
    struct writer writer = begin();
    packet_encode_disconnect(&writer, peer->engine.version, disconnect);
    finish(peer, &writer);
}

void peer_auth(struct peer *peer, const struct packet_auth *auth)
{
    struct writer writer = begin();
    packet_encode_auth(&writer, auth);
    finish(peer, &writer);
}

// One piece at a time, so that a packet is known to have come with the last piece read.
static bool read_piece(struct peer *peer)
{
    uint8_t memory[READ_SIZE];
    if (peer->ended)
        return false;
    ssize_t got = wire_read(peer->wire, memory, sizeof memory);
    if (got > 0)
        append(&peer->input, bytes_make(memory, (size_t)got));
    else if (got != -EAGAIN)
        peer->ended = true;
    return got > 0;
}

static void take_step(struct peer *peer, const struct engine_step *step, struct packet *packet)
{
    peer->broken = step->result == ENGINE_ERROR;
    peer->reason = step->reason;
    peer->taken = step->consumed;
    if (step->result == ENGINE_PACKET && packet->type == PACKET_CONNACK &&
        !bud_reason_is_error(packet->connack.reason))
        peer->engine.state = ENGINE_OPEN;
}

bool peer_take(struct peer *peer, struct packet *ret_packet)
{
    if (peer->wire == NULL || peer->broken)
        return false;
    if (peer->taken > 0)
        buffer_consume(&peer->input, peer->taken);
    peer->taken = 0;
    for (;;) {
        struct engine_step step = {.result = ENGINE_NEEDS_MORE};
        if (peer->input.size > 0)
            step = engine_next(&peer->engine, buffer_bytes(&peer->input), ret_packet);
        if (step.result != ENGINE_NEEDS_MORE) {
            take_step(peer, &step, ret_packet);
            return step.result == ENGINE_PACKET;
        }
        if (!read_piece(peer))
            return false;
    }
}
