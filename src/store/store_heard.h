// SPDX-License-Identifier: MIT
// For tests only: a store in a directory of the test's own, and what it says when it is loaded, as
// text, one line for each thing.
#ifndef BUD_STORE_STORE_HEARD_H
#define BUD_STORE_STORE_HEARD_H

#include "os/file.h"
#include "store/store.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#define WALL_MS 1700000000000
#define MONOTONIC_MS 5000

static char directory[64];
static char heard[16384]; // what loading gave
static char reports[4096];
static struct budget budget;
static struct store_options options;
static struct store *store;
static uint32_t window = UINT32_MAX;

__attribute__((format(printf, 1, 2))) static inline void hear(const char *format, ...)
{
    size_t used = strlen(heard);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(heard + used, sizeof(heard) - used, format, arguments);
    va_end(arguments);
}

// Who somebody was, if it is not nobody.
static inline void hear_who(struct bytes client_id, struct bytes user, uint32_t domain)
{
    if (client_id.size > 0)
        hear(" of '%.*s'", (int)client_id.size, (const char *)client_id.data);
    if (user.size > 0)
        hear(" user '%.*s'", (int)user.size, (const char *)user.data);
    if (domain != 0)
        hear(" domain %u", domain);
}

static inline void hear_session(void *context, const struct store_session *session)
{
    (void)context;
    hear("session %d '%.*s' '%.*s' version %d expiry %u detached %d", (int)session->number,
         (int)session->client_id.size, (const char *)session->client_id.data,
         (int)session->user.size, (const char *)session->user.data, session->version,
         session->expiry_interval, (int)session->detached_ms);
    hear_who((struct bytes){0}, (struct bytes){0}, session->domain);
    hear("\n");
}

static inline void hear_subscription(void *context, uint64_t session, struct bytes filter,
                                     struct subscription_options of, uint32_t identifier)
{
    (void)context;
    hear("subscription %d '%.*s' qos %d%s%s handling %d identifier %u\n", (int)session,
         (int)filter.size, (const char *)filter.data, of.qos, of.no_local ? " no-local" : "",
         of.retain_as_published ? " as-published" : "", of.retain_handling, identifier);
}

static inline void hear_incoming(void *context, uint64_t session, uint16_t packet_id)
{
    (void)context;
    hear("incoming %d %d\n", (int)session, packet_id);
}

static inline void hear_spread(void *context, uint64_t publisher, uint16_t packet_id,
                               uint64_t target)
{
    (void)context;
    hear("spread %d %d to %d\n", (int)publisher, packet_id, (int)target);
}

static inline void hear_message(const struct message *message)
{
    struct bytes topic = message_topic(message), payload = message_payload(message);
    hear(" '%.*s' '%.*s'", (int)topic.size, (const char *)topic.data, (int)payload.size,
         (const char *)payload.data);
    if (message->expires_ms != MESSAGE_NEVER_EXPIRES)
        hear(" expires %d", (int)message->expires_ms);
}

static inline void hear_delivery(void *context, const struct store_delivery *delivery)
{
    (void)context;
    hear("delivery %d %d qos %d%s", (int)delivery->session, (int)delivery->number, delivery->qos,
         delivery->retain ? " retain" : "");
    if (delivery->sent || delivery->released)
        hear(" %s %d", delivery->sent ? "sent" : "released", delivery->packet_id);
    if (delivery->identifier != 0)
        hear(" identifier %u", delivery->identifier);
    for (uint32_t i = 0; i < delivery->identifier_count; i++)
        hear(" and %u", delivery->identifiers[i]);
    if (delivery->message != NULL)
        hear_message(delivery->message);
    hear("\n");
    message_unref(delivery->message);
}

static inline void hear_retained(void *context, struct message *message,
                                 const struct store_publisher *publisher)
{
    (void)context;
    hear("retained %d", (int)message->sequence);
    hear_message(message);
    hear_who(publisher->client_id, publisher->user, publisher->domain);
    hear("\n");
    message_unref(message);
}

static inline void hear_will(void *context, const struct store_will *will)
{
    (void)context;
    hear("will %d '%.*s' delay %u expiry %u", (int)will->number, (int)will->client_id.size,
         (const char *)will->client_id.data, will->delay_interval, will->expiry_interval);
    hear_message(will->message);
    hear_who((struct bytes){0}, will->user, will->domain);
    hear("\n");
    message_unref(will->message);
}

