// SPDX-License-Identifier: MIT
#include "transport/proxy_header.h"

#include "proto/reader.h"

#include <string.h>

enum {
    V2_FIXED_SIZE = 16,
    COMMAND_LOCAL = 0x20,
    COMMAND_PROXY = 0x21,
    FAMILY_UNSPECIFIED = 0x00,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,
    FAMILY_UNIX = 0x31,
    UNIX_PATHS_SIZE = 216,
    TYPE_ALPN = 0x01,
    TYPE_AUTHORITY = 0x02,
    TYPE_TLS = 0x20,
    TYPE_TLS_VERSION = 0x21,
    TYPE_TLS_COMMON_NAME = 0x22,
    CLIENT_HAS_TLS = 0x01,
    CLIENT_HAS_CERTIFICATE = 0x02 | 0x04, // in this connection, or in the session it resumes
};

static const char v2_signature[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                      '\n', 'Q',  'U',  'I',  'T', '\n'};

static enum proxy_result refuse(struct proxy_header *header, const char *why)
{
    header->why = why;
    return PROXY_BAD;
}

// ---------------------------------------------------------------------------------------- version
// 1

// The next word, up to exactly one space or the end.
static struct bytes word_next(struct bytes *line)
{
    const uint8_t *space = line->size == 0 ? NULL : memchr(line->data, ' ', line->size);
    size_t size = space == NULL ? line->size : (size_t)(space - line->data);
    struct bytes word = bytes_make(line->data, size);
    *line = bytes_from(*line, space == NULL ? size : size + 1);
    return word;
}

static bool parse_port(struct bytes word, uint16_t *ret_port)
{
    unsigned port = 0;
    if (word.size == 0 || word.size > 5 || (word.size > 1 && word.data[0] == '0'))
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        port = port * 10 + word.data[i] - '0';
    }
    *ret_port = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool parse_host(struct bytes word, bool is_v6, struct net_address *ret_address)
{
    bool has_colon = word.size > 0 && memchr(word.data, ':', word.size) != NULL;
    return has_colon == is_v6 && net_address_parse(word, ret_address);
}

// "TCP4 192.0.2.1 192.0.2.2 51234 1883", "UNKNOWN" and whatever is behind it.
static enum proxy_result parse_v1_line(struct bytes line, struct proxy_header *header)
{
    struct bytes protocol = word_next(&line);
    bool is_v6 = bytes_equal(protocol, BYTES_OF("TCP6"));
    if (bytes_equal(protocol, BYTES_OF("UNKNOWN"))) {
        header->is_local = true;
        return PROXY_WHOLE;
    }
    if (!is_v6 && !bytes_equal(protocol, BYTES_OF("TCP4")))
        return refuse(header, "the PROXY line names a protocol that is not TCP4, TCP6 or UNKNOWN");
    struct bytes source = word_next(&line), destination = word_next(&line);
    struct bytes source_port = word_next(&line);
    if (!parse_host(source, is_v6, &header->source) ||
        !parse_host(destination, is_v6, &header->destination))
        return refuse(header, "an address in the PROXY line is none");
    if (!parse_port(source_port, &header->source.port) ||
        !parse_port(line, &header->destination.port))
        return refuse(header, "a port in the PROXY line is none");
    return PROXY_WHOLE;
}

static enum proxy_result parse_v1(struct bytes input, struct proxy_header *header)
{
    static const char begins[] = "PROXY ";
    size_t size = input.size < PROXY_HEADER_V1_SIZE_MAX ? input.size : PROXY_HEADER_V1_SIZE_MAX;
    size_t compared = size < sizeof(begins) - 1 ? size : sizeof(begins) - 1;
    if (compared > 0 && memcmp(input.data, begins, compared) != 0)
        return refuse(header, "this is no PROXY header");
    const uint8_t *end = size == 0 ? NULL : memchr(input.data, '\n', size);
    if (end == NULL && size < PROXY_HEADER_V1_SIZE_MAX)
        return PROXY_MORE;
    if (end == NULL || end[-1] != '\r')
        return refuse(header, "the PROXY line is longer than 107 bytes, or does not end in CR LF");
    struct bytes line = bytes_make(input.data, (size_t)(end - input.data) - 1);
    header->version = 1;
    header->size = line.size + 2;
    return parse_v1_line(bytes_from(line, compared), header);
}

// ---------------------------------------------------------------------------------------- version
// 2

static struct net_address read_host(struct reader *reader, uint8_t family)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct net_address address = {.family = family};
    struct bytes octets = reader_take(reader, family == 4 ? 4 : 16);
    if (octets.size == 16 && memcmp(octets.data, mapped, 12) == 0) {
        address.family = 4;
        octets = bytes_from(octets, 12);
    }
    if (octets.size > 0)
        memcpy(address.octets, octets.data, octets.size);
    return address;
}

