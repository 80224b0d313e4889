// SPDX-License-Identifier: MIT
// CONNECT: who is it, may it come in, which session is its own [MQTT5 3.1.4]. Everything is checked
// before anything is changed; the one answer is CONNACK, and nothing else is sent before it.
#include "server/connection.h"

#include "access/login.h"
#include "core/will.h"
#include "proto/topic.h"
#include "proto/utf8.h"
#include "server/access_rules.h"
#include "server/connection_log.h"
#include "server/connection_login.h"
#include "server/connection_name.h"
#include "server/connection_rate.h"
#include "server/door.h"
#include "server/fights.h"
#include "server/listener.h"
#include "server/mount.h"
#include "server/worker.h"

#include <string.h>

#define RESPONSE_INFORMATION_MAX 512 // longer ones are not offered

void connection_refuse(struct connection *connection, const struct packet_connect *connect,
                       enum bud_reason reason, const char *why)
{
    connection->reason = reason;
    connection->why = why;
    connection_log_refused(connection, connect);
    connection_send_connack(connection, &(struct packet_connack){.reason = reason});
    connection_end(connection, reason, why);
}

static enum bud_reason check_will(const struct connection *connection,
                                  const struct packet_connect *connect, const char **ret_why)
{
    const struct options *options = &connection->worker->server->options;
    const struct listener_options *listener = connection_listener(connection);
    struct counters *counters = &connection->worker->counters;
    const struct packet_will *will = &connect->will;
    if (!connect->has_will)
        return BUD_SUCCESS;
    if (will->qos > listener->qos_max)
        return BUD_QOS_NOT_SUPPORTED; // [MQTT-3.2.2-12]
    if (will->retain && !options->retain_available)
        return BUD_RETAIN_NOT_SUPPORTED; // [MQTT-3.2.2-13]
    if (will->topic.size > options->topic_bytes_max ||
        topic_level_count(will->topic) > options->topic_levels_max) {
        counter_add(counters, COUNTER_REFUSED_TOPIC, 1);
        *ret_why = "the will's topic is too long or too deep (max_topic_bytes, max_topic_levels)";
        return BUD_TOPIC_NAME_INVALID;
    }
    if (will->properties.user_property_count > options->user_properties_max ||
        will->properties.raw.size > options->property_bytes_max) {
        counter_add(counters, COUNTER_REFUSED_PROPERTIES, 1);
        *ret_why = "the will has too many properties (max_user_properties, max_property_bytes)";
        return BUD_QUOTA_EXCEEDED; // as for any other message
    }
    if (will->properties.payload_format_indicator == 1 && !utf8_well_formed(will->payload))
        return BUD_PAYLOAD_FORMAT_INVALID;
    return BUD_SUCCESS;
}

static bool is_listener_full(const struct connection *connection)
{
    uint64_t most = connection_listener(connection)->connections_max;
    return most > 0 && connection->listener != NULL &&
           atomic_load_explicit(&connection->listener->client_count, memory_order_relaxed) >= most;
}

// One client more, or less.
static void count_client(const struct connection *connection, bool more)
{
    _Atomic uint64_t *counts[] = {&connection->worker->server->client_count,
                                  connection->listener != NULL ? &connection->listener->client_count
                                                               : NULL};
    for (size_t i = 0; i < 2; i++)
        if (counts[i] != NULL && more)
            atomic_fetch_add_explicit(counts[i], 1, memory_order_relaxed);
        else if (counts[i] != NULL)
            atomic_fetch_sub_explicit(counts[i], 1, memory_order_relaxed);
}

