// SPDX-License-Identifier: MIT
#include "server/loading.h"

#include "base/memory.h"
#include "core/will.h"
#include "server/retained_filler.h"
#include "server/worker.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

struct loading {
    struct server *server;
    struct retained_filler *filler;
    struct map by_number, by_will; // sessions; by_will those with one
    struct map principals;         // by client id: who is met again is not made again
    uint64_t *ended;               // numbers of sessions that never were: see load_session
    size_t ended_count;
    uint64_t lost; // things for which there was no memory or no session
};

static struct bytes number_key(const void *session)
{
    const struct session *of = session;
    return bytes_make(&of->number, sizeof(of->number));
}

static struct bytes will_key(const void *session)
{
    const struct session *of = session;
    return bytes_make(&of->will_number, sizeof(of->will_number));
}

static struct session *find(const struct loading *loading, uint64_t number)
{
    return map_find(&loading->by_number, bytes_make(&number, sizeof(number)));
}

static struct worker *home_of(const struct loading *loading, struct bytes client_id)
{
    struct server *server = loading->server;
    return server->workers[server_home_of(server, client_id)];
}

// Something of this session finds no place.
static void lose(struct loading *loading, uint64_t session)
{
    for (size_t i = 0; i < loading->ended_count; i++)
        if (loading->ended[i] == session)
            return;
    loading->lost++;
}

static struct bytes client_id_key(const void *principal)
{
    return principal_client_id(principal);
}

// With a reference; NULL without memory.
static struct principal *try_find_principal(struct loading *loading,
                                            const struct principal_source *source)
{
    struct principal *known = map_find(&loading->principals, source->client_id);
    if (known != NULL && known->domain == source->domain && principal_is_of(known, source->user))
        return principal_ref(known);
    struct principal *principal = principal_try_new(&loading->server->budget, source);
    if (principal != NULL && known == NULL && map_try_put(&loading->principals, principal))
        principal_ref(principal);
    return principal;
}

static void forget_principals(struct loading *loading)
{
    size_t position = 0;
    struct principal *principal;
    while ((principal = map_next(&loading->principals, &position)) != NULL)
        principal_unref(principal);
    map_done(&loading->principals);
}

static struct session *make_session(struct loading *loading, const struct store_session *stored)
{
    struct worker *worker = home_of(loading, stored->client_id);
    struct principal_source source = {
        .client_id = stored->client_id, .user = stored->user, .domain = stored->domain};
    struct principal *principal = try_find_principal(loading, &source);
    if (principal == NULL)
        return NULL;
    struct session *session = worker_try_restore_session(worker, stored->number, principal);
    principal_unref(principal);
    if (session == NULL)
        return NULL;
    session->version = stored->version;
    session->expiry_interval = stored->expiry_interval;
    session->detached_ms = stored->detached_ms;
    if (!map_try_put(&loading->by_number, session)) {
        worker_end_session(worker, session);
        return NULL;
    }
    session->stored = true;
    return session;
}

static void end(struct loading *loading, struct worker *worker, uint64_t number)
{
    struct session never = {.number = number};
    size_t size = (loading->ended_count + 1) * sizeof(loading->ended[0]);
    uint64_t *ended = memory_try_resize(loading->ended, size);
    worker->store.session_remove(worker->store.context, &never);
    if (ended == NULL)
        return; // then it looks as if something were lost
    loading->ended = ended;
    loading->ended[loading->ended_count++] = number;
}

// Two sessions of one client: the later one had begun, and the power was gone before the end of the
// earlier one was on the disk. Nobody was told then, so it goes on with the earlier one.

static void load_session(void *context, const struct store_session *stored)
{
    struct loading *loading = context;
    struct worker *worker = home_of(loading, stored->client_id);
    if (worker_find_session(worker, stored->client_id) != NULL)
        end(loading, worker, stored->number);
    else if (make_session(loading, stored) == NULL)
        loading->lost++;
}

static void load_subscription(void *context, uint64_t number, struct bytes filter,
                              struct subscription_options options, uint32_t identifier)
{
    struct loading *loading = context;
    struct session *session = find(loading, number);
    if (session == NULL || !session_restore_subscription(session, filter, options, identifier))
        lose(loading, number);
}

