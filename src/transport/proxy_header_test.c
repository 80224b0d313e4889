// SPDX-License-Identifier: MIT
#include "transport/proxy_header.h"

#include "proto/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct proxy_header header;

// From a block of just this size, kept until the next call because the header's views point into
// it.
static enum proxy_result parse_bytes(const void *data, size_t size)
{
    static uint8_t *exact;
    free(exact);
    exact = malloc(size == 0 ? 1 : size);
    memcpy(exact, data, size);
    return proxy_header_parse(bytes_make(exact, size), &header);
}

static enum proxy_result parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void assert_address(const struct net_address *address, const char *expected)
{
    char text[NET_ADDRESS_TEXT_MAX];
    net_address_text(address, text);
    assert_string_equal(text, expected);
}

static void assert_text(struct bytes bytes, const char *expected)
{
    assert_true(bytes_equal(bytes, bytes_make(expected, strlen(expected))));
}

// Whole only with its last byte, the same with more behind, and alive with each bit flipped.
static void sweep(const void *data, size_t size)
{
    uint8_t copy[PROXY_HEADER_SIZE_MAX + 8] = {0};
    memcpy(copy, data, size);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(parse_bytes(copy, cut), PROXY_MORE);
    assert_int_equal(parse_bytes(copy, size + 8), PROXY_WHOLE);
    assert_int_equal(header.size, size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ 1 << bit % 8);
        enum proxy_result result = parse_bytes(copy, size);
        assert_true(result == PROXY_MORE || (result == PROXY_BAD) == (header.why != NULL));
        copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_equal(parse_bytes(copy, size), PROXY_WHOLE);
    assert_int_equal(header.size, size);
}

// ---------------------------------------------------------------------------------------- version
// 1

static void a_line_of_text_is_read(void **state)
{
    (void)state;
    static const char v4[] = "PROXY TCP4 192.0.2.1 10.0.0.2 51234 1883\r\n";
    static const char v6[] = "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n";
    sweep(v4, sizeof(v4) - 1);
    assert_int_equal(header.version, 1);
    assert_false(header.is_local);
    assert_false(header.has_tls);
    assert_address(&header.source, "192.0.2.1:51234");
    assert_address(&header.destination, "10.0.0.2:1883");
    sweep(v6, sizeof(v6) - 1);
    assert_address(&header.source, "[2001:db8::1]:65535");
    assert_address(&header.destination, "[::1]:0");
}

static void unknown_is_the_proxy_itself(void **state)
{
    (void)state;
    static const char longest[] = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                                  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    _Static_assert(sizeof(longest) - 1 == PROXY_HEADER_V1_SIZE_MAX, "the worst case");
    sweep(longest, sizeof(longest) - 1);
    assert_true(header.is_local);
    assert_int_equal(header.source.family, 0);
    assert_int_equal(parse("PROXY UNKNOWN\r\n"), PROXY_WHOLE);
    assert_true(header.is_local);
}

static void bad_lines_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "PROXY\r\n",
        "PROXX",
        "proxy ",
        "PROXY \r\n",
        "PROXY UDP4 192.0.2.1 10.0.0.2 1 2\r\n",
        "PROXY TCP 192.0.2.1 10.0.0.2 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 1 2\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 1 2 \r\n",
        "PROXY TCP4  192.0.2.1 10.0.0.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1  10.0.0.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 1\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 1 123456\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 -1 2\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.2 1 x\r\n",
        "PROXY TCP4 192.0.2.1 localhost 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP4 ::ffff:192.0.2.1 10.0.0.2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 10.0.0.2 1 2\r\n",
        "PROXY TCP6 ::1 fe80::1%eth0 1 2\r\n",
        "GET / HTTP/1.1\r\n",
        "\x10",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (parse(lines[i]) != PROXY_BAD)
            fail_msg("%s was taken", lines[i]);
        assert_true(strlen(header.why) > 10);
    }
}

static void a_line_without_end_is_refused(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'x', sizeof(text));
    memcpy(text, "PROXY UNKNOWN ", 14);
    assert_int_equal(parse_bytes(text, PROXY_HEADER_V1_SIZE_MAX - 1), PROXY_MORE);
    assert_int_equal(parse_bytes(text, PROXY_HEADER_V1_SIZE_MAX), PROXY_BAD);
    memcpy(text + PROXY_HEADER_V1_SIZE_MAX - 1, "\r\n", 2); // one too long
    assert_int_equal(parse_bytes(text, sizeof(text)), PROXY_BAD);
}

// ---------------------------------------------------------------------------------------- version
// 2

static uint8_t memory[8192];

