// SPDX-License-Identifier: MIT
#include "transport/http_response.h"

#include <http_parser.h>
#include <stdio.h>
#include <string.h>

const char *http_status_text(unsigned status)
{
    return http_status_str((enum http_status)status);
}

static struct bytes text_of(const char *text)
{
    return bytes_make(text, strlen(text));
}

// What a browser is told not to do with an answer: guess its type, or keep it.
#define CAUTION                                                                                    \
    "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n"

void http_response_write(const struct http_response *response, struct writer *writer)
{
    char line[64];
    const char *type = response->content_type;
    snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\n", response->status,
             http_status_text(response->status));
    writer_bytes(writer, text_of(line));
    writer_bytes(writer, text_of("Content-Type: "));
    writer_bytes(writer, text_of(type == NULL ? "text/plain; charset=utf-8" : type));
    snprintf(line, sizeof(line), "\r\nContent-Length: %zu\r\n", response->body.size);
    writer_bytes(writer, text_of(line));
    if (response->headers != NULL)
        writer_bytes(writer, text_of(response->headers));
    writer_bytes(writer, text_of(CAUTION "\r\n"));
    if (!response->without_body)
        writer_bytes(writer, response->body);
}

void http_response_refuse(unsigned status, const char *why, struct writer *writer)
{
    char body[256];
    int size = snprintf(body, sizeof(body), "%u %s: %s\n", status, http_status_text(status), why);
    struct http_response response = {.status = status};
    response.body = bytes_make(body, (size_t)size < sizeof(body) ? (size_t)size : sizeof(body) - 1);
    if (status == 405)
        response.headers = "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n";
    if (status == 426)
        response.headers = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    http_response_write(&response, writer);
}
