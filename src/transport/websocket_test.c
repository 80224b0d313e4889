// SPDX-License-Identifier: MIT
// What comes in. What goes out is in websocket_output_test.c.
#include "transport/websocket.h"

#include "transport/test_websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

// Fragments with control frames in between, empty frames, packets over frames and frames over
// packets.
static struct bytes conversation(bool masked)
{
    static uint8_t memory[2][2048];
    struct writer writer = writer_of(memory[masked], sizeof(memory[masked]));
    uint8_t longer[300];
    memset(longer, 'x', sizeof(longer));
    test_frame(&writer, FIN | BINARY, masked, BYTES_OF("one"));
    test_frame(&writer, BINARY, masked, BYTES_OF("two"));
    test_frame(&writer, FIN | PING, masked, BYTES_OF("ping"));
    test_frame(&writer, CONTINUATION, masked, BYTES_OF(""));
    test_frame(&writer, FIN | PONG, masked, BYTES_OF("unasked for"));
    test_frame(&writer, CONTINUATION, masked, BYTES_OF("three"));
    test_frame(&writer, FIN | CONTINUATION, masked, BYTES_OF(""));
    test_frame(&writer, FIN | BINARY, masked, BYTES_OF(""));
    test_frame(&writer, BINARY, masked, BYTES_OF(""));
    test_frame(&writer, FIN | CONTINUATION, masked, bytes_make(longer, 300));
    test_frame(&writer, FIN | BINARY, masked, bytes_make(longer, 126));
    test_frame(&writer, FIN | PING, masked, BYTES_OF(""));
    test_frame(&writer, FIN | BINARY, masked, bytes_make(longer, 125));
    ASSERT(!writer.bad);
    return bytes_make(memory[masked], writer.size);
}

static void assert_conversation(struct buffer *payload)
{
    assert_int_equal(payload->size, 11 + 300 + 126 + 125);
    assert_memory_equal(payload->data, "onetwothree", 11);
    for (size_t i = 11; i < payload->size; i++)
        assert_int_equal(payload->data[i], 'x');
    buffer_done(payload);
}

static void payload_comes_out_however_it_is_cut(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 2, 3, 7, 64, 4095, 4096, SIZE_MAX};
    struct bytes input = conversation(true);
    for (size_t i = 0; i < 64; i++) {
        struct test_websocket server = test_websocket_new(false);
        struct buffer payload = {0};
        server.socket->read_max = pieces[i / 8];
        memory_stream_feed(server.socket, input.data, input.size);
        size_t piece = pieces[i % 8] == SIZE_MAX ? 65536 : pieces[i % 8];
        assert_int_equal(test_read_all(server.stream, piece, &payload), -EAGAIN);
        assert_conversation(&payload);
        test_websocket_free(&server);
    }
}

static void payload_comes_out_cut_at_each_byte(void **state)
{
    (void)state;
    struct bytes input = conversation(true);
    for (size_t cut = 0; cut <= input.size; cut++) {
        struct test_websocket server = test_websocket_new(false);
        struct buffer payload = {0};
        memory_stream_feed(server.socket, input.data, cut);
        assert_int_equal(test_read_all(server.stream, 100, &payload), -EAGAIN);
        assert_false(stream_has_input(server.stream)); // what there is, is with the reader
        memory_stream_feed(server.socket, input.data + cut, input.size - cut);
        assert_int_equal(test_read_all(server.stream, 100, &payload), -EAGAIN);
        assert_conversation(&payload);
        test_websocket_free(&server);
    }
}

static void what_was_read_with_the_handshake_comes_first(void **state)
{
    (void)state;
    struct bytes input = conversation(true);
    for (size_t cut = 0; cut <= input.size; cut++) {
        struct memory_stream *socket = memory_stream_new();
        struct websocket_start start = {.already_read = {input.data, cut}};
        struct buffer payload = {0};
        memory_stream_feed(socket, input.data + cut, input.size - cut);
        struct stream *stream = websocket_try_new(&socket->stream, &start);
        assert_int_equal(stream_has_input(stream), cut > 0);
        assert_int_equal(test_read_all(stream, 1000, &payload), -EAGAIN);
        assert_conversation(&payload);
        stream_free(stream);
    }
}

static void a_client_reads_what_is_not_masked(void **state)
{
    (void)state;
    struct bytes input = conversation(false);
    struct test_websocket client = test_websocket_new(true);
    struct buffer payload = {0};
    memory_stream_feed(client.socket, input.data, input.size);
    assert_int_equal(test_read_all(client.stream, 1000, &payload), -EAGAIN);
    assert_conversation(&payload);
    test_websocket_free(&client);
}

