// SPDX-License-Identifier: MIT
// How fast is the store on this disk? `store_bench DIRECTORY [groups|load|queue]`; builds with
// `cmake --build … --target store_bench`. Prints one line a measurement: name, value, unit. The raw
// barrier is measured in the same run, in the same directory: everything else compares with it.
#include "store/store.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GROUP_SECONDS 2
#define LOAD_SESSIONS 100000
#define LOAD_DELIVERIES 1000000
#define LOAD_RETAINED 1000000
#define QUEUE_DELIVERIES 10000000

static struct budget budget = {.limit = INT64_MAX};
static uint64_t given;

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void check(int result)
{
    if (result >= 0)
        return;
    fprintf(stderr, "store_bench: %s\n", strerror(-result));
    exit(1);
}

static void report(void *context, const char *what)
{
    (void)context;
    fprintf(stderr, "store_bench: %s\n", what);
}

static struct message *new_message(uint64_t number, const char *format)
{
    static uint8_t payload[100];
    char topic[64];
    int size = snprintf(topic, sizeof(topic), format, number);
    struct message_source source = {
        .topic = bytes_make(topic, (size_t)size),
        .payload = bytes_make(payload, sizeof(payload)),
        .qos = 1,
    };
    struct message *message = message_try_new(&budget, &source);
    message->sequence = number + 1;
    return message;
}

static struct store *open_store(const char *directory)
{
    char error[STORE_ERROR_MAX];
    struct store *store;
    struct store_options options = {
        .directory = directory,
        .wall_ms = clock_wall_ms(),
        .monotonic_ms = clock_monotonic_ms(),
        .report = report,
    };
    int result = store_open(&options, &store, error);
    if (result < 0)
        fprintf(stderr, "store_bench: %s\n", error);
    check(result);
    return store;
}

static void on_session(void *context, const struct store_session *session)
{
    (void)context;
    (void)session;
    given++;
}

static void on_subscription(void *context, uint64_t session, struct bytes filter,
                            struct subscription_options options, uint32_t identifier)
{
    (void)context;
    (void)session;
    (void)filter;
    (void)options;
    (void)identifier;
    given++;
}

static void on_incoming(void *context, uint64_t session, uint16_t packet_id)
{
    (void)context;
    (void)session;
    (void)packet_id;
    given++;
}

static void on_spread(void *context, uint64_t publisher, uint16_t packet_id, uint64_t target)
{
    (void)context;
    (void)publisher;
    (void)packet_id;
    (void)target;
    given++;
}

static void on_delivery(void *context, const struct store_delivery *delivery)
{
    (void)context;
    message_unref(delivery->message);
    given++;
}

static void on_retained(void *context, struct message *message,
                        const struct store_publisher *publisher)
{
    (void)context;
    (void)publisher;
    message_unref(message);
    given++;
}

static void on_will(void *context, const struct store_will *will)
{
    (void)context;
    message_unref(will->message);
    given++;
}

static void load(struct store *store, uint32_t window)
{
    struct store_loader loader = {
        .budget = &budget,
        .session = on_session,
        .subscription = on_subscription,
        .incoming = on_incoming,
        .spread = on_spread,
        .delivery = on_delivery,
        .retained = on_retained,
        .will = on_will,
        .window = window,
    };
    check(store_load(store, &loader));
}

static void apply(struct store *store, const struct record *record)
{
    check(store_apply(store, record, clock_wall_ms(), clock_monotonic_ms()));
}

static void put_session(struct store *store, uint64_t number)
{
    char client[32];
    struct record record = {.kind = RECORD_SESSION_PUT, .session = number, .expiry_interval = 3600};
    record.text_size = (uint32_t)snprintf(client, sizeof(client), "client-%" PRIu64, number);
    record.text = (uint8_t *)client;
    apply(store, &record);
}

static void put_delivery(struct store *store, uint64_t session, uint64_t number)
{
    struct record record = {.kind = RECORD_DELIVERY_PUT, .session = session, .number = number};
    record.qos = 1;
    record.message = new_message(number, "plant/line/%" PRIu64);
    apply(store, &record);
    message_unref(record.message);
}

static double raw_barriers(const char *directory, size_t size)
{
    char path[512];
    uint8_t *block = memory_new(size);
    (void)snprintf(path, sizeof(path), "%s/raw", directory);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    uint64_t count = 0;
    double from = now_s(), took;
    while ((took = now_s() - from) < GROUP_SECONDS) {
        if (pwrite(file, block, size, (off_t)((count++ % 1000) * size)) < 0 || fdatasync(file) < 0)
            check(-5);
    }
    (void)close(file);
    (void)unlink(path);
    memory_free(block);
    return (double)count / took;
}

// A steady queue: each group puts and removes `size` deliveries.
static double groups(struct store *store, uint64_t size, uint64_t *number)
{
    uint64_t count = 0;
    double from = now_s(), took;
    while ((took = now_s() - from) < GROUP_SECONDS) {
        check(store_begin(store));
        for (uint64_t i = 0; i < size; i++) {
            put_delivery(store, 1 + i % 10, ++*number);
            if (*number <= size)
                continue;
            struct record record = {.kind = RECORD_DELIVERY_REMOVE, .number = *number - size};
            record.session = 1 + i % 10;
            apply(store, &record);
        }
        check(store_commit(store));
        count++;
    }
    return (double)count / took;
}

