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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_come_in),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