static void load_incoming(void *context, uint64_t number, uint16_t packet_id)
{
    struct loading *loading = context;
    struct session *session = find(loading, number);
    if (session == NULL || !packet_id_set_try_add(&session->incoming, packet_id))
        lose(loading, number);
}

static bool restore_spread_of_will(struct message *will, uint16_t packet_id, uint64_t reached)
{
    struct spread *spread = spread_try_add(will->spread, packet_id, reached);
    if (spread != NULL)
        will->spread = spread;
    return spread != NULL;
}

static void load_spread(void *context, uint64_t publisher, uint16_t packet_id, uint64_t reached)
{
    struct loading *loading = context;
    struct session *session =
        map_find(&loading->by_will, bytes_make(&publisher, sizeof(publisher)));
    bool done;
    // In a store from before wills had numbers of their own it is the session's.
    if (session != NULL && (session->only_for_will || session->number != publisher))
        done = restore_spread_of_will(session->will, packet_id, reached);
    else
        done = (session = find(loading, publisher)) != NULL &&
               session_restore_spread(session, packet_id, reached);
    if (!done)
        lose(loading, publisher);
}

struct delivery_extra *loading_extra(const struct store_delivery *stored)
{
    if (stored->identifier_count == 0)
        return NULL;
    struct delivery_extra *extra =
        memory_new(sizeof(*extra) + stored->identifier_count * sizeof(uint32_t));
    extra->count = stored->identifier_count;
    memcpy(extra->identifiers, stored->identifiers, stored->identifier_count * sizeof(uint32_t));
    return extra;
}

static void load_delivery(void *context, const struct store_delivery *stored)
{
    struct loading *loading = context;
    struct session *session = find(loading, stored->session);
    struct delivery delivery = {
        .message = stored->message,
        .identifier = stored->identifier,
        .qos = stored->qos,
        .retain = stored->retain,
        .number = stored->number,
    };
    if (session == NULL) {
        lose(loading, stored->session);
        message_unref(stored->message);
        return;
    }
    delivery.extra = loading_extra(stored);
    bool in_flight = stored->sent || stored->released;
    if (!session_restore_delivery(session, delivery, in_flight ? stored->packet_id : 0))
        loading->lost++;
}

// Without memory for its name it is not kept: who wrote it could not be asked about.
static bool try_name_publisher(struct loading *loading, struct message *message,
                               const struct store_publisher *publisher)
{
    struct principal_source source = {
        .client_id = publisher->client_id, .user = publisher->user, .domain = publisher->domain};
    if (publisher->client_id.size == 0)
        return true;
    principal_unref(message->principal);
    message->principal = try_find_principal(loading, &source);
    return message->principal != NULL;
}

static void load_retained(void *context, struct message *message,
                          const struct store_publisher *publisher)
{
    struct loading *loading = context;
    if (try_name_publisher(loading, message, publisher)) {
        retained_filler_add(loading->filler, message);
        return;
    }
    loading->lost++;
    message_unref(message);
}

// The will of a client that has no lasting session: it is given some time to come back before the
// will is published.
static struct session *session_for_will(struct loading *loading, const struct store_will *stored)
{
    struct worker *worker = home_of(loading, stored->client_id);
    struct store_session short_lived = {
        .number = stored->number,
        .client_id = stored->client_id,
        .user = stored->user,
        .domain = stored->domain,
        .version = MQTT_3_1_1,
        .expiry_interval = UINT32_MAX,
        .detached_ms = worker->now_ms,
    };
    struct session *session = make_session(loading, &short_lived);
    if (session != NULL) {
        session->stored = false;
        session->only_for_will = true;
        session->expiry_interval = (uint32_t)loading->server->options.will_grace_s + 1;
    }
    return session;
}

// The will of a connection whose CONNECT was never answered, as the earlier one is still there.
static void end_will(struct worker *worker, const struct store_will *stored)
{
    struct session never = {.will_number = stored->number};
    worker->store.will_remove(worker->store.context, &never, false);
    message_unref(stored->message);
}