static void bench_groups(const char *directory)
{
    static const uint64_t sizes[] = {1, 10, 100, 1000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char path[512];
        uint64_t number = 0;
        struct store_numbers before, after;
        (void)snprintf(path, sizeof(path), "%s/groups-%" PRIu64, directory, sizes[i]);
        double raw = raw_barriers(directory, 4096);
        struct store *store = open_store(path);
        load(store, 1);
        check(store_begin(store));
        for (uint64_t session = 1; session <= 10; session++)
            put_session(store, session);
        check(store_commit(store));
        store_numbers(store, &before);
        double rate = groups(store, sizes[i], &number);
        store_numbers(store, &after);
        printf("raw_fdatasync %.0f barriers/s\n", raw);
        printf("group_%" PRIu64 " %.0f commits/s, %.0f records/s, %.2f of raw, %.0f bytes/message, "
               "%.3f barriers/commit\n",
               sizes[i], rate, rate * 2 * (double)sizes[i], rate / raw,
               (double)(after.bytes_written - before.bytes_written) / (double)number,
               (double)(after.barriers - before.barriers) /
                   (double)(after.commits - before.commits));
        check(store_close(store));
    }
}

static void fill_for_load(struct store *store)
{
    for (uint64_t i = 0; i < LOAD_DELIVERIES; i++) {
        if (i % 1000 == 0)
            check(store_begin(store));
        if (i < LOAD_SESSIONS)
            put_session(store, i + 1);
        put_delivery(store, 1 + i % LOAD_SESSIONS, i + 1);
        struct record record = {.kind = RECORD_RETAINED_PUT};
        record.message = new_message(i * 7919 % LOAD_RETAINED, "house/%" PRIu64 "/state");
        apply(store, &record);
        message_unref(record.message);
        if (i % 1000 == 999)
            check(store_commit(store));
    }
}

static void bench_load(const char *directory)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/load", directory);
    struct store *store = open_store(path);
    double from = now_s();
    load(store, 1);
    if (given == 0) {
        fill_for_load(store);
        printf("fill %.2f s\n", now_s() - from);
    }
    check(store_close(store));
    given = 0;
    from = now_s();
    int64_t cpu_us = clock_cpu_us();
    store = open_store(path);
    printf("open %.2f s\n", now_s() - from);
    load(store, UINT32_MAX);
    printf("open_and_load %.2f s, %" PRIu64 " given, %.2f s of CPU, %.0f MB resident\n",
           now_s() - from, given, (double)(clock_cpu_us() - cpu_us) / 1e6,
           (double)process_resident_bytes() / 1e6);
    check(store_close(store));
}

static void on_read(void *context, const struct store_delivery *delivery)
{
    uint64_t *last = context;
    if (delivery->number <= *last)
        check(-5);
    *last = delivery->number;
    message_unref(delivery->message);
}

static void bench_queue(const char *directory)
{
    char path[512];
    uint64_t last = 0, count = 0;
    (void)snprintf(path, sizeof(path), "%s/queue", directory);
    struct store *store = open_store(path);
    load(store, 1);
    double from = now_s();
    for (uint64_t i = 0; i < QUEUE_DELIVERIES; i++) {
        if (i % 10000 == 0)
            check(store_begin(store));
        if (i == 0)
            put_session(store, 1);
        put_delivery(store, 1, i + 1);
        if (i % 10000 == 9999)
            check(store_commit(store));
    }
    printf("queue_fill %.2f s, %.0f MB resident\n", now_s() - from,
           (double)process_resident_bytes() / 1e6);
    check(store_close(store));
    from = now_s();
    store = open_store(path);
    load(store, 100);
    printf("queue_open_and_load %.2f s, %.0f MB resident, %" PRIu64 " waiting\n", now_s() - from,
           (double)process_resident_bytes() / 1e6, store_waiting(store, 1));
    from = now_s();
    int some;
    while ((some = store_read(store, 1, last, 1000, &budget, on_read, &last)) > 0) {
        check(store_begin(store));
        for (int i = 0; i < some; i++) {
            struct record record = {.kind = RECORD_DELIVERY_REMOVE, .session = 1};
            record.number = ++count;
            apply(store, &record);
        }
        check(store_commit(store));
    }
    check(some);
    printf("queue_drain %.2f s, %" PRIu64 " in order, %.0f MB resident\n", now_s() - from, count,
           (double)process_resident_bytes() / 1e6);
    check(store_close(store));
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: store_bench DIRECTORY [groups|load|queue]\n");
        return 2;
    }
    const char *what = argc > 2 ? argv[2] : "groups";
    if (strcmp(what, "groups") == 0)
        bench_groups(argv[1]);
    else if (strcmp(what, "load") == 0)
        bench_load(argv[1]);
    else
        bench_queue(argv[1]);
    return 0;
}
