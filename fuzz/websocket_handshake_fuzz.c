// SPDX-License-Identifier: MIT
// Any bytes as the request for a WebSocket, with and without pages on the list. Must hold: what is
// let in has what RFC 6455 demands and a page that may, every answer fits, and its lines are ours.
#include "fuzz/fuzz.h"
#include "transport/http_response.h"
#include "transport/websocket_handshake.h"

#include <string.h>

static bool has(const struct http_head *head, const char *name, const char *value)
{
    const struct http_header *header = http_head_find(head, bytes_make(name, strlen(name)));
    return header != NULL && bytes_equal(header->value, bytes_make(value, strlen(value)));
}

static void check_admitted(const struct http_head *head, bool has_list)
{
    const struct http_header *origin = http_head_find(head, BYTES_OF("Origin"));
    const struct http_header *host = http_head_find(head, BYTES_OF("Host"));
    FUZZ_CHECK(head->method == METHOD_GET && head->minor_version == 1 && host != NULL);
    FUZZ_CHECK(has(head, "Sec-WebSocket-Version", "13"));
    FUZZ_CHECK(http_head_find(head, BYTES_OF("Sec-WebSocket-Key"))->value.size == 24);
    if (origin == NULL || (has_list && has(head, "Origin", "https://panel.example")))
        return;
    // Whatever the ports: no page of another host.
    size_t compared = host->value.size;
    const uint8_t *colon = compared == 0 ? NULL : memrchr(host->value.data, ':', compared);
    if (colon != NULL)
        compared = (size_t)(colon - host->value.data);
    FUZZ_CHECK(memmem(origin->value.data, origin->value.size, "://", 3) != NULL);
    const uint8_t *from = memmem(origin->value.data, origin->value.size, "://", 3);
    FUZZ_CHECK((size_t)(origin->value.data + origin->value.size - from) >= 3 + compared);
    FUZZ_CHECK(
        http_token_equal(bytes_make(from + 3, compared), bytes_make(host->value.data, compared)));
}

static void check_answer(const struct websocket_handshake *handshake)
{
    uint8_t memory[HTTP_REFUSAL_SIZE_MAX];
    struct writer writer = writer_of(memory, sizeof(memory));
    websocket_handshake_answer(handshake, &writer);
    FUZZ_CHECK(!writer.bad);
    const uint8_t *end = memmem(memory, writer.size, "\r\n\r\n", 4);
    FUZZ_CHECK(end != NULL);
    if (handshake->status == 101)
        FUZZ_CHECK(end == memory + writer.size - 4);
}

static void judge(const struct http_head *head, bool has_list)
{
    static const char *const list[] = {"https://panel.example"};
    struct websocket_handshake handshake =
        websocket_handshake_judge(head, (struct websocket_origins){list, has_list ? 1 : 0});
    FUZZ_CHECK((handshake.status == 101) == (handshake.why == NULL));
    if (handshake.status == 101) {
        FUZZ_CHECK(websocket_is_asked_for(head));
        FUZZ_CHECK(strlen(handshake.accept) == WEBSOCKET_ACCEPT_SIZE);
        check_admitted(head, has_list);
    }
    check_answer(&handshake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    if (http_head_parse(bytes_make(data, size), 0, &head) != HTTP_WHOLE)
        return 0;
    judge(&head, false);
    judge(&head, true);
    return 0;
}
