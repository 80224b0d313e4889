// SPDX-License-Identifier: MIT
// What is between the socket and the engine. The first bytes of a connection decide: MQTT goes to
// the engine as it is; for anything else a stream is put on, and the bytes that come out of it are
// looked at in the same way.
#include "server/connection.h"

#include "server/door.h"
#include "server/http.h"
#include "server/listener.h"
#include "server/socket_stream.h"
#include "server/worker.h"
#include "transport/first_bytes.h"
#include "transport/proxy_header.h"
#include "transport/tls_stream.h"
#include "transport/websocket.h"

#include <errno.h>
#include <string.h>

// What OpenSSL holds for an idle connection, roughly.
#define TLS_MEMORY (24u * 1024)

// A step may be a signature: clients that are in already go first.
#define HANDSHAKE_STEPS_IN_A_TURN 4

ssize_t connection_read(struct connection *connection, void *memory, size_t size)
{
    if (connection->stream == NULL)
        return net_read(connection->fd, memory, size);
    return stream_read(connection->stream, memory, size);
}

ssize_t connection_write(struct connection *connection, const struct iovec *parts, int count)
{
    if (connection->stream == NULL)
        return net_writev(connection->fd, parts, count);
    return stream_writev(connection->stream, parts, count);
}

bool connection_flush_stream(struct connection *connection)
{
    int error = connection->stream == NULL ? 0 : stream_flush(connection->stream);
    if (error == -EAGAIN)
        connection_want_write(connection, true);
    else if (error < 0)
        connection_drop(connection, BUD_UNSPECIFIED_ERROR, strerror(-error));
    return error == 0;
}

// Who comes back fetches what fills the memory, so not letting them in would keep it filled: until
// they are in, connections may use the reserve too.
bool connection_take_budget(struct connection *connection, size_t size)
{
    struct budget *budget = &connection->worker->server->budget;
    return connection->session == NULL ? budget_take_reserve(budget, size)
                                       : budget_take(budget, size);
}

bool connection_has_room(struct connection *connection, uint32_t size)
{
    if (!connection_take_budget(connection, size))
        return false;
    connection->stream_memory += size;
    if (connection->stream == NULL)
        connection->stream = socket_stream_try_new(connection->fd);
    return connection->stream != NULL;
}

void connection_free_stream(struct connection *connection)
{
    stream_free(connection->stream);
    connection->stream = NULL;
    budget_give(&connection->worker->server->budget, connection->stream_memory);
    connection->stream_memory = 0;
}

// A browser shows its user the code, and hides the DISCONNECT that came before it.
static enum websocket_close_code close_code(enum bud_reason reason)
{
    switch (reason) {
    case BUD_MALFORMED_PACKET:
    case BUD_PROTOCOL_ERROR:
    case BUD_UNSUPPORTED_PROTOCOL_VERSION: return WEBSOCKET_PROTOCOL_ERROR;
    case BUD_PACKET_TOO_LARGE: return WEBSOCKET_TOO_BIG;
    case BUD_SERVER_SHUTTING_DOWN: return WEBSOCKET_GOING_AWAY;
    default: return reason < BUD_UNSPECIFIED_ERROR ? WEBSOCKET_NORMAL : WEBSOCKET_POLICY;
    }
}

void connection_shut(struct connection *connection)
{
    if (connection->stream == NULL) {
        net_shutdown_write(connection->fd);
        return;
    }
    if (websocket_is(connection->stream))
        websocket_set_close_code(connection->stream, close_code(connection->reason));
    stream_shut(connection->stream);
}

bool connection_may_step(struct connection *connection)
{
    struct worker *worker = connection->worker;
    const struct stream *tls = connection->has_tls ? tls_find(connection->stream) : NULL;
    if (tls == NULL || !tls_is_handshaking(tls))
        return true;
    if (worker->handshake_steps >= HANDSHAKE_STEPS_IN_A_TURN)
        return false;
    worker->handshake_steps++;
    return true;
}

const char *connection_transport_name(const struct connection *connection)
{
    if (connection->is_websocket)
        return connection->has_tls ? "wss" : "ws";
    return connection->has_tls ? "tls" : connection->peer.family == 1 ? "unix" : "tcp";
}

const char *connection_stream_trouble(const struct connection *connection)
{
    const struct stream *tls = tls_find(connection->stream);
    const char *trouble = NULL;
    if (websocket_is(connection->stream))
        trouble = websocket_trouble(connection->stream);
    if (trouble == NULL && tls != NULL)
        trouble = tls_failure(tls);
    return trouble != NULL ? trouble : "the peer broke the rules of what MQTT travels in";
}

static void refuse(struct connection *connection, const char *why)
{
    counter_add(&connection->worker->counters, COUNTER_REFUSED_TRANSPORT, 1);
    connection_end_silently(connection, BUD_PROTOCOL_ERROR, why);
}

