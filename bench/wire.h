// SPDX-License-Identifier: MIT
// The little of MQTT 3.1.1 that the bench tools speak, written here once more on purpose: the
// tools judge the broker, so they must not share its codec, and a generator that builds its
// packets once and patches a few bytes is cheaper than any general encoder.
// Used by load.c and floor.c. Only peers on 127.0.0.1 that we started ourselves are read.
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_CONNECT = 0x10,
    WIRE_CONNACK = 0x20,
    WIRE_PUBLISH = 0x30,
    WIRE_PUBACK = 0x40,
    WIRE_SUBSCRIBE = 0x80,
    WIRE_SUBACK = 0x90,
    WIRE_PINGREQ = 0xc0,
    WIRE_PINGRESP = 0xd0,
    WIRE_DISCONNECT = 0xe0,
};

#define WIRE_HEADER_MAX 5
#define WIRE_NAME_MAX 63                                      // client ids and topics of the bench
#define WIRE_SMALL_MAX (WIRE_HEADER_MAX + 16 + WIRE_NAME_MAX) // any packet but PUBLISH

struct wire_frame {
    uint8_t type; // one of the above, flags cut off
    uint8_t qos;  // of a PUBLISH
    size_t header_size;
    size_t size; // header included
};

enum wire_state { WIRE_PARTIAL, WIRE_WHOLE, WIRE_MALFORMED };

// Looks at the first packet of `data`. With WIRE_PARTIAL nothing is returned.
enum wire_state wire_scan(const uint8_t *data, size_t size, struct wire_frame *ret_frame);

// Offsets into a PUBLISH, from its first byte.
struct wire_publish {
    size_t topic;
    size_t topic_size;
    size_t packet_id; // two bytes before the payload; meaningless with QoS 0
    size_t payload;
};

// False when the lengths inside the packet do not fit it.
int wire_publish_view(const uint8_t *packet, const struct wire_frame *frame,
                      struct wire_publish *ret_publish);

// Each returns the number of bytes written. Names are at most WIRE_NAME_MAX characters.
size_t wire_put_connect(uint8_t *out, const char *client_id, int clean_session);
size_t wire_put_subscribe(uint8_t *out, uint16_t packet_id, const char *topic, uint8_t qos);
size_t wire_put_ack(uint8_t *out, uint8_t type, uint16_t packet_id);

size_t wire_publish_size(const char *topic, uint8_t qos, size_t payload_size);
// Everything before the payload.
size_t wire_put_publish_head(uint8_t *out, const char *topic, uint8_t qos, size_t payload_size);

void wire_put_u16(uint8_t *out, uint16_t value);
uint16_t wire_u16(const uint8_t *data);

#endif