static void load_will(void *context, const struct store_will *stored)
{
    struct loading *loading = context;
    struct worker *worker = home_of(loading, stored->client_id);
    struct session *session = worker_find_session(worker, stored->client_id);
    if (session == NULL)
        session = session_for_will(loading, stored);
    if (session != NULL && session->will != NULL) {
        end_will(worker, stored);
        return;
    }
    if (session == NULL) {
        loading->lost++;
        message_unref(stored->message);
        return;
    }
    uint64_t wait_s = loading->server->options.will_grace_s;
    if (stored->delay_interval > wait_s)
        wait_s = stored->delay_interval;
    session->will = stored->message;
    session->will_stored = true;
    will_name(session, stored->number);
    if (!map_try_put(&loading->by_will, session))
        loading->lost++;
    session->will_delay_interval = stored->delay_interval;
    session->will_expiry_interval = stored->expiry_interval;
    session->will_due_ms =
        loading->server->workers[0]->now_ms + (wait_s == 0 ? 1 : (int64_t)wait_s * 1000);
}

// What waits is as heavy, each, as what is in the window: who counts it reads it.
static void weigh_waiting(struct session *session)
{
    const struct queue *window = &session->lasting;
    if (window->count > 0)
        session->waiting_bytes = session->waiting_count * (window->bytes / window->count);
}

// What is beyond the window stays where it is.
static void note_waiting(struct server *server, struct store *store)
{
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct worker *worker = server->workers[i];
        size_t position = 0;
        struct session *session;
        while ((session = map_next(&worker->sessions, &position)) != NULL) {
            session->waiting_count = store_waiting(store, session->number);
            weigh_waiting(session);
            uint64_t last = store_waiting_last(store, session->number);
            if (session->last_number < last)
                session->last_number = last; // or new ones would take their places
            counter_add(&worker->counters, COUNTER_QUEUED_MESSAGES, session->waiting_count);
        }
    }
}

static void start_timers(struct server *server)
{
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct worker *worker = server->workers[i];
        size_t position = 0;
        struct session *session;
        while ((session = map_next(&worker->sessions, &position)) != NULL)
            worker_session_loaded(worker, session);
    }
}

static void say_what_came(struct server *server, const struct loading *loading,
                          const struct store_numbers *numbers)
{
    struct log_line line;
    log_begin(&line, &server->log, LOG_LOADED);
    log_text(&line, "data", server->options.data);
    log_number(&line, "sessions", loading->by_number.count);
    log_number(&line, "messages", numbers->messages);
    log_number(&line, "queued", numbers->deliveries);
    log_number(&line, "retained", numbers->retained);
    log_number(&line, "damaged", numbers->damaged);
    log_number(&line, "left_out", loading->lost);
    log_end(&line);
}

int loading_run(struct server *server, struct store *store, char *error)
{
    struct loading loading = {.server = server};
    loading.filler = retained_filler_new(server->retained);
    struct store_loader loader = {
        .context = &loading,
        .budget = &server->budget,
        .session = load_session,
        .subscription = load_subscription,
        .incoming = load_incoming,
        .spread = load_spread,
        .delivery = load_delivery,
        .retained = load_retained,
        .will = load_will,
        .window = SESSION_WINDOW,
    };
    map_init(&loading.by_number, server->hash_key, number_key);
    map_init(&loading.principals, server->hash_key, client_id_key);
    map_init(&loading.by_will, server->hash_key, will_key);
    int result = store_load(store, &loader);
    loading.lost += retained_filler_end(loading.filler);
    if (result < 0) {
        (void)snprintf(error, SERVER_ERROR_MAX, "cannot read the store in %.200s: %s",
                       server->options.data, strerror(-result));
    } else {
        struct store_numbers numbers;
        store_numbers(store, &numbers);
        atomic_store(&server->next_session_number, numbers.next_session);
        note_waiting(server, store);
        start_timers(server);
        say_what_came(server, &loading, &numbers);
    }
    map_done(&loading.by_number);
    forget_principals(&loading);
    map_done(&loading.by_will);
    memory_free(loading.ended);
    return result;
}