// Is there room for one more? What is beyond a limit gets the reason the specification has for it.
static enum bud_reason check_room(const struct connection *connection,
                                  const struct session *session, const char **ret_why)
{
    struct worker *worker = connection->worker;
    struct server *server = worker->server;
    uint64_t clients = atomic_load_explicit(&server->client_count, memory_order_relaxed);
    bool takes_over = session != NULL && session->connection != NULL; // then another one goes
    if (server->limits.connections_max > 0 && clients >= server->limits.connections_max &&
        !takes_over) {
        counter_add(&worker->counters, COUNTER_REFUSED_CONNECTIONS, 1);
        *ret_why = "as many clients as global_max_connections allows are connected";
        return BUD_QUOTA_EXCEEDED;
    }
    if (is_listener_full(connection) && !takes_over) {
        counter_add(&worker->counters, COUNTER_REFUSED_CONNECTIONS, 1);
        *ret_why = "as many clients as max_connections allows are connected by this listener";
        return BUD_QUOTA_EXCEEDED;
    }
    if (session == NULL && atomic_load_explicit(&server->session_count, memory_order_relaxed) >=
                               server->limits.sessions_max) {
        counter_add(&worker->counters, COUNTER_REFUSED_SESSIONS, 1);
        *ret_why = "as many sessions as max_sessions allows are kept";
        return BUD_QUOTA_EXCEEDED;
    }
    // Who comes back to a session takes nothing, and what waits for it is what may be freed.
    if (session == NULL && atomic_load_explicit(&server->memory_short, memory_order_relaxed)) {
        counter_add(&worker->counters, COUNTER_REFUSED_MEMORY, 1);
        *ret_why = "memory is short (memory_limit)";
        return BUD_SERVER_BUSY;
    }
    return BUD_SUCCESS;
}

static uint32_t expiry_of(const struct connection *connection, const struct packet_connect *connect)
{
    uint32_t cap = (uint32_t)connection->worker->server->options.session_expiry_s;
    if (connect->version < MQTT_5_0)
        return connect->clean_start ? 0 : cap;
    uint32_t asked = properties_have(&connect->properties, PROPERTY_SESSION_EXPIRY_INTERVAL)
                         ? connect->properties.session_expiry_interval
                         : 0;
    return asked < cap ? asked : cap;
}

static uint16_t keep_alive_of(const struct connection *connection,
                              const struct packet_connect *connect)
{
    uint16_t cap = (uint16_t)connection->worker->server->options.keep_alive_max_s;
    // Only a 5.0 client can be told of another value than its own [MQTT-3.2.2-21].
    if (connect->version < MQTT_5_0 || cap == 0)
        return connect->keep_alive;
    return connect->keep_alive == 0 || connect->keep_alive > cap ? cap : connect->keep_alive;
}

static uint16_t receive_maximum_of(const struct connection *connection,
                                   const struct packet_connect *connect)
{
    uint16_t own = (uint16_t)connection->worker->server->limits.in_flight_max;
    if (!properties_have(&connect->properties, PROPERTY_RECEIVE_MAXIMUM))
        return own;
    return connect->properties.receive_maximum < own ? connect->properties.receive_maximum : own;
}

void connection_note_limits(struct connection *connection, const struct packet_connect *connect)
{
    const struct properties *properties = &connect->properties;
    connection->declined_problem_information =
        properties_have(properties, PROPERTY_REQUEST_PROBLEM_INFORMATION) &&
        properties->request_problem_information == 0;
    if (properties_have(properties, PROPERTY_MAXIMUM_PACKET_SIZE) &&
        properties->maximum_packet_size > 0)
        connection->packet_size_max = properties->maximum_packet_size;
}

static void note_client(struct connection *connection, const struct packet_connect *connect)
{
    const struct options *options = &connection->worker->server->options;
    const struct properties *properties = &connect->properties;
    const struct listener_options *listener = connection_listener(connection);
    connection->alias_out_max = properties->topic_alias_maximum < listener->topic_alias_broker_max
                                    ? properties->topic_alias_maximum
                                    : listener->topic_alias_broker_max;
    if (connect->version == MQTT_5_0)
        connection->alias_in_max = listener->topic_alias_max;
    connection->keep_alive_s = keep_alive_of(connection, connect);
    connection->keep_alive_ms = connection->keep_alive_s * 1500u;
    connection->engine.packet_size_max = (uint32_t)options->packet_bytes_max;
}

