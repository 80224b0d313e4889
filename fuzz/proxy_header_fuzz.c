// SPDX-License-Identifier: MIT
// Any bytes as a PROXY header. Must hold: what comes later never changes what was decided, every
// view lies within the header, and a header that is put together from what was found says the same.
#include "fuzz/fuzz.h"
#include "proto/writer.h"
#include "transport/proxy_header.h"

#include <string.h>

static bool same(const struct net_address *a, const struct net_address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

static void check_inside(struct bytes input, size_t size, struct bytes view)
{
    if (view.size > 0)
        FUZZ_CHECK(view.data >= input.data && view.data + view.size <= input.data + size);
}

static void write_extra(struct writer *writer, uint8_t type, struct bytes value)
{
    if (value.data != NULL) {
        writer_u8(writer, type);
        writer_binary(writer, value);
    }
}

static void write_host(struct writer *writer, const struct net_address *address, uint8_t family)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (family == 6 && address->family == 4)
        writer_bytes(writer, bytes_make(mapped, 12));
    writer_bytes(writer, bytes_make(address->octets, address->family == 4 ? 4 : 16));
}

static void write_again(const struct proxy_header *header, struct writer *writer)
{
    uint8_t family = header->source.family > header->destination.family
                         ? header->source.family
                         : header->destination.family;
    static const uint8_t paths[216];
    writer_bytes(writer, bytes_make("\r\n\r\n\0\r\nQUIT\n\x21", 13));
    writer_u8(writer, family == 4 ? 0x11 : family == 6 ? 0x21 : 0x31);
    writer_u16(writer, 0);
    if (family == 1) {
        writer_bytes(writer, bytes_make(paths, sizeof(paths)));
    } else {
        write_host(writer, &header->source, family);
        write_host(writer, &header->destination, family);
        writer_u16(writer, header->source.port);
        writer_u16(writer, header->destination.port);
    }
    write_extra(writer, 0x01, header->alpn);
    write_extra(writer, 0x02, header->authority);
    writer->data[14] = (uint8_t)((writer->size - 16) >> 8);
    writer->data[15] = (uint8_t)(writer->size - 16);
}

static void check_round_trip(const struct proxy_header *header)
{
    static uint8_t memory[2 * PROXY_HEADER_SIZE_MAX];
    struct writer writer = writer_of(memory, sizeof(memory));
    struct proxy_header again;
    write_again(header, &writer);
    FUZZ_CHECK(!writer.bad);
    FUZZ_CHECK(proxy_header_parse(bytes_make(memory, writer.size), &again) == PROXY_WHOLE);
    FUZZ_CHECK(again.size == writer.size && !again.is_local && !again.has_tls);
    FUZZ_CHECK(same(&again.source, &header->source));
    FUZZ_CHECK(same(&again.destination, &header->destination));
    FUZZ_CHECK(bytes_equal(again.alpn, header->alpn));
    FUZZ_CHECK(bytes_equal(again.authority, header->authority));
}

static void check_whole(struct bytes input, const struct proxy_header *header)
{
    FUZZ_CHECK(header->size > 0 && header->size <= input.size);
    FUZZ_CHECK(header->size <=
               (header->version == 1 ? PROXY_HEADER_V1_SIZE_MAX : PROXY_HEADER_SIZE_MAX));
    FUZZ_CHECK(header->is_local == (header->source.family == 0));
    FUZZ_CHECK(header->has_verified_certificate || header->tls_common_name.size == 0);
    FUZZ_CHECK(header->has_tls || !header->has_verified_certificate);
    check_inside(input, header->size, header->alpn);
    check_inside(input, header->size, header->authority);
    check_inside(input, header->size, header->tls_version);
    check_inside(input, header->size, header->tls_common_name);
    if (!header->is_local)
        check_round_trip(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header header, early;
    struct bytes input = bytes_make(data, size);
    enum proxy_result result = proxy_header_parse(input, &header);
    if (result == PROXY_WHOLE)
        check_whole(input, &header);
    if (result == PROXY_BAD)
        FUZZ_CHECK(header.why != NULL);
    for (size_t cut = 0; cut < size && cut < 300; cut++) {
        enum proxy_result before = proxy_header_parse(bytes_make(data, cut), &early);
        if (before != PROXY_MORE)
            FUZZ_CHECK(before == result);
        if (result == PROXY_WHOLE)
            FUZZ_CHECK((before == PROXY_WHOLE) == (cut >= header.size));
    }
    return 0;
}
