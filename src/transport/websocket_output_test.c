// SPDX-License-Identifier: MIT
// What goes out: frames over sockets that take little, and what may stand between two of them.
#include "transport/websocket.h"

#include "base/test_random.h"
#include "transport/test_websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void assert_output(struct test_websocket *websocket, const void *expected, size_t size)
{
    assert_int_equal(websocket->socket->output.size, size);
    if (size > 0)
        assert_memory_equal(websocket->socket->output.data, expected, size);
    buffer_consume(&websocket->socket->output, size);
}

static ssize_t write_one(struct test_websocket *websocket, const void *data, size_t size)
{
    struct iovec part = {(void *)(uintptr_t)data, size};
    return stream_writev(websocket->stream, &part, 1);
}

static void each_write_is_a_binary_frame(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 125, 126, 65535, 65536, 262144};
    uint8_t *data = calloc(1, 262144);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct test_websocket server = test_websocket_new(false);
        uint8_t header[14];
        struct writer writer = writer_of(header, sizeof(header));
        test_frame_header(&writer, FIN | BINARY, false, sizes[i]);
        assert_int_equal(write_one(&server, data, sizes[i]), sizes[i]);
        assert_int_equal(server.socket->output.size, writer.size + sizes[i]);
        assert_memory_equal(server.socket->output.data, header, writer.size);
        assert_int_equal(stream_flush(server.stream), 0);
        test_websocket_free(&server);
    }
    free(data);
}

static void parts_go_out_in_one_frame(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    struct iovec parts[] = {{(char[]){"one"}, 3}, {NULL, 0}, {(char[]){"two"}, 3}};
    assert_int_equal(stream_writev(server.stream, parts, 3), 6);
    assert_output(&server, "\x82\6onetwo", 8);
    assert_int_equal(stream_writev(server.stream, parts, 0), 0);
    assert_output(&server, "", 0);
    test_websocket_free(&server);
}

static void many_parts_and_large_ones_are_taken_in_turn(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    struct iovec parts[200];
    char octet = 'x';
    uint8_t *data = calloc(1, 1000000);
    for (int i = 0; i < 200; i++)
        parts[i] = (struct iovec){&octet, 1};
    ssize_t wrote = stream_writev(server.stream, parts, 200);
    assert_true(wrote >= 32 && wrote <= 200);
    assert_int_equal(server.socket->output.size, 2 + wrote);
    wrote = write_one(&server, data, 1000000);
    assert_true(wrote >= 65536 && wrote <= 1 << 20);
    free(data);
    test_websocket_free(&server);
}

// All of `data`, in parts of random sizes, over a socket that takes a random few bytes at a time.
static void send_all(struct test_websocket *from, struct bytes data, struct test_random *random)
{
    while (data.size > 0) {
        size_t first = (size_t)test_random_below(random, data.size) + 1;
        struct iovec parts[] = {{(void *)(uintptr_t)data.data, first},
                                {(void *)(uintptr_t)(data.data + first), data.size - first}};
        from->socket->room = (size_t)test_random_below(random, 60);
        from->socket->write_max = (size_t)test_random_below(random, 30);
        ssize_t wrote = stream_writev(from->stream, parts, 2);
        assert_true(wrote == -EAGAIN || (wrote > 0 && (size_t)wrote <= data.size));
        data = bytes_from(data, wrote < 0 ? 0 : (size_t)wrote);
    }
    from->socket->room = from->socket->write_max = SIZE_MAX;
    assert_int_equal(stream_flush(from->stream), 0);
}

static void carry_between(bool from_client, struct bytes data, struct test_random *random)
{
    struct test_websocket from = test_websocket_new(from_client);
    struct test_websocket to = test_websocket_new(!from_client);
    struct buffer payload = {0};
    send_all(&from, data, random);
    memory_stream_carry(from.socket, to.socket);
    to.socket->read_max = (size_t)test_random_below(random, 100) + 1;
    assert_int_equal(test_read_all(to.stream, 100, &payload), -EAGAIN);
    assert_int_equal(payload.size, data.size);
    assert_memory_equal(payload.data, data.data, data.size);
    buffer_done(&payload);
    test_websocket_free(&from);
    test_websocket_free(&to);
}

static void a_client_and_a_server_understand_each_other(void **state)
{
    (void)state;
    struct test_random random = {7};
    uint8_t data[1000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)test_random_next(&random);
    for (int round = 0; round < 200; round++) {
        size_t size = (size_t)test_random_below(&random, sizeof(data)) + 1;
        carry_between(round % 2 == 0, bytes_make(data, size), &random);
    }
}

