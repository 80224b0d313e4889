// SPDX-License-Identifier: MIT
// The lowest stream: a socket. Plain MQTT connections have none and call net_* themselves.
#ifndef BUD_SERVER_SOCKET_STREAM_H
#define BUD_SERVER_SOCKET_STREAM_H

#include "transport/stream.h"

// NULL without memory. The socket stays its owner's, who closes it after the stream was freed.
struct stream *socket_stream_try_new(int fd);

#endif