// Response Information: where a requester may ask to be answered [MQTT5 3.2.2.3.14].
static struct bytes response_information(const struct connection *connection, uint8_t *text,
                                         size_t size_max)
{
    const char *root = connection->worker->server->options.response_information;
    struct bytes client_id = connection->session->client_id;
    size_t size = strlen(root);
    if (size == 0 || size + 1 + client_id.size > size_max ||
        memchr(client_id.data, '#', client_id.size) != NULL ||
        memchr(client_id.data, '+', client_id.size) != NULL)
        return (struct bytes){0};
    memcpy(text, root, size);
    text[size++] = '/';
    memcpy(text + size, client_id.data, client_id.size);
    return bytes_make(text, size + client_id.size);
}

static void set_number(struct properties *properties, enum property property, uint32_t *field,
                       uint32_t value)
{
    *field = value;
    properties->present |= UINT64_C(1) << property;
}

// Everything in which the broker differs from what the client asked for or may assume
// [MQTT5 3.2.2.3].
static void fill_limits(const struct connection *connection, const struct packet_connect *connect,
                        struct properties *properties)
{
    const struct listener_options *listener = connection_listener(connection);
    const struct options *options = &connection->worker->server->options;
    uint32_t expiry = connection->session->expiry_interval;
    uint64_t present = 0;
    if (properties_have(&connect->properties, PROPERTY_SESSION_EXPIRY_INTERVAL) &&
        connect->properties.session_expiry_interval != expiry)
        set_number(properties, PROPERTY_SESSION_EXPIRY_INTERVAL,
                   &properties->session_expiry_interval, expiry);
    if (options->packet_bytes_max < PACKET_SIZE_MAX)
        set_number(properties, PROPERTY_MAXIMUM_PACKET_SIZE, &properties->maximum_packet_size,
                   (uint32_t)options->packet_bytes_max);
    if (listener->qos_max < 2) {
        properties->maximum_qos = listener->qos_max;
        present |= UINT64_C(1) << PROPERTY_MAXIMUM_QOS;
    }
    if (!options->retain_available)
        present |= UINT64_C(1) << PROPERTY_RETAIN_AVAILABLE; // the value is 0
    if (connection->alias_in_max > 0) {
        properties->topic_alias_maximum = connection->alias_in_max;
        present |= UINT64_C(1) << PROPERTY_TOPIC_ALIAS_MAXIMUM;
    }
    if (connection->keep_alive_s != connect->keep_alive) {
        properties->server_keep_alive = connection->keep_alive_s;
        present |= UINT64_C(1) << PROPERTY_SERVER_KEEP_ALIVE;
    }
    properties->present |= present;
}

// False: what CONNACK has to say is larger than the client takes [MQTT-3.1.2-24].
static bool welcome(struct connection *connection, const struct packet_connect *connect,
                    bool session_present, struct bytes auth_data)
{
    uint8_t text[RESPONSE_INFORMATION_MAX];
    struct packet_connack connack = {.session_present = session_present, .reason = BUD_SUCCESS};
    struct properties *properties = &connack.properties;
    if (connect->version == MQTT_5_0) {
        fill_limits(connection, connect, properties);
        if (connection->assigned_client_id[0] != 0) {
            properties->assigned_client_identifier = connection->session->client_id;
            properties->present |= UINT64_C(1) << PROPERTY_ASSIGNED_CLIENT_IDENTIFIER;
        }
        if (connect->properties.request_response_information == 1) {
            properties->response_information = response_information(connection, text, sizeof(text));
            if (properties->response_information.size > 0)
                properties->present |= UINT64_C(1) << PROPERTY_RESPONSE_INFORMATION;
        }
        if (connection->mechanism != NULL) { // [MQTT-4.12.0-5]
            properties->authentication_method = connect->properties.authentication_method;
            properties->authentication_data = auth_data;
            properties->present |= UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD;
            if (auth_data.size > 0)
                properties->present |= UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
        }
    }
    return connection_send_connack(connection, &connack);
}

