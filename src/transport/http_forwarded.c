// SPDX-License-Identifier: MIT
#include "transport/http_forwarded.h"

#include <string.h>

enum { ADDRESSES_MAX = 32 }; // of all headers of a kind; who sends more is not believed

struct chain {
    unsigned count;
    bool odd; // some of it is no address
    struct net_address addresses[ADDRESSES_MAX];
};

static const struct bytes forwarded = {(const uint8_t *)"Forwarded", 9};
static const struct bytes forwarded_for = {(const uint8_t *)"X-Forwarded-For", 15};
static const struct bytes real_ip = {(const uint8_t *)"X-Real-IP", 9};

bool http_forwarded_hides(const struct http_head *head)
{
    // Others do not name the client, and still tell of a proxy.
    static const char *const names[] = {
        "Forwarded", "X-Forwarded-For",  "X-Real-IP",      "X-Forwarded-Host", "X-Forwarded-Proto",
        "Via",       "CF-Connecting-IP", "True-Client-IP",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (http_head_find(head, bytes_make(names[i], strlen(names[i]))) != NULL)
            return true;
    return false;
}

// -------------------------------------------------------------------------------------- one
// address

static bool is_port(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > 0 && text.size <= 5;
}

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80".
static bool parse_node(struct bytes node, struct net_address *ret_address)
{
    struct bytes host = node, port = {0};
    if (node.size == 0)
        return false;
    if (node.data[0] == '[') {
        const uint8_t *end = memchr(node.data, ']', node.size);
        if (end == NULL)
            return false;
        host = bytes_make(node.data + 1, (size_t)(end - node.data) - 1);
        port = bytes_from(node, host.size + 2);
    } else if (memchr(node.data, '.', node.size) != NULL) {
        const uint8_t *colon = memrchr(node.data, ':', node.size);
        size_t size = colon == NULL ? node.size : (size_t)(colon - node.data);
        if (memchr(node.data, ':', size) != NULL) // ::ffff:192.0.2.1
            size = node.size;
        host = bytes_make(node.data, size);
        port = bytes_from(node, size);
    }
    bool is_plain = port.size == 0 || (port.data[0] == ':' && is_port(bytes_from(port, 1)));
    return is_plain && net_address_parse(host, ret_address);
}

static void add(struct chain *chain, struct bytes node)
{
    if (chain->count == ADDRESSES_MAX || !parse_node(node, &chain->addresses[chain->count])) {
        chain->odd = true;
        chain->count = 0; // what is left of it was not said by who is right of it
    } else {
        chain->count++;
    }
}

// ---------------------------------------------------------------------------------------- the
// headers

static void read_list(const struct http_head *head, struct bytes name, struct chain *chain)
{
    const struct http_header *header = NULL;
    while ((header = http_head_next(head, name, header)) != NULL) {
        struct bytes list = header->value, element;
        while (http_list_next(&list, &element))
            add(chain, element);
    }
}

// Takes the first part off, up to `separator`, spaces around it left out.
static struct bytes part_next(struct bytes *rest, char separator)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct bytes part = bytes_make(rest->data, size);
    *rest = bytes_from(*rest, end == NULL ? size : size + 1);
    while (part.size > 0 && part.data[0] == ' ')
        part = bytes_from(part, 1);
    while (part.size > 0 && part.data[part.size - 1] == ' ')
        part.size--;
    return part;
}

static struct bytes unquoted(struct bytes text)
{
    bool quoted = text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"';
    return quoted ? bytes_make(text.data + 1, text.size - 2) : text;
}

// `for="[2001:db8::1]:4711";proto=https`. Each element names one, or it is odd. A comma within
// quotes would be cut here, and then it is no address either.
static void add_element(struct chain *chain, struct bytes element)
{
    struct bytes node = {0};
    while (element.size > 0) {
        struct bytes pair = part_next(&element, ';');
        struct bytes name = part_next(&pair, '=');
        if (http_token_equal(name, BYTES_OF("for")))
            node = unquoted(pair);
    }
    add(chain, node);
}

static void read_forwarded(const struct http_head *head, struct chain *chain)
{
    const struct http_header *header = NULL;
    while ((header = http_head_next(head, forwarded, header)) != NULL) {
        struct bytes list = header->value, element;
        while (http_list_next(&list, &element))
            add_element(chain, element);
    }
}

// ------------------------------------------------------------------------------------ what they
// mean

struct finding {
    bool odd; // something was said, and cannot be used
    bool has_stranger;
    bool has_first;
    struct net_address stranger; // who is no trusted proxy
    struct net_address first;    // all are trusted: the one that began
};

static void note_stranger(struct finding *finding, const struct net_address *address)
{
    if (finding->has_stranger && !net_address_same_host(&finding->stranger, address))
        finding->odd = true;
    finding->has_stranger = true;
    finding->stranger = *address;
}

static void judge_chain(const struct chain *chain, const struct net_networks *trusted,
                        struct finding *finding)
{
    for (unsigned i = chain->count; i > 0; i--) {
        if (!net_networks_have(trusted, &chain->addresses[i - 1])) {
            note_stranger(finding, &chain->addresses[i - 1]);
            return;
        }
    }
    finding->odd = finding->odd || chain->odd;
    if (chain->count > 0 && !finding->has_first) {
        finding->has_first = true;
        finding->first = chain->addresses[0];
    }
}

bool http_forwarded_client(const struct http_head *head, const struct net_networks *trusted,
                           struct net_address *ret_client)
{
    struct chain chains[3];
    struct finding finding = {0};
    memset(chains, 0, sizeof(chains));
    read_list(head, forwarded_for, &chains[0]);
    read_forwarded(head, &chains[1]);
    read_list(head, real_ip, &chains[2]);
    for (size_t i = 0; i < 3; i++)
        judge_chain(&chains[i], trusted, &finding);
    if (finding.odd || (!finding.has_stranger && !finding.has_first))
        return false;
    *ret_client = finding.has_stranger ? finding.stranger : finding.first;
    return true;
}
