// SPDX-License-Identifier: MIT
#include "server/connection_login.h"

#include "access/secret.h"
#include "base/memory.h"
#include "os/clock.h"
#include "proto/utf8.h"
#include "server/connection_log.h"
#include "server/connection_rate.h"
#include "server/door.h"
#include "server/listener.h"
#include "server/logins.h"
#include "server/worker.h"
#include "transport/tls_stream.h"

#include <stddef.h>
#include <string.h>

static struct login_request request_of(const struct connection *connection,
                                       const struct packet_connect *connect)
{
    return (struct login_request){
        .client_id = connect->client_id,
        .user = connect->user_name,
        .password = connect->password,
        .has_user = connect->has_user_name,
        .has_password = connect->has_password,
        .peer = connection->peer,
        .listener = connection->listener->name,
    };
}

// In place, in the input that it came by.
static void wipe_password(const struct packet_connect *connect)
{
    secret_wipe((uint8_t *)(uintptr_t)connect->password.data, connect->password.size);
}

static void on_expiry(struct timer *timer)
{
    struct connection_login *login =
        (struct connection_login *)(void *)((char *)timer -
                                            offsetof(struct connection_login, timer));
    if (login->connection->state == CONNECTION_OPEN)
        connection_end(login->connection, BUD_NOT_AUTHORIZED, "what it logged in with has expired");
}

static void set_expiry(struct connection_login *login, int64_t expires_at_ms)
{
    struct worker *worker = login->connection->worker;
    int64_t left_ms = expires_at_ms - clock_wall_ms();
    login->timer.fire = on_expiry;
    if (expires_at_ms != 0)
        timer_set(worker->wheel, &login->timer, worker->now_ms + (left_ms > 0 ? left_ms : 0));
}

bool connection_note_login(struct connection *connection, const struct login_result *result)
{
    struct connection_login *login = memory_try_new(sizeof(*login));
    if (login == NULL)
        return false;
    connection_forget_login(connection); // of before, when it authenticates again
    login->connection = connection;
    login->kind = result->kind;
    login->entry = result->entry;
    connection->login = login;
    set_expiry(login, result->expires_at_ms);
    return true;
}

void connection_forget_connect(struct connection *connection)
{
    secret_free(connection->connect_packet.data, connection->connect_packet.size);
    connection->connect_packet = (struct buffer){0};
}

void connection_forget_login(struct connection *connection)
{
    if (connection->login_job != NULL) {
        atomic_store_explicit(&connection->login_job->is_abandoned, true, memory_order_relaxed);
        connection->login_job->connection = NULL;
        connection->login_job = NULL;
    }
    if (connection->login == NULL)
        return;
    timer_cancel(connection->worker->wheel, &connection->login->timer);
    memory_free(connection->login);
    connection->login = NULL;
}

// CONNECT as it was kept. It was understood once, so it is again.
static struct packet_connect kept_connect(const struct connection *connection)
{
    struct frame frame;
    struct packet packet;
    ASSERT(frame_scan(buffer_bytes(&connection->connect_packet), &frame) == FRAME_WHOLE);
    ASSERT(packet_decode(&frame, connection->engine.version, &packet) == BUD_SUCCESS);
    return packet.connect;
}

// For when there is a verdict: without the password.
static bool keep_connect(struct connection *connection, const struct packet_connect *connect,
                         struct bytes raw)
{
    wipe_password(connect);
    if (!buffer_try_append(&connection->connect_packet, raw, PACKET_SIZE_MAX))
        return false;
    connection_become(connection, CONNECTION_AUTHENTICATING);
    return true;
}

static void refuse_without_memory(struct connection *connection,
                                  const struct packet_connect *connect)
{
    counter_add(&connection->worker->counters, COUNTER_REFUSED_MEMORY, 1);
    connection_refuse(connection, connect, BUD_SERVER_BUSY,
                      "no memory for the login (memory_limit)");
}

static void refuse_busy(struct connection *connection, const struct packet_connect *connect,
                        const char *why)
{
    counter_add(&connection->worker->counters, COUNTER_REFUSED_LOGIN_BUSY, 1);
    connection_refuse(connection, connect, BUD_QUOTA_EXCEEDED, why);
}