// ------------------------------------------------------------------------------------- what is
// wrong

// The frame that the server has sent: 0x88, its size, a code.
static void assert_closed_with(struct test_websocket *server, unsigned code)
{
    const uint8_t *output = server->socket->output.data;
    assert_int_equal(server->socket->output.size, 4);
    assert_int_equal(output[0], FIN | CLOSE);
    assert_int_equal(output[1], 2);
    assert_int_equal((unsigned)output[2] << 8 | output[3], code);
}

// After one good byte. Whatever follows is not looked at.
static void assert_bad(bool is_client, const void *input, size_t size, unsigned code)
{
    struct test_websocket websocket = test_websocket_new(is_client);
    struct buffer payload = {0};
    memory_stream_feed(websocket.socket, is_client ? "\x82\1a" : "\x82\x81\0\0\0\0a",
                       is_client ? 3 : 7);
    memory_stream_feed(websocket.socket, input, size);
    memory_stream_feed(websocket.socket, "\x82\x82\0\0\0\0bb", 8);
    assert_null(websocket_trouble(websocket.stream));
    assert_int_equal(test_read_all(websocket.stream, 100, &payload), -EPROTO);
    assert_int_equal(payload.size, 1);
    assert_true(strlen(websocket_trouble(websocket.stream)) > 10);
    assert_false(stream_has_input(websocket.stream));
    uint8_t memory[4];
    assert_int_equal(stream_read(websocket.stream, memory, 4), -EPROTO);
    if (!is_client)
        assert_closed_with(&websocket, code);
    buffer_done(&payload);
    test_websocket_free(&websocket);
}

#define ASSERT_BAD(input, code) assert_bad(false, input, sizeof(input) - 1, code)

static void bad_frames_are_refused(void **state)
{
    (void)state;
    ASSERT_BAD("\x82\1x", 1002);           // no mask
    ASSERT_BAD("\xc2\x81\0\0\0\0x", 1002); // a reserved bit
    ASSERT_BAD("\xa2\x81\0\0\0\0x", 1002);
    ASSERT_BAD("\x92\x81\0\0\0\0x", 1002);
    ASSERT_BAD("\x80\x81\0\0\0\0x", 1002);                // continues nothing
    ASSERT_BAD("\x02\x80\0\0\0\0\x02\x80\0\0\0\0", 1002); // a message within a message
    ASSERT_BAD("\x89\xfe\0\x7e\0\0\0\0", 1002);           // a ping of 126 bytes
    ASSERT_BAD("\x09\x80\0\0\0\0", 1002);                 // a ping in fragments
    ASSERT_BAD("\x08\x80\0\0\0\0", 1002);                 // a close in fragments
    ASSERT_BAD("\x82\xfe\0\x7d\0\0\0\0", 1002);           // a length in a longer form
    ASSERT_BAD("\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 1002);
    ASSERT_BAD("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 1002); // its top bit
    ASSERT_BAD("\x89\xff\0\0\0\0\0\1\0\0\0\0\0\0", 1002);   // a huge ping
    ASSERT_BAD("\x81\x81\0\0\0\0x", 1003);                  // text
    ASSERT_BAD("\x01\x80\0\0\0\0", 1003);
    assert_bad(true, "\x82\x81\0\0\0\0x", 7, 1002); // a server that masks
}

static void kinds_that_are_not_are_refused(void **state)
{
    (void)state;
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        uint8_t input[] = {(uint8_t)(FIN | opcode), 0x80, 0, 0, 0, 0};
        if ((opcode >= 3 && opcode <= 7) || opcode > 10)
            assert_bad(false, input, sizeof(input), 1002);
    }
}

static void a_bad_frame_is_refused_however_it_is_cut(void **state)
{
    (void)state;
    static const char text[] = "\x81\x83\0\0\0\0xyz";
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        struct test_websocket server = test_websocket_new(false);
        struct buffer payload = {0};
        server.socket->read_max = piece;
        memory_stream_feed(server.socket, text, sizeof(text) - 1);
        assert_int_equal(test_read_all(server.stream, 10, &payload), -EPROTO);
        assert_int_equal(payload.size, 0);
        assert_closed_with(&server, 1003);
        test_websocket_free(&server);
    }
}

