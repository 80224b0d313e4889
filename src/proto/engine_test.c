// SPDX-License-Identifier: MIT
// Which packet may come when, how large, and that the way a stream is cut into pieces never shows.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "proto/engine.h"

#include <stdlib.h>
#include <string.h>

#include "proto/reencode.h"
#include "proto/samples.h"

#define STREAM_SIZE_MAX 8192

static struct engine engine_in(enum engine_role role, uint8_t version, enum engine_state state)
{
    struct engine engine;

    engine_init(&engine, role, 1000000);
    engine.version = version;
    engine.state = (uint8_t)state;
    return engine;
}

static struct engine_step step_on(struct engine *engine, struct bytes input)
{
    struct packet packet;

    return engine_next(engine, input, &packet);
}

static void expect_error(struct engine engine, struct bytes input, enum bud_reason reason)
{
    struct engine_step step = step_on(&engine, input);

    assert_int_equal(step.result, ENGINE_ERROR);
    assert_int_equal(step.reason, reason);
    assert_int_equal(engine.state, ENGINE_CLOSED);
}

static void expect_packet(struct engine engine, struct bytes input)
{
    struct engine_step step = step_on(&engine, input);

    assert_int_equal(step.result, ENGINE_PACKET);
    assert_int_equal(step.consumed, input.size);
}

static void test_a_stranger_is_refused_on_one_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        struct engine engine = engine_in(ENGINE_SERVER, MQTT_3_1_1, ENGINE_EXPECTS_CONNECT);
        struct engine_step step = step_on(&engine, bytes_make(&byte, 1));

        assert_int_equal(step.result, i == 0x10 ? ENGINE_NEEDS_MORE : ENGINE_ERROR);
        if (i >> 4 > 1)
            assert_int_equal(step.reason, BUD_PROTOCOL_ERROR); // [MQTT-3.1.0-1]
    }
}

static void test_connect_sets_version_and_state(void **state)
{
    struct engine engine;
    struct packet packet;
    struct engine_step step;

    (void)state;
    engine_init(&engine, ENGINE_SERVER, 100);
    assert_int_equal(engine.version, MQTT_3_1_1);
    step = engine_next(&engine, BYTES_OF("\x10\x11\0\4MQTT\5\2\0\0\4\x15\0\1m\0\0"), &packet);
    assert_int_equal(step.result, ENGINE_PACKET);
    assert_int_equal(step.consumed, 19);
    assert_int_equal(step.type, PACKET_CONNECT);
    assert_int_equal(engine.version, MQTT_5_0);
    assert_int_equal(engine.state, ENGINE_CONNECTING);
    assert_true(engine.enhanced);
}

static void test_a_refused_connect_still_tells_its_version(void **state)
{
    struct engine engine = engine_in(ENGINE_SERVER, MQTT_3_1_1, ENGINE_EXPECTS_CONNECT);
    struct engine unknown = engine;

    (void)state;
    assert_int_equal(step_on(&engine, BYTES_OF("\x10\x0D\0\4MQTT\5\3\0\0\0\0\0")).reason,
                     BUD_MALFORMED_PACKET);
    assert_int_equal(engine.version, MQTT_5_0);
    assert_int_equal(step_on(&unknown, BYTES_OF("\x10\x0C\0\4MQTT\6\2\0\0\0\0")).reason,
                     BUD_UNSUPPORTED_PROTOCOL_VERSION);
    assert_int_equal(unknown.version, MQTT_5_0);
}

static void test_a_second_connect_is_refused(void **state)
{
    static const struct bytes connect = {(const uint8_t *)"\x10\x0C\0\4MQTT\4\2\0\0\0\0", 14};

    (void)state;
    expect_packet(engine_in(ENGINE_SERVER, MQTT_3_1_1, ENGINE_EXPECTS_CONNECT), connect);
    expect_error(engine_in(ENGINE_SERVER, MQTT_3_1_1, ENGINE_CONNECTING), connect,
                 BUD_PROTOCOL_ERROR); // [MQTT-3.1.0-2]
    expect_error(engine_in(ENGINE_SERVER, MQTT_3_1_1, ENGINE_OPEN), connect, BUD_PROTOCOL_ERROR);
}