static void refuse_unauthorized(struct connection *connection, const struct packet_connect *connect,
                                enum bud_reason reason, const char *why)
{
    counter_add(&connection->worker->counters, COUNTER_REFUSED_NOT_AUTHORIZED, 1);
    connection_refuse(connection, connect, reason, why);
}

void connection_fail_login(struct connection *connection, const struct packet_connect *connect,
                           enum bud_reason reason, const char *why)
{
    uint32_t delay_ms =
        door_on_wrong_password(connection, connect->has_user_name, connect->user_name);
    counter_add(&connection->worker->counters, COUNTER_REFUSED_NOT_AUTHORIZED, 1);
    connection->reason = reason;
    connection->why = why;
    connection_log_refused(connection, connect);
    connection_refuse_later(connection, reason, why, delay_ms);
}

// The user's own name, unless whoever said yes knows another one.
static void admit(struct connection *connection, const struct packet_connect *connect,
                  struct login_result *result)
{
    struct principal_source source = {
        .user = connect->user_name, .rules = result->rules, .free_rules = result->free_rules};
    if (result->user != NULL)
        source.user = bytes_make(result->user, result->user_size);
    // Who was let in by what has changed meanwhile is not let in.
    if (!login_still_valid(connection->listener->gate, result->kind, source.user, result->entry)) {
        refuse_unauthorized(connection, connect, BUD_NOT_AUTHORIZED,
                            "its user was removed or changed while it logged in");
        return;
    }
    door_on_login(connection, connect->user_name);
    if (!connection_note_login(connection, result)) {
        refuse_without_memory(connection, connect);
        return;
    }
    if (connection_open_session(connection, connect, &source, (struct bytes){0}))
        result->rules = NULL; // they belong to the principal
}

static void admit_anonymous(struct connection *connection, const struct packet_connect *connect)
{
    const char *why = NULL;
    struct logins *logins = connection->worker->server->logins;
    struct auth_origin origin = {
        .address = connection->peer,
        .is_hidden = connection->address_is_hidden,
        .has_public_name = connection->has_public_name,
        .is_gateway = logins_is_gateway(logins, &connection->peer),
    };
    enum bud_reason reason = auth_check_anonymous(
        (enum anonymous_rule)connection->listener->options->allow_anonymous, &origin, &why);
    if (reason != BUD_SUCCESS) {
        refuse_unauthorized(connection, connect, reason, why);
        return;
    }
    // Where nobody knows users a name is what its client calls itself. Elsewhere it has none.
    struct principal_source source = {.user = connect->user_name};
    (void)connection_open_session(connection, connect, &source, (struct bytes){0});
}

static void settle(struct connection *connection, const struct packet_connect *connect,
                   enum login_verdict verdict, struct login_result *result)
{
    switch (verdict) {
    case LOGIN_YES: admit(connection, connect, result); return;
    case LOGIN_NOT_MINE: admit_anonymous(connection, connect); return;
    case LOGIN_NO:
        connection_fail_login(connection, connect, BUD_BAD_USER_NAME_OR_PASSWORD, result->why);
        return;
    case LOGIN_TRY_LATER: refuse_busy(connection, connect, result->why); return;
    case LOGIN_ASK: ASSERT(false);
    }
}

// That nobody has begun.
static void forget_job(struct connection *connection)
{
    struct login_job *job = connection->login_job;
    connection->login_job = NULL;
    budget_give(&connection->worker->server->budget, job->size);
    login_job_free(job);
}