// TLS may be said once, at the outside, and only where the listener has a certificate (or keys).
static void put_on_tls(struct connection *connection, struct bytes input)
{
    struct listener *listener = connection->listener;
    if (listener->tls == NULL) {
        refuse(connection, "it speaks TLS, and this listener has no certificate (certfile)");
        return;
    }
    struct stream *tls = NULL;
    if (connection_has_room(connection, TLS_MEMORY))
        tls = tls_try_new(listener->tls, connection->stream, input);
    if (tls == NULL) {
        counter_add(&connection->worker->counters, COUNTER_REFUSED_MEMORY, 1);
        connection_drop(connection, BUD_SERVER_BUSY, "no memory for TLS (memory_limit)");
        return;
    }
    connection->stream = tls;
    connection->has_tls = true;
}

// May it be spoken to without TLS? False: it was refused.
static bool may_be_plain(struct connection *connection)
{
    bool is_owed = connection->listener->options->tls == LISTENER_TLS_ONLY && !connection->has_tls;
    if (is_owed)
        refuse(connection,
               "it does not speak TLS, and this listener speaks nothing else (certfile)");
    return !is_owed;
}

static bool on_mqtt(struct connection *connection)
{
    uint8_t protocol = connection->listener->options->protocol;
    connection->undecided = false;
    if (protocol == PROTOCOL_WEBSOCKETS)
        refuse(connection, "this listener takes MQTT over WebSocket only (protocol)");
    else if (protocol == PROTOCOL_HTTP)
        refuse(connection, "this listener speaks HTTP only (protocol)");
    else
        return may_be_plain(connection);
    return false;
}

static bool check_proxy(struct connection *connection, const struct proxy_header *header)
{
    const struct listener_options *options = connection->listener->options;
    if (options->proxy_protocol != 0 && header->version != options->proxy_protocol)
        refuse(connection, "a PROXY header of another version than proxy_protocol says");
    else if (options->proxy_protocol_v2_require_tls && !header->has_tls && !header->is_local)
        refuse(connection, "the proxy was spoken to without TLS (proxy_protocol_v2_require_tls)");
    else
        return true;
    return false;
}

// The name in a certificate that the proxy has verified, for use_identity_as_username.
static bool keep_proxy_name(struct connection *connection, struct bytes name)
{
    return name.size == 0 ||
           buffer_try_append(&connection->proxy_name, name, PROXY_HEADER_SIZE_MAX);
}

// Whose connection it is, by somebody whom we believe. False: more must come, or it was refused.
static bool take_proxy_header(struct connection *connection, struct bytes *input)
{
    struct server *server = connection->worker->server;
    bool is_trusted = connection->listener->options->proxy_protocol != 0 ||
                      net_networks_have(&server->trusted_proxies, &connection->peer);
    struct proxy_header header;
    if (!is_trusted) {
        refuse(connection, "a PROXY header from an address that is not in trusted_proxies");
        return false;
    }
    switch (proxy_header_parse(*input, &header)) {
    case PROXY_MORE: (void)connection_keep_input(connection, *input); return false;
    case PROXY_BAD: refuse(connection, header.why); return false;
    case PROXY_WHOLE: break;
    }
    if (!check_proxy(connection, &header))
        return false;
    if (!keep_proxy_name(connection, header.tls_common_name)) {
        refuse(connection, "no memory for the PROXY header (memory_limit)");
        return false;
    }
    connection->has_proxy = true;
    *input = bytes_from(*input, header.size);
    if (header.is_local)
        return true;
    connection_set_peer(connection, &header.source);
    listener_limit_pending(connection->worker, &header.source);
    return connection->state != CONNECTION_CLOSED && door_let_in(connection, true);
}

// Its owner wants to know whose each connection is.
static bool misses_proxy(struct connection *connection, enum first_bytes first)
{
    if (connection->listener->options->proxy_protocol == 0 || connection->has_proxy ||
        first == FIRST_PROXY || first == FIRST_MORE)
        return false;
    refuse(connection, "it does not begin with a PROXY header (enable_proxy_protocol)");
    return true;
}

bool connection_decide(struct connection *connection, struct bytes *input)
{
    const struct listener_options *options = connection->listener->options;
    enum first_bytes first = first_bytes_tell(*input);
    if (first == FIRST_PROXY && !connection->has_proxy && !connection->has_tls) {
        if (!take_proxy_header(connection, input))
            return false;
        first = first_bytes_tell(*input);
    }
    if (misses_proxy(connection, first))
        return false;
    switch (first) {
    case FIRST_MORE: (void)connection_keep_input(connection, *input); return false;
    case FIRST_TLS:
        if (connection->has_tls)
            break;
        put_on_tls(connection, *input);
        return false;
    case FIRST_HTTP:
        if (options->protocol == PROTOCOL_MQTT)
            break;
        if (may_be_plain(connection))
            connection_on_http(connection, *input);
        return false;
    case FIRST_PROXY:
    case FIRST_MQTT: break;
    }
    return on_mqtt(connection);
}
