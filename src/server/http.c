// SPDX-License-Identifier: MIT
#include "server/http.h"

#include "server/door.h"
#include "server/listener.h"
#include "server/worker.h"
#include "transport/http_forwarded.h"
#include "transport/http_host.h"
#include "transport/http_response.h"
#include "transport/websocket.h"
#include "transport/websocket_handshake.h"

#include <string.h>

void http_answer_text(struct http_answer *answer, unsigned status, const char *type,
                      struct bytes text)
{
    answer->status = status;
    answer->type = type;
    if (!buffer_try_append(&answer->body, text, SIZE_MAX)) {
        answer->status = 503;
        buffer_done(&answer->body);
    }
}

// Its last words: they are sent, and then the connection ends. `why` is for the log.
static void say_last(struct connection *connection, struct bytes text, const char *why)
{
    if (!output_try_append(&connection->output, &connection->worker->chunks, text))
        connection->failed = true;
    connection_end_silently(connection, BUD_SUCCESS, why);
}

static void refuse(struct connection *connection, unsigned status, const char *why)
{
    uint8_t text[HTTP_REFUSAL_SIZE_MAX];
    struct writer writer = writer_of(text, sizeof(text));
    http_response_refuse(status, why, &writer);
    ASSERT(!writer.bad);
    counter_add(&connection->worker->counters, COUNTER_REFUSED_HTTP, 1);
    say_last(connection, bytes_make(text, writer.size), why);
}

static void send_answer(struct connection *connection, const struct http_head *head,
                        const struct http_answer *answer)
{
    struct http_response response = {
        .status = answer->status,
        .content_type = answer->type,
        .headers = answer->headers,
        .body = buffer_bytes(&answer->body),
        .without_body = head->method == METHOD_HEAD,
    };
    struct writer writer = writer_counting();
    http_response_write(&response, &writer);
    uint8_t *text = arena_try_take(&connection->worker->scratch, writer.size);
    if (text == NULL) {
        connection_drop(connection, BUD_SERVER_BUSY, "no memory for the answer");
        return;
    }
    writer = writer_of(text, writer.size);
    http_response_write(&response, &writer);
    ASSERT(!writer.bad);
    connection->is_served = true;
    say_last(connection, bytes_make(text, writer.size), "an HTTP request was answered");
}

// A proxy in front says whose connection it is. Whom we do not trust to say so has only told that
// the address that we see is somebody else's.
static void note_forwarded(struct connection *connection, const struct http_head *head)
{
    const struct net_networks *trusted = &connection->worker->server->trusted_proxies;
    struct net_address client;
    if (!http_forwarded_hides(head))
        return;
    if (net_networks_have(trusted, &connection->peer) &&
        http_forwarded_client(head, trusted, &client)) {
        connection_set_peer(connection, &client);
        (void)door_let_in(connection, true);
    } else {
        connection->address_is_hidden = true;
    }
}

static void answer_request(struct connection *connection, const struct http_head *head,
                           struct bytes input)
{
    struct worker *worker = connection->worker;
    const struct http_handler *handler = worker->server->http;
    note_forwarded(connection, head);
    if (connection->state == CONNECTION_CLOSED)
        return; // banned, as it turns out
    struct http_request request = {
        .head = head,
        .body = bytes_make(input.data + head->size, (size_t)head->content_size),
        .connection = connection,
        .is_owner = connection->listener->is_owners,
    };
    struct http_answer answer = {.status = 404};
    if (handler == NULL) {
        refuse(connection, 404, "nothing is served here but MQTT, also over WebSocket");
        return;
    }
    handler->answer(handler->context, worker, &request, &answer);
    send_answer(connection, head, &answer);
    buffer_done(&answer.body);
}

static void open_websocket(struct connection *connection, const struct http_head *head,
                           struct bytes rest)
{
    const struct listener_options *options = connection->listener->options;
    struct websocket_handshake handshake = websocket_handshake_judge(
        head, (struct websocket_origins){.list = options->origins, .count = options->origin_count});
    uint8_t text[HTTP_REFUSAL_SIZE_MAX];
    struct writer writer = writer_of(text, sizeof(text));
    if (handshake.status != 101) {
        counter_add(&connection->worker->counters, COUNTER_REFUSED_HTTP, 1);
        websocket_handshake_answer(&handshake, &writer);
        say_last(connection, bytes_make(text, writer.size), handshake.why);
        return;
    }
    websocket_handshake_answer(&handshake, &writer);
    struct websocket_start start = {
        .already_read = rest,
        .greeting = bytes_make(text, writer.size),
    };
    struct stream *websocket = NULL;
    if (connection_has_room(connection, WEBSOCKET_MEMORY))
        websocket = websocket_try_new(connection->stream, &start);
    if (websocket == NULL) {
        refuse(connection, 503, "no memory for the connection (memory_limit)");
        return;
    }
    connection->stream = websocket;
    connection->is_websocket = true;
    connection->has_public_name = options->origin_count == 0 && http_host_is_public(head);
    note_forwarded(connection, head);
    connection->undecided = false;
}

void connection_on_http(struct connection *connection, struct bytes input)
{
    struct http_head head;
    uint8_t protocol = connection->listener->options->protocol;
    switch (http_head_parse(input, HTTP_BODY_SIZE_MAX, &head)) {
    case HTTP_MORE: (void)connection_keep_input(connection, input); return;
    case HTTP_BAD: refuse(connection, head.status, head.why); return;
    case HTTP_WHOLE: break;
    }
    if (websocket_is_asked_for(&head) && protocol != PROTOCOL_HTTP)
        open_websocket(connection, &head, bytes_from(input, head.size));
    else if (protocol == PROTOCOL_WEBSOCKETS)
        refuse(connection, 426, "this port speaks MQTT over WebSocket only");
    else if (input.size - head.size < head.content_size)
        (void)connection_keep_input(connection, input);
    else
        answer_request(connection, &head, input);
}