static void read_pair(struct reader *reader, uint8_t family, struct proxy_header *header)
{
    header->source = read_host(reader, family);
    header->destination = read_host(reader, family);
    header->source.port = reader_u16(reader);
    header->destination.port = reader_u16(reader);
}

static enum proxy_result read_addresses(struct reader *reader, uint8_t family,
                                        struct proxy_header *header)
{
    if (family == FAMILY_TCP4) {
        read_pair(reader, 4, header);
    } else if (family == FAMILY_TCP6) {
        read_pair(reader, 6, header);
    } else if (family == FAMILY_UNIX) {
        reader_take(reader, UNIX_PATHS_SIZE);
        header->source.family = header->destination.family = 1;
    } else if (family == FAMILY_UNSPECIFIED) {
        header->is_local = true;
        reader_rest(reader);
    } else {
        return refuse(header, "the PROXY header is of a family that is no stream");
    }
    return reader->bad ? refuse(header, "the PROXY header is shorter than its addresses")
                       : PROXY_WHOLE;
}

// One that may stand once. False: it is there already.
static bool set_once(struct bytes *field, struct bytes value)
{
    bool is_first = field->data == NULL;
    *field = value;
    return is_first;
}

// What the proxy knows of TLS: flags, the outcome of verifying (0 good), and more of the same kind.
static bool read_tls(struct bytes value, struct proxy_header *header)
{
    struct reader reader = reader_of(value);
    uint8_t client = reader_u8(&reader);
    uint32_t verdict = reader_u32(&reader);
    bool good = !reader.bad;
    header->has_tls = (client & CLIENT_HAS_TLS) != 0;
    header->has_verified_certificate =
        header->has_tls && (client & CLIENT_HAS_CERTIFICATE) != 0 && verdict == 0;
    while (good && reader_left(&reader) > 0) {
        uint8_t type = reader_u8(&reader);
        struct bytes text = reader_binary(&reader);
        if (type == TYPE_TLS_VERSION)
            good = set_once(&header->tls_version, text);
        else if (type == TYPE_TLS_COMMON_NAME)
            good = set_once(&header->tls_common_name, text);
        good = good && !reader.bad;
    }
    if (!header->has_verified_certificate)
        header->tls_common_name = (struct bytes){0};
    return good;
}

static enum proxy_result read_extras(struct reader *reader, struct proxy_header *header)
{
    bool good = true, has_tls = false;
    while (good && reader_left(reader) > 0) {
        uint8_t type = reader_u8(reader);
        struct bytes value = reader_binary(reader);
        if (type == TYPE_ALPN)
            good = set_once(&header->alpn, value);
        else if (type == TYPE_AUTHORITY)
            good = set_once(&header->authority, value);
        else if (type == TYPE_TLS && !reader->bad)
            good = !has_tls && read_tls(value, header);
        has_tls = has_tls || type == TYPE_TLS;
        good = good && !reader->bad;
    }
    return good ? PROXY_WHOLE
                : refuse(header, "what follows the addresses in the PROXY header is "
                                 "malformed, or there twice");
}

static enum proxy_result parse_v2_whole(struct bytes header_bytes, struct proxy_header *header)
{
    struct reader reader = reader_of(bytes_from(header_bytes, V2_FIXED_SIZE));
    uint8_t command = header_bytes.data[12], family = header_bytes.data[13];
    header->version = 2;
    header->size = header_bytes.size;
    if (command == COMMAND_LOCAL) {
        header->is_local = true;
        return PROXY_WHOLE;
    }
    enum proxy_result result = read_addresses(&reader, family, header);
    return result == PROXY_WHOLE ? read_extras(&reader, header) : result;
}

static enum proxy_result parse_v2(struct bytes input, struct proxy_header *header)
{
    size_t compared = input.size < sizeof(v2_signature) ? input.size : sizeof(v2_signature);
    if (memcmp(input.data, v2_signature, compared) != 0)
        return refuse(header, "this is no PROXY header");
    if (input.size > 12 && input.data[12] != COMMAND_LOCAL && input.data[12] != COMMAND_PROXY)
        return refuse(header, "the PROXY header is of an unknown version or command");
    if (input.size < V2_FIXED_SIZE)
        return PROXY_MORE;
    size_t size = V2_FIXED_SIZE + ((size_t)input.data[14] << 8 | input.data[15]);
    if (size > PROXY_HEADER_SIZE_MAX)
        return refuse(header, "the PROXY header is larger than 4096 bytes");
    return input.size < size ? PROXY_MORE : parse_v2_whole(bytes_make(input.data, size), header);
}

enum proxy_result proxy_header_parse(struct bytes input, struct proxy_header *ret_header)
{
    struct proxy_header header = {0};
    enum proxy_result result = input.size > 0 && input.data[0] == (uint8_t)v2_signature[0]
                                   ? parse_v2(input, &header)
                                   : parse_v1(input, &header);
    if (result != PROXY_MORE)
        *ret_header = header;
    return result;
}
