// SPDX-License-Identifier: MIT
// What a wrong configuration is told, and the certificate that is made on the first start.
#include "transport/certificate.h"
#include "transport/certificate_parts.h"
#include "transport/test_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct test_files files;
static struct identity server, other;
static struct tls_settings good;
static char error[TLS_ERROR_SIZE];

static int set_up(void **state)
{
    (void)state;
    test_files_make(&files);
    server = test_identity(NULL, (struct kind){.name = "localhost"});
    other = test_identity(NULL, (struct kind){.name = "other", .is_authority = true});
    good = (struct tls_settings){
        .certfile = test_write_certificate(test_path(&files, "cert"), server.certificate, NULL),
        .keyfile = test_write_key(test_path(&files, "key"), server.key),
        .cafile = test_write_certificate(test_path(&files, "ca"), other.certificate, NULL),
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_identity_free(&server);
    test_identity_free(&other);
    test_files_remove(&files);
    return 0;
}

// Says no, in words that have these in them.
static void expect_error(struct tls_settings settings, const char *first, const char *second)
{
    assert_null(tls_context_new(&settings, error));
    if (strstr(error, first) == NULL || strstr(error, second) == NULL)
        print_error("%s\n", error);
    assert_non_null(strstr(error, first));
    assert_non_null(strstr(error, second));
}

static void expect_warning(struct tls_settings settings, const char *words)
{
    struct tls_context *context = tls_context_new(&settings, error);
    assert_non_null(context);
    if (words == NULL)
        assert_string_equal(tls_context_warning(context), "");
    else
        assert_non_null(strstr(tls_context_warning(context), words));
    tls_context_unref(context);
}

// The good settings with one of them changed.
#define WITH(field, value) with(offsetof(struct tls_settings, field), value)
static struct tls_settings with(size_t offset, const char *value)
{
    struct tls_settings changed = good;
    memcpy((char *)&changed + offset, &value, sizeof(value));
    return changed;
}

static void what_is_right_gets_no_words(void **state)
{
    (void)state;
    expect_warning(good, NULL);
    expect_warning(WITH(tls_version, "tlsv1.3"), NULL);
    expect_warning(WITH(tls_version, "tlsv1.2"), NULL);
    expect_warning(WITH(tls_keyform, "pem"), NULL);
    expect_warning(WITH(ciphers, "ECDHE-ECDSA-AES128-GCM-SHA256"), NULL);
    expect_warning(WITH(ciphers_tls13, "TLS_CHACHA20_POLY1305_SHA256"), NULL);
}

static void files_that_cannot_be_used_are_named_with_the_cause(void **state)
{
    (void)state;
    const char *text = test_write_text(test_path(&files, "text"), "hello\n");
    const char *empty = test_write_text(test_path(&files, "empty"), "");
    expect_error(WITH(certfile, "/nonexistent/c.pem"), "certfile /nonexistent/c.pem",
                 "No such file");
    expect_error(WITH(certfile, "/tmp"), "certfile /tmp", "Is a directory");
    expect_error(WITH(certfile, text), "certfile", "is not PEM");
    expect_error(WITH(certfile, empty), "certfile", "is not PEM");
    expect_error(WITH(certfile, good.keyfile), "certfile", "-----BEGIN CERTIFICATE-----");
    expect_error(WITH(keyfile, "/nonexistent/k.pem"), "keyfile /nonexistent/k.pem", "No such file");
    expect_error(WITH(keyfile, text), "keyfile", "is not PEM");
    expect_error(WITH(keyfile, good.certfile), "keyfile", "-----BEGIN PRIVATE KEY-----");
    expect_error(WITH(cafile, empty), "cafile", "is not PEM");
    expect_error(WITH(crlfile, text), "crlfile", "-----BEGIN X509 CRL-----");
    expect_error(WITH(capath, "/nonexistent"), "capath /nonexistent", "No such file");
}

static void damaged_blocks_are_counted(void **state)
{
    (void)state;
    const char *path = test_path(&files, "damaged");
    FILE *file = test_open(path);
    assert_int_equal(PEM_write_X509(file, server.certificate), 1);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
    assert_int_equal(fclose(file), 0);
    expect_error(WITH(certfile, path), path, "block 2");
}

static void der_is_recognised(void **state)
{
    (void)state;
    const char *path = test_path(&files, "der");
    FILE *file = test_open(path);
    assert_int_equal(i2d_X509_fp(file, server.certificate), 1);
    assert_int_equal(fclose(file), 0);
    expect_error(WITH(certfile, path), path, "DER");
}

static void a_key_that_does_not_fit_is_told(void **state)
{
    (void)state;
    const char *path = test_write_key(test_path(&files, "other"), other.key);
    expect_error(WITH(keyfile, path), path, "does not belong to certfile");
}

static void an_encrypted_key_is_not_asked_for(void **state)
{
    (void)state;
    const char *path = test_path(&files, "encrypted");
    FILE *file = test_open(path);
    assert_int_equal(
        PEM_write_PKCS8PrivateKey(file, server.key, EVP_aes_128_cbc(), "pw", 2, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    expect_error(WITH(keyfile, path), path, "takes the passphrase off");
}

static void a_key_for_everybody_is_odd(void **state)
{
    (void)state;
    assert_int_equal(chmod(good.keyfile, 0644), 0);
    expect_warning(good, "can be read by every user");
    assert_int_equal(chmod(good.keyfile, 0600), 0);
}

static void expired_certificates_serve_with_a_warning(void **state)
{
    (void)state;
    struct identity old =
        test_identity(NULL, (struct kind){.name = "old", .begins = -2 * DAY, .ends = -DAY});
    struct identity early =
        test_identity(NULL, (struct kind){.name = "early", .begins = DAY, .ends = 2 * DAY});
    struct tls_settings settings = good;
    settings.certfile = test_write_certificate(test_path(&files, "old"), old.certificate, NULL);
    settings.keyfile = test_write_key(test_path(&files, "oldkey"), old.key);
    expect_warning(settings, "has expired");
    test_write_certificate(settings.certfile, early.certificate, NULL);
    test_write_key(settings.keyfile, early.key);
    expect_warning(settings, "not valid yet");
    test_identity_free(&old);
    test_identity_free(&early);
}

static void settings_that_contradict_are_told(void **state)
{
    (void)state;
    expect_error(WITH(keyfile, NULL), "certfile needs keyfile", "private key");
    expect_error(WITH(certfile, ""), "cafile or capath needs certfile", "keyfile");
    expect_error((struct tls_settings){0}, "TLS needs certfile", "keyfile");
    expect_error(WITH(psk_hint, "hint"), "psk_hint", "two listeners");
    expect_error((struct tls_settings){.psk_hint = "hint"}, "psk_hint needs psk_file", "");
    expect_error(WITH(tls_engine, "pkcs11"), "tls_engine pkcs11", "PEM");
    expect_error(WITH(tls_keyform, "engine"), "tls_keyform engine", "PEM");
    expect_error(WITH(tls_version, "tlsv1.1"), "tls_version tlsv1.1", "use tlsv1.2");
    expect_error(WITH(tls_version, "ssl3"), "tls_version ssl3", "use tlsv1.2");
    expect_error(WITH(ciphers, "NO-SUCH"), "ciphers NO-SUCH", "openssl ciphers");
    expect_error(WITH(ciphers_tls13, "NO-SUCH"), "ciphers_tls1.3 NO-SUCH", "openssl ciphers");
    struct tls_settings alone = WITH(cafile, NULL);
    alone.require_certificate = true;
    expect_error(alone, "require_certificate needs cafile", "");
    alone = WITH(cafile, NULL);
    alone.crlfile = good.certfile;
    expect_error(alone, "crlfile needs cafile", "");
}

static void a_change_of_any_file_is_noticed(void **state)
{
    (void)state;
    struct tls_settings settings = good;
    settings.crlfile = test_path(&files, "crl");
    uint64_t before = tls_settings_state(&settings);
    assert_true(tls_settings_state(&settings) == before);
    test_write_text(test_path(&files, "crl"), "new");
    uint64_t with_crl = tls_settings_state(&settings);
    assert_true(with_crl != before);
    // The same size, within the same second.
    char text[4096];
    FILE *file = fopen(good.certfile, "r");
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    test_write_text(good.certfile, text);
    assert_true(tls_settings_state(&settings) != with_crl);
}

// ------------------------------------------------------------------------------- our own
// certificate

#define NOW_MS INT64_C(1795000000000) // November 2026

static const char *in_directory(const char *directory, const char *name)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return test_path(&files, path);
}

static void a_certificate_is_made_once(void **state)
{
    struct certificate_facts facts, again;
    struct stat status;
    (void)state;
    const char *directory = test_path(&files, "tls");
    const char *certificate = in_directory("tls", "cert.pem");
    const char *key = in_directory("tls", "key.pem");
    assert_int_equal(certificate_ensure(directory, NOW_MS, error), 1);
    assert_int_equal(certificate_read(certificate, &facts, error), 0);
    assert_int_equal(strlen(facts.fingerprint), 95);
    assert_in_range(certificate_days_left(facts.expires_at_s, NOW_MS), 3650, 3653);
    assert_int_equal(stat(key, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(certificate_ensure(directory, NOW_MS, error), 0);
    assert_int_equal(certificate_read(certificate, &again, error), 0);
    assert_string_equal(again.fingerprint, facts.fingerprint);
    expect_warning((struct tls_settings){.certfile = certificate, .keyfile = key}, NULL);
    // Without the certificate the key is used again; a certificate without its key helps nobody.
    assert_int_equal(unlink(certificate), 0);
    assert_int_equal(certificate_ensure(directory, NOW_MS, error), 1);
    expect_warning((struct tls_settings){.certfile = certificate, .keyfile = key}, NULL);
    assert_int_equal(certificate_read(certificate, &again, error), 0);
    assert_string_not_equal(again.fingerprint, facts.fingerprint); // another serial number
    assert_int_equal(unlink(key), 0);
    assert_int_equal(certificate_ensure(directory, NOW_MS, error), -ENOENT);
    assert_non_null(strstr(error, "key.pem is not"));
}

// A client that is given the certificate as its CA file accepts it, by name and by address.
static void clients_can_trust_it(void **state)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    (void)state;
    assert_int_equal(certificate_ensure(test_path(&files, "own"), NOW_MS, error), 1);
    struct tls_settings settings = {.certfile = in_directory("own", "cert.pem"),
                                    .keyfile = in_directory("own", "key.pem")};
    struct tls_context *context = tls_context_new(&settings, error);
    for (size_t i = 0; i < 3; i++) {
        SSL_CTX *client = test_client_context();
        struct pair pair;
        assert_int_equal(SSL_CTX_load_verify_file(client, settings.certfile), 1);
        SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
        pair_make(&pair, context, client);
        X509_VERIFY_PARAM *expected = SSL_get0_param(pair.client);
        if (i == 0)
            assert_int_equal(X509_VERIFY_PARAM_set1_host(expected, names[i], 0), 1);
        else
            assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(expected, names[i]), 1);
        assert_true(pair_is_in(&pair));
        pair_done(&pair);
        SSL_CTX_free(client);
    }
    tls_context_unref(context);
}

static void a_clock_that_is_wrong_makes_no_dead_certificate(void **state)
{
    struct certificate_facts facts;
    (void)state;
    assert_int_equal(certificate_ensure(test_path(&files, "early"), 0, error), 1);
    assert_int_equal(certificate_read(in_directory("early", "cert.pem"), &facts, error), 0);
    (void)in_directory("early", "key.pem");
    assert_true(certificate_days_left(facts.expires_at_s, NOW_MS) > 3000);
}

static void where_nothing_can_be_written_it_says_so(void **state)
{
    (void)state;
    assert_true(certificate_ensure("/proc/tls", NOW_MS, error) < 0);
    assert_non_null(strstr(error, "/proc/tls"));
}

static void days_are_whole_ones(void **state)
{
    (void)state;
    assert_int_equal(certificate_days_left(86400, 0), 1);
    assert_int_equal(certificate_days_left(86399, 0), 0);
    assert_int_equal(certificate_days_left(0, 0), 0);
    assert_int_equal(certificate_days_left(0, 1000), -1);
    assert_int_equal(certificate_days_left(0, 86400000), -1);
    assert_int_equal(certificate_days_left(0, 86401000), -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_gets_no_words),
        cmocka_unit_test(files_that_cannot_be_used_are_named_with_the_cause),
        cmocka_unit_test(damaged_blocks_are_counted),
        cmocka_unit_test(der_is_recognised),
        cmocka_unit_test(a_key_that_does_not_fit_is_told),
        cmocka_unit_test(an_encrypted_key_is_not_asked_for),
        cmocka_unit_test(a_key_for_everybody_is_odd),
        cmocka_unit_test(expired_certificates_serve_with_a_warning),
        cmocka_unit_test(settings_that_contradict_are_told),
        cmocka_unit_test(a_change_of_any_file_is_noticed),
        cmocka_unit_test(a_certificate_is_made_once),
        cmocka_unit_test(clients_can_trust_it),
        cmocka_unit_test(a_clock_that_is_wrong_makes_no_dead_certificate),
        cmocka_unit_test(where_nothing_can_be_written_it_says_so),
        cmocka_unit_test(days_are_whole_ones),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
