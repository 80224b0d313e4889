// SPDX-License-Identifier: MIT
// The transport over os/net.h. The descriptor itself is the context, so nothing is allocated.
#include "client/transport.h"
#include "os/clock.h"
#include "os/net.h"

static int descriptor_of(void *context)
{
    return (int)(intptr_t)context;
}

static ssize_t tcp_read(void *context, void *memory, size_t size)
{
    return net_read(descriptor_of(context), memory, size);
}

static ssize_t tcp_write(void *context, const void *memory, size_t size)
{
    struct iovec part = {(void *)(uintptr_t)memory, size};

    return net_writev(descriptor_of(context), &part, 1);
}

static int tcp_wait(void *context, bool for_write, int timeout_ms)
{
    return net_wait(descriptor_of(context), for_write, timeout_ms);
}

static void tcp_close(void *context)
{
    net_close(descriptor_of(context));
}

static int64_t tcp_now_ms(void *context)
{
    (void)context;
    return clock_monotonic_ms();
}

int client_transport_tcp(const char *host, uint16_t port, int timeout_ms,
                         struct client_transport *ret_transport)
{
    int fd = net_connect(host, port, timeout_ms);

    if (fd < 0)
        return fd;
    *ret_transport = (struct client_transport){
        .context = (void *)(intptr_t)fd,
        .read = tcp_read,
        .write = tcp_write,
        .wait = tcp_wait,
        .close = tcp_close,
        .now_ms = tcp_now_ms,
    };
    return 0;
}
