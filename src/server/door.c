// SPDX-License-Identifier: MIT
#include "server/door.h"

#include "base/memory.h"
#include "os/clock.h"
#include "os/random.h"
#include "server/connection_rate.h"
#include "server/listener.h"
#include "server/worker.h"

#include <string.h>

#define IDLE_RATES_MAX 10000
#define HELD_MS_MAX 1000 // who comes too fast waits so long, not longer
#define NETWORK_SIZE_MAX 9

static struct ban_options ban_options_of(const struct options *options)
{
    return (struct ban_options){
        .failures_max = (uint32_t)options->ban_failures_max,
        .window_s = (uint32_t)options->ban_window_s,
        .ban_s = (uint32_t)options->ban_s,
        .ban_s_max = (uint32_t)options->ban_s_max,
        .delay_ms = (uint32_t)options->login_delay_ms,
        .delay_ms_max = (uint32_t)options->login_delay_ms_max,
        .entries_max = (uint32_t)options->ban_entries_max,
    };
}

// Each table with its limits by the options.
struct table_limits {
    struct rate_table **table;
    struct rate_limits limits;
};
#define TABLE_COUNT 5

static void list_tables(struct door *door, const struct options *options,
                        struct table_limits tables[TABLE_COUNT])
{
    tables[0] = (struct table_limits){
        &door->listener_connects,
        {.publish_rate = options->connect_rate, .publish_burst = options->connect_burst}};
    tables[1] = (struct table_limits){&door->network_connects,
                                      {.publish_rate = options->network_connect_rate,
                                       .publish_burst = options->network_connect_burst}};
    tables[2] = (struct table_limits){&door->clients,
                                      {options->client_publish_rate, options->client_publish_burst,
                                       options->client_byte_rate, options->client_byte_burst}};
    tables[3] = (struct table_limits){&door->users,
                                      {options->user_publish_rate, options->user_publish_burst,
                                       options->user_byte_rate, options->user_byte_burst}};
    tables[4] =
        (struct table_limits){&door->listeners,
                              {options->listener_publish_rate, options->listener_publish_burst,
                               options->listener_byte_rate, options->listener_byte_burst}};
}

static struct hash_key random_key(void)
{
    struct hash_key key;
    random_bytes(&key, sizeof(key));
    return key;
}

static int make(struct server *server, const struct options *options, void **ret_made, char *error)
{
    struct door *door = memory_new(sizeof(*door));
    struct ban_options bans = ban_options_of(options);
    struct table_limits tables[TABLE_COUNT];
    (void)server;
    (void)error;
    door->bans = bans_new(&bans, random_key());
    list_tables(door, options, tables);
    for (size_t i = 0; i < TABLE_COUNT; i++)
        *tables[i].table = rate_table_new(&tables[i].limits, IDLE_RATES_MAX, random_key());
    *ret_made = door;
    return 0;
}

// The one that is there stays, and knows who failed and who is in debt; the new one goes.
static void take_limits(struct server *server, struct door *door)
{
    struct ban_options bans = ban_options_of(&server->options);
    struct table_limits tables[TABLE_COUNT];
    bans_set_options(door->bans, &bans);
    list_tables(door, &server->options, tables);
    for (size_t i = 0; i < TABLE_COUNT; i++)
        rate_table_set_limits(*tables[i].table, &tables[i].limits, clock_monotonic_ms());
}

static void swap(struct server *server, void **made)
{
    if (server->door != NULL && *made != NULL) {
        take_limits(server, server->door);
        return;
    }
    struct door *before = server->door;
    server->door = *made;
    *made = before;
}

static void free_door(struct server *server, void *made)
{
    struct door *door = made;
    (void)server;
    bans_free(door->bans);
    rate_table_free(door->listener_connects);
    rate_table_free(door->network_connects);
    rate_table_free(door->clients);
    rate_table_free(door->users);
    rate_table_free(door->listeners);
    memory_free(door);
}

const struct reload_part door_part = {.make = make, .swap = swap, .free = free_door};

// ---- who comes ----

static struct bytes network_of(const struct net_address *address, uint8_t *memory)
{
    size_t size = address->family == 4 ? 3 : 8;
    memory[0] = address->family;
    memcpy(memory + 1, address->octets, size);
    return bytes_make(memory, size + 1);
}