static void any_flipped_bit_is_survived(void **state)
{
    (void)state;
    struct bytes input = conversation(true);
    uint8_t copy[2048];
    memcpy(copy, input.data, input.size);
    for (size_t bit = 0; bit < 8 * input.size; bit++) {
        struct test_websocket server = test_websocket_new(false);
        struct buffer payload = {0};
        copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ 1 << bit % 8);
        memory_stream_feed(server.socket, copy, input.size);
        ssize_t result = test_read_all(server.stream, 1000, &payload);
        assert_true(result == -EAGAIN || result == -EPROTO || result == 0);
        assert_int_equal(result == -EPROTO, websocket_trouble(server.stream) != NULL);
        assert_true(payload.size <= input.size);
        copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ 1 << bit % 8);
        buffer_done(&payload);
        test_websocket_free(&server);
    }
}

// ---------------------------------------------------------------------------------------------
// memory

static void a_length_that_is_claimed_takes_no_memory(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    uint8_t block[5000];
    struct writer writer = writer_of(block, sizeof(block));
    test_frame_header(&writer, FIN | BINARY, true, (uint64_t)1 << 62);
    memory_stream_feed(server.socket, block, writer.size);
    memset(block, 0, sizeof(block));
    uint64_t sum = 0;
    for (int i = 0; i < 100; i++) {
        memory_stream_feed(server.socket, block, sizeof(block));
        uint64_t before = memory_try_count();
        ssize_t got;
        while ((got = stream_read(server.stream, block, sizeof(block))) > 0)
            sum += (uint64_t)got;
        assert_int_equal(got, -EAGAIN);
        assert_int_equal(memory_try_count(), before);
        memset(block, 0, sizeof(block));
    }
    assert_int_equal(sum, 500000);
    test_websocket_free(&server);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    struct memory_stream *socket = memory_stream_new();
    struct websocket_start start = {.already_read = BYTES_OF("x")};
    for (uint64_t nth = 1; nth <= 2; nth++) {
        memory_fail(nth, 1);
        assert_null(websocket_try_new(&socket->stream, &start));
        memory_fail(0, 0);
    }
    stream_free(&socket->stream);
}

// ------------------------------------------------------------------------------------ control
// frames

static void assert_output(struct test_websocket *websocket, const void *expected, size_t size)
{
    assert_int_equal(websocket->socket->output.size, size);
    if (size > 0)
        assert_memory_equal(websocket->socket->output.data, expected, size);
    buffer_consume(&websocket->socket->output, size);
}

static void each_ping_is_answered(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    struct writer expected = writer_of((uint8_t[2048]){0}, 2048);
    struct buffer payload = {0};
    for (uint8_t size = 0; size <= 125; size = (uint8_t)(size + 25)) {
        uint8_t text[125];
        memset(text, 'a' + size, sizeof(text));
        test_feed_frame(&server, FIN | PING, text, size);
        test_frame(&expected, FIN | PONG, false, bytes_make(text, size));
    }
    assert_int_equal(test_read_all(server.stream, 10, &payload), -EAGAIN);
    assert_int_equal(payload.size, 0);
    assert_output(&server, expected.data, expected.size);
    test_websocket_free(&server);
}

static void a_full_socket_keeps_the_newest_ping(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    struct buffer payload = {0};
    server.socket->room = 3; // the first pong is begun
    for (int i = 0; i < 10000; i++) {
        char text[6];
        snprintf(text, sizeof(text), "%05d", i);
        test_feed_frame(&server, FIN | PING, text, 5);
    }
    uint64_t before = memory_try_count();
    assert_int_equal(test_read_all(server.stream, 10, &payload), -EAGAIN);
    assert_int_equal(memory_try_count() - before, 1); // the memory stream's own
    assert_int_equal(stream_flush(server.stream), -EAGAIN);
    server.socket->room = SIZE_MAX;
    assert_int_equal(stream_flush(server.stream), 0);
    assert_output(&server,
                  "\x8a\5"
                  "00000"
                  "\x8a\5"
                  "09999",
                  14);
    test_websocket_free(&server);
}

static void a_flood_of_pings_does_not_keep_the_reader(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    uint8_t memory[10];
    int reads = 1;
    for (int i = 0; i < 1000; i++)
        test_feed_frame(&server, FIN | PING, "", 0);
    test_feed_frame(&server, FIN | BINARY, "x", 1);
    while (stream_read(server.stream, memory, 10) == -EAGAIN) {
        assert_true(stream_has_input(server.stream) || memory_stream_left(server.socket) > 0);
        reads++;
    }
    assert_true(reads > 20);
    assert_int_equal(memory[0], 'x');
    test_websocket_free(&server);
}

// --------------------------------------------------------------------------------------------
// closing

