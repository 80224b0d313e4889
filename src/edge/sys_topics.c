// SPDX-License-Identifier: MIT
#include "edge/sys_topics.h"

#include "base/memory.h"
#include "core/router.h"
#include "os/process.h"
#include "server/worker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TOPIC_MAX 96
#define LOAD_COUNT 3

// How a value comes about.
enum source {
    SOURCE_COUNTER, // a counter, summed over the workers
    SOURCE_OTHER,   // computed, see other_value
};

enum other {
    CLIENTS_TOTAL,
    CLIENTS_MAXIMUM,
    CLIENTS_CONNECTED,
    CLIENTS_DISCONNECTED,
    STORED_COUNT,
    STORED_BYTES,
    DROPPED_ALL,
    OUTPUT_COUNT,
    OUTPUT_BYTES,
    SUBSCRIPTION_COUNT,
    SHARED_COUNT,
    RETAINED_COUNT,
    HEAP_CURRENT,
    HEAP_MAXIMUM,
};

struct row {
    const char *topic; // below $SYS/broker/
    uint8_t source;
    uint16_t which;
};

#define COUNTED(topic, counter)                                                                    \
    {                                                                                              \
        topic, SOURCE_COUNTER, COUNTER_##counter                                                   \
    }
#define OTHER(topic, other)                                                                        \
    {                                                                                              \
        topic, SOURCE_OTHER, other                                                                 \
    }
