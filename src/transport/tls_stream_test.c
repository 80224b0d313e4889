// SPDX-License-Identifier: MIT
#include "transport/test_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct test_files files;
static struct identity server_identity;
static struct tls_context *context;
static char error[TLS_ERROR_SIZE];

static int set_up(void **state)
{
    (void)state;
    test_files_make(&files);
    server_identity = test_identity(NULL, (struct kind){.name = "localhost"});
    struct tls_settings settings = {
        .certfile = test_write_certificate(test_path(&files, "cert.pem"),
                                           server_identity.certificate, NULL),
        .keyfile = test_write_key(test_path(&files, "key.pem"), server_identity.key),
    };
    context = tls_context_new(&settings, error);
    if (context == NULL)
        print_error("%s\n", error);
    return context == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_unref(context);
    test_identity_free(&server_identity);
    test_files_remove(&files);
    return 0;
}

static SSL_CTX *client_of_version(int version)
{
    SSL_CTX *client = test_client_context();
    SSL_CTX_set_min_proto_version(client, version);
    SSL_CTX_set_max_proto_version(client, version);
    return client;
}

static void both_versions_come_in(void **state)
{
    static const struct {
        int version;
        const char *name;
    } versions[] = {{TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX *client = client_of_version(versions[i].version);
        struct pair pair;
        pair_make(&pair, context, client);
        assert_true(tls_is_handshaking(pair.server));
        assert_true(pair_is_in(&pair));
        assert_false(tls_is_handshaking(pair.server));
        struct tls_description description = tls_describe(pair.server);
        assert_string_equal(description.version, versions[i].name);
        assert_false(description.resumed);
        assert_false(description.has_certificate);
        assert_int_equal(description.protocol.size, 0);
        assert_null(tls_failure(pair.server));
        pair_done(&pair);
        SSL_CTX_free(client);
    }
}

// ----------------------------------------------------------------------------------- cut anywhere

// The bytes of one side come one at a time, and go one at a time.
static void a_handshake_may_be_cut_at_every_byte(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *client = client_of_version(version);
        struct pair pair;
        pair_make(&pair, context, client);
        pair.socket->read_max = 1;
        pair.socket->write_max = 1;
        assert_true(pair_is_in(&pair));
        pair_done(&pair);
        SSL_CTX_free(client);
    }
}

// So many bytes at first, and the rest later: what was cut there goes on.
static void meet_with_cut(int version, size_t cut, bool *ret_was_cut)
{
    SSL_CTX *client = client_of_version(version);
    struct pair pair;
    char memory[16];
    pair_make(&pair, context, client);
    pair.socket->input_allowed = cut;
    struct outcome first = pair_meet(&pair);
    *ret_was_cut = first.server == -EAGAIN;
    pair.socket->input_allowed = SIZE_MAX;
    if (*ret_was_cut)
        assert_true(pair_is_in(&pair));
    assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), -EAGAIN);
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void a_handshake_may_stop_at_every_byte(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        bool was_cut = true;
        for (size_t cut = 0; was_cut; cut++)
            meet_with_cut(version, cut, &was_cut);
    }
}

static void what_was_read_before_comes_first(void **state)
{
    (void)state;
    for (size_t early = 1; early < 100; early += 33) {
        SSL_CTX *client = test_client_context();
        struct pair pair;
        uint8_t memory[100];
        pair_make(&pair, context, client);
        stream_free(pair.server);
        pair.socket = memory_stream_new();
        assert_int_equal(SSL_do_handshake(pair.client), -1);
        assert_int_equal(BIO_read(pair.from_client, memory, (int)early), (int)early);
        pair.server = tls_try_new(context, &pair.socket->stream, bytes_make(memory, early));
        assert_true(stream_has_input(pair.server));
        assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), -EAGAIN);
        assert_false(stream_has_input(pair.server));
        assert_true(pair_is_in(&pair));
        pair_done(&pair);
        SSL_CTX_free(client);
    }
}

// -------------------------------------------------------------------------------------- much data

enum { MUCH = 1000000 };

static uint8_t octet_at(size_t place)
{
    return (uint8_t)(place * 31 + place / 251);
}