// Is a user name more than a word? Where nobody knows users, by any door, any name is as good as
// none.
static bool knows_users(const struct connection *connection)
{
    for (const struct listener *listener = connection->worker->server->listeners; listener != NULL;
         listener = listener->next)
        if (listener->fd >= 0 && login_gate_has_users(listener->gate))
            return true;
    return false;
}

static bool is_own(const struct connection *connection, const struct session *session,
                   const struct principal *principal)
{
    return session != NULL && (!knows_users(connection) ||
                               principal_is_of(session->principal, principal_user(principal)));
}

// A session belongs to the user who made it, and nobody else resumes it, takes it over or ends it;
// unless that user was removed. One that was made anonymously gives way to a named user, who begins
// anew: so a house that adds passwords later goes on.
static bool is_somebody_elses(const struct connection *connection, const struct session *session,
                              const struct principal *principal)
{
    return session != NULL && !session->only_for_will && session->principal->has_user &&
           !is_own(connection, session, principal) &&
           router_is_known(session->router, session->principal);
}

// Whoever holds the session now has to go: its will is on its way before the newcomer's CONNACK
// [MQTT-3.1.4-3].
static struct session *take_over(struct connection *connection,
                                 const struct packet_connect *connect,
                                 const struct principal *principal)
{
    struct worker *worker = connection->worker;
    struct bytes client_id = principal_client_id(principal);
    struct session *session = worker_find_session(worker, client_id);
    if (session != NULL && session->connection != NULL) {
        struct connection *old = session->connection;
        // A resumed session keeps a delayed will to itself [MQTT5 3.1.2.5].
        connection_end(old, BUD_SESSION_TAKEN_OVER, NULL);
        session = worker_find_session(worker, client_id);
    }
    connection->replaced_stored = session != NULL && (session->stored || session->will_stored);
    bool is_its_own = is_own(connection, session, principal);
    if (session != NULL && session->only_for_will && is_its_own) {
        will_forget(session); // it is back in time
        worker_end_session(worker, session);
        return NULL;
    }
    if (session != NULL && (connect->clean_start || !is_its_own)) {
        worker_end_session(worker, session); // [MQTT-3.1.2-4]
        session = NULL;
    }
    return session;
}

// Two devices with one client identifier throw each other out for ever: who has it keeps it for a
// while.
static bool is_fight(struct connection *connection, const struct session *session)
{
    struct worker *worker = connection->worker;
    const struct options *limits = &worker->server->options;
    struct fight_options options = {.takeovers_max = limits->takeovers_max,
                                    .window_ms = (int64_t)limits->takeover_window_s * 1000,
                                    .hold_ms = (int64_t)limits->takeover_hold_s * 1000};
    if (session == NULL || session->connection == NULL)
        return false;
    enum fight_verdict verdict =
        fights_judge(worker->fights, session->client_id, &options, worker->now_ms);
    if (verdict == FIGHT_BEGINS)
        connection_log_fight(connection, session);
    if (verdict != FIGHT_NONE)
        counter_add(&worker->counters, COUNTER_REFUSED_FIGHT, 1);
    return verdict != FIGHT_NONE;
}

static bool set_up(struct connection *connection, const struct packet_connect *connect,
                   struct principal *principal, struct session *session)
{
    struct worker *worker = connection->worker;
    if (!session_try_attach(session, connection, connect->version,
                            receive_maximum_of(connection, connect)))
        return false;
    session_set_principal(session, principal);
    // Back in time: a delayed will is not published [MQTT-3.1.3-9]. Last of what can fail: a client
    // that is refused leaves no will of its own, and the session keeps the one it had.
    struct packet_will will = connect->will;
    if (connect->has_will && !mount_topic(connection, will.topic, &will.topic)) {
        session_detach(session, session->detached_ms);
        return false;
    }
    if (!will_try_set(session, connect->has_will ? &will : NULL, worker->now_ms)) {
        session_detach(session, session->detached_ms);
        return false;
    }
    timer_cancel(worker->wheel, &session->timer);
    session->expiry_interval = expiry_of(connection, connect);
    connection->session = session;
    session_keep(session);
    return true;
}

