// SPDX-License-Identifier: MIT
#include "server/socket_stream.h"

#include "base/memory.h"
#include "os/net.h"

struct socket_stream {
    struct stream stream;
    int fd;
};

static struct socket_stream *of(struct stream *stream)
{
    return (struct socket_stream *)(void *)stream;
}

static ssize_t read_socket(struct stream *stream, void *memory, size_t size)
{
    return net_read(of(stream)->fd, memory, size);
}

static ssize_t write_socket(struct stream *stream, const struct iovec *parts, int count)
{
    return net_writev(of(stream)->fd, parts, count);
}

static void shut_socket(struct stream *stream)
{
    net_shutdown_write(of(stream)->fd);
}

static void free_socket(struct stream *stream)
{
    memory_free(of(stream));
}

struct stream *socket_stream_try_new(int fd)
{
    static const struct stream_class class = {
        .name = "socket",
        .read = read_socket,
        .writev = write_socket,
        .shut = shut_socket,
        .free = free_socket,
    };
    struct socket_stream *socket = memory_try_new(sizeof(*socket));
    if (socket == NULL)
        return NULL;
    socket->stream.class = &class;
    socket->fd = fd;
    return &socket->stream;
}