// What is accepted of each sample must be what its row says, and nothing else.
static void test_each_packet_in_each_direction(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT * 6; i++) {
        const struct sample *sample = &samples[i / 6];
        uint8_t memory[SAMPLE_SIZE_MAX], version = (uint8_t)(MQTT_3_1 + i % 3);
        enum engine_role role = i / 3 % 2 ? ENGINE_SERVER : ENGINE_CLIENT;
        struct engine engine = engine_in(role, version, ENGINE_OPEN);
        struct writer writer = writer_of(memory, sizeof(memory));
        bool expected = role == ENGINE_SERVER ? sample->to_server : sample->to_client;

        if (!sample_is_of(sample, version))
            continue;
        sample->write(&writer, version);
        engine.enhanced = true;
        expected &= memory[0] >> 4 != PACKET_CONNECT && memory[0] >> 4 != PACKET_CONNACK;
        expected |= memory[0] >> 4 == PACKET_DISCONNECT && version == MQTT_5_0;
        assert_int_equal(step_on(&engine, bytes_make(memory, writer.size)).result,
                         expected ? ENGINE_PACKET : ENGINE_ERROR);
    }
}

static void test_a_client_may_send_before_connack(void **state)
{
    struct engine engine = engine_in(ENGINE_SERVER, MQTT_5_0, ENGINE_CONNECTING);

    (void)state;
    expect_packet(engine, BYTES_OF("\x30\4\0\1a\0")); // [MQTT-3.1.4-5]
    engine.enhanced = true;                           // but not so here [MQTT-3.1.2-30]
    expect_error(engine, BYTES_OF("\x30\4\0\1a\0"), BUD_PROTOCOL_ERROR);
    expect_packet(engine, BYTES_OF("\xF0\6\x18\4\x15\0\1m"));
    expect_packet(engine, BYTES_OF("\xE0\0"));
}

static void test_auth_needs_enhanced_authentication(void **state)
{
    static const struct bytes auth = {(const uint8_t *)"\xF0\6\x18\4\x15\0\1m", 8};
    struct engine server = engine_in(ENGINE_SERVER, MQTT_5_0, ENGINE_OPEN);
    struct engine client = engine_in(ENGINE_CLIENT, MQTT_5_0, ENGINE_CONNECTING);

    (void)state;
    expect_error(server, auth, BUD_PROTOCOL_ERROR);
    expect_error(client, auth, BUD_PROTOCOL_ERROR);
    server.enhanced = client.enhanced = true;
    expect_packet(server, auth);
    expect_packet(client, auth);
    expect_error(server, BYTES_OF("\xF0\0"), BUD_PROTOCOL_ERROR); // only the server says success
    expect_error(client, BYTES_OF("\xF0\6\x19\4\x15\0\1m"), BUD_PROTOCOL_ERROR);
}

static void test_what_only_one_side_may_say(void **state)
{
    static const struct bytes identified = {(const uint8_t *)"\x30\6\0\1a\2\x0B\1", 8};
    static const struct bytes expiring = {(const uint8_t *)"\xE0\7\0\5\x11\0\0\0\1", 9};

    (void)state;
    expect_packet(engine_in(ENGINE_CLIENT, MQTT_5_0, ENGINE_OPEN), identified);
    expect_error(engine_in(ENGINE_SERVER, MQTT_5_0, ENGINE_OPEN), identified,
                 BUD_PROTOCOL_ERROR); // [MQTT-3.3.4-6]
    expect_packet(engine_in(ENGINE_SERVER, MQTT_5_0, ENGINE_OPEN), expiring);
    expect_error(engine_in(ENGINE_CLIENT, MQTT_5_0, ENGINE_OPEN), expiring,
                 BUD_PROTOCOL_ERROR); // [MQTT-3.14.2-2]
    expect_error(engine_in(ENGINE_CLIENT, MQTT_3_1_1, ENGINE_OPEN), BYTES_OF("\xE0\0"),
                 BUD_PROTOCOL_ERROR);
}