// Offers parts of uneven sizes, as connections do; a part may be empty.
static size_t write_some(struct stream *stream, size_t from)
{
    static uint8_t data[70000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = octet_at(from + i);
    struct iovec parts[] = {{data, 3}, {data + 3, 0}, {data + 3, 40000}, {data + 40003, 29997}};
    if (from + sizeof(data) > MUCH)
        parts[3].iov_len = 0;
    ssize_t taken = stream_writev(stream, parts, 4);
    if (taken == -EAGAIN)
        return 0;
    assert_true(taken > 0);
    return (size_t)taken;
}

static size_t client_reads(struct pair *pair, size_t at)
{
    static uint8_t data[20000];
    size_t total = 0;
    for (int size; (size = SSL_read(pair->client, data, sizeof(data))) > 0;) {
        for (int i = 0; i < size; i++)
            assert_int_equal(data[i], octet_at(at + total + (size_t)i));
        total += (size_t)size;
    }
    return total;
}

static void much_goes_out_through_a_narrow_socket(void **state)
{
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    size_t written = 0, read = 0;
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    while (read < written || written < MUCH - 70000) {
        pair.socket->room = 9000; // then it is full
        if (written < MUCH - 70000)
            written += write_some(pair.server, written);
        (void)stream_flush(pair.server);
        pair_carry(&pair);
        read += client_reads(&pair, read);
    }
    assert_int_equal(read, written);
    assert_int_equal(stream_flush(pair.server), 0);
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void without_room_below_only_so_much_is_taken(void **state)
{
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    size_t written = 0;
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    pair.socket->room = 0;
    for (size_t taken; (taken = write_some(pair.server, written)) > 0;)
        written += taken;
    assert_in_range(written, 65536, 65536 + 16384);
    assert_int_equal(stream_flush(pair.server), -EAGAIN);
    pair.socket->room = SIZE_MAX;
    assert_int_equal(stream_flush(pair.server), 0);
    pair_carry(&pair);
    assert_int_equal(client_reads(&pair, 0), written);
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void much_comes_in(void **state)
{
    static uint8_t data[MUCH];
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    size_t read = 0;
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    for (size_t i = 0; i < MUCH; i++)
        data[i] = octet_at(i);
    assert_int_equal(SSL_write(pair.client, data, MUCH), MUCH);
    pair_carry(&pair);
    for (size_t room = 1; read < MUCH; room = room * 3 % 50000 + 1) {
        static uint8_t memory[50001];
        ssize_t got = stream_read(pair.server, memory, room);
        assert_true(got > 0 || (got == -EAGAIN && stream_has_input(pair.server)));
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(memory[i], octet_at(read + (size_t)i));
        read += got > 0 ? (size_t)got : 0;
    }
    assert_int_equal(stream_read(pair.server, data, MUCH), -EAGAIN);
    assert_false(stream_has_input(pair.server));
    pair_done(&pair);
    SSL_CTX_free(client);
}

// A small device says how large a record it can read [RFC 6066 4].
static void records_are_as_small_as_the_client_asks(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *client = client_of_version(version);
        struct pair pair;
        SSL_CTX_set_tlsext_max_fragment_length(client, TLSEXT_max_fragment_length_512);
        pair_make(&pair, context, client);
        assert_true(pair_is_in(&pair));
        size_t written = write_some(pair.server, 0);
        const uint8_t *record = pair.socket->output.data;
        const uint8_t *end = record + pair.socket->output.size;
        while (record < end) {
            size_t size = (size_t)record[3] << 8 | record[4];
            assert_in_range(size, 1, 512 + 24); // and what the cipher adds
            record += 5 + size;
        }
        pair_carry(&pair);
        assert_int_equal(client_reads(&pair, 0), written);
        pair_done(&pair);
        SSL_CTX_free(client);
    }
}

// --------------------------------------------------------------------------------------- the end

static void a_close_notify_is_an_orderly_end(void **state)
{
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    char memory[16];
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    SSL_write(pair.client, "last", 4);
    SSL_shutdown(pair.client);
    pair_carry(&pair);
    assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), 4);
    assert_true(stream_has_input(pair.server)); // the end is still to be read
    assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), 0);
    assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), 0);
    assert_false(stream_has_input(pair.server));
    struct iovec part = {(void *)(uintptr_t) "bye", 3};
    assert_int_equal(stream_writev(pair.server, &part, 1), 3); // the other way is still open
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void an_end_without_close_notify_is_one_too(void **state)
{
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    char memory[16];
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    pair.socket->ended = true;
    assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), 0);
    assert_null(tls_failure(pair.server));
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void a_reset_is_told(void **state)
{
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    char memory[16];
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    pair.socket->read_error = -ECONNRESET;
    assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), -ECONNRESET);
    struct iovec part = {(void *)(uintptr_t) "bye", 3};
    assert_int_equal(stream_writev(pair.server, &part, 1), -ECONNRESET);
    stream_shut(pair.server);
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void shutting_says_so_when_all_is_out(void **state)
{
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    pair.socket->room = 10;
    size_t written = write_some(pair.server, 0);
    stream_shut(pair.server);
    assert_false(pair.socket->shut);
    assert_int_equal(stream_flush(pair.server), -EAGAIN);
    pair.socket->room = SIZE_MAX;
    assert_int_equal(stream_flush(pair.server), 0);
    assert_true(pair.socket->shut);
    pair_carry(&pair);
    assert_int_equal(client_reads(&pair, 0), written);
    assert_int_equal(SSL_get_shutdown(pair.client), SSL_RECEIVED_SHUTDOWN);
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void shutting_in_the_middle_of_a_handshake_is_fine(void **state)
{
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    char memory[16];
    pair_make(&pair, context, client);
    assert_int_equal(SSL_do_handshake(pair.client), -1);
    pair_carry(&pair);
    struct iovec part = {memory, 1};
    assert_int_equal(stream_writev(pair.server, &part, 1), -EAGAIN);
    assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), -EAGAIN);
    stream_shut(pair.server);
    assert_true(pair.socket->shut);
    pair_done(&pair);
    SSL_CTX_free(client);
}

