// SPDX-License-Identifier: MIT
#include "server/connection_log.h"

#include "server/worker.h"

#include <stdio.h>

const char *connection_version_name(uint8_t version)
{
    return version == MQTT_3_1 ? "3.1" : version == MQTT_5_0 ? "5.0" : "3.1.1";
}

static void put_peer(struct log_line *line, const struct connection *connection)
{
    char text[NET_ADDRESS_TEXT_MAX];
    net_address_text(&connection->peer, text);
    log_text(line, "address", text);
}

static const char *words_for(const struct connection *connection)
{
    if (connection->why != NULL)
        return connection->why;
    return connection->reason == BUD_SUCCESS ? "the client said goodbye"
                                             : bud_reason_text(connection->reason);
}

// ---- as Mosquitto words it, for those who search its log ----

static void put_peer_words(struct log_line *line, const struct connection *connection)
{
    char text[NET_ADDRESS_TEXT_MAX];
    net_address_text(&connection->peer, text);
    log_word(line, text);
}

static void log_connected_words(struct connection *connection)
{
    const struct session *session = connection->session;
    struct log_line line;
    char words[64];
    log_begin_with(&line, &connection->worker->server->log, LOG_CONNECTED,
                   "New client connected from ");
    put_peer_words(&line, connection);
    log_word(&line, " as ");
    log_word_bytes(&line, session->client_id);
    (void)snprintf(words, sizeof(words), " (p%u, c%d, k%u", (unsigned)session->version,
                   session->expiry_interval == 0, (unsigned)connection->keep_alive_s);
    log_word(&line, words);
    if (session->user.size > 0) {
        log_word(&line, ", u'");
        log_word_bytes(&line, session->user);
        log_word(&line, "'");
    }
    log_word(&line, ").");
    log_end(&line);
}

static const char *disconnect_words(const struct connection *connection)
{
    switch (connection->reason) {
    case BUD_SUCCESS: return NULL;
    case BUD_KEEP_ALIVE_TIMEOUT: return "exceeded timeout";
    case BUD_SESSION_TAKEN_OVER: return "session taken over";
    case BUD_PROTOCOL_ERROR:
    case BUD_MALFORMED_PACKET: return "protocol error";
    case BUD_NOT_AUTHORIZED: return "not authorised";
    default: return words_for(connection);
    }
}

static void log_disconnected_words(struct connection *connection)
{
    const char *words = disconnect_words(connection);
    struct log_line line;
    log_begin_with(&line, &connection->worker->server->log, LOG_DISCONNECTED, "Client ");
    log_word_bytes(&line, connection->session->client_id);
    log_word(&line, " [");
    put_peer_words(&line, connection);
    log_word(&line, "] disconnected");
    if (words != NULL) {
        log_word(&line, ": ");
        log_word(&line, words);
    }
    log_word(&line, ".");
    log_end(&line);
}

static bool is_as_mosquitto(const struct connection *connection)
{
    return connection->worker->server->log.format == LOG_MOSQUITTO;
}

void connection_log_connected(struct connection *connection, bool session_present)
{
    const struct session *session = connection->session;
    struct log_line line;
    if (is_as_mosquitto(connection)) {
        log_connected_words(connection);
        return;
    }
    log_begin(&line, &connection->worker->server->log, LOG_CONNECTED);
    log_bytes(&line, "client", session->client_id);
    log_bytes(&line, "user", session->user);
    put_peer(&line, connection);
    log_text(&line, "protocol", connection_version_name(session->version));
    log_text(&line, "transport", connection_transport_name(connection));
    log_number(&line, "keep_alive", connection->keep_alive_s);
    log_number(&line, "expiry", session->expiry_interval);
    log_text(&line, "session", session_present ? "resumed" : "new");
    log_number(&line, "queued", session_queued_count(session));
    log_end(&line);
}

void connection_log_disconnected(struct connection *connection)
{
    const struct session *session = connection->session;
    int64_t now_ms = connection->worker->now_ms;
    struct log_line line;
    if (is_as_mosquitto(connection)) {
        log_disconnected_words(connection);
        return;
    }
    log_begin(&line, &connection->worker->server->log, LOG_DISCONNECTED);
    log_bytes(&line, "client", session->client_id);
    log_bytes(&line, "user", session->user);
    put_peer(&line, connection);
    log_text(&line, "protocol", connection_version_name(session->version));
    log_text(&line, "reason", words_for(connection));
    log_number(&line, "age_s", (uint64_t)(now_ms - connection->accepted_ms) / 1000);
    log_number(&line, "last_packet_ms", (uint64_t)(now_ms - connection->received_ms));
    log_number(&line, "messages_received", connection->messages_received);
    log_number(&line, "messages_sent", connection->messages_sent);
    log_number(&line, "queued", session_queued_count(session));
    log_number(&line, "subscriptions", session->subscriptions.count);
    log_end(&line);
}

void connection_log_refused(struct connection *connection, const struct packet_connect *connect)
{
    struct log_line line;
    log_begin(&line, &connection->worker->server->log, LOG_REFUSED);
    if (connect != NULL) {
        log_bytes(&line, "client", connect->client_id);
        log_bytes(&line, "user", connect->user_name);
        log_text(&line, "protocol", connection_version_name(connect->version));
        if (connect->has_will)
            log_bytes(&line, "will", connect->will.topic);
    }
    put_peer(&line, connection);
    log_text(&line, "reason", words_for(connection));
    log_end(&line);
}

void connection_log_fight(struct connection *connection, const struct session *session)
{
    const struct connection *other = session->connection;
    char text[NET_ADDRESS_TEXT_MAX];
    struct log_line line;
    log_begin(&line, &connection->worker->server->log, LOG_FIGHT);
    log_bytes(&line, "client", session->client_id);
    net_address_text(&other->peer, text);
    log_text(&line, "address", text);
    net_address_text(&connection->peer, text);
    log_text(&line, "other_address", text);
    log_text(&line, "remedy", "give each device a client identifier of its own");
    log_end(&line);
}

// A health check that goes by itself is no news, one that a limit sends away is.
static bool is_beyond_limit(const struct connection *connection)
{
    return connection->reason == BUD_MAXIMUM_CONNECT_TIME ||
           connection->reason == BUD_CONNECTION_RATE_EXCEEDED ||
           connection->reason == BUD_QUOTA_EXCEEDED;
}

void connection_log_closed_early(struct connection *connection)
{
    struct log_line line;
    log_begin(&line, &connection->worker->server->log,
              is_beyond_limit(connection) ? LOG_REFUSED : LOG_CLOSED_EARLY);
    put_peer(&line, connection);
    log_text(&line, "reason", words_for(connection));
    log_end(&line);
}
