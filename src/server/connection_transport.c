// SPDX-License-Identifier: MIT
// What is between the socket and the engine. The first bytes of a connection decide: MQTT goes to
// the engine as it is; for anything else a stream is put on, and the bytes that come out of it are
// looked at in the same way.
#include "server/connection.h"

#include "server/worker.h"
#include "transport/first_bytes.h"

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
    (void)connection;
    return "the peer broke the rules of what MQTT travels in";
}

bool connection_decide(struct connection *connection, struct bytes *input)
{
    (void)input;
    connection->undecided = false;
    return true;
}
