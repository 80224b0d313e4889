// SPDX-License-Identifier: MIT
// A session's will and its end in every order of what can happen to them: connecting with and
// without a clean start (over a present connection too), a normal and an abnormal end, a goodbye
// that wants the will, and time. Five steps each, for several delays and expiries; an oracle that
// knows only the specification says which wills must have been published [MQTT5 3.1.2.5, 3.1.3.2.2,
// 3.1.4, 3.14.4]. Real workers, sessions and timers; no thread runs, and the clock is the test's.
#include "base/memory.h"
#include "core/will.h"
#include "server/worker.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define STEPS 4 // after the first connection
#define SHORT_S 20
#define LONG_S 200

struct plan {
    uint32_t delay_s, expiry_s;
};

// What must be, by the specification.
struct oracle {
    bool connected, exists;
    bool has_will;
    char will;              // its payload
    int64_t due_ms, end_ms; // of the will and of the session, while offline
    char published[STEPS + 2];
    uint32_t count;
};

struct run {
    const struct plan *plan;
    struct server *server;
    struct worker *worker;
    struct session *observer;
    struct connection *connection; // the present one
    int peers[STEPS + 1];
    uint32_t peer_count;
    struct oracle oracle;
};

// ---- the oracle ----

static void publish_will(struct oracle *oracle)
{
    if (oracle->has_will)
        oracle->published[oracle->count++] = oracle->will;
    oracle->has_will = false;
}

static void end_session(struct oracle *oracle)
{
    publish_will(oracle);
    oracle->exists = false;
}

// The connection is gone, and not by a normal goodbye unless the will was taken out before.
static void disconnect(struct run *run)
{
    struct oracle *oracle = &run->oracle;
    int64_t now_ms = run->worker->now_ms;
    oracle->connected = false;
    oracle->end_ms = now_ms + (int64_t)run->plan->expiry_s * 1000;
    oracle->due_ms = now_ms + (int64_t)run->plan->delay_s * 1000;
    if (run->plan->delay_s == 0)
        publish_will(oracle);
    if (run->plan->expiry_s == 0)
        end_session(oracle);
}

static bool expect_connect(struct run *run, bool clean_start, char will)
{
    struct oracle *oracle = &run->oracle;
    if (oracle->connected)
        disconnect(run); // taken over [MQTT-3.1.4-3]
    if (oracle->exists && clean_start)
        end_session(oracle); // [MQTT-3.1.2-4]
    bool session_present = oracle->exists;
    oracle->connected = oracle->exists = true;
    oracle->has_will = true; // in place of one that waited [MQTT-3.1.3-9]
    oracle->will = will;
    return session_present;
}

static void expect_time(struct run *run)
{
    struct oracle *oracle = &run->oracle;
    int64_t now_ms = run->worker->now_ms;
    if (oracle->connected || !oracle->exists)
        return;
    if (oracle->due_ms <= now_ms)
        publish_will(oracle);
    if (oracle->end_ms <= now_ms)
        end_session(oracle);
}

// ---- the broker ----

// What the end of a turn does, without its clock.
static void end_turn(struct worker *worker)
{
    struct connection *connection = worker->dirty_first, *next;
    worker->dirty_first = worker->dirty_last = NULL;
    for (; connection != NULL; connection = next) {
        next = connection->next_dirty;
        connection->next_dirty = NULL;
        connection->dirty = false;
        connection_flush(connection);
    }
    for (connection = worker->closed; connection != NULL; connection = next) {
        next = connection->next_dirty;
        connection_free(connection);
    }
    worker->closed = NULL;
    epoch_quiescent(&worker->server->epoch, worker->number);
}

static void pass_time(struct run *run, uint32_t seconds)
{
    struct worker *worker = run->worker;
    worker->now_ms += (int64_t)seconds * 1000;
    for (int turn = 0; turn < 3; turn++) { // what is set for the past waits for the next turn
        timer_wheel_advance(worker->wheel, worker->now_ms);
        end_turn(worker);
    }
}

// A connection that has sent this CONNECT; *ret_peer is the client's end.
static struct connection *new_client(struct worker *worker, const struct packet_connect *connect,
                                     int *ret_peer)
{
    const struct net_address address = {.family = 1};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct connection *connection =
        connection_try_new(worker, worker->server->listeners, pair[0], &address);
    assert_non_null(connection);
    connection->engine.version = MQTT_5_0;
    connection_on_connect(connection, connect, (struct bytes){0});
    end_turn(worker);
    *ret_peer = pair[1];
    return connection;
}