// One step of a server whose socket takes a random few bytes: it writes, reads a ping, or flushes.
static void step(struct test_websocket *server, struct test_random *random, struct bytes *rest)
{
    size_t choice = (size_t)test_random_below(random, 4);
    server->socket->room = (size_t)test_random_below(random, 12);
    if (choice == 0) {
        uint8_t payload[125] = {0};
        test_feed_frame(server, FIN | PING, payload, (size_t)test_random_below(random, 126));
        assert_int_equal(stream_read(server->stream, payload, 1), -EAGAIN);
    } else if (choice == 1) {
        int error = stream_flush(server->stream);
        assert_true(error == 0 || error == -EAGAIN);
    } else {
        size_t size = (size_t)test_random_below(random, rest->size + 1);
        ssize_t wrote = write_one(server, rest->data, size);
        assert_true(wrote == -EAGAIN || (wrote >= 0 && (size_t)wrote <= size));
        *rest = bytes_from(*rest, wrote < 0 ? 0 : (size_t)wrote);
    }
}

static void frames_are_whole_whatever_comes_in_between(void **state)
{
    (void)state;
    uint8_t data[400];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct test_random random = {seed};
        struct test_websocket server = test_websocket_new(false), client = test_websocket_new(true);
        struct bytes rest = bytes_make(data, sizeof(data));
        struct buffer payload = {0};
        while (rest.size > 0)
            step(&server, &random, &rest);
        server.socket->room = SIZE_MAX;
        assert_int_equal(stream_flush(server.stream), 0);
        memory_stream_carry(server.socket, client.socket);
        assert_int_equal(test_read_all(client.stream, 50, &payload), -EAGAIN);
        assert_int_equal(payload.size, sizeof(data));
        assert_memory_equal(payload.data, data, sizeof(data));
        buffer_done(&payload);
        test_websocket_free(&server);
        test_websocket_free(&client);
    }
}

static void a_large_message_is_masked_in_pieces(void **state)
{
    (void)state;
    enum { SIZE = 3000000 };
    struct test_websocket client = test_websocket_new(true), server = test_websocket_new(false);
    struct test_random random = {1};
    struct buffer payload = {0};
    uint8_t *data = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)test_random_next(&random);
    for (size_t sent = 0; sent < SIZE;) {
        ssize_t wrote = write_one(&client, data + sent, SIZE - sent);
        assert_true(wrote > 0);
        sent += (size_t)wrote;
    }
    memory_stream_carry(client.socket, server.socket);
    assert_int_equal(test_read_all(server.stream, 65536, &payload), -EAGAIN);
    assert_int_equal(payload.size, SIZE);
    assert_memory_equal(payload.data, data, SIZE);
    buffer_done(&payload);
    free(data);
    test_websocket_free(&client);
    test_websocket_free(&server);
}

static void the_greeting_goes_out_first(void **state)
{
    (void)state;
    struct memory_stream *socket = memory_stream_new();
    struct websocket_start start = {.greeting = BYTES_OF("HTTP/1.1 101\r\n\r\n")};
    struct test_websocket server = {socket, websocket_try_new(&socket->stream, &start)};
    socket->room = 5;
    assert_int_equal(write_one(&server, "x", 1), -EAGAIN);
    assert_int_equal(stream_flush(server.stream), -EAGAIN);
    test_feed_frame(&server, FIN | PING, "", 0);
    assert_int_equal(stream_read(server.stream, (char[1]){0}, 1), -EAGAIN);
    socket->room = SIZE_MAX;
    assert_int_equal(write_one(&server, "x", 1), 1);
    assert_output(&server, "HTTP/1.1 101\r\n\r\n\x8a\0\x82\1x", 16 + 2 + 3);
    test_websocket_free(&server);
}

// ---------------------------------------------------------------------------- within and between
// frames

static void a_pong_waits_for_the_end_of_a_frame(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    server.socket->room = 4;
    assert_int_equal(write_one(&server, "abcd", 4), 2);
    test_feed_frame(&server, FIN | PING, "p", 1);
    server.socket->room = SIZE_MAX;
    assert_int_equal(stream_read(server.stream, (char[1]){0}, 1), -EAGAIN);
    assert_int_equal(stream_flush(server.stream), 0); // nothing that could go out by itself
    assert_output(&server, "\x82\4ab", 4);
    assert_int_equal(write_one(&server, "cdef", 4), 2); // no further than the frame
    assert_output(&server, "cd\x8a\1p", 5);
    test_websocket_free(&server);
}

static void a_header_is_finished_by_flush_and_by_write(void **state)
{
    (void)state;
    for (int by_flush = 0; by_flush < 2; by_flush++) {
        struct test_websocket server = test_websocket_new(false);
        server.socket->room = 1;
        assert_int_equal(write_one(&server, "ab", 2), -EAGAIN);
        assert_int_equal(stream_flush(server.stream), -EAGAIN);
        server.socket->room = SIZE_MAX;
        if (by_flush)
            assert_int_equal(stream_flush(server.stream), 0);
        assert_int_equal(write_one(&server, "ab", 2), 2);
        assert_output(&server, "\x82\2ab", 4);
        test_websocket_free(&server);
    }
}

static void a_frame_that_was_not_begun_promises_nothing(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    server.socket->room = 0;
    assert_int_equal(write_one(&server, "long text", 9), -EAGAIN);
    server.socket->room = SIZE_MAX;
    assert_int_equal(write_one(&server, "ab", 2), 2);
    assert_output(&server, "\x82\2ab", 4);
    test_websocket_free(&server);
}

