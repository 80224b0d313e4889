// SPDX-License-Identifier: MIT
#include "transport/http_head.h"

#include <http_parser.h>
#include <string.h>

struct parse {
    struct http_head *head;
    struct bytes target;
};

static enum http_result refuse(struct http_head *head, unsigned status, const char *why)
{
    head->status = status;
    head->why = why;
    return HTTP_BAD;
}

// ---------------------------------------------------------------------------------------- tokens

static uint8_t lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + ('a' - 'A')) : octet;
}

bool http_token_equal(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

static bool is_space(uint8_t octet)
{
    return octet == ' ' || octet == '\t';
}

static struct bytes trimmed(struct bytes text)
{
    while (text.size > 0 && is_space(text.data[0]))
        text = bytes_from(text, 1);
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

bool http_list_next(struct bytes *list, struct bytes *ret_element)
{
    while (list->size > 0) {
        const uint8_t *comma = memchr(list->data, ',', list->size);
        size_t size = comma == NULL ? list->size : (size_t)(comma - list->data);
        struct bytes element = trimmed(bytes_make(list->data, size));
        *list = bytes_from(*list, comma == NULL ? size : size + 1);
        if (element.size > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

bool http_list_has(struct bytes list, struct bytes token)
{
    struct bytes element;
    while (http_list_next(&list, &element))
        if (http_token_equal(element, token))
            return true;
    return false;
}

static bool is_token(struct bytes text) // [RFC 9110 5.6.2]
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t octet = text.data[i];
        bool letter = lower(octet) >= 'a' && lower(octet) <= 'z';
        bool digit = octet >= '0' && octet <= '9';
        if (!letter && !digit && (octet == 0 || strchr("!#$%&'*+-.^_`|~", octet) == NULL))
            return false;
    }
    return text.size > 0;
}

static bool is_visible_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return true;
}

static bool has_control(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7f)
            return true;
    return false;
}

// ------------------------------------------------------------------------------------ the lines

// What libhttp-parser forgives is refused here: a line that ends without CR, and one that goes on
// with the line before it.
static enum http_result judge_line(struct http_head *head, struct bytes line, unsigned number)
{
    if (line.size == 0 || line.data[line.size - 1] != '\r')
        return refuse(head, 400, "a line of the request ends without CR");
    if (number == 0 && line.size == 1)
        return refuse(head, 400, "the request begins with an empty line");
    if (number > 0 && is_space(line.data[0]))
        return refuse(head, 400, "a header is folded over two lines");
    if (number > HTTP_HEADERS_MAX && line.size > 1)
        return refuse(head, 431, "more than 64 headers");
    return line.size == 1 ? HTTP_WHOLE : HTTP_MORE;
}

static enum http_result end_of_input(struct http_head *head, struct bytes input, bool in_target)
{
    if (in_target && input.size > HTTP_TARGET_SIZE_MAX + sizeof("OPTIONS  HTTP/1.1"))
        return refuse(head, 414, "the path is longer than 8000 bytes");
    if (input.size >= HTTP_HEAD_SIZE_MAX)
        return refuse(head, 431, "the head of the request is larger than 16384 bytes");
    return HTTP_MORE;
}

// Finds the empty line. How often the same bytes are looked at is up to the peer, who may send one
// at a time; so this is all that is done until the head is whole.
static enum http_result find_end(struct http_head *head, struct bytes input)
{
    struct bytes rest = input;
    rest.size = rest.size < HTTP_HEAD_SIZE_MAX ? rest.size : HTTP_HEAD_SIZE_MAX;
    for (unsigned number = 0;; number++) {
        const uint8_t *end = rest.size == 0 ? NULL : memchr(rest.data, '\n', rest.size);
        if (end == NULL)
            return end_of_input(head, input, number == 0);
        size_t size = (size_t)(end - rest.data);
        enum http_result result = judge_line(head, bytes_make(rest.data, size), number);
        if (result == HTTP_WHOLE)
            head->size = (size_t)(end - input.data) + 1;
        if (result != HTTP_MORE)
            return result;
        rest = bytes_from(rest, size + 1);
    }
}

// ----------------------------------------------------------------------------------- the grammar

static int on_target(http_parser *parser, const char *at, size_t size)
{
    struct parse *parse = parser->data;
    parse->target = bytes_make(at, size);
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t size)
{
    struct http_head *head = ((struct parse *)parser->data)->head;
    if (head->header_count == HTTP_HEADERS_MAX)
        return 1;
    head->headers[head->header_count++].name = bytes_make(at, size);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t size)
{
    struct http_head *head = ((struct parse *)parser->data)->head;
    head->headers[head->header_count - 1].value = trimmed(bytes_make(at, size));
    return 0;
}

static int on_end(http_parser *parser)
{
    (void)parser;
    return 2; // the body, and whatever else follows, is not for this parser
}

static enum http_result refuse_grammar(struct http_head *head, enum http_errno error)
{
    switch (error) {
    case HPE_INVALID_METHOD: return refuse(head, 405, "no such method here");
    case HPE_INVALID_VERSION: return refuse(head, 505, "only HTTP/1.1 and 1.0 are spoken here");
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse(head, 400, "Content-Length is no number, or said twice");
    default: return refuse(head, 400, "this is no HTTP request");
    }
}

static bool find_method(unsigned number, enum request_method *ret_method)
{
    static const struct {
        enum http_method theirs;
        enum request_method ours;
    } methods[] = {
        {HTTP_GET, METHOD_GET},     {HTTP_HEAD, METHOD_HEAD},     {HTTP_POST, METHOD_POST},
        {HTTP_PUT, METHOD_PUT},     {HTTP_DELETE, METHOD_DELETE}, {HTTP_OPTIONS, METHOD_OPTIONS},
        {HTTP_PATCH, METHOD_PATCH},
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (methods[i].theirs == number) {
            *ret_method = methods[i].ours;
            return true;
        }
    }
    return false;
}

static enum http_result judge_target(struct http_head *head, struct bytes target)
{
    if (target.size > HTTP_TARGET_SIZE_MAX)
        return refuse(head, 414, "the path is longer than 8000 bytes");
    bool all = head->method == METHOD_OPTIONS && bytes_equal(target, BYTES_OF("*"));
    bool path = target.size > 0 && target.data[0] == '/';
    if ((!all && !path) || !is_visible_ascii(target) || memchr(target.data, '#', target.size))
        return refuse(head, 400, "the path must begin with '/' and be visible ASCII");
    const uint8_t *mark = memchr(target.data, '?', target.size);
    head->path = bytes_make(target.data, mark ? (size_t)(mark - target.data) : target.size);
    head->query = bytes_from(target, head->path.size + (mark != NULL));
    return HTTP_WHOLE;
}

// ----------------------------------------------------------------------------------- the headers

const struct http_header *http_head_next(const struct http_head *head, struct bytes name,
                                         const struct http_header *before)
{
    const struct http_header *end = head->headers + head->header_count;
    const struct http_header *header = before == NULL ? head->headers : before + 1;
    for (; header < end; header++)
        if (http_token_equal(header->name, name))
            return header;
    return NULL;
}

const struct http_header *http_head_find(const struct http_head *head, struct bytes name)
{
    return http_head_next(head, name, NULL);
}

// Of these two readers would each take another one.
static bool is_doubled(const struct http_head *head)
{
    static const char *const single[] = {
        "Host",          "Upgrade",      "Content-Length",    "Transfer-Encoding",
        "Authorization", "Content-Type", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        "Origin",
    };
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        struct bytes name = bytes_make(single[i], strlen(single[i]));
        const struct http_header *first = http_head_find(head, name);
        if (first != NULL && http_head_next(head, name, first) != NULL)
            return true;
    }
    return false;
}