static void test_a_client_waits_for_connack(void **state)
{
    struct engine engine = engine_in(ENGINE_CLIENT, MQTT_5_0, ENGINE_CONNECTING);

    (void)state;
    expect_packet(engine, BYTES_OF("\x20\3\0\0\0"));
    expect_error(engine, BYTES_OF("\xD0\0"), BUD_PROTOCOL_ERROR); // [MQTT-3.2.0-1]
    expect_error(engine, BYTES_OF("\xE0\0"), BUD_PROTOCOL_ERROR); // [MQTT-3.14.0-1]
    engine.state = ENGINE_OPEN;
    expect_error(engine, BYTES_OF("\x20\3\0\0\0"), BUD_PROTOCOL_ERROR); // [MQTT-3.2.0-2]
    engine.state = ENGINE_EXPECTS_CONNECT;
    expect_error(engine, BYTES_OF("\x20\3\0\0\0"), BUD_PROTOCOL_ERROR);
}

static void test_a_large_packet_is_refused_on_its_header(void **state)
{
    struct engine engine = engine_in(ENGINE_SERVER, MQTT_3_1_1, ENGINE_OPEN);

    (void)state;
    engine.packet_size_max = 7;
    expect_packet(engine, BYTES_OF("\x30\5\0\1axx"));
    expect_error(engine, BYTES_OF("\x30\6"), BUD_PACKET_TOO_LARGE);
    expect_error(engine, BYTES_OF("\x30\6\0\1axxx"), BUD_PACKET_TOO_LARGE);
    expect_error(engine, BYTES_OF("\x30\xFF\xFF\xFF\x7F"), BUD_PACKET_TOO_LARGE);
}

static void expect_needed(struct bytes input, size_t needed)
{
    struct engine engine = engine_in(ENGINE_SERVER, MQTT_3_1_1, ENGINE_OPEN);
    struct engine_step step = step_on(&engine, input);

    assert_int_equal(step.result, ENGINE_NEEDS_MORE);
    assert_int_equal(step.needed, needed);
}

static void test_needed(void **state)
{
    (void)state;
    expect_needed((struct bytes){NULL, 0}, 2);
    expect_needed(BYTES_OF("\x30"), 1);
    expect_needed(BYTES_OF("\x30\x80"), 1);
    expect_needed(BYTES_OF("\x30\x05"), 5);
    expect_needed(BYTES_OF("\x30\x05\0"), 4);
    expect_needed(BYTES_OF("\x30\x80\x01"), 128);
}

static void test_nothing_is_taken_after_disconnect_or_an_error(void **state)
{
    struct engine engine = engine_in(ENGINE_SERVER, MQTT_3_1_1, ENGINE_OPEN);
    struct engine_step step = step_on(&engine, BYTES_OF("\xE0\0"));

    (void)state;
    assert_int_equal(step.result, ENGINE_PACKET);
    assert_int_equal(engine.state, ENGINE_CLOSED);
    step = step_on(&engine, BYTES_OF("\xC0\0"));
    assert_int_equal(step.result, ENGINE_NEEDS_MORE);
    assert_int_equal(step.consumed, 0);
    assert_int_equal(step.needed, 0);
}

// A stream of all that may come, and what comes out of it, written down as re-encoded bytes.
struct run {
    enum engine_role role;
    uint8_t version;
    struct bytes stream;
    uint8_t *log;
    size_t log_size;
    size_t packets;
};

static bool sample_fits(const struct sample *sample, const struct run *run, bool first)
{
    const char *opening = run->role == ENGINE_SERVER ? "connect_full" : "connack_least";
    bool opens = strncmp(sample->name, "conn", 4) == 0;

    if (!sample_is_of(sample, run->version) || strncmp(sample->name, "disconnect", 10) == 0)
        return false;
    if (opens || first)
        return first && strcmp(sample->name, opening) == 0;
    return run->role == ENGINE_SERVER ? sample->to_server : sample->to_client;
}

static size_t write_stream(const struct run *run, uint8_t *memory)
{
    struct writer writer = writer_of(memory, STREAM_SIZE_MAX);

    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < SAMPLE_COUNT; i++) {
            if (sample_fits(&samples[i], run, pass == 0))
                samples[i].write(&writer, run->version);
        }
    }
    samples[SAMPLE_COUNT - (run->role == ENGINE_SERVER ? 2 : 1)].write(&writer, run->version);
    assert_false(writer.bad);
    return writer.size;
}