static struct writer v2_begin(uint8_t command, uint8_t family)
{
    struct writer writer = writer_of(memory, sizeof(memory));
    writer_bytes(&writer, bytes_make("\r\n\r\n\0\r\nQUIT\n", 12));
    writer_u8(&writer, command);
    writer_u8(&writer, family);
    writer_u16(&writer, 0);
    return writer;
}

static void write_addresses(struct writer *writer, uint8_t family)
{
    static const uint8_t v6[32] = {0x20, 1, 0x0d, 0xb8, [15] = 1, [31] = 1};
    static const uint8_t paths[216] = "/run/x";
    if (family == 0x11)
        writer_bytes(writer, bytes_make("\xc0\0\2\1\x0a\0\0\2\xc8\x22\x07\x5b", 12));
    if (family == 0x21) {
        writer_bytes(writer, bytes_make(v6, 32));
        writer_bytes(writer, bytes_make("\xff\xff\0\0", 4));
    }
    if (family == 0x31)
        writer_bytes(writer, bytes_make(paths, 216));
}

static void write_extra(struct writer *writer, uint8_t type, struct bytes value)
{
    writer_u8(writer, type);
    writer_binary(writer, value);
}

static size_t v2_end(struct writer *writer)
{
    memory[14] = (uint8_t)((writer->size - 16) >> 8);
    memory[15] = (uint8_t)(writer->size - 16);
    assert_false(writer->bad);
    return writer->size;
}