static void ask_in_a_thread(struct connection *connection, const struct packet_connect *connect,
                            struct bytes raw, const struct login_request *request)
{
    struct worker *worker = connection->worker;
    struct login_job *job = login_job_try_new(connection->listener->gate, request);
    if (job != NULL)
        job->post = worker_try_post(worker, 0);
    if (job == NULL || job->post == NULL || !budget_take(&worker->server->budget, job->size)) {
        login_job_free(job);
        refuse_without_memory(connection, connect);
        return;
    }
    job->worker = worker->number;
    job->connection = connection;
    connection->login_job = job;
    if (!keep_connect(connection, connect, raw)) {
        forget_job(connection);
        refuse_without_memory(connection, connect);
        return;
    }
    connection_set_waiting(connection, true);
    if (login_pool_put(worker->server->logins->pool, job))
        return;
    forget_job(connection);
    connection_set_waiting(connection, false);
    struct packet_connect kept = kept_connect(connection);
    refuse_busy(connection, &kept, "too many logins are waiting to be checked");
}

// use_identity_as_username, use_subject_as_username: TLS has said who it is, and what CONNECT says
// does not count. False: this listener does not want that.
static bool log_in_by_tls(struct connection *connection, const struct packet_connect *connect)
{
    char text[TLS_NAME_MAX];
    const struct listener_options *options = connection->listener->options;
    const struct stream *tls = tls_find(connection->stream);
    struct bytes name = {0};
    struct login_result result = {.kind = AUTHORITY_CERTIFICATE};
    if (!options->use_identity_as_username && !options->use_subject_as_username)
        return false;
    wipe_password(connect);
    if (connection->proxy_name.size > 0)
        name = buffer_bytes(&connection->proxy_name);
    else if (tls != NULL && options->use_identity_as_username &&
             tls_describe(tls).psk_identity.size > 0)
        name = tls_describe(tls).psk_identity;
    else if (tls != NULL &&
             (options->use_identity_as_username ? tls_common_name(tls, text)
                                                : tls_subject(tls, text)) == TLS_NAME_GIVEN)
        name = bytes_make(text, strlen(text));
    if (name.size == 0 || !utf8_valid(name)) {
        refuse_unauthorized(connection, connect, BUD_BAD_USER_NAME_OR_PASSWORD,
                            "it has shown no certificate (or key) with a name in it, which this "
                            "listener wants for a user name");
        return true;
    }
    struct principal_source source = {.user = name};
    if (!connection_note_login(connection, &result))
        refuse_without_memory(connection, connect);
    else
        (void)connection_open_session(connection, connect, &source, (struct bytes){0});
    return true;
}

void connection_log_in(struct connection *connection, const struct packet_connect *connect,
                       struct bytes raw)
{
    if (log_in_by_tls(connection, connect))
        return;
    struct login_request request = request_of(connection, connect);
    struct login_result result = {0};
    enum login_verdict verdict = login_ask_now(connection->listener->gate, &request, &result);
    if (verdict == LOGIN_ASK)
        ask_in_a_thread(connection, connect, raw, &request);
    else {
        wipe_password(connect);
        settle(connection, connect, verdict, &result);
    }
    login_result_done(&result);
}

void connection_on_verdict(struct login_job *job)
{
    struct connection *connection = job->connection;
    if (connection != NULL) {
        connection->login_job = NULL;
        job->connection = NULL;
    }
    if (connection != NULL && connection->state == CONNECTION_AUTHENTICATING) {
        struct packet_connect connect = kept_connect(connection);
        connection_set_waiting(connection, false);
        settle(connection, &connect, job->verdict, &job->result);
        connection_forget_connect(connection);
        if (connection->state == CONNECTION_OPEN)
            connection_go_on(connection);
    }
    login_job_free(job);
}

void connection_recheck_login(struct connection *connection)
{
    const struct connection_login *login = connection->login;
    const char *why = NULL;
    if (login == NULL) {
        struct auth_origin origin = {.address = connection->peer};
        if (auth_check_anonymous(
                (enum anonymous_rule)connection->listener->options->allow_anonymous, &origin,
                &why) != BUD_SUCCESS)
            connection_end(connection, BUD_NOT_AUTHORIZED,
                           "anonymous clients are not allowed any "
                           "more");
    } else if (!login_still_valid(connection->listener->gate, (enum authority_kind)login->kind,
                                  principal_user(connection->session->principal), login->entry))
        connection_end(connection, BUD_NOT_AUTHORIZED,
                       "its user was removed or has a new password");
}