// Is a session said to be present?
static bool read_connack(int peer)
{
    uint8_t connack[256];
    ssize_t size = recv(peer, connack, sizeof(connack), MSG_DONTWAIT);
    assert_true(size > 4 && connack[0] == 0x20);
    assert_int_equal(connack[3], BUD_SUCCESS);
    return connack[2] != 0;
}

static void connect_client(struct run *run, bool clean_start)
{
    char will = (char)('a' + run->peer_count);
    struct packet_connect connect = {
        .version = MQTT_5_0,
        .clean_start = clean_start,
        .client_id = BYTES_OF("owner"),
        .has_will = true,
        .will = {.topic = BYTES_OF("will"), .payload = bytes_make(&will, 1), .qos = 1},
    };
    connect.properties.present = UINT64_C(1) << PROPERTY_SESSION_EXPIRY_INTERVAL;
    connect.properties.session_expiry_interval = run->plan->expiry_s;
    connect.will.properties.present = UINT64_C(1) << PROPERTY_WILL_DELAY_INTERVAL;
    connect.will.properties.will_delay_interval = run->plan->delay_s;
    bool session_present = expect_connect(run, clean_start, will);
    int *peer = &run->peers[run->peer_count++];
    run->connection = new_client(run->worker, &connect, peer);
    assert_true(read_connack(*peer) == session_present); // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
}

static void say_goodbye(struct run *run, enum bud_reason reason)
{
    struct packet packet = {.type = PACKET_DISCONNECT, .disconnect = {.reason = reason}};
    connection_on_packet(run->connection, &packet, NULL);
    run->connection = NULL;
    end_turn(run->worker);
}

// ---- the steps ----

static void resume(struct run *run)
{
    connect_client(run, false);
}

static void start_clean(struct run *run)
{
    connect_client(run, true);
}

static void break_off(struct run *run)
{
    if (run->connection == NULL)
        return;
    connection_drop(run->connection, BUD_UNSPECIFIED_ERROR, "broken");
    run->connection = NULL;
    end_turn(run->worker);
    disconnect(run);
}

static void leave(struct run *run)
{
    if (run->connection == NULL)
        return;
    say_goodbye(run, BUD_SUCCESS);
    run->oracle.has_will = false; // [MQTT-3.1.2-10]
    disconnect(run);
}

static void leave_with_will(struct run *run)
{
    if (run->connection == NULL)
        return;
    say_goodbye(run, BUD_DISCONNECT_WITH_WILL);
    disconnect(run);
}

static void wait_short(struct run *run)
{
    pass_time(run, SHORT_S);
    expect_time(run);
}

static void wait_long(struct run *run)
{
    pass_time(run, LONG_S);
    expect_time(run);
}

// ---- all orders ----

static void check(struct run *run)
{
    struct oracle *oracle = &run->oracle;
    struct queue *queue = &run->observer->lasting;
    assert_int_equal(queue->count, oracle->count);
    for (uint32_t i = 0; i < oracle->count && i < queue->count; i++)
        assert_int_equal(message_payload(queue_at(queue, i)->message).data[0],
                         oracle->published[i]);
    assert_true((worker_find_session(run->worker, BYTES_OF("owner")) != NULL) == oracle->exists);
}

static struct session *new_observer(struct worker *worker)
{
    struct principal_source source = {.client_id = BYTES_OF("observer")};
    struct principal *principal = principal_try_new(&worker->server->budget, &source);
    struct session *observer = worker_try_new_session(worker, principal);
    principal_unref(principal);
    assert_non_null(observer);
    observer->expiry_interval = SESSION_NEVER_EXPIRES;
    struct subscription_options options = {.qos = 1};
    assert_int_equal(session_subscribe(observer, BYTES_OF("will"), options, 0), 1);
    return observer;
}

