// SPDX-License-Identifier: MIT
#include "edge/log_topics.h"

#include "base/lock.h"
#include "base/memory.h"
#include "server/worker.h"

#include <string.h>

#define LINES_MAX 256
#define PUBLISH_MS 100
#define IDLE_MS 1000 // a reload may want it

struct kept_line {
    enum log_event event;
    size_t size;
    uint8_t text[];
};

struct log_topics {
    struct chore chore;
    struct server *server;
    struct lock lock;
    struct kept_line *lines[LINES_MAX];
    uint32_t count;
    uint64_t lost; // there was no room, or no memory
};

// Whoever logs, on any thread. Nothing here may log.
static void keep(void *context, enum log_event event, const char *text, size_t size)
{
    struct log_topics *topics = context;
    struct kept_line *line = memory_try_new(sizeof(*line) + size);
    lock_take(&topics->lock);
    if (line == NULL || topics->count == LINES_MAX) {
        topics->lost++;
        memory_free(line);
    } else {
        line->event = event;
        line->size = size;
        memcpy(line->text, text, size);
        topics->lines[topics->count++] = line;
    }
    lock_release(&topics->lock);
}

static struct bytes topic_of(enum log_event event)
{
    switch (log_event_level(event)) {
    case LOG_ERROR: return BYTES_OF("$SYS/broker/log/E");
    case LOG_WARNING: return BYTES_OF("$SYS/broker/log/W");
    case LOG_INFO: return BYTES_OF("$SYS/broker/log/N");
    case LOG_DEBUG: break;
    }
    return event == LOG_SUBSCRIBED ? BYTES_OF("$SYS/broker/log/M/subscribe") : (struct bytes){0};
}

static void publish(struct worker *worker, struct bytes topic, struct bytes text)
{
    struct message_source source = {
        .topic = topic, .payload = text, .qos = 2, .is_own = true, .now_ms = worker->now_ms};
    struct message *message = message_try_new(&worker->server->budget, &source);
    if (message == NULL) {
        counter_add(&worker->counters, COUNTER_DROPPED_NO_MEMORY, 1);
        return;
    }
    (void)router_publish(&worker->router, message); // that nobody listens is no news
    message_unref(message);
}

static uint32_t take(struct log_topics *topics, struct kept_line **lines, uint64_t *ret_lost)
{
    lock_take(&topics->lock);
    uint32_t count = topics->count;
    memcpy(lines, topics->lines, count * sizeof(lines[0]));
    *ret_lost = topics->lost;
    topics->count = 0;
    topics->lost = 0;
    lock_release(&topics->lock);
    return count;
}

static void run(struct chore *chore, struct worker *worker, int64_t now_ms)
{
    struct log_topics *topics = (struct log_topics *)(void *)chore; // its first member
    struct kept_line *lines[LINES_MAX];
    uint64_t lost;
    (void)now_ms;
    bool is_wanted = (worker->server->log.outputs & LOG_TO_TOPIC) != 0;
    chore->interval_ms = is_wanted ? PUBLISH_MS : IDLE_MS;
    uint32_t count = take(topics, lines, &lost);
    for (uint32_t i = 0; i < count; i++) {
        publish(worker, topic_of(lines[i]->event), bytes_make(lines[i]->text, lines[i]->size));
        memory_free(lines[i]);
    }
    if (lost > 0)
        counter_add(&worker->counters, COUNTER_LOG_SUPPRESSED, lost);
}

static void listen(void *context, enum log_event event, const char *text, size_t size)
{
    // As Mosquitto: debugging never becomes messages, or each would cause the next.
    if (topic_of(event).size > 0)
        keep(context, event, text, size);
}

struct log_topics *log_topics_new(struct server *server)
{
    struct log_topics *topics = memory_new(sizeof(*topics));
    topics->server = server;
    topics->chore.interval_ms = IDLE_MS;
    topics->chore.run = run;
    lock_init(&topics->lock);
    log_listen(&server->log, listen, topics);
    server_add_chore(server, &topics->chore);
    return topics;
}

void log_topics_free(struct log_topics *topics)
{
    log_listen(&topics->server->log, NULL, NULL);
    for (uint32_t i = 0; i < topics->count; i++)
        memory_free(topics->lines[i]);
    lock_done(&topics->lock);
    memory_free(topics);
}
