// SPDX-License-Identifier: MIT
// Any bytes at the decoder and at an engine of either role. The first byte chooses version and
// role, the rest is the stream. Must hold: nothing is consumed that is not there, what was decoded
// comes back from its own encoding, a cut never changes what came before it, and iterators walk as
// many filters as were counted.
#include "fuzz/fuzz.h"
#include "proto/engine.h"
#include "proto/reencode.h"

#define PACKET_SIZE_LIMIT 8192

static void check_filters(const struct packet *packet, uint8_t version)
{
    struct subscription_options options;
    struct bytes rest, filter;
    uint32_t count = 0;

    if (packet->type == PACKET_SUBSCRIBE) {
        rest = packet->subscribe.filters;
        while (subscribe_iterate(&rest, version, &filter, &options))
            count++;
        FUZZ_CHECK(count == packet->subscribe.count && rest.size == 0);
    } else if (packet->type == PACKET_UNSUBSCRIBE) {
        rest = packet->unsubscribe.filters;
        while (unsubscribe_iterate(&rest, &filter))
            count++;
        FUZZ_CHECK(count == packet->unsubscribe.count && rest.size == 0);
    }
}

// `packet` was accepted: encode it, decode that, compare.
static void check_round_trip(struct packet *packet, uint8_t version)
{
    uint8_t encoded[PACKET_SIZE_LIMIT + 64], scratch[PACKET_SIZE_LIMIT + 64];
    struct writer writer = writer_of(encoded, sizeof(encoded));
    struct writer gathered = writer_of(scratch, sizeof(scratch));
    struct packet again;
    struct frame frame;

    reencode(&writer, version, *packet, &gathered);
    FUZZ_CHECK(!writer.bad && !gathered.bad);
    FUZZ_CHECK(frame_scan(bytes_make(encoded, writer.size), &frame) == FRAME_WHOLE);
    FUZZ_CHECK(frame.header_size + frame.body_size == writer.size);
    FUZZ_CHECK(packet_decode(&frame, version, &again) == BUD_SUCCESS);
    FUZZ_CHECK(packets_same(version, packet, &again));
}

// Any version but CONNECT's own, which brings one.
static void decode_alone(struct bytes input, uint8_t version)
{
    struct packet packet;
    struct frame frame;

    if (frame_scan(input, &frame) != FRAME_WHOLE)
        return;
    FUZZ_CHECK(frame.header_size + frame.body_size <= input.size);
    if (packet_decode(&frame, version, &packet) != BUD_SUCCESS)
        return;
    check_filters(&packet, version);
    check_round_trip(&packet, version);
}

static void check_step(const struct engine *engine, const struct engine_step *step,
                       struct bytes input)
{
    switch (step->result) {
    case ENGINE_PACKET: FUZZ_CHECK(step->consumed >= 2 && step->consumed <= input.size); break;
    case ENGINE_NEEDS_MORE:
        FUZZ_CHECK(step->consumed == 0);
        FUZZ_CHECK((step->needed > 0) == (engine->state != ENGINE_CLOSED));
        break;
    case ENGINE_ERROR:
        FUZZ_CHECK(step->consumed == 0 && bud_reason_is_error(step->reason));
        FUZZ_CHECK(engine->state == ENGINE_CLOSED);
        break;
    }
}

// A packet may not depend on the bytes behind it.
static void check_alone(struct engine before, const struct engine_step *step, struct bytes input)
{
    struct packet packet;
    struct engine_step alone =
        engine_next(&before, bytes_make(input.data, step->consumed), &packet);

    FUZZ_CHECK(alone.result == ENGINE_PACKET && alone.consumed == step->consumed);
}

static void run_engine(struct engine engine, struct bytes input)
{
    for (;;) {
        struct engine before = engine;
        struct packet packet;
        struct engine_step step = engine_next(&engine, input, &packet);

        check_step(&engine, &step, input);
        if (step.result != ENGINE_PACKET)
            return;
        check_alone(before, &step, input);
        check_round_trip(&packet, engine.version);
        input = bytes_from(input, step.consumed);
        if (packet.type == PACKET_CONNECT || packet.type == PACKET_CONNACK)
            engine.state = ENGINE_OPEN;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct engine engine;
    struct bytes input;
    uint8_t version;

    if (size < 1 || size > PACKET_SIZE_LIMIT)
        return 0;
    input = bytes_make(data + 1, size - 1);
    version = (uint8_t)(MQTT_3_1 + (data[0] & 3) % 3);
    decode_alone(input, version);
    engine_init(&engine, data[0] & 4 ? ENGINE_CLIENT : ENGINE_SERVER, PACKET_SIZE_LIMIT);
    engine.version = version;
    engine.enhanced = data[0] & 8;
    if (engine.role == ENGINE_CLIENT)
        engine.state = ENGINE_CONNECTING;
    if (data[0] & 16)
        engine.state = ENGINE_OPEN;
    run_engine(engine, input);
    return 0;
}
