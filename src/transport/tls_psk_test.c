// SPDX-License-Identifier: MIT
// Keys of one's own: with leading zeros, in both versions, and never anything instead of them.
#include "transport/test_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t key_of_lamp[] = {0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0};
static struct tls_context *context;
static char error[TLS_ERROR_SIZE];
static int released;

static bool find(void *unused, struct bytes identity, uint8_t *key, size_t *size)
{
    (void)unused;
    if (!bytes_equal(identity, BYTES_OF("lamp")) || *size < sizeof(key_of_lamp))
        return false;
    memcpy(key, key_of_lamp, sizeof(key_of_lamp));
    *size = sizeof(key_of_lamp);
    return true;
}

static void release(void *unused)
{
    (void)unused;
    released++;
}

static struct tls_settings settings = {.psk_hint = "house",
                                       .psk = {.find = find, .release = release}};

static int set_up(void **state)
{
    (void)state;
    context = tls_context_new(&settings, error);
    return context == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_unref(context);
    return released != 1;
}

// ----------------------------------------------------------------------------------------- a
// client

static struct client_key {
    const char *identity;
    size_t identity_size; // 0: to its NUL
    const uint8_t *key;
    size_t size;
    char hint[64];
} shown;

static unsigned show_key(SSL *ssl, const char *hint, char *identity, unsigned identity_max,
                         unsigned char *key, unsigned key_max)
{
    (void)ssl;
    (void)snprintf(shown.hint, sizeof(shown.hint), "%s", hint == NULL ? "" : hint);
    (void)snprintf(identity, identity_max, "%s", shown.identity);
    assert_true(shown.size <= key_max);
    memcpy(key, shown.key, shown.size);
    return (unsigned)shown.size;
}

static int show_session(SSL *ssl, const EVP_MD *digest, const unsigned char **identity,
                        size_t *identity_size, SSL_SESSION **session)
{
    static const unsigned char cipher[] = {0x13, 0x01};
    (void)digest;
    *session = SSL_SESSION_new();
    SSL_SESSION_set1_master_key(*session, shown.key, shown.size);
    SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, cipher));
    SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
    *identity = (const unsigned char *)shown.identity;
    *identity_size = shown.identity_size > 0 ? shown.identity_size : strlen(shown.identity);
    return 1;
}

static void meet(struct pair *pair, int version, const char *ciphers, struct client_key key)
{
    SSL_CTX *client = test_client_context();
    shown = key;
    SSL_CTX_set_min_proto_version(client, version);
    SSL_CTX_set_max_proto_version(client, version);
    assert_int_equal(SSL_CTX_set_cipher_list(client, ciphers), 1);
    if (key.key != NULL && version == TLS1_2_VERSION)
        SSL_CTX_set_psk_client_callback(client, show_key);
    else if (key.key != NULL)
        SSL_CTX_set_psk_use_session_callback(client, show_session);
    pair_make(pair, context, client);
    SSL_CTX_free(client);
    pair_meet(pair);
}

static void who_has_the_key_comes_in(void **state)
{
    static const char *const ciphers[] = {"PSK", "PSK-AES128-GCM-SHA256", "PSK-AES128-CBC-SHA256",
                                          "PSK-AES128-CBC-SHA", "ECDHE-PSK-AES128-CBC-SHA256"};
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof(ciphers) / sizeof(ciphers[0])); i++) {
        struct pair pair;
        meet(&pair, i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, ciphers[i / 2],
             (struct client_key){"lamp", 0, key_of_lamp, sizeof(key_of_lamp), ""});
        assert_true(pair.heard);
        struct tls_description description = tls_describe(pair.server);
        assert_true(bytes_equal(description.psk_identity, BYTES_OF("lamp")));
        assert_false(description.has_certificate);
        if (i % 2 == 0)
            assert_string_equal(shown.hint, "house");
        pair_done(&pair);
    }
}

static void expect_refused(struct client_key key, const char *words12, const char *words13)
{
    for (int i = 0; i < 4; i++) {
        struct pair pair;
        meet(&pair, i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, "PSK", key);
        assert_false(pair.heard);
        assert_int_equal(pair.server_read, -EPROTO);
        assert_string_equal(tls_failure(pair.server), i % 2 == 0 ? words12 : words13);
        pair_done(&pair);
    }
}

static void who_has_another_does_not(void **state)
{
    uint8_t other[] = {0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1};
    const char *words = "damaged, or encrypted with another key";
    const char *words13 = "the client's pre-shared key is another one than in psk_file";
    (void)state;
    expect_refused((struct client_key){"lamp", 0, other, sizeof(other), ""}, words, words13);
    // Without its leading zeros it is another key.
    expect_refused((struct client_key){"lamp", 0, key_of_lamp + 2, sizeof(key_of_lamp) - 2, ""},
                   words, words13);
}

static void who_is_unknown_does_not(void **state)
{
    const char *words = "the client's identity is not in psk_file";
    const char *words13 =
        "the client does not take the kind of our certificate, or gave no pre-shared key";
    (void)state;
    expect_refused((struct client_key){"lam", 0, key_of_lamp, sizeof(key_of_lamp), ""}, words,
                   words13);
    expect_refused((struct client_key){"LAMP", 0, key_of_lamp, sizeof(key_of_lamp), ""}, words,
                   words13);
}

static void a_name_with_a_nul_is_nobodys(void **state)
{
    (void)state;
    struct pair pair;
    meet(&pair, TLS1_3_VERSION, "PSK",
         (struct client_key){"lamp\0x", 6, key_of_lamp, sizeof(key_of_lamp), ""});
    assert_int_equal(pair.server_read, -EPROTO);
    pair_done(&pair);
}

static void nobody_falls_back_to_a_certificate_or_to_nothing(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct pair pair;
        meet(&pair, version, "ALL:aNULL:@SECLEVEL=0", (struct client_key){0});
        assert_false(pair.heard);
        assert_int_equal(pair.server_read, -EPROTO);
        pair_done(&pair);
    }
}

static void who_comes_again_shows_the_key_again(void **state)
{
    int ignored;
    (void)state;
    struct tls_settings with_tickets = settings;
    with_tickets.tickets = ticket_keys_new(NULL, 1000000, &ignored);
    with_tickets.psk.release = NULL;
    struct tls_context *before = context;
    context = tls_context_new(&with_tickets, error);
    assert_non_null(context);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct pair pair;
        meet(&pair, version, "PSK",
             (struct client_key){"lamp", 0, key_of_lamp, sizeof(key_of_lamp), ""});
        assert_true(pair.heard);
        SSL_SESSION *session = SSL_get1_session(pair.client);
        assert_false(SSL_SESSION_has_ticket(session));
        SSL_SESSION_free(session);
        pair_done(&pair);
    }
    tls_context_unref(context);
    ticket_keys_unref(with_tickets.tickets);
    context = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_the_key_comes_in),
        cmocka_unit_test(who_has_another_does_not),
        cmocka_unit_test(who_is_unknown_does_not),
        cmocka_unit_test(a_name_with_a_nul_is_nobodys),
        cmocka_unit_test(nobody_falls_back_to_a_certificate_or_to_nothing),
        cmocka_unit_test(who_comes_again_shows_the_key_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