// How long this table's bucket wants it to wait; not charged for what will be refused.
static int64_t debt_ms(struct rate_table *table, struct bytes name, uint64_t count, int64_t now_ms)
{
    struct rate_limits limits = rate_table_limits(table);
    if (!rate_limits_any(&limits))
        return 0;
    struct rate *rate = rate_try_take(table, name, now_ms);
    if (rate == NULL)
        return 0;
    int64_t wait_ms = rate_charge(rate, count, 0, now_ms);
    rate_give(table, rate);
    return wait_ms;
}

static int64_t wait_for(struct connection *connection, uint64_t count)
{
    const struct door *door = connection->worker->server->door;
    int64_t now_ms = connection->worker->now_ms;
    uint8_t memory[NETWORK_SIZE_MAX];
    uint32_t number = connection->listener->number;
    int64_t of_listener =
        debt_ms(door->listener_connects, bytes_make(&number, sizeof(number)), count, now_ms);
    int64_t of_network =
        debt_ms(door->network_connects, network_of(&connection->peer, memory), count, now_ms);
    return of_listener > of_network ? of_listener : of_network;
}

static void limit_rate(struct connection *connection)
{
    if (wait_for(connection, 0) > HELD_MS_MAX) {
        connection->came_too_fast = true;
        return;
    }
    int64_t wait_ms = wait_for(connection, 1);
    if (wait_ms > 0)
        connection_rate_hold(connection, wait_ms);
}

static struct ban_subject subject_of(const struct connection *connection, bool has_user,
                                     struct bytes user)
{
    return (struct ban_subject){.address = connection->peer, .user = user, .has_user = has_user};
}

bool door_let_in(struct connection *connection, bool is_known)
{
    struct worker *worker = connection->worker;
    struct door *door = worker->server->door;
    if (door == NULL || !is_known || net_address_is_loopback(&connection->peer))
        return true;
    struct ban_subject subject = subject_of(connection, false, (struct bytes){0});
    if (bans_left_ms(door->bans, &subject, worker->now_ms) > 0) {
        counter_add(&worker->counters, COUNTER_REFUSED_BANNED, 1);
        connection_drop(connection, BUD_BANNED,
                        "its address is banned for wrong passwords (`bud ban lift` ends that)");
        return false;
    }
    limit_rate(connection);
    return true;
}

enum bud_reason door_check(struct connection *connection, bool has_user, struct bytes user,
                           const char **ret_why)
{
    struct worker *worker = connection->worker;
    struct door *door = worker->server->door;
    if (connection->came_too_fast) {
        counter_add(&worker->counters, COUNTER_REFUSED_CONNECT_RATE, 1);
        *ret_why = "too many connections at once (max_connect_rate, max_network_connect_rate)";
        return BUD_CONNECTION_RATE_EXCEEDED;
    }
    if (door == NULL)
        return BUD_SUCCESS;
    struct ban_subject subject = subject_of(connection, has_user, user);
    if (bans_left_ms(door->bans, &subject, worker->now_ms) == 0)
        return BUD_SUCCESS;
    counter_add(&worker->counters, COUNTER_REFUSED_BANNED, 1);
    *ret_why = "banned for wrong passwords from this address (`bud ban lift` ends that)";
    return BUD_BANNED;
}

static void log_banned(const struct connection *connection, struct bytes user, uint32_t ban_s)
{
    char address[NET_ADDRESS_TEXT_MAX];
    struct log_line line;
    net_address_host_text(&connection->peer, address);
    log_begin(&line, &connection->worker->server->log, LOG_BANNED);
    log_text(&line, "address", address);
    log_bytes(&line, "user", user);
    log_number(&line, "seconds", ban_s);
    log_text(&line, "remedy", "`bud ban lift ADDRESS` ends it");
    log_end(&line);
}

uint32_t door_on_wrong_password(const struct connection *connection, bool has_user,
                                struct bytes user)
{
    struct worker *worker = connection->worker;
    if (worker->server->door == NULL)
        return 0;
    struct ban_subject subject = subject_of(connection, has_user, user);
    struct ban_judgement judgement =
        bans_failed(worker->server->door->bans, &subject, worker->now_ms);
    if (judgement.ban_s > 0) {
        counter_add(&worker->counters, COUNTER_BANS, 1);
        log_banned(connection, user, judgement.ban_s);
    }
    return judgement.delay_ms;
}

void door_on_login(struct connection *connection, struct bytes user)
{
    struct door *door = connection->worker->server->door;
    struct ban_subject subject = subject_of(connection, true, user);
    if (door != NULL)
        bans_succeeded(door->bans, &subject);
}