static void errors_below_are_passed_up(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    server.socket->write_error = -ECONNRESET;
    assert_int_equal(write_one(&server, "ab", 2), -ECONNRESET);
    test_feed_frame(&server, FIN | PING, "", 0);
    assert_int_equal(stream_read(server.stream, (char[1]){0}, 1), -EAGAIN);
    assert_int_equal(write_one(&server, "ab", 2), -ECONNRESET);
    assert_int_equal(stream_flush(server.stream), -ECONNRESET);
    test_websocket_free(&server);
}

// --------------------------------------------------------------------------------------------
// closing

static void shut_says_goodbye(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    stream_shut(server.stream);
    assert_true(server.socket->shut);
    assert_output(&server, "\x88\2\x03\xe8", 4);
    assert_int_equal(write_one(&server, "x", 1), -EPIPE);
    test_feed_frame(&server, FIN | PING, "", 0); // not answered any more
    test_feed_frame(&server, FIN | CLOSE, "\x03\xe8", 2);
    assert_int_equal(stream_read(server.stream, (char[1]){0}, 1), 0);
    assert_int_equal(stream_flush(server.stream), 0);
    stream_shut(server.stream);
    assert_output(&server, "", 0);
    test_websocket_free(&server);
}

static void shut_says_why(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    websocket_set_close_code(server.stream, WEBSOCKET_TOO_BIG);
    stream_shut(server.stream);
    websocket_set_close_code(server.stream, WEBSOCKET_NORMAL); // too late
    assert_output(&server, "\x88\2\x03\xf1", 4);
    test_websocket_free(&server);
}

static void shut_goes_on_when_the_socket_takes_more(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    test_feed_frame(&server, FIN | PING, "p", 1);
    server.socket->room = 1;
    assert_int_equal(stream_read(server.stream, (char[1]){0}, 1), -EAGAIN);
    stream_shut(server.stream);
    assert_false(server.socket->shut);
    assert_int_equal(stream_flush(server.stream), -EAGAIN);
    server.socket->room = SIZE_MAX;
    assert_int_equal(stream_flush(server.stream), 0);
    assert_true(server.socket->shut);
    assert_output(&server, "\x8a\1p\x88\2\x03\xe8", 7);
    test_websocket_free(&server);
}

static void a_close_waits_for_the_end_of_a_frame(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    server.socket->room = 4;
    assert_int_equal(write_one(&server, "abcd", 4), 2);
    test_feed_frame(&server, FIN | CLOSE, "\x03\xe8", 2);
    server.socket->room = SIZE_MAX;
    assert_int_equal(stream_read(server.stream, (char[1]){0}, 1), 0);
    assert_int_equal(write_one(&server, "cdef", 4), 2);
    assert_output(&server, "\x82\4abcd\x88\2\x03\xe8", 10);
    assert_int_equal(write_one(&server, "ef", 2), -EPIPE);
    test_websocket_free(&server);
}

static void shut_within_a_frame_has_no_place_for_a_goodbye(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    server.socket->room = 3;
    assert_int_equal(write_one(&server, "abcd", 4), 1);
    server.socket->room = SIZE_MAX;
    stream_shut(server.stream);
    assert_true(server.socket->shut);
    assert_output(&server, "\x82\4a", 3);
    assert_int_equal(stream_flush(server.stream), 0);
    assert_int_equal(write_one(&server, "bcd", 3), -EPIPE);
    test_websocket_free(&server);
}

static void only_a_websocket_is_one(void **state)
{
    (void)state;
    struct test_websocket server = test_websocket_new(false);
    assert_true(websocket_is(server.stream));
    assert_false(websocket_is(&server.socket->stream));
    assert_false(websocket_is(NULL));
    test_websocket_free(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_write_is_a_binary_frame),
        cmocka_unit_test(parts_go_out_in_one_frame),
        cmocka_unit_test(many_parts_and_large_ones_are_taken_in_turn),
        cmocka_unit_test(a_client_and_a_server_understand_each_other),
        cmocka_unit_test(frames_are_whole_whatever_comes_in_between),
        cmocka_unit_test(a_large_message_is_masked_in_pieces),
        cmocka_unit_test(the_greeting_goes_out_first),
        cmocka_unit_test(a_pong_waits_for_the_end_of_a_frame),
        cmocka_unit_test(a_header_is_finished_by_flush_and_by_write),
        cmocka_unit_test(a_frame_that_was_not_begun_promises_nothing),
        cmocka_unit_test(errors_below_are_passed_up),
        cmocka_unit_test(shut_says_goodbye),
        cmocka_unit_test(shut_says_why),
        cmocka_unit_test(shut_goes_on_when_the_socket_takes_more),
        cmocka_unit_test(a_close_waits_for_the_end_of_a_frame),
        cmocka_unit_test(shut_within_a_frame_has_no_place_for_a_goodbye),
        cmocka_unit_test(only_a_websocket_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
