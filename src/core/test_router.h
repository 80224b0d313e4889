// SPDX-License-Identifier: MIT
// For tests: the core of a broker with two workers and no machine. Whatever the core asks of its
// ports is recorded; posts wait until the test lets the other worker read them. Freeing the world
// checks that nothing is left: no byte of the budget, no count of what is queued, subscribed or
// kept.
#ifndef BUD_CORE_TEST_ROUTER_H
#define BUD_CORE_TEST_ROUTER_H

#include "core/session.h"
#include "core/topic_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WORLD_WORKERS 2
#define WORLD_POSTS_MAX 64

struct world_post {
    uint32_t worker;
    struct message *message; // referenced
    struct share_member *member;
    struct moved moved;
    struct leaf *leaves[8];
    uint32_t count;
};

struct world {
    struct epoch epoch;
    struct index *index;
    struct retained *retained;
    struct budget budget;
    struct counters counters[WORLD_WORKERS];
    struct limits limits;
    struct access_port access;
    struct store_port store;
    struct ports ports;
    struct router routers[WORLD_WORKERS];
    struct world_post posts[WORLD_POSTS_MAX];
    uint32_t post_count;
    uint64_t dropped[COUNTER_COUNT]; // by cause, as reported
    uint64_t drops;                  // in all
    const struct session *dropped_for;
    uint64_t ready_count;
    const struct session *ready;
    struct bytes denied; // nobody may read or write this topic, if set
    _Atomic uint64_t last_number;
};

static inline void world_session_ready(void *context, struct session *session)
{
    struct world *world = context;
    assert_non_null(session->connection);
    world->ready_count++;
    world->ready = session;
}

static inline void world_post(void *context, uint32_t worker, struct message *message,
                              struct leaf **leaves, uint32_t count)
{
    struct world *world = context;
    assert_true(world->post_count < WORLD_POSTS_MAX && count <= 8);
    struct world_post *post = &world->posts[world->post_count++];
    *post = (struct world_post){.worker = worker, .message = message_ref(message), .count = count};
    memcpy(post->leaves, leaves, count * sizeof(struct leaf *));
}

static inline void world_post_member(void *context, uint32_t worker, struct message *message,
                                     struct share_member *member, struct moved moved)
{
    struct world *world = context;
    assert_true(world->post_count < WORLD_POSTS_MAX);
    world->posts[world->post_count++] = (struct world_post){
        .worker = worker, .message = message_ref(message), .member = member, .moved = moved};
}

static inline void world_dropped(void *context, const struct session *session,
                                 const struct message *message, enum counter cause)
{
    struct world *world = context;
    assert_non_null(message);
    world->dropped[cause]++;
    world->drops++;
    world->dropped_for = session;
}

static inline bool world_may(void *context, const struct principal *principal, struct bytes topic)
{
    (void)principal;
    const struct world *world = context;
    return world->denied.size == 0 || !bytes_equal(world->denied, topic);
}

static inline struct world *world_new(void)
{
    struct world *world = memory_new(sizeof(*world));
    struct hash_key key = {5, 6};
    epoch_init(&world->epoch, WORLD_WORKERS);
    world->index = index_new(&world->epoch, key);
    world->retained = retained_new(key, (struct retained_limits){100, 1 << 20});
    world->budget.limit = 1 << 26;
    world->limits = (struct limits){
        .in_flight_max = 100,
        .in_flight_bytes_max = 1 << 20,
        .queue_messages_max = 1000,
        .queue_bytes_max = 1 << 20,
        .output_bytes_max = 1 << 20,
        .subscriptions_max = 100,
        .subscriptions_all_max = 1000,
        .topic_bytes_max = 100,
        .topic_levels_max = 10,
    };
    world->access = (struct access_port){
        .context = world,
        .generation = 1,
        .checks_retain_source = true,
        .may_read = world_may,
        .may_write = world_may,
        .may_subscribe = world_may,
    };
    world->ports =
        (struct ports){world, world_session_ready, world_post, world_post_member, world_dropped};
    for (uint32_t i = 0; i < WORLD_WORKERS; i++) {
        epoch_online(&world->epoch, i);
        world->routers[i] = (struct router){
            .worker = i,
            .index = world->index,
            .retained = world->retained,
            .budget = &world->budget,
            .counters = &world->counters[i],
            .limits = &world->limits,
            .ports = &world->ports,
            .access = &world->access,
            .store = &world->store,
            .last_number = &world->last_number,
            .hash_key = key,
        };
    }
    return world;
}

// A counter over all workers.
static inline uint64_t world_count(const struct world *world, enum counter counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < WORLD_WORKERS; i++)
        sum += counter_read(&world->counters[i], counter);
    return sum;
}

