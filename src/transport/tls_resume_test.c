// SPDX-License-Identifier: MIT
// Tickets: they work, also after a restart, and open nothing that a full handshake would not.
#include "transport/test_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NOW_MS = 1000000000 };
#define DAY_MS INT64_C(86400000)

static struct test_files files;
static struct identity server, authority, lamp;
static struct tls_settings settings;
static struct ticket_keys *keys;
static char error[TLS_ERROR_SIZE];
static SSL_SESSION *kept;

static int set_up(void **state)
{
    int failure;
    (void)state;
    test_files_make(&files);
    server = test_identity(NULL, (struct kind){.name = "localhost"});
    authority = test_identity(NULL, (struct kind){.name = "authority", .is_authority = true});
    lamp = test_identity(&authority, (struct kind){.name = "lamp"});
    keys = ticket_keys_new(test_path(&files, "tickets"), NOW_MS, &failure);
    test_write_certificate(test_path(&files, "cert"), server.certificate, NULL);
    test_write_key(test_path(&files, "key"), server.key);
    test_write_certificate(test_path(&files, "ca"), authority.certificate, NULL);
    test_write_crl(test_path(&files, "crl"), test_crl(&authority, NULL, DAY));
    settings = (struct tls_settings){
        .certfile = test_path(&files, "cert"),
        .keyfile = test_path(&files, "key"),
        .tickets = keys,
    };
    return failure;
}

static int tear_down(void **state)
{
    (void)state;
    ticket_keys_unref(keys);
    SSL_SESSION_free(kept);
    kept = NULL;
    test_identity_free(&server);
    test_identity_free(&authority);
    test_identity_free(&lamp);
    test_files_remove(&files);
    return 0;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1; // it is ours now
}

// Was the session resumed? The client shows what it kept, and keeps what it gets.
static bool is_resumed(const struct tls_settings *by, int version, const struct identity *client)
{
    struct tls_context *context = tls_context_new(by, error);
    assert_non_null(context);
    SSL_CTX *client_context = test_client_context();
    struct pair pair;
    SSL_CTX_set_min_proto_version(client_context, version);
    SSL_CTX_set_max_proto_version(client_context, version);
    SSL_CTX_sess_set_new_cb(client_context, keep_session);
    if (client != NULL) {
        SSL_CTX_use_certificate(client_context, client->certificate);
        SSL_CTX_use_PrivateKey(client_context, client->key);
    }
    pair_make(&pair, context, client_context);
    if (kept != NULL)
        assert_int_equal(SSL_set_session(pair.client, kept), 1);
    bool in = pair_is_in(&pair);
    struct tls_description description = tls_describe(pair.server);
    if (client != NULL && in)
        assert_true(description.has_certificate); // also when it was resumed
    pair_done(&pair);
    SSL_CTX_free(client_context);
    tls_context_unref(context);
    return in && description.resumed;
}

static void forget(void)
{
    SSL_SESSION_free(kept);
    kept = NULL;
}

static void a_ticket_is_good_in_both_versions(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        forget();
        assert_false(is_resumed(&settings, version, NULL));
        assert_non_null(kept);
        assert_true(is_resumed(&settings, version, NULL));
        assert_true(is_resumed(&settings, version, NULL)); // in 1.3 by the ticket it got meanwhile
    }
}

static void it_outlives_a_restart(void **state)
{
    int failure;
    (void)state;
    forget();
    assert_false(is_resumed(&settings, TLS1_3_VERSION, NULL));
    struct tls_settings later = settings;
    later.tickets = ticket_keys_new(test_path(&files, "tickets"), NOW_MS + 1000, &failure);
    assert_int_equal(failure, 0);
    assert_true(is_resumed(&later, TLS1_3_VERSION, NULL));
    ticket_keys_unref(later.tickets);
}

static void without_its_key_it_is_good_for_nothing(void **state)
{
    int failure;
    (void)state;
    forget();
    assert_false(is_resumed(&settings, TLS1_3_VERSION, NULL));
    struct tls_settings other = settings;
    other.tickets = ticket_keys_new(NULL, NOW_MS, &failure);
    assert_false(is_resumed(&other, TLS1_3_VERSION, NULL));
    ticket_keys_unref(other.tickets);
    other.tickets = NULL;
    assert_false(is_resumed(&other, TLS1_3_VERSION, NULL));
    assert_false(is_resumed(&other, TLS1_3_VERSION, NULL));
}