static inline void hear_report(void *context, const char *what)
{
    (void)context;
    size_t used = strlen(reports);
    (void)snprintf(reports + used, sizeof(reports) - used, "%s\n", what);
}

static inline int load(void)
{
    struct store_loader loader = {
        .budget = &budget,
        .session = hear_session,
        .subscription = hear_subscription,
        .incoming = hear_incoming,
        .spread = hear_spread,
        .delivery = hear_delivery,
        .retained = hear_retained,
        .will = hear_will,
        .window = window,
    };
    heard[0] = '\0';
    return store_load(store, &loader);
}

static inline void open_and_load(void)
{
    char error[STORE_ERROR_MAX];
    int result = store_open(&options, &store, error);
    if (result < 0)
        print_message("%s\n", error);
    assert_int_equal(result, 0);
    assert_int_equal(load(), 0);
}

static inline void close_store(void)
{
    assert_int_equal(store_close(store), 0);
    store = NULL;
}

// A restart: everything goes through the disk.
static inline void reopen(void)
{
    close_store();
    open_and_load();
}

static inline int set_up(void **state)
{
    (void)state;
    bool in_memory = access("/dev/shm", W_OK) == 0;
    (void)snprintf(directory, sizeof(directory), "%s/bud-store-XXXXXX",
                   in_memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(directory));
    reports[0] = '\0';
    window = UINT32_MAX;
    budget = (struct budget){.limit = INT64_MAX};
    options = (struct store_options){
        .directory = directory,
        .wall_ms = WALL_MS,
        .monotonic_ms = MONOTONIC_MS,
        .low_space_bytes = 1ull << 60, // no reserve is made
        .report = hear_report,
    };
    open_and_load();
    return 0;
}

static inline int tear_down(void **state)
{
    struct dirent *entry;
    char path[400];
    (void)state;
    if (store != NULL)
        close_store();
    DIR *stream = opendir(directory);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(stream);
    (void)rmdir(directory);
    assert_int_equal(budget_used(&budget), 0);
    return 0;
}

static inline void apply(struct record record)
{
    assert_int_equal(store_apply(store, &record, WALL_MS, MONOTONIC_MS), 0);
}

static inline void begin(void)
{
    assert_int_equal(store_begin(store), 0);
}

static inline void commit(void)
{
    assert_int_equal(store_commit(store), 0);
}

// A group of one record.
static inline void commit_one(struct record record)
{
    begin();
    apply(record);
    commit();
}

static inline struct message *make_message(const char *topic, const char *payload)
{
    struct message_source source = {
        .topic = bytes_make(topic, strlen(topic)),
        .payload = bytes_make(payload, strlen(payload)),
        .qos = 1,
    };
    struct message *message = message_try_new(&budget, &source);
    assert_non_null(message);
    return message;
}

static inline struct record with_text(struct record record, const char *text)
{
    record.text = (uint8_t *)(uintptr_t)text;
    record.text_size = (uint32_t)strlen(text);
    return record;
}

static inline struct record session_put(uint64_t number, const char *client_id)
{
    struct record record = {.kind = RECORD_SESSION_PUT, .session = number, .version = 5};
    record.expiry_interval = 60;
    record.detached_ms = 4000;
    return with_text(record, client_id);
}

static inline struct record of_session(enum record_kind kind, uint64_t session)
{
    return (struct record){.kind = (uint8_t)kind, .session = session};
}

static inline struct record delivery_put(uint64_t session, uint64_t number, struct message *message)
{
    struct record record = {.kind = RECORD_DELIVERY_PUT, .session = session, .number = number};
    record.qos = 1;
    record.message = message;
    return record;
}

static inline struct record delivery_changed(enum record_kind kind, uint64_t session,
                                             uint64_t number, uint16_t packet_id)
{
    struct record record = of_session(kind, session);
    record.number = number;
    record.packet_id = packet_id;
    return record;
}

static inline struct record retained_put(struct message *message, uint64_t sequence)
{
    message->sequence = sequence;
    return (struct record){.kind = RECORD_RETAINED_PUT, .message = message};
}

static inline uint64_t message_count(void)
{
    struct store_numbers numbers;
    store_numbers(store, &numbers);
    return numbers.messages;
}

#endif
