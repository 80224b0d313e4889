// SPDX-License-Identifier: MIT
// For the packet tests: bytes written by hand in, a reason out. The input lies in a heap block of
// its exact size, so that the address sanitizer sees any read beyond it.
#ifndef BUD_PROTO_PACKET_TEST_HELPERS_H
#define BUD_PROTO_PACKET_TEST_HELPERS_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "proto/packet.h"

// The views in *ret_packet live in `input`, which must therefore be a literal or outlive them.
static inline enum bud_reason decode(struct bytes input, uint8_t version, struct packet *ret_packet)
{
    struct frame frame;

    assert_int_equal(frame_scan(input, &frame), FRAME_WHOLE);
    assert_int_equal(frame.header_size + frame.body_size, input.size);
    return packet_decode(&frame, version, ret_packet);
}

#define EXPECT(version, reason, literal)                                                           \
    do {                                                                                           \
        struct packet expect_packet;                                                               \
        assert_int_equal(decode(BYTES_OF(literal), version, &expect_packet), reason);              \
    } while (0)

#define ACCEPT(version, literal) EXPECT(version, BUD_SUCCESS, literal)
#define MALFORMED(version, literal) EXPECT(version, BUD_MALFORMED_PACKET, literal)
#define PROTOCOL_ERROR(version, literal) EXPECT(version, BUD_PROTOCOL_ERROR, literal)

#define IS(view, literal) assert_true(bytes_equal(view, BYTES_OF(literal)))

#define WROTE(writer, literal)                                                                     \
    do {                                                                                           \
        assert_false((writer).bad);                                                                \
        assert_int_equal((writer).size, sizeof(literal) - 1);                                      \
        assert_memory_equal((writer).data, literal, sizeof(literal) - 1);                          \
    } while (0)

#endif