// ------------------------------------------------------------------------------- those who
// misbehave

static void assert_refused(const void *data, size_t size, const char *words)
{
    struct memory_stream *socket = memory_stream_new();
    struct stream *server = tls_try_new(context, &socket->stream, bytes_make(data, size));
    char memory[16];
    socket->ended = true;
    assert_int_equal(stream_read(server, memory, sizeof(memory)), -EPROTO);
    assert_string_equal(tls_failure(server), words);
    assert_false(tls_is_handshaking(server));
    assert_false(stream_has_input(server));
    assert_int_equal(stream_flush(server), 0);
    stream_free(server);
}

static void what_is_no_handshake_is_refused(void **state)
{
    (void)state;
    assert_refused("", 0, "the peer closed the connection during the handshake");
    assert_refused("\x16\x03\x01\x00", 4, "the peer closed the connection during the handshake");
    assert_refused("GET / HTTP/1.1\r\n\r\n", 18, "plain HTTP where TLS is spoken");
    assert_refused("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", 14, "this is not TLS");
}

static void a_claim_makes_no_room(void **state)
{
    (void)state;
    assert_refused("\x16\x03\x01\x00\x64\x01\x01\x00\x00\x03\x03", 11,
                   "a handshake message of more than 16384 bytes");
}

static void old_versions_are_refused(void **state)
{
    (void)state;
    SSL_CTX *client = test_client_context();
    struct pair pair;
    SSL_CTX_set_security_level(client, 0);
    SSL_CTX_set_min_proto_version(client, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(client, TLS1_1_VERSION);
    pair_make(&pair, context, client);
    assert_int_equal(pair_meet(&pair).server, -EPROTO);
    assert_string_equal(tls_failure(pair.server), "the client's TLS version is too old");
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void ciphers_without_encryption_are_refused(void **state)
{
    (void)state;
    SSL_CTX *client = client_of_version(TLS1_2_VERSION);
    struct pair pair;
    SSL_CTX_set_cipher_list(client, "NULL:aNULL:RC4:AES128-SHA@SECLEVEL=0");
    pair_make(&pair, context, client);
    assert_int_equal(pair_meet(&pair).server, -EPROTO);
    assert_string_equal(tls_failure(pair.server),
                        "no common cipher, or no certificate that fits the client's");
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void nobody_shakes_hands_again(void **state)
{
    (void)state;
    SSL_CTX *client = client_of_version(TLS1_2_VERSION);
    struct pair pair;
    char memory[16];
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    assert_int_equal(SSL_renegotiate(pair.client), 1);
    assert_int_equal(SSL_do_handshake(pair.client), -1);
    pair_carry(&pair);
    assert_int_equal(stream_read(pair.server, memory, sizeof(memory)), -EAGAIN);
    assert_false(tls_is_handshaking(pair.server));
    pair_carry(&pair);
    assert_int_equal(SSL_do_handshake(pair.client), -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void each_flipped_bit_ends_it(void **state)
{
    (void)state;
    for (size_t place = 0; place < 1200; place += 61) {
        SSL_CTX *client = test_client_context();
        struct pair pair;
        char memory[64];
        pair_make(&pair, context, client);
        assert_true(pair_is_in(&pair));
        SSL_write(pair.client, "hello again", 11);
        pair_carry(&pair);
        size_t left = memory_stream_left(pair.socket);
        pair.socket->input.data[pair.socket->input_read + place % left] ^= 1;
        pair.socket->ended = true;
        ssize_t got = stream_read(pair.server, memory, sizeof(memory));
        assert_true(got == -EPROTO || got == 0); // 0: its size was made larger than what is there
        pair_done(&pair);
        SSL_CTX_free(client);
    }
}

// ------------------------------------------------------------------------------------------- ALPN

static void meet_with_protocols(const char *offered, unsigned size, const char *expected)
{
    SSL_CTX *client = test_client_context();
    struct pair pair;
    SSL_CTX_set_alpn_protos(client, (const unsigned char *)offered, size);
    pair_make(&pair, context, client);
    assert_true(pair_is_in(&pair));
    struct bytes protocol = tls_describe(pair.server).protocol;
    assert_true(bytes_equal(protocol, bytes_make(expected, strlen(expected))));
    pair_done(&pair);
    SSL_CTX_free(client);
}

static void protocols_are_agreed_upon_and_unknown_ones_let_pass(void **state)
{
    (void)state;
    meet_with_protocols("\x04mqtt", 5, "mqtt");
    meet_with_protocols("\x02h2\x08http/1.1", 12, "http/1.1");
    meet_with_protocols("\x08http/1.1\x04mqtt", 14, "mqtt");
    meet_with_protocols("\x0ex-amzn-mqtt-ca", 15, "");
}

// ----------------------------------------------------------------------------------------- memory

static void without_memory_it_ends_and_nothing_leaks(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 40; nth++) {
        SSL_CTX *client = test_client_context();
        struct pair pair;
        struct memory_stream *socket = memory_stream_new();
        memory_fail(nth, 1);
        struct stream *server = tls_try_new(context, &socket->stream, bytes_make("\x16", 1));
        memory_fail(0, 0);
        stream_free(server != NULL ? server : &socket->stream);
        pair_make(&pair, context, client);
        pair.socket->room = 0; // so that all of its own buffers are needed
        SSL_do_handshake(pair.client);
        pair_carry(&pair);
        char memory[16];
        memory_fail(nth, 1);
        ssize_t got = stream_read(pair.server, memory, sizeof(memory));
        memory_fail(0, 0);
        assert_true(got == -EAGAIN || got == -ENOMEM);
        pair_done(&pair);
        SSL_CTX_free(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_come_in),
        cmocka_unit_test(a_handshake_may_be_cut_at_every_byte),
        cmocka_unit_test(a_handshake_may_stop_at_every_byte),
        cmocka_unit_test(what_was_read_before_comes_first),
        cmocka_unit_test(much_goes_out_through_a_narrow_socket),
        cmocka_unit_test(without_room_below_only_so_much_is_taken),
        cmocka_unit_test(much_comes_in),
        cmocka_unit_test(records_are_as_small_as_the_client_asks),
        cmocka_unit_test(a_close_notify_is_an_orderly_end),
        cmocka_unit_test(an_end_without_close_notify_is_one_too),
        cmocka_unit_test(a_reset_is_told),
        cmocka_unit_test(shutting_says_so_when_all_is_out),
        cmocka_unit_test(shutting_in_the_middle_of_a_handshake_is_fine),
        cmocka_unit_test(what_is_no_handshake_is_refused),
        cmocka_unit_test(a_claim_makes_no_room),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(ciphers_without_encryption_are_refused),
        cmocka_unit_test(nobody_shakes_hands_again),
        cmocka_unit_test(each_flipped_bit_ends_it),
        cmocka_unit_test(protocols_are_agreed_upon_and_unknown_ones_let_pass),
        cmocka_unit_test(without_memory_it_ends_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