static ssize_t read_close(const void *payload, size_t size, struct test_websocket *server)
{
    uint8_t memory[10];
    *server = test_websocket_new(false);
    test_feed_frame(server, FIN | CLOSE, payload, size);
    test_feed_frame(server, FIN | BINARY, "x", 1); // nobody hears it
    return stream_read(server->stream, memory, sizeof(memory));
}

static void a_close_is_answered_with_its_code(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 5100; code++) {
        char text[] = {(char)(code >> 8), (char)code, 'b', 'y', 'e'};
        struct test_websocket server;
        bool good = (code >= 1000 && code < 1015 && (code < 1004 || code > 1006)) ||
                    (code >= 3000 && code < 5000);
        assert_int_equal(read_close(text, code % 2 ? 5 : 2, &server), good ? 0 : -EPROTO);
        assert_closed_with(&server, good ? code : 1002);
        assert_false(stream_has_input(server.stream));
        test_websocket_free(&server);
    }
}

static void a_close_without_a_code_is_answered_without_one(void **state)
{
    (void)state;
    struct test_websocket server;
    uint8_t memory[10];
    assert_int_equal(read_close("", 0, &server), 0);
    assert_output(&server, "\x88\0", 2);
    assert_int_equal(stream_read(server.stream, memory, 10), 0); // and again
    struct iovec part = {memory, 1};
    assert_int_equal(stream_writev(server.stream, &part, 1), -EPIPE);
    assert_false(server.socket->shut);
    stream_shut(server.stream);
    assert_true(server.socket->shut);
    assert_output(&server, "", 0); // one close frame is enough
    test_websocket_free(&server);
}

static void odd_closes_are_refused(void **state)
{
    (void)state;
    struct test_websocket server;
    assert_int_equal(read_close("\x03", 1, &server), -EPROTO);
    assert_closed_with(&server, 1002);
    test_websocket_free(&server);
    assert_int_equal(read_close("\x03\xe8\xff", 3, &server), -EPROTO);
    assert_closed_with(&server, 1007);
    test_websocket_free(&server);
    assert_int_equal(read_close("\x03\xe8\0", 3, &server), 0); // NUL is UTF-8
    test_websocket_free(&server);
}

static void payload_before_a_close_is_given_first(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    uint8_t memory[10];
    test_feed_frame(&server, FIN | BINARY, "last", 4);
    test_feed_frame(&server, FIN | CLOSE, "", 0);
    assert_int_equal(stream_read(server.stream, memory, 10), 4);
    assert_true(stream_has_input(server.stream)); // or nobody would ask again
    assert_int_equal(stream_read(server.stream, memory, 10), 0);
    assert_false(stream_has_input(server.stream));
    test_websocket_free(&server);
}

static void the_end_below_is_the_end(void **state)
{
    (void)state;
    static const int errors[] = {0, -ECONNRESET};
    for (int i = 0; i < 2; i++) {
        struct test_websocket server = test_websocket_new(false);
        uint8_t memory[10];
        test_feed_frame(&server, FIN | BINARY, "last", 4);
        memory_stream_feed(server.socket, "\x82", 1);
        server.socket->ended = true;
        server.socket->read_error = errors[i];
        assert_int_equal(stream_read(server.stream, memory, 10), 4);
        assert_true(stream_has_input(server.stream));
        assert_int_equal(stream_read(server.stream, memory, 10), errors[i]);
        assert_false(stream_has_input(server.stream));
        assert_int_equal(stream_read(server.stream, memory, 10), errors[i]);
        test_websocket_free(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_comes_out_however_it_is_cut),
        cmocka_unit_test(payload_comes_out_cut_at_each_byte),
        cmocka_unit_test(what_was_read_with_the_handshake_comes_first),
        cmocka_unit_test(a_client_reads_what_is_not_masked),
        cmocka_unit_test(bad_frames_are_refused),
        cmocka_unit_test(kinds_that_are_not_are_refused),
        cmocka_unit_test(a_bad_frame_is_refused_however_it_is_cut),
        cmocka_unit_test(any_flipped_bit_is_survived),
        cmocka_unit_test(a_length_that_is_claimed_takes_no_memory),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(each_ping_is_answered),
        cmocka_unit_test(a_full_socket_keeps_the_newest_ping),
        cmocka_unit_test(a_flood_of_pings_does_not_keep_the_reader),
        cmocka_unit_test(a_close_is_answered_with_its_code),
        cmocka_unit_test(a_close_without_a_code_is_answered_without_one),
        cmocka_unit_test(odd_closes_are_refused),
        cmocka_unit_test(payload_before_a_close_is_given_first),
        cmocka_unit_test(the_end_below_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
