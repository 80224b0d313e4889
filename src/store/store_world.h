// SPDX-License-Identifier: MIT
// For tests only: a small random life of a store beside a model of what must be in it. The state of
// either is one number, the sum of the hashes of its parts, so that both are compared at once and
// the order in which the store gives things does not matter.
#ifndef BUD_STORE_STORE_WORLD_H
#define BUD_STORE_STORE_WORLD_H

#include "base/hash.h"
#include "base/memory.h"
#include "base/test_random.h"
#include "os/file.h"
#include "store/disk_fault.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORLD_SESSIONS 6
#define WORLD_FILTERS 4
#define WORLD_QUEUE 24
#define WORLD_TOPICS 5
#define WORLD_PACKETS 16
#define WORLD_LIVE 8 // messages that are still in memory

struct world_delivery {
    uint64_t number, message;
    uint8_t state; // 0 waits, 1 sent, 2 released
    uint16_t packet_id;
};

struct world_session {
    uint64_t number; // 0: it is not there
    bool subscribed[WORLD_FILTERS];
    uint8_t qos[WORLD_FILTERS];
    bool incoming[WORLD_PACKETS];
    uint64_t will; // message, 0 none
    struct world_delivery queue[WORLD_QUEUE];
    unsigned count;
    uint64_t last_number;
};

struct world_retained {
    uint64_t message, sequence, last_sequence;
};

// What must be in the store.
struct world_model {
    struct world_session sessions[WORLD_SESSIONS];
    struct world_retained retained[WORLD_TOPICS];
    uint64_t last_session, last_message, last_sequence;
};

struct world {
    struct test_random random;
    struct store *store;
    struct world_model model;
    struct message *live[WORLD_LIVE]; // by message number modulo
    uint64_t live_numbers[WORLD_LIVE];
    struct budget budget;
    size_t payload_max;
    uint32_t log_pages_max; // 0: few, so that the log is copied often
    char error[STORE_ERROR_MAX];
    // What loading found.
    uint64_t state;
    unsigned reports;
    uint64_t *lines; // if not NULL, the hashes of all parts
    size_t line_count;
    bool print; // what is loaded, for looking into a failure
    char last_report[STORE_ERROR_MAX];
};