// What must be zero as soon as there is no session.
static inline void world_check_quiet(struct world *world)
{
    assert_int_equal(world->post_count, 0);
    assert_int_equal(world_count(world, COUNTER_QUEUED_MESSAGES), 0);
    assert_int_equal(world_count(world, COUNTER_QUEUED_BYTES), 0);
    assert_int_equal(world_count(world, COUNTER_SUBSCRIPTIONS), 0);
    assert_int_equal(world_count(world, COUNTER_SESSIONS), 0);
    assert_int_equal(index_subscription_count(world->index), 0);
    assert_int_equal(index_shared_count(world->index), 0);
    assert_int_equal(index_node_count(world->index), 0);
}

static inline void world_free(struct world *world)
{
    world_check_quiet(world);
    for (uint32_t i = 0; i < WORLD_WORKERS; i++) {
        epoch_offline(&world->epoch, i);
        router_done(&world->routers[i]);
    }
    epoch_drain(&world->epoch);
    index_free(world->index);
    retained_free(world->retained);
    assert_int_equal(budget_used(&world->budget), 0);
    memory_free(world);
}

// Each worker reads what it was posted.
static inline void world_read_posts(struct world *world)
{
    for (uint32_t i = 0; i < world->post_count; i++) {
        struct world_post *post = &world->posts[i];
        struct router *router = &world->routers[post->worker];
        if (post->member == NULL)
            router_deliver(router, post->message, post->leaves, post->count);
        else if (!router_deliver_member(router, post->message, post->member, post->moved))
            router_pass_on(router, post->message, post->member, false, post->moved);
        message_unref(post->message);
    }
    world->post_count = 0;
}

// ---- sessions ----

// Any pointer will do for a connection: the core never looks inside.
static inline void world_attach(struct session *session, uint16_t receive_maximum)
{
    assert_true(session_try_attach(session, session, MQTT_5_0, receive_maximum));
}

static inline struct session *world_session_of(struct world *world, uint32_t worker,
                                               const char *user)
{
    struct principal_source source = {.client_id = text("client"), .user = text(user)};
    struct principal *principal = principal_try_new(&world->budget, &source);
    assert_non_null(principal);
    struct session *session =
        session_try_new(&world->routers[worker], ++world->last_number, principal);
    principal_unref(principal);
    assert_non_null(session);
    return session;
}

static inline struct session *world_offline_session(struct world *world, uint32_t worker)
{
    struct session *session = world_session_of(world, worker, "user");
    session->expiry_interval = SESSION_NEVER_EXPIRES;
    return session;
}

static inline struct session *world_session(struct world *world, uint32_t worker)
{
    struct session *session = world_offline_session(world, worker);
    world_attach(session, 10);
    return session;
}

// As when its client goes and its time is over.
static inline void world_end_session(struct session *session)
{
    if (session->connection != NULL)
        session_detach(session, 0);
    session_free(session);
}

static inline void world_subscribe(struct session *session, const char *filter, uint8_t qos)
{
    struct subscription_options options = {.qos = qos, .retain_handling = 2};
    assert_int_equal(session_subscribe(session, text(filter), options, 0), qos);
}

// ---- messages ----

static inline struct message *world_message(struct world *world, const char *topic,
                                            const char *payload, uint8_t qos)
{
    struct message_source source = {.topic = text(topic), .payload = text(payload), .qos = qos};
    struct message *message = message_try_new(&world->budget, &source);
    assert_non_null(message);
    return message;
}

static inline enum bud_reason world_publish(struct world *world, const char *topic,
                                            const char *payload, uint8_t qos)
{
    struct message *message = world_message(world, topic, payload, qos);
    enum bud_reason reason = router_publish(&world->routers[0], message);
    message_unref(message);
    return reason;
}

static inline enum bud_reason world_retain(struct world *world, const char *topic,
                                           const char *payload, uint8_t qos)
{
    struct message *message = world_message(world, topic, payload, qos);
    message->retain = true;
    enum bud_reason reason = router_publish(&world->routers[0], message);
    message_unref(message);
    return reason;
}

// The next thing for this client is this message; returns its packet identifier. A QoS 0 one is
// sent at once, others stay unacknowledged.
static inline uint16_t world_expect(struct session *session, const char *payload, uint8_t qos)
{
    struct session_outgoing outgoing = session_next(session, 0);
    assert_int_equal(outgoing.type, PACKET_PUBLISH);
    assert_int_equal(outgoing.delivery->qos, qos);
    struct bytes given = message_payload(outgoing.delivery->message);
    if (!bytes_equal(given, text(payload)))
        print_error("expected %s, got %.*s\n", payload, (int)given.size, (const char *)given.data);
    assert_true(bytes_equal(given, text(payload)));
    assert_true((outgoing.packet_id != 0) == (qos > 0));
    session_sent(session);
    return outgoing.packet_id;
}

static inline void world_expect_nothing(struct session *session)
{
    struct session_outgoing outgoing = session_next(session, 0);
    assert_int_equal(outgoing.type, 0);
    assert_false(outgoing.again);
}

#endif
