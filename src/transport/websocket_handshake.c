// SPDX-License-Identifier: MIT
#include "transport/websocket_handshake.h"

#include "base/assert.h"
#include "transport/http_response.h"

#include <openssl/evp.h>
#include <string.h>

enum { KEY_SIZE = 24 }; // 16 bytes in base64

static struct bytes value_of(const struct http_head *head, struct bytes name)
{
    const struct http_header *header = http_head_find(head, name);
    return header == NULL ? bytes_make(NULL, 0) : header->value;
}

// Lists may come in several headers of the same name.
static bool lists(const struct http_head *head, struct bytes name, struct bytes token)
{
    const struct http_header *header = NULL;
    while ((header = http_head_next(head, name, header)) != NULL)
        if (http_list_has(header->value, token))
            return true;
    return false;
}

bool websocket_is_asked_for(const struct http_head *head)
{
    return lists(head, BYTES_OF("Upgrade"), BYTES_OF("websocket"));
}

// ----------------------------------------------------------------------------------------- the key

static bool is_base64(uint8_t octet)
{
    return (octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z') ||
           (octet >= '0' && octet <= '9') || octet == '+' || octet == '/';
}

static bool is_key(struct bytes key)
{
    if (key.size != KEY_SIZE || memcmp(key.data + 22, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is_base64(key.data[i]))
            return false;
    return memchr("AQgw", key.data[21], 4) != NULL; // the last digit has but two bits
}

static void fill_accept(struct bytes key, char *accept)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // [RFC 6455 1.3]
    uint8_t joined[KEY_SIZE + sizeof(guid) - 1];
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    memcpy(joined, key.data, KEY_SIZE);
    memcpy(joined + KEY_SIZE, guid, sizeof(guid) - 1);
    ASSERT(EVP_Digest(joined, sizeof(joined), digest, &size, EVP_sha1(), NULL) == 1);
    ASSERT(EVP_EncodeBlock((uint8_t *)accept, digest, (int)size) == WEBSOCKET_ACCEPT_SIZE);
}

// --------------------------------------------------------------------------------------- the
// origin

// "https://panel.example:8443" into its scheme and what is behind it.
static bool split_origin(struct bytes origin, struct bytes *ret_scheme, struct bytes *ret_host)
{
    static const char separator[] = "://";
    const uint8_t *found = memmem(origin.data, origin.size, separator, 3);
    if (found == NULL)
        return false;
    *ret_scheme = bytes_make(origin.data, (size_t)(found - origin.data));
    *ret_host = bytes_from(origin, ret_scheme->size + 3);
    return ret_host->size > 0;
}

// A port that the scheme has anyway may be written or left out, on either side.
static struct bytes without_port(struct bytes host, struct bytes port)
{
    bool has = host.size > port.size &&
               memcmp(host.data + host.size - port.size, port.data, port.size) == 0;
    return has ? bytes_make(host.data, host.size - port.size) : host;
}

static bool is_same_host(struct bytes origin, struct bytes host)
{
    struct bytes scheme, from;
    if (!split_origin(origin, &scheme, &from))
        return false;
    struct bytes port = {0};
    if (http_token_equal(scheme, BYTES_OF("https")))
        port = BYTES_OF(":443");
    else if (http_token_equal(scheme, BYTES_OF("http")))
        port = BYTES_OF(":80");
    else
        return false; // a page of an app: file:, null, chrome-extension: and their kind
    return http_token_equal(without_port(from, port), without_port(host, port));
}

static bool may_come_from(const struct http_head *head, struct websocket_origins origins)
{
    const struct http_header *origin = http_head_find(head, BYTES_OF("Origin"));
    if (origin == NULL)
        return true;
    for (size_t i = 0; i < origins.count; i++) {
        struct bytes listed = bytes_make(origins.list[i], strlen(origins.list[i]));
        if (bytes_equal(listed, BYTES_OF("*")) || bytes_equal(listed, origin->value))
            return true;
    }
    return is_same_host(origin->value, value_of(head, BYTES_OF("Host")));
}

// ------------------------------------------------------------------------------------- the
// protocol

static const char *known_protocol(struct bytes offered)
{
    static const char *const known[] = {"mqtt", "mqttv3.1"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (bytes_equal(offered, bytes_make(known[i], strlen(known[i]))))
            return known[i];
    return NULL;
}

// `mqtt` if it is offered at all [MQTT-6.0.0-4], else the first that is known. False: there were
// offers, and none is.
static bool choose_protocol(const struct http_head *head, struct bytes *ret_protocol)
{
    static const struct bytes name = {(const uint8_t *)"Sec-WebSocket-Protocol", 22};
    const struct http_header *header = NULL;
    struct bytes offered;
    bool any = false;
    while ((header = http_head_next(head, name, header)) != NULL) {
        struct bytes list = header->value;
        any = true;
        while (http_list_next(&list, &offered)) {
            const char *ours = known_protocol(offered);
            if (ours != NULL && (ret_protocol->size == 0 || strcmp(ours, "mqtt") == 0))
                *ret_protocol = bytes_make(ours, strlen(ours));
        }
    }
    return !any || ret_protocol->size > 0;
}

// ------------------------------------------------------------------------------------- the
// judgement

static const char *judge_form(const struct http_head *head, unsigned *ret_status)
{
    *ret_status = 400;
    if (head->method != METHOD_GET) {
        *ret_status = 405;
        return "a WebSocket is opened by GET";
    }
    if (head->minor_version == 0) {
        *ret_status = 505;
        return "a WebSocket is opened by HTTP/1.1";
    }
    if (!websocket_is_asked_for(head))
        return "the header Upgrade: websocket is missing";
    if (!lists(head, BYTES_OF("Connection"), BYTES_OF("Upgrade")))
        return "the header Connection: Upgrade is missing; does a proxy in front take it away?";
    if (!bytes_equal(value_of(head, BYTES_OF("Sec-WebSocket-Version")), BYTES_OF("13"))) {
        *ret_status = 426;
        return "only version 13 of WebSocket is spoken here";
    }
    if (!is_key(value_of(head, BYTES_OF("Sec-WebSocket-Key"))))
        return "the header Sec-WebSocket-Key is missing, or not 16 bytes in base64";
    return head->content_size > 0 ? "the request for a WebSocket has a body" : NULL;
}

struct websocket_handshake websocket_handshake_judge(const struct http_head *head,
                                                     struct websocket_origins origins)
{
    struct websocket_handshake handshake = {0};
    handshake.why = judge_form(head, &handshake.status);
    if (handshake.why != NULL)
        return handshake;
    if (!may_come_from(head, origins)) {
        handshake.status = 403;
        handshake.why =
            "pages of this origin may not connect; websockets_origin lists those that may";
        return handshake;
    }
    if (!choose_protocol(head, &handshake.protocol)) {
        handshake.why = "none of the sub-protocols is mqtt or mqttv3.1";
        return handshake;
    }
    handshake.status = 101;
    fill_accept(value_of(head, BYTES_OF("Sec-WebSocket-Key")), handshake.accept);
    return handshake;
}

void websocket_handshake_answer(const struct websocket_handshake *handshake, struct writer *writer)
{
    if (handshake->status != 101) {
        http_response_refuse(handshake->status, handshake->why, writer);
        return;
    }
    writer_bytes(writer, BYTES_OF("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Accept: "));
    writer_bytes(writer, bytes_make(handshake->accept, WEBSOCKET_ACCEPT_SIZE));
    if (handshake->protocol.size > 0) {
        writer_bytes(writer, BYTES_OF("\r\nSec-WebSocket-Protocol: "));
        writer_bytes(writer, handshake->protocol);
    }
    writer_bytes(writer, BYTES_OF("\r\n\r\n"));
}