static void log_packet(struct run *run, uint8_t version, const struct packet *packet)
{
    uint8_t memory[SAMPLE_SIZE_MAX];
    struct writer scratch = writer_of(memory, sizeof(memory));
    struct writer writer = writer_of(run->log + run->log_size, STREAM_SIZE_MAX - run->log_size);

    reencode(&writer, version, *packet, &scratch);
    assert_false(writer.bad || scratch.bad);
    run->log_size += writer.size;
    run->packets++;
}

// Takes all packets at the start of stream[*taken .. arrived).
static void take_packets(struct run *run, struct engine *engine, size_t *taken, size_t arrived)
{
    for (;;) {
        size_t size = arrived - *taken;
        uint8_t *exact = malloc(size ? size : 1);
        struct packet packet;
        struct engine_step step;

        memcpy(exact, run->stream.data + *taken, size);
        step = engine_next(engine, bytes_make(exact, size), &packet);
        assert_int_not_equal(step.result, ENGINE_ERROR);
        if (step.result == ENGINE_PACKET)
            log_packet(run, engine->version, &packet);
        free(exact);
        if (step.result != ENGINE_PACKET)
            return;
        *taken += step.consumed;
        if (engine->state == ENGINE_CONNECTING)
            engine->state = ENGINE_OPEN;
    }
}

// The stream arrives in pieces of sizes[0], sizes[1], sizes[0], ...
static void feed(struct run *run, size_t first_size, size_t second_size)
{
    struct engine engine;
    size_t taken = 0, arrived = 0;

    engine_init(&engine, run->role, STREAM_SIZE_MAX);
    if (run->role == ENGINE_CLIENT)
        engine = engine_in(ENGINE_CLIENT, run->version, ENGINE_CONNECTING);
    engine.enhanced = run->version == MQTT_5_0;
    run->log_size = run->packets = 0;
    for (size_t piece = 0; arrived < run->stream.size; piece++) {
        arrived += piece % 2 ? second_size : first_size;
        if (arrived > run->stream.size)
            arrived = run->stream.size;
        take_packets(run, &engine, &taken, arrived);
    }
    assert_int_equal(taken, run->stream.size);
}

static void expect_every_split_gives_the_same(enum engine_role role, uint8_t version)
{
    static uint8_t stream[STREAM_SIZE_MAX], whole_log[STREAM_SIZE_MAX], log[STREAM_SIZE_MAX];
    struct run whole = {.role = role, .version = version, .log = whole_log}, split;

    whole.stream = bytes_make(stream, write_stream(&whole, stream));
    feed(&whole, whole.stream.size, 1);
    assert_true(whole.packets > 10);
    assert_int_equal(whole.log_size, whole.stream.size); // samples come back byte for byte
    assert_memory_equal(whole_log, stream, whole.stream.size);
    split = whole;
    split.log = log;
    for (size_t size = 1; size < whole.stream.size; size += size < 40 ? 1 : 37) {
        feed(&split, size, size % 7 + 1);
        assert_int_equal(split.packets, whole.packets);
        assert_int_equal(split.log_size, whole.log_size);
        assert_memory_equal(log, whole_log, whole.log_size);
    }
}

static void test_splits_do_not_show(void **state)
{
    (void)state;
    for (uint8_t version = MQTT_3_1; version <= MQTT_5_0; version++)
        expect_every_split_gives_the_same(ENGINE_SERVER, version);
    expect_every_split_gives_the_same(ENGINE_CLIENT, MQTT_5_0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stranger_is_refused_on_one_byte),
        cmocka_unit_test(test_connect_sets_version_and_state),
        cmocka_unit_test(test_a_refused_connect_still_tells_its_version),
        cmocka_unit_test(test_a_second_connect_is_refused),
        cmocka_unit_test(test_each_packet_in_each_direction),
        cmocka_unit_test(test_a_client_may_send_before_connack),
        cmocka_unit_test(test_auth_needs_enhanced_authentication),
        cmocka_unit_test(test_what_only_one_side_may_say),
        cmocka_unit_test(test_a_client_waits_for_connack),
        cmocka_unit_test(test_a_large_packet_is_refused_on_its_header),
        cmocka_unit_test(test_needed),
        cmocka_unit_test(test_nothing_is_taken_after_disconnect_or_an_error),
        cmocka_unit_test(test_splits_do_not_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