static void binary_addresses_are_read(void **state)
{
    (void)state;
    static const struct {
        uint8_t family;
        const char *source, *destination;
    } cases[] = {
        {0x11, "192.0.2.1:51234", "10.0.0.2:1883"},
        {0x21, "[2001:db8::1]:65535", "[::1]:0"},
        {0x31, "unix", "unix"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct writer writer = v2_begin(0x21, cases[i].family);
        write_addresses(&writer, cases[i].family);
        sweep(memory, v2_end(&writer));
        assert_int_equal(header.version, 2);
        assert_false(header.is_local);
        assert_address(&header.source, cases[i].source);
        assert_address(&header.destination, cases[i].destination);
        assert_false(header.has_tls);
    }
}

static void a_mapped_address_is_ipv4(void **state)
{
    (void)state;
    static const uint8_t mapped[36] = {[10] = 0xff, 0xff, 127, 0, 0, 1};
    struct writer writer = v2_begin(0x21, 0x21);
    writer_bytes(&writer, bytes_make(mapped, sizeof(mapped)));
    sweep(memory, v2_end(&writer));
    assert_int_equal(header.source.family, 4);
    assert_true(net_address_is_loopback(&header.source));
    assert_int_equal(header.destination.family, 6);
}

static void local_and_unspecified_are_the_proxy_itself(void **state)
{
    (void)state;
    static const uint8_t kinds[][2] = {{0x20, 0}, {0x20, 0x11}, {0x20, 0xff}, {0x21, 0}};
    for (size_t i = 0; i < 4; i++) {
        struct writer writer = v2_begin(kinds[i][0], kinds[i][1]);
        writer_bytes(&writer, BYTES_OF("whatever"));
        sweep(memory, v2_end(&writer));
        assert_true(header.is_local);
        assert_int_equal(header.source.family, 0);
    }
}

// `client` and `verdict` as in the header; the rest as a proxy would say it.
static void parse_tls(uint8_t client, uint32_t verdict)
{
    uint8_t tls[100];
    struct writer inner = writer_of(tls, sizeof(tls));
    writer_u8(&inner, client);
    writer_u32(&inner, verdict);
    write_extra(&inner, 0x21, BYTES_OF("TLSv1.3"));
    write_extra(&inner, 0x23, BYTES_OF("ECDHE"));
    write_extra(&inner, 0x22, BYTES_OF("sensor"));
    struct writer writer = v2_begin(0x21, 0x11);
    write_addresses(&writer, 0x11);
    write_extra(&writer, 0x04, BYTES_OF("padding"));
    write_extra(&writer, 0x01, BYTES_OF("mqtt"));
    write_extra(&writer, 0x20, bytes_make(tls, inner.size));
    write_extra(&writer, 0x02, BYTES_OF("broker.example"));
    sweep(memory, v2_end(&writer));
    assert_text(header.alpn, "mqtt");
    assert_text(header.authority, "broker.example");
    assert_text(header.tls_version, "TLSv1.3");
}

static void a_name_counts_if_the_certificate_was_verified(void **state)
{
    (void)state;
    static const struct {
        uint8_t client;
        uint32_t verdict;
        bool has_tls, is_verified;
    } cases[] = {
        {0x07, 0, true, true},   {0x03, 0, true, true},           {0x05, 0, true, true},
        {0x01, 0, true, false},  {0x07, 1, true, false},          {0x06, 0, false, false},
        {0x00, 0, false, false}, {0x07, 0x80000000, true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse_tls(cases[i].client, cases[i].verdict);
        assert_int_equal(header.has_tls, cases[i].has_tls);
        assert_int_equal(header.has_verified_certificate, cases[i].is_verified);
        assert_text(header.tls_common_name, cases[i].is_verified ? "sensor" : "");
    }
}

static void assert_bad(size_t size)
{
    assert_int_equal(parse_bytes(memory, size), PROXY_BAD);
    assert_true(strlen(header.why) > 10);
}

static void bad_binary_headers_are_refused(void **state)
{
    (void)state;
    for (unsigned command = 0; command < 256; command++) {
        struct writer writer = v2_begin((uint8_t)command, 0x11);
        write_addresses(&writer, 0x11);
        if (command != 0x20 && command != 0x21)
            assert_bad(v2_end(&writer));
    }
    for (unsigned family = 1; family < 256; family++) {
        struct writer writer = v2_begin(0x21, (uint8_t)family);
        for (int i = 0; i < 20; i++)
            write_addresses(&writer, 0x11);
        if (family != 0x11 && family != 0x21 && family != 0x31)
            assert_bad(v2_end(&writer));
    }
}

static void addresses_that_are_cut_are_refused(void **state)
{
    (void)state;
    static const uint8_t families[] = {0x11, 0x21, 0x31};
    static const uint16_t sizes[] = {12, 36, 216};
    for (size_t i = 0; i < 3; i++) {
        for (size_t less = 1; less <= sizes[i]; less++) {
            struct writer writer = v2_begin(0x21, families[i]);
            write_addresses(&writer, families[i]);
            writer.size -= less;
            assert_bad(v2_end(&writer));
        }
    }
}

static void extras_that_are_cut_or_doubled_are_refused(void **state)
{
    (void)state;
    static const char *const extras[] = {
        "\x01",
        "\x01\0",
        "\x01\0\2x",
        "\x01\0\1x\x01\0\1y",
        "\x02\0\1x\x02\0\1y",
        "\x20\0\5\1\0\0\0\0\x20\0\5\1\0\0\0\0",
        "\x20\0\4\1\0\0\0",
        "\x20\0\0",
        "\x20\0\6\1\0\0\0\0\x22",
        "\x20\0\x09\1\0\0\0\0\x22\0\2x",
        "\x20\0\x0d\7\0\0\0\0\x22\0\1x\x22\0\1y",
        "\x20\0\5\1\0\0\0\0z",
    };
    static const size_t sizes[] = {1, 2, 4, 8, 8, 16, 7, 3, 9, 12, 16, 9};
    for (size_t i = 0; i < sizeof(extras) / sizeof(extras[0]); i++) {
        struct writer writer = v2_begin(0x21, 0x11);
        write_addresses(&writer, 0x11);
        writer_bytes(&writer, bytes_make(extras[i], sizes[i]));
        assert_bad(v2_end(&writer));
    }
}

static void the_largest_is_4096_bytes(void **state)
{
    (void)state;
    static const uint8_t padding[5000];
    size_t room = PROXY_HEADER_SIZE_MAX - 16 - 12 - 3;
    struct writer writer = v2_begin(0x21, 0x11);
    write_addresses(&writer, 0x11);
    write_extra(&writer, 0x04, bytes_make(padding, room));
    assert_int_equal(parse_bytes(memory, v2_end(&writer)), PROXY_WHOLE);
    writer = v2_begin(0x21, 0x11);
    write_addresses(&writer, 0x11);
    write_extra(&writer, 0x04, bytes_make(padding, room + 1));
    v2_end(&writer);
    assert_bad(16); // as soon as it is said
    assert_bad(writer.size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_text_is_read),
        cmocka_unit_test(unknown_is_the_proxy_itself),
        cmocka_unit_test(bad_lines_are_refused),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(binary_addresses_are_read),
        cmocka_unit_test(a_mapped_address_is_ipv4),
        cmocka_unit_test(local_and_unspecified_are_the_proxy_itself),
        cmocka_unit_test(a_name_counts_if_the_certificate_was_verified),
        cmocka_unit_test(bad_binary_headers_are_refused),
        cmocka_unit_test(addresses_that_are_cut_are_refused),
        cmocka_unit_test(extras_that_are_cut_or_doubled_are_refused),
        cmocka_unit_test(the_largest_is_4096_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