static void finish(struct run *run)
{
    struct worker *worker = run->worker;
    break_off(run);
    pass_time(run, 2 * LONG_S); // connections that linger go as well
    expect_time(run);
    assert_false(run->oracle.exists);
    check(run);
    worker_end_session(worker, run->observer);
    assert_null(worker->connections.first);
    assert_null(worker->pending.first);
    assert_int_equal(counter_read(&worker->counters, COUNTER_SESSIONS), 0);
    assert_int_equal(counter_read(&worker->counters, COUNTER_CLIENTS_CONNECTED), 0);
    assert_int_equal(counter_read(&worker->counters, COUNTER_QUEUED_MESSAGES), 0);
    assert_int_equal(worker->sessions.count, 0);
    for (uint32_t i = 0; i < run->peer_count; i++)
        close(run->peers[i]);
}

static void try_order(struct run *run, uint32_t order)
{
    static void (*const steps[])(struct run *) = {resume,          start_clean, break_off, leave,
                                                  leave_with_will, wait_short,  wait_long};
    const uint32_t count = sizeof(steps) / sizeof(steps[0]);
    run->observer = new_observer(run->worker);
    resume(run);
    for (uint32_t i = 0; i < STEPS; i++, order /= count) {
        steps[order % count](run);
        check(run);
    }
    finish(run);
}

static struct server *new_server(void)
{
    struct options options;
    struct server *server;
    char error[SERVER_ERROR_MAX];
    options_set_defaults(&options);
    options.bind_address = "127.0.0.1";
    options.port = 0;
    options.workers = 1;
    options.persistence = 0;
    options.keep_alive_max_s = 0;
    assert_int_equal(server_new(&options, &server, error), 0);
    server->log.level = LOG_ERROR;
    return server;
}

static void try_all(uint32_t delay_s, uint32_t expiry_s)
{
    const struct plan plan = {delay_s, expiry_s};
    struct server *server = new_server();
    epoch_online(&server->epoch, 0);
    for (uint32_t order = 0; order < 7 * 7 * 7 * 7; order++) {
        struct run run = {.plan = &plan, .server = server, .worker = server->workers[0]};
        try_order(&run, order);
    }
    epoch_offline(&server->epoch, 0);
    server_free(server);
}

static void a_will_without_delay(void **state)
{
    (void)state;
    try_all(0, 100);
}

static void a_will_that_is_due_before_the_session_ends(void **state)
{
    (void)state;
    try_all(10, 100);
}

static void a_will_that_is_due_after_the_session_has_ended(void **state)
{
    (void)state;
    try_all(1000, 100);
}

static void a_will_that_is_due_as_the_session_ends(void **state)
{
    (void)state;
    try_all(100, 100);
}

static void a_session_that_ends_with_its_connection(void **state)
{
    (void)state;
    try_all(0, 0);
    try_all(10, 0);
}

// ---- clients that are not read from for a while ----

#define KEEP_ALIVE_S 10

static uint32_t connected_count(const struct worker *worker)
{
    return (uint32_t)counter_read(&worker->counters, COUNTER_CLIENTS_CONNECTED);
}

// While memory or the disk is short the broker itself does not look whether a client is alive.
static void who_is_not_read_from_is_not_thought_dead(void **state)
{
    (void)state;
    struct server *server = new_server();
    struct run run = {.server = server, .worker = server->workers[0]};
    struct packet_connect connect = {
        .version = MQTT_5_0, .client_id = BYTES_OF("slow"), .keep_alive = KEEP_ALIVE_S};
    int peer;
    epoch_online(&server->epoch, 0);
    struct connection *connection = new_client(run.worker, &connect, &peer);
    connection_set_paused(connection, true);
    pass_time(&run, 10 * KEEP_ALIVE_S);
    assert_int_equal(connected_count(run.worker), 1);
    connection_set_paused(connection, false);
    pass_time(&run, KEEP_ALIVE_S); // time to speak up
    assert_int_equal(connected_count(run.worker), 1);
    pass_time(&run, 2 * KEEP_ALIVE_S);
    assert_int_equal(connected_count(run.worker), 0);
    pass_time(&run, LONG_S);
    close(peer);
    epoch_offline(&server->epoch, 0);
    server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_will_without_delay),
        cmocka_unit_test(a_will_that_is_due_before_the_session_ends),
        cmocka_unit_test(a_will_that_is_due_after_the_session_has_ended),
        cmocka_unit_test(a_will_that_is_due_as_the_session_ends),
        cmocka_unit_test(a_session_that_ends_with_its_connection),
        cmocka_unit_test(who_is_not_read_from_is_not_thought_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
