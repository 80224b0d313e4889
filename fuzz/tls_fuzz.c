// SPDX-License-Identifier: MIT
// Whatever comes where TLS is spoken, before a handshake or after one. The first byte: bit 0 after
// a handshake, the rest how the bytes are cut. Promises: without a handshake nothing is ever given
// out; how the bytes are cut changes nothing; input is never said to be there for ever.
#include "fuzz/fuzz.h"

#include "transport/test_tls.h"

static struct tls_context *make_context(void)
{
    struct test_files files;
    char error[TLS_ERROR_SIZE];
    test_files_make(&files);
    struct identity identity = test_identity(NULL, (struct kind){.name = "localhost"});
    struct tls_settings settings = {
        .certfile = test_write_certificate(test_path(&files, "cert"), identity.certificate, NULL),
        .keyfile = test_write_key(test_path(&files, "key"), identity.key),
        .cafile = test_path(&files, "cert"), // so that certificates are asked for
    };
    struct tls_context *context = tls_context_new(&settings, error);
    FUZZ_CHECK(context != NULL);
    test_identity_free(&identity);
    test_files_remove(&files);
    return context;
}

// What the last read gave; every read before it gave -EAGAIN.
static ssize_t read_all(struct stream *server, struct memory_stream *socket, size_t piece)
{
    uint8_t memory[512];
    ssize_t got = -EAGAIN;
    socket->read_max = piece;
    for (int idle = 0; idle < 3 && got == -EAGAIN;) {
        size_t before = memory_stream_left(socket);
        got = stream_read(server, memory, sizeof(memory));
        idle = memory_stream_left(socket) == before ? idle + 1 : 0;
    }
    FUZZ_CHECK(got != -EAGAIN || !stream_has_input(server));
    FUZZ_CHECK(got <= 0); // nobody of us has encrypted that
    FUZZ_CHECK(got == -EAGAIN || got == 0 || got == -EPROTO);
    FUZZ_CHECK((got == -EPROTO) == (tls_failure(server) != NULL));
    return got;
}

static ssize_t before_a_handshake(struct tls_context *context, struct bytes input, size_t piece)
{
    struct memory_stream *socket = memory_stream_new();
    struct stream *server = tls_try_new(context, &socket->stream, bytes_make(NULL, 0));
    FUZZ_CHECK(server != NULL);
    memory_stream_feed(socket, input.data, input.size);
    ssize_t result = read_all(server, socket, piece);
    stream_shut(server);
    stream_free(server);
    return result;
}

static void after_a_handshake(struct tls_context *context, struct bytes input, size_t piece)
{
    static SSL_CTX *client;
    if (client == NULL)
        client = test_client_context();
    struct pair pair;
    SSL_CTX_set_max_proto_version(client, piece % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
    pair_make(&pair, context, client);
    FUZZ_CHECK(pair_is_in(&pair));
    memory_stream_feed(pair.socket, input.data, input.size);
    (void)read_all(pair.server, pair.socket, piece);
    stream_shut(pair.server);
    pair_done(&pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_context *context;
    if (context == NULL)
        context = make_context();
    if (size == 0)
        return 0;
    struct bytes input = bytes_make(data + 1, size - 1);
    size_t piece = 1 + data[0] / 2u;
    if (data[0] % 2 == 1)
        after_a_handshake(context, input, piece);
    else
        FUZZ_CHECK(before_a_handshake(context, input, piece) ==
                   before_a_handshake(context, input, SIZE_MAX));
    return 0;
}