static void refuse_without_memory(struct connection *connection,
                                  const struct packet_connect *connect)
{
    counter_add(&connection->worker->counters, COUNTER_REFUSED_MEMORY, 1);
    connection_refuse(connection, connect, BUD_SERVER_BUSY,
                      "no memory for the session (memory_limit)");
}

// Is there a session for this principal, its own or a new one? Attached then; or it was refused.
static struct session *find_or_make(struct connection *connection,
                                    const struct packet_connect *connect,
                                    struct principal *principal, bool *ret_present)
{
    struct worker *worker = connection->worker;
    struct session *session = worker_find_session(worker, principal_client_id(principal));
    const char *why = "a session with this client identifier belongs to another user: give each "
                      "client its own, or let that user end it";
    enum bud_reason reason = BUD_CLIENT_IDENTIFIER_NOT_VALID;
    if (is_somebody_elses(connection, session, principal))
        counter_add(&worker->counters, COUNTER_REFUSED_CLIENT_ID, 1);
    else
        reason = check_room(connection, session, &why);
    if (reason == BUD_SUCCESS && is_fight(connection, session)) {
        why = "another device with this client identifier is connected, and both come back "
              "again and again: give each its own (max_takeovers)";
        reason = BUD_QUOTA_EXCEEDED;
    }
    if (reason != BUD_SUCCESS) {
        connection_refuse(connection, connect, reason, why);
        return NULL;
    }
    session = take_over(connection, connect, principal);
    *ret_present = session != NULL; // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
    if (session == NULL)
        session = worker_try_new_session(worker, principal);
    if (session != NULL && set_up(connection, connect, principal, session))
        return session;
    if (session != NULL && !*ret_present)
        worker_end_session(worker, session);
    refuse_without_memory(connection, connect);
    return NULL;
}

static uint32_t domain_of(const struct connection *connection)
{
    return access_rules_domain(&connection->worker->server->options, connection->listener->options);
}

int64_t connection_connect_deadline(const struct connection *connection)
{
    int64_t most_ms = (int64_t)connection->worker->server->options.connect_timeout_s * 1000;
    return connection->accepted_ms + most_ms - most_ms / 50;
}

bool connection_open_session(struct connection *connection, const struct packet_connect *connect,
                             struct principal_source *source, struct bytes auth_data)
{
    struct worker *worker = connection->worker;
    char name[CLIENT_NAME_ROOM];
    source->client_id = connection_name_of(connection, connect, name);
    source->domain = domain_of(connection);
    struct principal *principal = principal_try_new(&worker->server->budget, source);
    if (principal == NULL) {
        refuse_without_memory(connection, connect);
        return false;
    }
    bool session_present = false;
    struct session *session = find_or_make(connection, connect, principal, &session_present);
    principal_unref(principal);
    if (session == NULL)
        return true;
    note_client(connection, connect);
    connection->engine.state = ENGINE_OPEN;
    connection_become(connection, CONNECTION_OPEN);
    connection_rate_begin(connection);
    counter_add(&worker->counters, COUNTER_CLIENTS_CONNECTED, 1);
    count_client(connection, true);
    if (connection->keep_alive_ms > 0)
        timer_set(worker->wheel, &connection->timer, worker->now_ms + connection->keep_alive_ms);
    else
        timer_cancel(worker->wheel, &connection->timer);
    bool is_welcome = welcome(connection, connect, session_present, auth_data);
    connection_log_connected(connection, session_present);
    if (!is_welcome) {
        will_forget(session); // nobody was told that it was accepted
        connection_drop(connection, BUD_PACKET_TOO_LARGE,
                        "its Maximum Packet Size has no room for CONNACK");
    }
    return true;
}

// Its answers are sent and the user is known: an AUTH from now on needs a new exchange.
static void end_exchange(struct connection *connection)
{
    connection->mechanism->end(connection->exchange);
    connection->exchange = NULL;
}