static enum http_result judge_headers(struct http_head *head, uint64_t content_size_max)
{
    for (unsigned i = 0; i < head->header_count; i++)
        if (!is_token(head->headers[i].name) || has_control(head->headers[i].value))
            return refuse(head, 400, "a header has a character that it may not have");
    if (is_doubled(head))
        return refuse(head, 400, "a header that may come once came twice");
    if (head->minor_version > 0 && http_head_find(head, BYTES_OF("Host")) == NULL)
        return refuse(head, 400, "the header Host is missing");
    if (http_head_find(head, BYTES_OF("Transfer-Encoding")) != NULL)
        return refuse(head, 411, "a body must come with Content-Length");
    if (head->content_size > content_size_max)
        return refuse(head, 413, "the body is too large");
    return HTTP_WHOLE;
}

static uint64_t content_size_of(const http_parser *parser)
{
    // Without the header the parser gives all ones, or zero, depending on the method.
    bool has_none = (parser->flags & F_CONTENTLENGTH) == 0;
    return has_none ? 0 : parser->content_length;
}

static enum http_result parse_whole(struct bytes input, uint64_t content_size_max,
                                    struct http_head *head)
{
    static const http_parser_settings settings = {
        .on_url = on_target,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_end,
    };
    struct parse parse = {.head = head};
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &parse;
    size_t size = http_parser_execute(&parser, &settings, (const char *)input.data, head->size);
    if (parser.http_errno != HPE_OK || size != head->size)
        return refuse_grammar(head, (enum http_errno)parser.http_errno);
    if (parser.http_major != 1)
        return refuse(head, 505, "only HTTP/1.1 and 1.0 are spoken here");
    if (!find_method(parser.method, &head->method))
        return refuse(head, 405, "no such method here");
    head->minor_version = parser.http_minor == 0 ? 0 : 1;
    head->content_size = content_size_of(&parser);
    enum http_result result = judge_target(head, parse.target);
    return result == HTTP_WHOLE ? judge_headers(head, content_size_max) : result;
}

enum http_result http_head_parse(struct bytes input, uint64_t content_size_max,
                                 struct http_head *ret_head)
{
    ret_head->size = ret_head->header_count = 0;
    enum http_result result = find_end(ret_head, input);
    return result == HTTP_WHOLE ? parse_whole(input, content_size_max, ret_head) : result;
}