static inline uint64_t world_line(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline uint64_t world_line(struct world *world, const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (world->print)
        printf("    %s\n", line);
    struct hash_key key = {1, 2};
    uint64_t hash = hash_bytes(key, 3, bytes_make(line, (size_t)size));
    if (world->lines != NULL)
        world->lines[world->line_count++] = hash;
    return hash;
}

// A message's content follows from its number.
static inline size_t world_payload(const struct world *world, uint64_t number, uint8_t *payload)
{
    struct test_random random = {number};
    size_t size = 1 + test_random_below(&random, world->payload_max);
    for (size_t i = 0; i < size; i++)
        payload[i] = (uint8_t)test_random_next(&random);
    return size;
}

static inline uint64_t world_hash_payload(struct bytes payload)
{
    struct hash_key key = {3, 4};
    return hash_bytes(key, 5, payload);
}

static inline uint64_t world_hash_message(const struct world *world, uint64_t number)
{
    static uint8_t payload[65536];
    return world_hash_payload(bytes_make(payload, world_payload(world, number, payload)));
}

static inline uint64_t world_session_state(struct world *world, const struct world_session *session)
{
    unsigned long long number = session->number;
    uint64_t state = world_line(world, "session %llu client-%llu user", number, number);
    for (unsigned i = 0; i < WORLD_FILTERS; i++)
        if (session->subscribed[i])
            state +=
                world_line(world, "subscription %llu filter/%u %u", number, i, session->qos[i]);
    for (unsigned i = 0; i < WORLD_PACKETS; i++)
        if (session->incoming[i])
            state += world_line(world, "incoming %llu %u", number, i + 1);
    for (unsigned i = 0; i < session->count; i++) {
        const struct world_delivery *delivery = &session->queue[i];
        uint64_t content = delivery->state == 2 ? 0 : world_hash_message(world, delivery->message);
        state += world_line(world, "delivery %llu %llu %u %u %llx", number,
                            (unsigned long long)delivery->number, delivery->state,
                            delivery->packet_id, (unsigned long long)content);
    }
    if (session->will != 0)
        state += world_line(world, "will %llu %llx", number,
                            (unsigned long long)world_hash_message(world, session->will));
    return state;
}

static inline uint64_t world_model_state(struct world *world, const struct world_model *model)
{
    uint64_t state = 0;
    for (unsigned i = 0; i < WORLD_SESSIONS; i++)
        if (model->sessions[i].number != 0)
            state += world_session_state(world, &model->sessions[i]);
    for (unsigned i = 0; i < WORLD_TOPICS; i++) {
        const struct world_retained *retained = &model->retained[i];
        if (retained->message != 0)
            state += world_line(world, "retained %llu %llx", (unsigned long long)retained->sequence,
                                (unsigned long long)world_hash_message(world, retained->message));
    }
    return state;
}

static inline void world_on_session(void *context, const struct store_session *session)
{
    struct world *world = context;
    world->state += world_line(world, "session %llu %.*s %.*s", (unsigned long long)session->number,
                               (int)session->client_id.size, (const char *)session->client_id.data,
                               (int)session->user.size, (const char *)session->user.data);
}

static inline void world_on_subscription(void *context, uint64_t session, struct bytes filter,
                                         struct subscription_options options, uint32_t identifier)
{
    struct world *world = context;
    (void)identifier;
    world->state += world_line(world, "subscription %llu %.*s %u", (unsigned long long)session,
                               (int)filter.size, (const char *)filter.data, options.qos);
}

static inline void world_on_incoming(void *context, uint64_t session, uint16_t packet_id)
{
    struct world *world = context;
    world->state += world_line(world, "incoming %llu %u", (unsigned long long)session, packet_id);
}

static inline void world_on_spread(void *context, uint64_t publisher, uint16_t packet_id,
                                   uint64_t target)
{
    (void)context;
    (void)publisher;
    (void)packet_id;
    (void)target;
}

static inline void world_on_delivery(void *context, const struct store_delivery *delivery)
{
    struct world *world = context;
    uint64_t content =
        delivery->message == NULL ? 0 : world_hash_payload(message_payload(delivery->message));
    unsigned state = delivery->released ? 2 : delivery->sent ? 1 : 0;
    world->state +=
        world_line(world, "delivery %llu %llu %u %u %llx", (unsigned long long)delivery->session,
                   (unsigned long long)delivery->number, state, delivery->packet_id,
                   (unsigned long long)content);
    message_unref(delivery->message);
}

static inline void world_on_retained(void *context, struct message *message,
                                     const struct store_publisher *publisher)
{
    (void)publisher;
    struct world *world = context;
    uint64_t content = world_hash_payload(message_payload(message));
    world->state += world_line(world, "retained %llu %llx", (unsigned long long)message->sequence,
                               (unsigned long long)content);
    message_unref(message);
}

static inline void world_on_will(void *context, const struct store_will *will)
{
    struct world *world = context;
    uint64_t content = world_hash_payload(message_payload(will->message));
    world->state += world_line(world, "will %llu %llx", (unsigned long long)will->number,
                               (unsigned long long)content);
    message_unref(will->message);
}

static inline void world_on_report(void *context, const char *what)
{
    struct world *world = context;
    world->reports++;
    (void)snprintf(world->last_report, sizeof(world->last_report), "%s", what);
    if (world->print)
        printf("    report: %s\n", what);
}

static inline struct store_options world_options(struct world *world, const char *directory,
                                                 const struct disk_fault *disk)
{
    return (struct store_options){
        .directory = directory,
        .wall_ms = 1700000000000,
        .monotonic_ms = 1000,
        .log_pages_max = world->log_pages_max == 0 ? 40 : world->log_pages_max,
        .low_space_bytes = 1ull << 60, // no reserve is made
        .vfs = disk == NULL ? NULL : disk_fault_vfs(disk),
        .context = world,
        .report = world_on_report,
    };
}

static inline int world_load(struct world *world)
{
    struct store_loader loader = {
        .context = world,
        .budget = &world->budget,
        .session = world_on_session,
        .subscription = world_on_subscription,
        .incoming = world_on_incoming,
        .spread = world_on_spread,
        .delivery = world_on_delivery,
        .retained = world_on_retained,
        .will = world_on_will,
        .window = UINT32_MAX,
    };
    world->state = 0;
    return store_load(world->store, &loader);
}

// Opens and loads; world->state is what was found. 0 or -errno.
static inline int world_open(struct world *world, const char *directory,
                             const struct disk_fault *disk)
{
    struct store_options options = world_options(world, directory, disk);
    world->budget.limit = INT64_MAX;
    world->reports = 0;
    int result = store_open(&options, &world->store, world->error);
    if (result < 0) {
        world->store = NULL;
        return result;
    }
    result = world_load(world);
    if (result < 0) {
        (void)store_close(world->store);
        world->store = NULL;
    }
    return result;
}

static inline void world_forget_live(struct world *world)
{
    for (unsigned i = 0; i < WORLD_LIVE; i++) {
        message_unref(world->live[i]);
        world->live[i] = NULL;
        world->live_numbers[i] = 0;
    }
}

static inline int world_close(struct world *world)
{
    world_forget_live(world);
    int result = world->store == NULL ? 0 : store_close(world->store);
    world->store = NULL;
    return result;
}

static inline struct message *world_make_message(struct world *world, uint64_t number,
                                                 const char *topic, bool empty)
{
    static uint8_t payload[65536];
    size_t size = empty ? 0 : world_payload(world, number, payload);
    struct message_source source = {
        .topic = bytes_make(topic, strlen(topic)),
        .payload = bytes_make(payload, size),
        .qos = 1,
    };
    struct message *message = message_try_new(&world->budget, &source);
    if (message == NULL)
        abort();
    return message;
}

// A new message, or one that is still in memory, whatever became of its row.
static inline struct message *world_message(struct world *world, uint64_t *ret_number)
{
    uint64_t slot = test_random_below(&world->random, WORLD_LIVE);
    if (world->live[slot] != NULL && test_random_below(&world->random, 2) == 0) {
        *ret_number = world->live_numbers[slot];
        return world->live[slot];
    }
    message_unref(world->live[slot]);
    world->live_numbers[slot] = ++world->model.last_message;
    world->live[slot] = world_make_message(world, world->live_numbers[slot], "some/topic", false);
    *ret_number = world->live_numbers[slot];
    return world->live[slot];
}

static inline int world_apply(struct world *world, const struct record *record)
{
    return store_apply(world->store, record, 1700000000000, 1000);
}

static inline int world_put_session(struct world *world, struct world_session *session)
{
    char text[64];
    struct record record = {.kind = RECORD_SESSION_PUT, .expiry_interval = 3600, .version = 5};
    if (session->number == 0) {
        memset(session, 0, sizeof(*session));
        session->number = ++world->model.last_session;
    }
    record.session = session->number;
    int size = snprintf(text, sizeof(text), "client-%lluuser", (unsigned long long)session->number);
    record.text = (uint8_t *)text;
    record.text_more_size = 4;
    record.text_size = (uint32_t)size - 4;
    return world_apply(world, &record);
}

static inline int world_remove_session(struct world *world, struct world_session *session)
{
    struct record record = {.kind = RECORD_SESSION_REMOVE, .session = session->number};
    memset(session, 0, sizeof(*session));
    return world_apply(world, &record);
}

static inline int world_subscribe(struct world *world, struct world_session *session)
{
    char text[32];
    unsigned filter = (unsigned)test_random_below(&world->random, WORLD_FILTERS);
    session->subscribed[filter] = test_random_below(&world->random, 3) > 0;
    session->qos[filter] = (uint8_t)test_random_below(&world->random, 3);
    struct record record = {.session = session->number, .options.qos = session->qos[filter]};
    record.kind =
        session->subscribed[filter] ? RECORD_SUBSCRIPTION_PUT : RECORD_SUBSCRIPTION_REMOVE;
    record.text_size = (uint32_t)snprintf(text, sizeof(text), "filter/%u", filter);
    record.text = (uint8_t *)text;
    return world_apply(world, &record);
}

static inline int world_deliver(struct world *world, struct world_session *session)
{
    if (session->count == WORLD_QUEUE)
        return 0;
    struct world_delivery *delivery = &session->queue[session->count++];
    struct record record = {.kind = RECORD_DELIVERY_PUT, .session = session->number, .qos = 1};
    *delivery = (struct world_delivery){.number = ++session->last_number};
    record.number = delivery->number;
    record.message = world_message(world, &delivery->message);
    return world_apply(world, &record);
}

static inline int world_move_delivery(struct world *world, struct world_session *session)
{
    if (session->count == 0)
        return 0;
    unsigned position = (unsigned)test_random_below(&world->random, session->count);
    struct world_delivery *delivery = &session->queue[position];
    struct record record = {.session = session->number, .number = delivery->number};
    if (delivery->state < 2 && test_random_below(&world->random, 2) == 0) {
        delivery->state++;
        delivery->packet_id = (uint16_t)(1 + delivery->number % 60000);
        record.packet_id = delivery->packet_id;
        record.kind = delivery->state == 1 ? RECORD_DELIVERY_SENT : RECORD_DELIVERY_RELEASED;
        return world_apply(world, &record);
    }
    record.kind = RECORD_DELIVERY_REMOVE;
    memmove(delivery, delivery + 1, (--session->count - position) * sizeof(*delivery));
    return world_apply(world, &record);
}

static inline int world_incoming(struct world *world, struct world_session *session)
{
    unsigned position = (unsigned)test_random_below(&world->random, WORLD_PACKETS);
    session->incoming[position] = !session->incoming[position];
    struct record record = {.session = session->number, .packet_id = (uint16_t)(position + 1)};
    record.kind = session->incoming[position] ? RECORD_INCOMING_PUT : RECORD_INCOMING_REMOVE;
    return world_apply(world, &record);
}

static inline int world_will(struct world *world, struct world_session *session)
{
    struct record record = {.session = session->number, .text = (uint8_t *)"client"};
    record.text_size = 6;
    record.kind = RECORD_WILL_REMOVE;
    if (test_random_below(&world->random, 3) > 0) {
        record.kind = RECORD_WILL_PUT;
        record.message = world_message(world, &session->will);
    } else {
        session->will = 0;
    }
    return world_apply(world, &record);
}

// Sometimes one that is older than the present value: it comes from another worker, late.
static inline int world_retain(struct world *world)
{
    char topic[32];
    unsigned position = (unsigned)test_random_below(&world->random, WORLD_TOPICS);
    struct world_retained *retained = &world->model.retained[position];
    bool removal = test_random_below(&world->random, 4) == 0;
    bool is_late = test_random_below(&world->random, 5) == 0 && retained->last_sequence > 1;
    uint64_t number = ++world->model.last_message;
    uint64_t sequence = is_late ? retained->last_sequence - 1 : ++world->model.last_sequence * 10;
    (void)snprintf(topic, sizeof(topic), "retained/%u", position);
    struct record record = {.kind = RECORD_RETAINED_PUT};
    record.message = world_make_message(world, number, topic, removal);
    record.message->sequence = sequence;
    int result = world_apply(world, &record);
    message_unref(record.message);
    if (is_late)
        return result;
    retained->message = removal ? 0 : number;
    retained->sequence = removal ? 0 : sequence;
    retained->last_sequence = sequence;
    return result;
}

// One random record, in the store and in the model.
static inline int world_step(struct world *world)
{
    struct world_session *session =
        &world->model.sessions[test_random_below(&world->random, WORLD_SESSIONS)];
    if (session->number == 0)
        return world_put_session(world, session);
    uint64_t choice = test_random_below(&world->random, 100);
    if (choice < 40)
        return world_deliver(world, session);
    if (choice < 70)
        return world_move_delivery(world, session);
    if (choice < 78)
        return world_incoming(world, session);
    if (choice < 84)
        return world_subscribe(world, session);
    if (choice < 94)
        return world_retain(world);
    if (choice < 97)
        return world_will(world, session);
    return choice < 99 ? world_put_session(world, session) : world_remove_session(world, session);
}

// A group of that many records. What comes back was not committed, and the model is as before.
static inline int world_group(struct world *world, unsigned count)
{
    struct world_model before = world->model;
    int result = store_begin(world->store);
    for (unsigned i = 0; result == 0 && i < count; i++)
        result = world_step(world);
    if (result == 0)
        result = store_commit(world->store);
    if (result == 0)
        return 0;
    store_roll_back(world->store);
    before.last_message = world->model.last_message; // numbers of messages are not used again
    before.last_session = world->model.last_session;
    before.last_sequence = world->model.last_sequence;
    world->model = before;
    return result;
}

// A directory of the test's own, in memory if the machine has such a place; and away with it.
static inline void world_make_directory(char directory[64])
{
    bool in_memory = access("/dev/shm", W_OK) == 0;
    (void)snprintf(directory, 64, "%s/bud-store-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
    if (mkdtemp(directory) == NULL)
        abort();
}

static inline void world_remove_directory(const char *directory)
{
    char path[512];
    struct dirent *entry;
    DIR *stream = opendir(directory);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        (void)unlink(path);
    }
    if (stream != NULL)
        (void)closedir(stream);
    (void)rmdir(directory);
}

// How many, for a test: from the environment, or what a quick run takes.
static inline unsigned world_count(const char *name, unsigned quick)
{
    const char *text = getenv(name);
    long count = text == NULL ? 0 : strtol(text, NULL, 10);
    return count > 0 ? (unsigned)count : quick;
}

#endif