// What the mechanism's yes rests on. NULL: it is good; otherwise why it is not.
static const char *note_login(struct connection *connection, struct bytes user)
{
    struct login_result result = {0};
    if (connection->mechanism->fill_result == NULL)
        return NULL;
    connection->mechanism->fill_result(connection->exchange, &result);
    if (!login_still_valid(connection->listener->gate, (enum authority_kind)result.kind, user,
                           result.entry))
        return "its user was removed or changed while it logged in";
    return connection_note_login(connection, &result) ? NULL : "no memory for the login";
}

// One step of enhanced authentication during CONNECT; goes on with the session when the mechanism
// is content.
static void authenticate(struct connection *connection, const struct packet_connect *connect,
                         struct bytes data)
{
    struct bytes answer = {0}, user = {0};
    enum bud_reason reason =
        connection->mechanism->step(connection->exchange, data, &answer, &user);
    if (reason == BUD_CONTINUE_AUTHENTICATION) {
        connection_send_auth(connection, BUD_CONTINUE_AUTHENTICATION, answer);
        return;
    }
    struct principal_source source = {.user = user};
    const char *why = reason == BUD_SUCCESS ? note_login(connection, user) : NULL;
    if (reason != BUD_SUCCESS)
        connection_fail_login(connection, connect, reason, "enhanced authentication failed");
    else if (why != NULL)
        connection_refuse(connection, connect, BUD_NOT_AUTHORIZED, why);
    else
        (void)connection_open_session(connection, connect, &source, answer);
    end_exchange(connection);
}

static void begin_authentication(struct connection *connection,
                                 const struct packet_connect *connect, struct bytes raw)
{
    const struct auth_mechanism *mechanism = auth_mechanism_find(
        &connection->worker->server->auth, connect->properties.authentication_method);
    if (mechanism == NULL) {
        connection_refuse(connection, connect, BUD_BAD_AUTHENTICATION_METHOD,
                          "unknown authentication method"); // [MQTT-4.12.0-1]
        return;
    }
    // CONNECT is wanted again when the exchange is over.
    if (!buffer_try_append(&connection->connect_packet, raw, PACKET_SIZE_MAX) ||
        (connection->exchange = mechanism->begin(mechanism->context)) == NULL) {
        connection_refuse(connection, connect, BUD_SERVER_BUSY, "no memory");
        return;
    }
    connection->mechanism = mechanism;
    connection_become(connection, CONNECTION_AUTHENTICATING);
    authenticate(connection, connect, connect->properties.authentication_data);
}

static enum bud_reason check(struct connection *connection, const struct packet_connect *connect,
                             const char **ret_why)
{
    enum bud_reason reason =
        door_check(connection, connect->has_user_name, connect->user_name, ret_why);
    if (reason == BUD_SUCCESS)
        reason = connection_name_check(connection, connect, ret_why);
    return reason != BUD_SUCCESS ? reason : check_will(connection, connect, ret_why);
}

void connection_on_connect(struct connection *connection, const struct packet_connect *connect,
                           struct bytes raw)
{
    const char *why = NULL;
    connection_note_limits(connection, connect);
    enum bud_reason reason = check(connection, connect, &why);
    if (reason != BUD_SUCCESS) {
        connection_refuse(connection, connect, reason, why);
        return;
    }
    char name[CLIENT_NAME_ROOM];
    uint32_t home =
        server_home_of(connection->worker->server, connection_name_of(connection, connect, name));
    if (home != connection->worker->number) {
        connection_move_to(connection, home, connection->input);
        return;
    }
    if (properties_have(&connect->properties, PROPERTY_AUTHENTICATION_METHOD))
        begin_authentication(connection, connect, raw);
    else
        connection_log_in(connection, connect, raw);
}