static void a_new_certificate_of_ours_ends_it(void **state)
{
    (void)state;
    forget();
    assert_false(is_resumed(&settings, TLS1_3_VERSION, NULL));
    struct tls_settings other = settings;
    other.certfile = test_write_certificate(test_path(&files, "cert2"), server.certificate,
                                            authority.certificate);
    assert_false(is_resumed(&other, TLS1_3_VERSION, NULL));
}

// ------------------------------------------------------------------------ with client certificates

static struct tls_settings with_authority(void)
{
    struct tls_settings asking = settings;
    asking.cafile = test_path(&files, "ca");
    asking.crlfile = test_path(&files, "crl");
    asking.require_certificate = true;
    return asking;
}

static void a_certificate_is_remembered(void **state)
{
    (void)state;
    struct tls_settings asking = with_authority();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        forget();
        assert_false(is_resumed(&asking, version, &lamp));
        assert_true(is_resumed(&asking, version, &lamp));
    }
}

static void rules_that_changed_are_asked_anew(void **state)
{
    (void)state;
    struct tls_settings asking = with_authority();
    forget();
    assert_false(is_resumed(&settings, TLS1_3_VERSION, NULL)); // nobody asked it for anything
    assert_false(is_resumed(&asking, TLS1_3_VERSION, NULL));
    forget();
    asking.require_certificate = false;
    assert_false(is_resumed(&asking, TLS1_3_VERSION, NULL));
    assert_true(is_resumed(&asking, TLS1_3_VERSION, NULL));
    asking.require_certificate = true;
    assert_false(is_resumed(&asking, TLS1_3_VERSION, NULL));
}

// Resumed or not: who was revoked is out.
static void expect_out(const struct tls_settings *by, int version)
{
    struct tls_context *context = tls_context_new(by, error);
    SSL_CTX *client = test_client_context();
    struct pair pair;
    SSL_CTX_set_max_proto_version(client, version);
    SSL_CTX_use_certificate(client, lamp.certificate);
    SSL_CTX_use_PrivateKey(client, lamp.key);
    pair_make(&pair, context, client);
    SSL_set_session(pair.client, kept);
    assert_false(pair_is_in(&pair));
    assert_int_equal(pair.server_read, -EPROTO);
    pair_done(&pair);
    SSL_CTX_free(client);
    tls_context_unref(context);
}

static void who_was_revoked_is_not_resumed(void **state)
{
    (void)state;
    struct tls_settings asking = with_authority();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        forget();
        assert_false(is_resumed(&asking, version, &lamp));
        test_write_crl(asking.crlfile, test_crl(&authority, lamp.certificate, DAY));
        expect_out(&asking, version);
        expect_out(&asking, version);
        test_write_crl(asking.crlfile, test_crl(&authority, NULL, DAY));
    }
}

static void whose_authority_is_gone_is_not_resumed(void **state)
{
    (void)state;
    struct tls_settings asking = with_authority();
    struct identity other =
        test_identity(NULL, (struct kind){.name = "other", .is_authority = true});
    forget();
    assert_false(is_resumed(&asking, TLS1_3_VERSION, &lamp));
    asking.cafile = test_write_certificate(test_path(&files, "ca2"), other.certificate, NULL);
    expect_out(&asking, TLS1_3_VERSION);
    test_identity_free(&other);
}

// Nothing has changed but the time: only a second look at the certificate finds it.
static void whose_certificate_has_expired_since_is_not_resumed(void **state)
{
    (void)state;
    struct tls_settings asking = with_authority();
    struct identity brief =
        test_identity(&authority, (struct kind){.name = "brief", .begins = -DAY, .ends = 2});
    forget();
    assert_false(is_resumed(&asking, TLS1_3_VERSION, &brief));
    while (X509_cmp_current_time(X509_get0_notAfter(brief.certificate)) > 0)
        (void)usleep(50000);
    assert_false(is_resumed(&asking, TLS1_3_VERSION, &brief));
    test_identity_free(&brief);
}

// -------------------------------------------------------------------------------------- their keys

static void newest(struct ticket_keys *of, struct ticket_key *key)
{
    ticket_keys_newest(of, key);
}