#define PACKET(name, counter)                                                                      \
    COUNTED("mqtt/" name "/received", RECEIVED_##counter),                                         \
        COUNTED("mqtt/" name "/sent", SENT_##counter)

// clang-format off
static const struct row rows[] = {
    OTHER("clients/total", CLIENTS_TOTAL),
    OTHER("clients/maximum", CLIENTS_MAXIMUM),
    OTHER("clients/connected", CLIENTS_CONNECTED),
    OTHER("clients/active", CLIENTS_CONNECTED),
    OTHER("clients/disconnected", CLIENTS_DISCONNECTED),
    OTHER("clients/inactive", CLIENTS_DISCONNECTED),
    COUNTED("clients/expired", SESSIONS_EXPIRED),
    COUNTED("messages/received", PACKETS_RECEIVED),
    COUNTED("messages/sent", PACKETS_SENT),
    OTHER("messages/stored", STORED_COUNT),
    OTHER("store/messages/count", STORED_COUNT),
    OTHER("store/messages/bytes", STORED_BYTES),
    COUNTED("publish/messages/received", PUBLISH_RECEIVED),
    COUNTED("publish/messages/sent", PUBLISH_SENT),
    OTHER("publish/messages/dropped", DROPPED_ALL),
    COUNTED("publish/bytes/received", PUBLISH_BYTES_RECEIVED),
    COUNTED("publish/bytes/sent", PUBLISH_BYTES_SENT),
    COUNTED("bytes/received", BYTES_RECEIVED),
    COUNTED("bytes/sent", BYTES_SENT),
    OTHER("packet/out/count", OUTPUT_COUNT),
    OTHER("packet/out/bytes", OUTPUT_BYTES),
    COUNTED("connections/socket/count", SOCKETS_ACCEPTED),
    OTHER("subscriptions/count", SUBSCRIPTION_COUNT),
    OTHER("shared_subscriptions/count", SHARED_COUNT),
    OTHER("retained messages/count", RETAINED_COUNT),
    OTHER("heap/current", HEAP_CURRENT),
    OTHER("heap/maximum", HEAP_MAXIMUM),
    PACKET("connect", CONNECT),
    PACKET("connack", CONNACK),
    PACKET("publish", PUBLISH),
    PACKET("puback", PUBACK),
    PACKET("pubrec", PUBREC),
    PACKET("pubrel", PUBREL),
    PACKET("pubcomp", PUBCOMP),
    PACKET("subscribe", SUBSCRIBE),
    PACKET("suback", SUBACK),
    PACKET("unsubscribe", UNSUBSCRIBE),
    PACKET("unsuback", UNSUBACK),
    PACKET("pingreq", PINGREQ),
    PACKET("pingresp", PINGRESP),
    PACKET("disconnect", DISCONNECT),
    PACKET("auth", AUTH),
    COUNTED("dropped/queue full", DROPPED_QUEUE_FULL),
    COUNTED("dropped/reads too slowly", DROPPED_OUTPUT_FULL),
    COUNTED("dropped/too large", DROPPED_TOO_LARGE),
    COUNTED("dropped/expired", DROPPED_EXPIRED),
    COUNTED("dropped/no memory", DROPPED_NO_MEMORY),
    COUNTED("dropped/session ended", DROPPED_SESSION_ENDED),
    COUNTED("dropped/not authorized", DROPPED_NOT_AUTHORIZED),
    COUNTED("dropped/not retained", DROPPED_NOT_RETAINED),
    COUNTED("refused/connect timeout", REFUSED_CONNECT_TIMEOUT),
    COUNTED("refused/pending", REFUSED_PENDING),
    COUNTED("refused/pending of one address", REFUSED_PENDING_ADDRESS),
    COUNTED("refused/connections", REFUSED_CONNECTIONS),
    COUNTED("refused/http", REFUSED_HTTP),
    COUNTED("refused/transport", REFUSED_TRANSPORT),
    COUNTED("refused/sessions", REFUSED_SESSIONS),
    COUNTED("refused/not authorized", REFUSED_NOT_AUTHORIZED),
    COUNTED("refused/packet size", REFUSED_PACKET_SIZE),
    COUNTED("refused/topic", REFUSED_TOPIC),
    COUNTED("refused/properties", REFUSED_PROPERTIES),
    COUNTED("refused/subscriptions", REFUSED_SUBSCRIPTIONS),
    COUNTED("refused/retained", REFUSED_RETAINED),
    COUNTED("refused/memory", REFUSED_MEMORY),
    COUNTED("refused/descriptors", REFUSED_DESCRIPTORS),
    COUNTED("refused/malformed", REFUSED_MALFORMED),
    COUNTED("refused/client id", REFUSED_CLIENT_ID),
    COUNTED("refused/reads nothing", REFUSED_SLOW),
    COUNTED("refused/too many logins at once", REFUSED_LOGIN_BUSY),
    COUNTED("refused/disk space", REFUSED_DISK),
    COUNTED("refused/to make room", SHED_CLOSED),
    COUNTED("refused/banned", REFUSED_BANNED),
    COUNTED("refused/connect rate", REFUSED_CONNECT_RATE),
    COUNTED("refused/fights for a client id", REFUSED_FIGHT),
    COUNTED("bans", BANS),
    COUNTED("slowed down", SLOWED_DOWN),
};

static const struct row loads[] = {
    COUNTED("messages/received", PACKETS_RECEIVED),
    COUNTED("messages/sent", PACKETS_SENT),
    OTHER("publish/dropped", DROPPED_ALL),
    COUNTED("publish/received", PUBLISH_RECEIVED),
    COUNTED("publish/sent", PUBLISH_SENT),
    COUNTED("bytes/received", BYTES_RECEIVED),
    COUNTED("bytes/sent", BYTES_SENT),
    COUNTED("sockets", SOCKETS_ACCEPTED),
    COUNTED("connections", RECEIVED_CONNECT),
};
// clang-format on

static const struct {
    const char *name;
    double seconds;
} periods[LOAD_COUNT] = {{"1min", 60}, {"5min", 300}, {"15min", 900}};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define LOADS (sizeof(loads) / sizeof(loads[0]))

struct sys_topics {
    struct chore chore;
    struct server *server;
    bool started, version_said;
    int64_t last_ms;
    uint64_t maximum_sessions, maximum_heap;
    uint64_t values[ROWS]; // as they were said last
    uint64_t load_counts[LOADS];
    double load_values[LOADS][LOAD_COUNT];
    double load_shown[LOADS][LOAD_COUNT];
    char version[64];
};

// False: there was no memory for it; it is tried again when it is due the next time.
static bool publish(struct sys_topics *sys_topics, struct worker *worker, const char *topic,
                    const char *value)
{
    char text[TOPIC_MAX];
    int size = snprintf(text, sizeof(text), "$SYS/broker/%s", topic);
    struct message_source source = {
        .topic = bytes_make(text, (size_t)size),
        .payload = bytes_make(value, strlen(value)),
        .qos = 2,
        .retain = true,
        .is_own = true,
        .now_ms = worker->now_ms,
    };
    struct message *message = message_try_new(&sys_topics->server->budget, &source);
    if (message == NULL) {
        counter_add(&worker->counters, COUNTER_DROPPED_NO_MEMORY, 1);
        return false;
    }
    (void)router_publish(&worker->router, message); // that nobody listens is no news
    message_unref(message);
    return true;
}

static uint64_t dropped_all(const struct server *server)
{
    static const enum counter causes[] = {
        COUNTER_DROPPED_QUEUE_FULL,     COUNTER_DROPPED_OUTPUT_FULL,  COUNTER_DROPPED_TOO_LARGE,
        COUNTER_DROPPED_EXPIRED,        COUNTER_DROPPED_NO_MEMORY,    COUNTER_DROPPED_SESSION_ENDED,
        COUNTER_DROPPED_NOT_AUTHORIZED, COUNTER_DROPPED_NOT_RETAINED,
    };
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
        sum += server_count(server, causes[i]);
    return sum;
}

static uint64_t clamp_difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0; // two counters are not read at one moment
}

static uint64_t other_value(struct sys_topics *sys_topics, enum other which)
{
    struct server *server = sys_topics->server;
    uint64_t sessions = server_count(server, COUNTER_SESSIONS);
    uint64_t connected = server_count(server, COUNTER_CLIENTS_CONNECTED);
    uint64_t queued = server_count(server, COUNTER_QUEUED_MESSAGES);
    switch (which) {
    case CLIENTS_TOTAL: return sessions;
    case CLIENTS_MAXIMUM:
        if (sessions > sys_topics->maximum_sessions)
            sys_topics->maximum_sessions = sessions;
        return sys_topics->maximum_sessions;
    case CLIENTS_CONNECTED: return connected;
    case CLIENTS_DISCONNECTED: return clamp_difference(sessions, connected);
    case STORED_COUNT: return queued + retained_count(server->retained);
    case STORED_BYTES:
        return server_count(server, COUNTER_QUEUED_BYTES) + retained_bytes(server->retained);
    case DROPPED_ALL: return dropped_all(server);
    case OUTPUT_COUNT: return queued;
    case OUTPUT_BYTES: return server_count(server, COUNTER_QUEUED_BYTES);
    case SUBSCRIPTION_COUNT: return index_subscription_count(server->index);
    case SHARED_COUNT: return index_shared_count(server->index);
    case RETAINED_COUNT: return retained_count(server->retained);
    case HEAP_CURRENT: return (uint64_t)budget_used(&server->budget);
    case HEAP_MAXIMUM: break;
    }
    uint64_t used = (uint64_t)budget_used(&server->budget);
    if (used > sys_topics->maximum_heap)
        sys_topics->maximum_heap = used;
    return sys_topics->maximum_heap;
}

static uint64_t value_of(struct sys_topics *sys_topics, const struct row *row)
{
    return row->source == SOURCE_COUNTER
               ? server_count(sys_topics->server, (enum counter)row->which)
               : other_value(sys_topics, (enum other)row->which);
}

static bool publish_number(struct sys_topics *sys_topics, struct worker *worker, const char *topic,
                           uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    return publish(sys_topics, worker, topic, text);
}

static void publish_load(struct sys_topics *sys_topics, struct worker *worker, size_t load,
                         size_t period)
{
    char topic[64], text[32];
    double value = sys_topics->load_values[load][period];
    if (fabs(value - sys_topics->load_shown[load][period]) < 0.01)
        return;
    (void)snprintf(topic, sizeof(topic), "load/%s/%s", loads[load].topic, periods[period].name);
    (void)snprintf(text, sizeof(text), "%.2f", value);
    if (publish(sys_topics, worker, topic, text))
        sys_topics->load_shown[load][period] = value;
}

// Rates a minute, damped over 1, 5 and 15 minutes, as Mosquitto computes them.
static void publish_loads(struct sys_topics *sys_topics, struct worker *worker, double elapsed_s)
{
    for (size_t load = 0; load < LOADS; load++) {
        uint64_t count = value_of(sys_topics, &loads[load]);
        double rate =
            elapsed_s <= 0 ? 0 : (double)(count - sys_topics->load_counts[load]) * 60 / elapsed_s;
        sys_topics->load_counts[load] = count;
        for (size_t period = 0; period < LOAD_COUNT; period++) {
            double *value = &sys_topics->load_values[load][period];
            if (elapsed_s > 0)
                *value = rate + exp(-elapsed_s / periods[period].seconds) * (*value - rate);
            publish_load(sys_topics, worker, load, period);
        }
    }
}

static void run(struct chore *chore, struct worker *worker, int64_t now_ms)
{
    struct sys_topics *sys_topics = (struct sys_topics *)(void *)chore; // its first member
    char text[32];
    if (!sys_topics->version_said)
        sys_topics->version_said = publish(sys_topics, worker, "version", sys_topics->version);
    (void)snprintf(text, sizeof(text), "%" PRId64 " seconds",
                   (now_ms - sys_topics->server->started_ms) / 1000);
    (void)publish(sys_topics, worker, "uptime", text);
    for (size_t i = 0; i < ROWS; i++) {
        uint64_t value = value_of(sys_topics, &rows[i]);
        if (value != sys_topics->values[i] &&
            publish_number(sys_topics, worker, rows[i].topic, value))
            sys_topics->values[i] = value;
    }
    double elapsed_s = sys_topics->started ? (double)(now_ms - sys_topics->last_ms) / 1000 : 0;
    publish_loads(sys_topics, worker, elapsed_s);
    sys_topics->last_ms = now_ms;
    sys_topics->started = true;
}

struct sys_topics *sys_topics_new(struct server *server, const char *version)
{
    if (server->options.sys_interval_s == 0)
        return NULL;
    struct sys_topics *sys_topics = memory_new(sizeof(*sys_topics));
    sys_topics->server = server;
    sys_topics->chore.run = run;
    sys_topics->chore.interval_ms = (int64_t)server->options.sys_interval_s * 1000;
    memset(sys_topics->values, 0xff, sizeof(sys_topics->values)); // nothing was said yet
    for (size_t i = 0; i < LOADS * LOAD_COUNT; i++)
        sys_topics->load_shown[i / LOAD_COUNT][i % LOAD_COUNT] = -1;
    (void)snprintf(sys_topics->version, sizeof(sys_topics->version), "bud version %s", version);
    server_add_chore(server, &sys_topics->chore);
    return sys_topics;
}

void sys_topics_free(struct sys_topics *sys_topics)
{
    memory_free(sys_topics);
}
