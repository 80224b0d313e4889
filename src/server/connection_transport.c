// SPDX-License-Identifier: MIT
// What is between the socket and the engine. The first bytes of a connection decide: MQTT goes to
// the engine as it is; for anything else a stream is put on, and the bytes that come out of it are
// looked at in the same way.
#include "server/connection.h"

#include "server/http.h"
#include "server/listener.h"
#include "server/worker.h"
#include "transport/first_bytes.h"
#include "transport/websocket.h"

#include <errno.h>
#include <string.h>

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

const char *connection_stream_trouble(const struct connection *connection)
{
    const char *trouble = NULL;
    if (websocket_is(connection->stream))
        trouble = websocket_trouble(connection->stream);
    return trouble != NULL ? trouble : "the peer broke the rules of what MQTT travels in";
}

static void refuse(struct connection *connection, const char *why)
{
    counter_add(&connection->worker->counters, COUNTER_REFUSED_TRANSPORT, 1);
    connection_drop(connection, BUD_PROTOCOL_ERROR, why);
}

static bool is_mqtt_allowed(struct connection *connection)
{
    const struct listener_options *options = connection->listener->options;
    if (options->protocol == PROTOCOL_WEBSOCKETS)
        refuse(connection, "this listener takes MQTT over WebSocket only (protocol)");
    else if (options->protocol == PROTOCOL_HTTP)
        refuse(connection, "this listener speaks HTTP only (protocol)");
    else
        return true;
    return false;
}

static bool on_mqtt(struct connection *connection)
{
    connection->undecided = false;
    return is_mqtt_allowed(connection);
}

bool connection_decide(struct connection *connection, struct bytes *input)
{
    const struct listener_options *options = connection->listener->options;
    switch (first_bytes_tell(*input)) {
    case FIRST_MORE: (void)connection_keep_input(connection, *input); return false;
    case FIRST_HTTP:
        if (options->protocol == PROTOCOL_MQTT)
            break;
        connection_on_http(connection, *input);
        return false;
    case FIRST_TLS:
    case FIRST_PROXY:
    case FIRST_MQTT: break;
    }
    return on_mqtt(connection);
}