static void keys_are_new_every_day_and_the_two_before_are_kept(void **state)
{
    int failure;
    struct ticket_key made[4], found;
    bool is_newest;
    (void)state;
    struct ticket_keys *daily = ticket_keys_new(test_path(&files, "daily"), NOW_MS, &failure);
    newest(daily, &made[0]);
    assert_int_equal(ticket_keys_rotate(daily, NOW_MS + DAY_MS - 1000), 0);
    for (int day = 1; day < 4; day++) {
        assert_int_equal(ticket_keys_rotate(daily, NOW_MS + day * DAY_MS), 1);
        newest(daily, &made[day]);
    }
    assert_false(ticket_keys_find(daily, made[0].name, &found, &is_newest));
    for (int day = 1; day < 4; day++) {
        assert_true(ticket_keys_find(daily, made[day].name, &found, &is_newest));
        assert_int_equal(is_newest, day == 3);
        assert_memory_equal(&found, &made[day], sizeof(found));
    }
    ticket_keys_unref(daily);
    daily = ticket_keys_new(test_path(&files, "daily"), NOW_MS + 3 * DAY_MS, &failure);
    assert_true(ticket_keys_find(daily, made[1].name, &found, &is_newest));
    ticket_keys_unref(daily);
    // A broker that stood still for a week has none that are good.
    daily = ticket_keys_new(test_path(&files, "daily"), NOW_MS + 10 * DAY_MS, &failure);
    assert_false(ticket_keys_find(daily, made[3].name, &found, &is_newest));
    ticket_keys_unref(daily);
}

static void a_clock_that_goes_back_makes_a_new_key(void **state)
{
    int failure;
    struct ticket_key before, after;
    (void)state;
    struct ticket_keys *back = ticket_keys_new(NULL, NOW_MS, &failure);
    newest(back, &before);
    assert_int_equal(ticket_keys_rotate(back, NOW_MS - 5000), 1);
    newest(back, &after);
    assert_memory_not_equal(before.name, after.name, TICKET_NAME_SIZE);
    ticket_keys_unref(back);
}

static bool are_kept(const char *path)
{
    int failure;
    struct ticket_key before, found;
    bool is_newest;
    newest(keys, &before);
    struct ticket_keys *again = ticket_keys_new(path, NOW_MS, &failure);
    assert_int_equal(failure, 0);
    bool kept_key = ticket_keys_find(again, before.name, &found, &is_newest);
    ticket_keys_unref(again);
    return kept_key;
}

static void a_file_that_is_damaged_or_open_to_others_is_made_anew(void **state)
{
    struct stat status;
    const char *path = test_path(&files, "tickets");
    (void)state;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(are_kept(path));
    assert_int_equal(chmod(path, 0640), 0);
    assert_false(are_kept(path));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    test_write_text(path, "no keys");
    assert_false(are_kept(path));
}

static void where_nothing_can_be_written_they_are_kept_in_memory(void **state)
{
    int failure;
    struct ticket_key key;
    (void)state;
    struct ticket_keys *lost = ticket_keys_new("/nonexistent/tickets", NOW_MS, &failure);
    assert_int_equal(failure, -ENOENT);
    newest(lost, &key);
    assert_true(key.made_at_s > 0);
    ticket_keys_unref(lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_good_in_both_versions),
        cmocka_unit_test(it_outlives_a_restart),
        cmocka_unit_test(without_its_key_it_is_good_for_nothing),
        cmocka_unit_test(a_new_certificate_of_ours_ends_it),
        cmocka_unit_test(a_certificate_is_remembered),
        cmocka_unit_test(rules_that_changed_are_asked_anew),
        cmocka_unit_test(who_was_revoked_is_not_resumed),
        cmocka_unit_test(whose_authority_is_gone_is_not_resumed),
        cmocka_unit_test(whose_certificate_has_expired_since_is_not_resumed),
        cmocka_unit_test(keys_are_new_every_day_and_the_two_before_are_kept),
        cmocka_unit_test(a_clock_that_goes_back_makes_a_new_key),
        cmocka_unit_test(a_file_that_is_damaged_or_open_to_others_is_made_anew),
        cmocka_unit_test(where_nothing_can_be_written_they_are_kept_in_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
