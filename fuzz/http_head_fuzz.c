// SPDX-License-Identifier: MIT
// Any bytes as the head of a request. Must hold: what comes later never changes what was decided,
// nothing is decided before the last byte of a head, a head that is put together from what was
// found is found again, and the questions that are asked of a head have an answer.
#include "fuzz/fuzz.h"
#include "proto/writer.h"
#include "transport/http_forwarded.h"
#include "transport/http_head.h"

#include <string.h>

#define CONTENT_MAX 1000

static void write_again(const struct http_head *head, struct writer *writer)
{
    static const char *const methods[] = {"GET",    "HEAD",    "POST", "PUT",
                                          "DELETE", "OPTIONS", "PATCH"};
    writer_bytes(writer, bytes_make(methods[head->method], strlen(methods[head->method])));
    writer_u8(writer, ' ');
    writer_bytes(writer, head->path);
    if (head->query.size > 0) {
        writer_u8(writer, '?');
        writer_bytes(writer, head->query);
    }
    writer_bytes(writer,
                 head->minor_version ? BYTES_OF(" HTTP/1.1\r\n") : BYTES_OF(" HTTP/1.0\r\n"));
    for (unsigned i = 0; i < head->header_count; i++) {
        writer_bytes(writer, head->headers[i].name);
        writer_bytes(writer, BYTES_OF(":"));
        writer_bytes(writer, head->headers[i].value);
        writer_bytes(writer, BYTES_OF("\r\n"));
    }
    writer_bytes(writer, BYTES_OF("\r\n"));
}

static void check_round_trip(const struct http_head *head)
{
    static struct http_head again;
    static uint8_t memory[2 * HTTP_HEAD_SIZE_MAX];
    struct writer writer = writer_of(memory, sizeof(memory));
    write_again(head, &writer);
    FUZZ_CHECK(!writer.bad);
    FUZZ_CHECK(http_head_parse(bytes_make(memory, writer.size), CONTENT_MAX, &again) == HTTP_WHOLE);
    FUZZ_CHECK(again.size == writer.size && again.header_count == head->header_count);
    FUZZ_CHECK(bytes_equal(again.path, head->path) && bytes_equal(again.query, head->query));
    FUZZ_CHECK(again.content_size == head->content_size);
    for (unsigned i = 0; i < head->header_count; i++) {
        FUZZ_CHECK(bytes_equal(again.headers[i].name, head->headers[i].name));
        FUZZ_CHECK(bytes_equal(again.headers[i].value, head->headers[i].value));
    }
}

static void check_questions(const struct http_head *head)
{
    struct net_networks trusted = {.count = 1,
                                   .networks = {{.family = 4, .bits = 8, .octets = {10}}}};
    struct net_address client;
    unsigned found = 0;
    for (unsigned i = 0; i < head->header_count; i++)
        found += http_head_find(head, head->headers[i].name) != NULL;
    FUZZ_CHECK(found == head->header_count);
    if (http_forwarded_client(head, &trusted, &client))
        FUZZ_CHECK(http_forwarded_hides(head) && (client.family == 4 || client.family == 6));
}

static void check_cut(struct bytes input, size_t cut, enum http_result whole, size_t head_size)
{
    static struct http_head head;
    enum http_result result = http_head_parse(bytes_make(input.data, cut), CONTENT_MAX, &head);
    if (result != HTTP_MORE)
        FUZZ_CHECK(result == whole);
    if (whole == HTTP_WHOLE)
        FUZZ_CHECK((result == HTTP_WHOLE) == (cut >= head_size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    struct bytes input = bytes_make(data, size);
    enum http_result result = http_head_parse(input, CONTENT_MAX, &head);
    size_t head_size = result == HTTP_WHOLE ? head.size : 0;
    if (result == HTTP_BAD)
        FUZZ_CHECK(head.status >= 400 && head.status <= 505 && head.why != NULL);
    if (result == HTTP_WHOLE) {
        FUZZ_CHECK(head.size <= size && head.header_count <= HTTP_HEADERS_MAX);
        FUZZ_CHECK(head.content_size <= CONTENT_MAX && head.path.size > 0);
        check_questions(&head);
        check_round_trip(&head);
    }
    for (size_t step = 1; step <= size; step *= 2)
        check_cut(input, size - step, result, head_size);
    return 0;
}
