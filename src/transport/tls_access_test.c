// SPDX-License-Identifier: MIT
// Who comes in: by a certificate, by a key of one's own, and after how much of it has changed.
#include "transport/certificate_parts.h"
#include "transport/test_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct test_files files;
static struct identity server, authority, stranger;
static struct tls_settings plain; // certfile and keyfile
static char error[TLS_ERROR_SIZE];

static int set_up(void **state)
{
    (void)state;
    test_files_make(&files);
    server = test_identity(NULL, (struct kind){.name = "localhost"});
    authority = test_identity(NULL, (struct kind){.name = "authority", .is_authority = true});
    stranger = test_identity(NULL, (struct kind){.name = "stranger", .is_authority = true});
    plain = (struct tls_settings){
        .certfile = test_write_certificate(test_path(&files, "cert"), server.certificate, NULL),
        .keyfile = test_write_key(test_path(&files, "key"), server.key),
    };
    test_write_certificate(test_path(&files, "ca"), authority.certificate, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_identity_free(&server);
    test_identity_free(&authority);
    test_identity_free(&stranger);
    test_files_remove(&files);
    return 0;
}

static struct tls_settings asking(bool required)
{
    struct tls_settings settings = plain;
    settings.cafile = test_path(&files, "ca");
    settings.require_certificate = required;
    return settings;
}

static struct tls_context *make_context(const struct tls_settings *settings)
{
    struct tls_context *context = tls_context_new(settings, error);
    if (context == NULL)
        print_error("%s\n", error);
    assert_non_null(context);
    return context;
}

static SSL_CTX *client_with(const struct identity *identity, X509 *chain, int version)
{
    SSL_CTX *client = test_client_context();
    SSL_CTX_set_min_proto_version(client, version);
    SSL_CTX_set_max_proto_version(client, version);
    if (identity == NULL)
        return client;
    assert_int_equal(SSL_CTX_use_certificate(client, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(client, identity->key), 1);
    if (chain != NULL)
        SSL_CTX_add1_chain_cert(client, chain);
    return client;
}

// Each twice, in both versions: the second try must fare as the first one.
static void expect(const struct tls_settings *settings, const struct identity *identity,
                   X509 *chain, const char *refusal)
{
    struct tls_context *context = make_context(settings);
    for (int i = 0; i < 4; i++) {
        SSL_CTX *client = client_with(identity, chain, i < 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
        struct pair pair;
        pair_make(&pair, context, client);
        struct outcome outcome = pair_meet(&pair);
        if (refusal == NULL) {
            assert_true(outcome.client_is_in);
            assert_true(tls_describe(pair.server).has_certificate == (identity != NULL));
        } else {
            assert_false(outcome.client_is_in);
            assert_int_equal(outcome.server, -EPROTO);
            assert_string_equal(tls_failure(pair.server), refusal);
        }
        pair_done(&pair);
        SSL_CTX_free(client);
    }
    tls_context_unref(context);
}

static void expect_kind(const struct tls_settings *settings, const struct identity *issuer,
                        struct kind kind, const char *refusal)
{
    struct identity client = test_identity(issuer, kind);
    expect(settings, &client, NULL, refusal);
    test_identity_free(&client);
}

// ------------------------------------------------------------------------------------ certificates

static void a_client_with_a_certificate_comes_in(void **state)
{
    (void)state;
    struct tls_settings settings = asking(true);
    expect_kind(&settings, &authority, (struct kind){.name = "lamp"}, NULL);
    expect_kind(&settings, &authority,
                (struct kind){.name = "lamp", .extended_usage = "clientAuth"}, NULL);
    settings.require_certificate = false;
    expect_kind(&settings, &authority, (struct kind){.name = "lamp"}, NULL);
    expect(&settings, NULL, NULL, NULL);
}

static void a_client_without_one_does_not(void **state)
{
    (void)state;
    struct tls_settings settings = asking(true);
    expect(&settings, NULL, NULL,
           "the client showed no certificate, and require_certificate is set");
}

// Also where none is required: who shows one wants to be somebody.
static void bad_certificates_are_refused(void **state)
{
    static const struct {
        struct kind kind;
        const char *words;
    } cases[] = {
        {{.name = "old", .begins = -9 * DAY, .ends = -DAY}, "the client's certificate has expired"},
        {{.name = "early", .begins = DAY, .ends = 9 * DAY},
         "the client's certificate is not valid yet"},
        {{.name = "server", .extended_usage = "serverAuth"},
         "the client's certificate is not for clients"},
    };
    (void)state;
    for (int required = 0; required < 2; required++) {
        struct tls_settings settings = asking(required == 1);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
            expect_kind(&settings, &authority, cases[i].kind, cases[i].words);
        expect_kind(&settings, &stranger, (struct kind){.name = "lamp"},
                    "who signed the client's certificate is not in cafile or capath");
        expect_kind(&settings, NULL, (struct kind){.name = "self"},
                    "the client's certificate is self-signed and not in cafile or capath");
    }
}

static void intermediate_authorities_are_shown_by_the_client(void **state)
{
    (void)state;
    struct tls_settings settings = asking(true);
    struct identity middle =
        test_identity(&authority, (struct kind){.name = "middle", .is_authority = true});
    struct identity no_authority = test_identity(&authority, (struct kind){.name = "lamp"});
    struct identity good = test_identity(&middle, (struct kind){.name = "good"});
    struct identity bad = test_identity(&no_authority, (struct kind){.name = "bad"});
    expect(&settings, &good, middle.certificate, NULL);
    expect(&settings, &good, NULL,
           "who signed the client's certificate is not in cafile or capath");
    struct tls_context *context = make_context(&settings);
    SSL_CTX *client = client_with(&bad, no_authority.certificate, TLS1_3_VERSION);
    struct pair pair;
    pair_make(&pair, context, client);
    assert_false(pair_is_in(&pair));
    pair_done(&pair);
    SSL_CTX_free(client);
    tls_context_unref(context);
    test_identity_free(&middle);
    test_identity_free(&no_authority);
    test_identity_free(&good);
    test_identity_free(&bad);
}

static void dates_do_not_count_when_told_so_and_all_else_does(void **state)
{
    (void)state;
    struct tls_settings settings = asking(true);
    struct kind old = {.name = "old", .begins = -9 * DAY, .ends = -DAY};
    settings.disable_client_cert_date_checks = true;
    expect_kind(&settings, &authority, old, NULL);
    expect_kind(&settings, &authority, (struct kind){.name = "a", .begins = DAY, .ends = 9 * DAY},
                NULL);
    expect_kind(&settings, &stranger, old,
                "who signed the client's certificate is not in cafile or capath");
    old.extended_usage = "serverAuth";
    expect_kind(&settings, &authority, old, "the client's certificate is not for clients");
    settings.crlfile = test_write_crl(test_path(&files, "crl"), test_crl(&authority, NULL, -DAY));
    expect_kind(&settings, &authority, (struct kind){.name = "lamp"},
                "the revocation list in crlfile has expired, so nobody is let in; get a new one");
}

static void revoked_certificates_are_refused(void **state)
{
    (void)state;
    struct tls_settings settings = asking(false);
    struct identity good = test_identity(&authority, (struct kind){.name = "good"});
    struct identity bad = test_identity(&authority, (struct kind){.name = "bad"});
    const char *path = test_path(&files, "crl");
    settings.crlfile = test_write_crl(path, test_crl(&authority, bad.certificate, DAY));
    expect(&settings, &good, NULL, NULL);
    expect(&settings, &bad, NULL, "the client's certificate was revoked");
    test_write_crl(path, test_crl(&authority, bad.certificate, -DAY));
    expect(&settings, &good, NULL,
           "the revocation list in crlfile has expired, so nobody is let in; get a new one");
    test_write_crl(path, test_crl(&stranger, NULL, DAY));
    expect(&settings, &good, NULL,
           "there is no revocation list of who signed the client's certificate in crlfile");
    test_identity_free(&good);
    test_identity_free(&bad);
}

static void a_directory_of_authorities_is_read_by_hash_names(void **state)
{
    (void)state;
    char name[PATH_MAX];
    struct tls_settings settings = plain;
    const char *directory = test_path(&files, "cas");
    (void)snprintf(
        name, sizeof(name), "cas/%08lx.0",
        X509_NAME_hash_ex(X509_get_subject_name(authority.certificate), NULL, NULL, NULL));
    assert_int_equal(mkdir(directory, 0700), 0);
    settings.capath = directory;
    settings.require_certificate = true;
    assert_null(tls_context_new(&settings, error));
    assert_non_null(strstr(error, "openssl rehash"));
    uint64_t before = tls_settings_state(&settings);
    test_write_certificate(test_path(&files, name), authority.certificate, NULL);
    test_write_text(test_path(&files, "cas/README"), "not read\n");
    assert_true(tls_settings_state(&settings) != before);
    expect_kind(&settings, &authority, (struct kind){.name = "lamp"}, NULL);
    expect_kind(&settings, &stranger, (struct kind){.name = "lamp"},
                "who signed the client's certificate is not in cafile or capath");
}

// ------------------------------------------------------------------------------------------ names

static void expect_names(const struct identity *identity, const char *common_name,
                         const char *subject)
{
    char text[TLS_NAME_MAX];
    enum tls_name given = certificate_common_name(identity->certificate, text);
    assert_int_equal(given, common_name == NULL ? TLS_NAME_REFUSED : TLS_NAME_GIVEN);
    if (common_name != NULL)
        assert_string_equal(text, common_name);
    given = certificate_subject(identity->certificate, text);
    assert_int_equal(given, subject == NULL ? TLS_NAME_REFUSED : TLS_NAME_GIVEN);
    if (subject != NULL)
        assert_string_equal(text, subject);
}

static void names_are_read_as_mosquitto_does(void **state)
{
    (void)state;
    struct identity lamp = test_identity(&authority, (struct kind){.name = "lamp 7"});
    expect_names(&lamp, "lamp 7", "CN=lamp 7,O=Test");
    test_identity_free(&lamp);
    lamp = test_identity(&authority, (struct kind){.name = "a,b+\xc3\xa6"});
    expect_names(&lamp, "a,b+\xc3\xa6", "CN=a\\,b\\+\\C3\\A6,O=Test");
    test_identity_free(&lamp);
}

static struct identity named(int type, const void *name, int size)
{
    struct identity made = test_identity(&authority, (struct kind){.name = "x"});
    X509_NAME *subject = X509_get_subject_name(made.certificate);
    X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 1));
    X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(NULL, NID_commonName, V_ASN1_UTF8STRING,
                                                           (const unsigned char *)"", 0);
    ASN1_STRING *string = ASN1_STRING_type_new(type);
    ASN1_STRING_set(string, name, size);
    ASN1_STRING_copy(X509_NAME_ENTRY_get_data(entry), string);
    X509_NAME_add_entry(subject, entry, -1, 0);
    X509_NAME_ENTRY_free(entry);
    ASN1_STRING_free(string);
    return made;
}

static void expect_refused(int type, const void *name, int size)
{
    struct identity identity = named(type, name, size);
    expect_names(&identity, NULL, NULL);
    test_identity_free(&identity);
}

static void names_that_two_would_read_differently_are_nobodys(void **state)
{
    (void)state;
    static char large[TLS_NAME_MAX + 1];
    memset(large, 'x', sizeof(large));
    expect_refused(V_ASN1_UTF8STRING, "admin\0.example", 14);
    expect_refused(V_ASN1_PRINTABLESTRING, "admin\0", 6);
    expect_refused(V_ASN1_UTF8STRING, "\xc0\x80", 2);
    expect_refused(V_ASN1_UTF8STRING, "\xff\xfe", 2);
    expect_refused(V_ASN1_UTF8STRING, "\xed\xa0\x80", 3);
    expect_refused(V_ASN1_BMPSTRING, "\0a\0\0", 4);
    expect_refused(V_ASN1_UTF8STRING, large, sizeof(large));
    struct identity identity = named(V_ASN1_BMPSTRING, "\0a\0b", 4);
    expect_names(&identity, "ab", "CN=ab,O=Test");
    test_identity_free(&identity);
}

static void a_certificate_without_a_name_names_nobody(void **state)
{
    (void)state;
    char text[TLS_NAME_MAX];
    struct identity identity = named(V_ASN1_UTF8STRING, "", 0);
    assert_int_equal(certificate_common_name(identity.certificate, text), TLS_NAME_NONE);
    X509_NAME *subject = X509_get_subject_name(identity.certificate);
    while (X509_NAME_entry_count(subject) > 0)
        X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 0));
    assert_int_equal(certificate_common_name(identity.certificate, text), TLS_NAME_NONE);
    assert_int_equal(certificate_subject(identity.certificate, text), TLS_NAME_NONE);
    test_identity_free(&identity);
}

