// SPDX-License-Identifier: MIT
// What is committed is there after a restart, and what was removed is not.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char directory[64];
static struct budget budget = {.limit = INT64_MAX};
static int seen[8];
static void report(void *c, const char *what)
{
    (void)c;
    printf("report: %s\n", what);
    seen[7]++;
}
static void on_session(void *c, const struct store_session *s)
{
    (void)c;
    (void)s;
    seen[0]++;
    assert_true(s->number == 5);
}
static void on_subscription(void *c, uint64_t session, struct bytes f,
                            struct subscription_options o, uint32_t i)
{
    (void)c;
    (void)session;
    (void)f;
    (void)o;
    (void)i;
    seen[1]++;
}
static void on_incoming(void *c, uint64_t s, uint16_t p)
{
    (void)c;
    (void)s;
    (void)p;
    seen[2]++;
}
static void on_spread(void *c, uint64_t p, uint16_t i, uint64_t t)
{
    (void)c;
    (void)p;
    (void)i;
    (void)t;
}
static void on_delivery(void *c, const struct store_delivery *d)
{
    (void)c;
    message_unref(d->message);
    seen[3]++;
}
static void on_retained(void *c, struct message *m)
{
    (void)c;
    message_unref(m);
    seen[4]++;
}
static void on_will(void *c, const struct store_will *w)
{
    (void)c;
    message_unref(w->message);
    seen[5]++;
}

static void one_round(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/bud-store-XXXXXX");
    assert_non_null(mkdtemp(directory));
    char error[STORE_ERROR_MAX];
    struct store_options options = {
        .directory = directory, .wall_ms = 1000000, .monotonic_ms = 50, .report = report};
    struct store *store;
    int r = store_open(&options, &store, error);
    if (r)
        printf("%d %s\n", r, error);
    assert_int_equal(r, 0);
    struct store_loader loader = {NULL,      &budget,     on_session,  on_subscription, on_incoming,
                                  on_spread, on_delivery, on_retained, on_will,         100};
    assert_int_equal(store_load(store, &loader), 0);
    struct message_source source = {
        .topic = BYTES_OF("a/b"), .payload = BYTES_OF("hello"), .qos = 1};
    struct message *m = message_try_new(&budget, &source);
    m->sequence = 3;
    uint8_t text[] = "client+user";
    struct record s = {.kind = RECORD_SESSION_PUT,
                       .session = 5,
                       .text = text,
                       .text_size = 6,
                       .text_more_size = 4};
    struct record d = {
        .kind = RECORD_DELIVERY_PUT, .session = 5, .number = 1, .message = m, .qos = 1};
    struct record ret = {.kind = RECORD_RETAINED_PUT, .message = m};
    struct record w = {
        .kind = RECORD_WILL_PUT, .session = 5, .message = m, .text = text, .text_size = 6};
    struct record i = {.kind = RECORD_INCOMING_PUT, .session = 5, .packet_id = 77};
    struct record u = {.kind = RECORD_SUBSCRIPTION_PUT, .session = 5, .text = text, .text_size = 6};
    assert_int_equal(store_begin(store), 0);
    assert_int_equal(store_apply(store, &s, 1000000, 50), 0);
    assert_int_equal(store_apply(store, &d, 1000000, 50), 0);
    assert_int_equal(store_apply(store, &ret, 1000000, 50), 0);
    assert_int_equal(store_apply(store, &w, 1000000, 50), 0);
    assert_int_equal(store_apply(store, &i, 1000000, 50), 0);
    assert_int_equal(store_apply(store, &u, 1000000, 50), 0);
    assert_int_equal(store_commit(store), 0);
    message_unref(m);
    assert_int_equal(store_close(store), 0);
    assert_int_equal(store_open(&options, &store, error), 0);
    assert_int_equal(store_load(store, &loader), 0);
    for (int k = 0; k < 6; k++)
        assert_int_equal(seen[k], 1);
    assert_int_equal(seen[7], 0);
    struct store_numbers n;
    store_numbers(store, &n);
    assert_int_equal(n.messages, 1);
    assert_int_equal(store_begin(store), 0);
    s.kind = RECORD_SESSION_REMOVE;
    assert_int_equal(store_apply(store, &s, 1000000, 50), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_close(store), 0);
}

// The log starts over once it is copied into the main file, however long the broker runs.
static void log_stays_small(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/bud-store-XXXXXX");
    assert_non_null(mkdtemp(directory));
    char error[STORE_ERROR_MAX];
    struct store_options options = {.directory = directory,
                                    .durability = STORE_RELAXED,
                                    .wall_ms = 1000000,
                                    .monotonic_ms = 50,
                                    .log_pages_max = 40,
                                    .report = report};
    struct store *store;
    assert_int_equal(store_open(&options, &store, error), 0);
    for (uint64_t i = 1; i <= 500; i++) {
        uint8_t text[] = "client+user";
        struct record record = {.kind = RECORD_SESSION_PUT, .session = i, .text = text};
        record.text_size = 6;
        assert_int_equal(store_begin(store), 0);
        assert_int_equal(store_apply(store, &record, 1000000, 50), 0);
        assert_int_equal(store_commit(store), 0);
    }
    char path[128];
    struct stat log;
    (void)snprintf(path, sizeof(path), "%s/store.db-wal", directory);
    assert_int_equal(stat(path, &log), 0);
    assert_true(log.st_size < 100 * 4120); // it grows by a page a commit at least
    assert_int_equal(store_close(store), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_round),
                                       cmocka_unit_test(log_stays_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