// Authenticating again on an open connection [MQTT5 4.12.1].
static void authenticate_again(struct connection *connection, const struct packet_auth *auth)
{
    struct bytes answer = {0}, user = {0};
    const struct auth_mechanism *mechanism = connection->mechanism;
    if (auth->reason != BUD_REAUTHENTICATE && connection->exchange == NULL) {
        connection_end(connection, BUD_PROTOCOL_ERROR, "AUTH goes on with what was not begun");
        return;
    }
    if (auth->reason == BUD_REAUTHENTICATE) {
        if (connection->exchange != NULL)
            mechanism->end(connection->exchange);
        connection->exchange = mechanism->begin(mechanism->context);
    }
    if (connection->exchange == NULL) {
        connection_end(connection, BUD_SERVER_BUSY, "no memory");
        return;
    }
    enum bud_reason reason =
        mechanism->step(connection->exchange, auth->properties.authentication_data, &answer, &user);
    const char *why = "authenticating again failed";
    if (reason == BUD_SUCCESS)
        why = !principal_is_of(connection->session->principal, user)
                  ? "it authenticated again as another user"
                  : note_login(connection, user);
    else if (reason != BUD_CONTINUE_AUTHENTICATION)
        (void)door_on_wrong_password(connection, false, (struct bytes){0});
    if (reason == BUD_CONTINUE_AUTHENTICATION || why == NULL)
        connection_send_auth(connection, reason, answer);
    else
        // [MQTT-4.12.1-2]; what a mechanism says to a CONNECT need not be a reason of DISCONNECT
        connection_end(connection, BUD_NOT_AUTHORIZED, why);
    if (reason != BUD_CONTINUE_AUTHENTICATION)
        end_exchange(connection);
}

void connection_on_auth(struct connection *connection, const struct packet_auth *auth)
{
    const struct auth_mechanism *mechanism = connection->mechanism;
    // The method stays the one of CONNECT [MQTT-4.12.1-1] [MQTT-4.12.0-5].
    if (mechanism == NULL || !bytes_equal(auth->properties.authentication_method,
                                          bytes_make(mechanism->name, strlen(mechanism->name)))) {
        connection_end(connection, BUD_PROTOCOL_ERROR, NULL);
        return;
    }
    if (connection->state == CONNECTION_OPEN) {
        authenticate_again(connection, auth);
        return;
    }
    struct frame frame;
    struct packet packet;
    struct bytes raw = buffer_bytes(&connection->connect_packet);
    ASSERT(frame_scan(raw, &frame) == FRAME_WHOLE);
    ASSERT(packet_decode(&frame, connection->engine.version, &packet) == BUD_SUCCESS);
    authenticate(connection, &packet.connect, auth->properties.authentication_data);
    if (connection->state != CONNECTION_AUTHENTICATING)
        connection_forget_connect(connection);
}

// Is the will due, now or later? Not after a normal goodbye, and not when the same client is back
// already.
static void settle_will(struct connection *connection, struct session *session)
{
    struct worker *worker = connection->worker;
    if (connection->disconnected && connection->reason == BUD_SUCCESS)
        will_forget(session); // [MQTT-3.1.2-10]
    else if (worker->stop_by_ms != 0)
        return; // the broker goes, not the client: its will waits for what the client does then
    else if (session->will != NULL && session->will_delay_interval > 0)
        session->will_due_ms = worker->now_ms + (int64_t)session->will_delay_interval * 1000;
    else
        will_publish(session, worker->now_ms);
}

void connection_leave_session(struct connection *connection)
{
    struct worker *worker = connection->worker;
    struct session *session = connection->session;
    connection_log_disconnected(connection);
    session_detach(session, worker->now_ms);
    connection->session = NULL;
    counter_subtract(&worker->counters, COUNTER_CLIENTS_CONNECTED, 1);
    count_client(connection, false);
    settle_will(connection, session);
    if (session_is_durable(session))
        session_keep(session); // since when it is away
    worker_session_offline(worker, session);
}

void connection_recheck(struct connection *connection)
{
    const struct listener *listener = connection->listener;
    if (listener->fd < 0)
        connection_end(connection, BUD_ADMINISTRATIVE_ACTION, "its listener was removed");
    else
        connection_recheck_login(connection);
}