static void the_stream_tells_the_names_of_its_client(void **state)
{
    (void)state;
    struct tls_settings settings = asking(true);
    struct tls_context *context = make_context(&settings);
    struct identity lamp = test_identity(&authority, (struct kind){.name = "lamp"});
    SSL_CTX *client = client_with(&lamp, NULL, TLS1_3_VERSION);
    struct pair pair;
    char text[TLS_NAME_MAX];
    pair_make(&pair, context, client);
    assert_int_equal(tls_common_name(pair.server, text), TLS_NAME_NONE);
    assert_true(pair_is_in(&pair));
    assert_int_equal(tls_common_name(pair.server, text), TLS_NAME_GIVEN);
    assert_string_equal(text, "lamp");
    assert_int_equal(tls_subject(pair.server, text), TLS_NAME_GIVEN);
    assert_string_equal(text, "CN=lamp,O=Test");
    pair_done(&pair);
    SSL_CTX_free(client);
    test_identity_free(&lamp);
    tls_context_unref(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_with_a_certificate_comes_in),
        cmocka_unit_test(a_client_without_one_does_not),
        cmocka_unit_test(bad_certificates_are_refused),
        cmocka_unit_test(intermediate_authorities_are_shown_by_the_client),
        cmocka_unit_test(dates_do_not_count_when_told_so_and_all_else_does),
        cmocka_unit_test(revoked_certificates_are_refused),
        cmocka_unit_test(a_directory_of_authorities_is_read_by_hash_names),
        cmocka_unit_test(names_are_read_as_mosquitto_does),
        cmocka_unit_test(names_that_two_would_read_differently_are_nobodys),
        cmocka_unit_test(a_certificate_without_a_name_names_nobody),
        cmocka_unit_test(the_stream_tells_the_names_of_its_client),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
