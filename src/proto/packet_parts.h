// SPDX-License-Identifier: MIT
// Inside proto/ only: the decoder of each packet family, called by packet_decode, and what the
// encoders share. Each family's decoder and encoder stand in one file so that they are read
// together.
#ifndef BUD_PROTO_PACKET_PARTS_H
#define BUD_PROTO_PACKET_PARTS_H

#include "proto/packet.h"
#include "proto/reader.h"

enum bud_reason connect_decode(const struct frame *frame, struct packet_connect *ret_connect);
enum bud_reason connack_decode(const struct frame *frame, uint8_t version,
                               struct packet_connack *ret_connack);
enum bud_reason publish_decode(const struct frame *frame, uint8_t version,
                               struct packet_publish *ret_publish);
enum bud_reason ack_decode(const struct frame *frame, uint8_t version, struct packet_ack *ret_ack);
enum bud_reason subscribe_decode(const struct frame *frame, uint8_t version,
                                 struct packet_subscribe *ret_subscribe);
enum bud_reason unsubscribe_decode(const struct frame *frame, uint8_t version,
                                   struct packet_unsubscribe *ret_unsubscribe);
enum bud_reason suback_decode(const struct frame *frame, uint8_t version,
                              struct packet_suback *ret_suback);
enum bud_reason disconnect_decode(const struct frame *frame, uint8_t version,
                                  struct packet_disconnect *ret_disconnect);
enum bud_reason auth_decode(const struct frame *frame, struct packet_auth *ret_auth);

// Properties of a packet of 5.0; none, and nothing read, before.
static inline enum bud_reason decode_properties(struct reader *reader, uint8_t version,
                                                uint8_t owner, struct properties *ret)
{
    if (version >= MQTT_5_0)
        return properties_decode(reader, owner, ret);
    *ret = (struct properties){0};
    return BUD_SUCCESS;
}

// What a body that should be used up says: short and long are both malformed.
static inline enum bud_reason reader_verdict(const struct reader *reader)
{
    return reader->bad || reader_left(reader) > 0 ? BUD_MALFORMED_PACKET : BUD_SUCCESS;
}

static inline bool reason_listed(const uint8_t *list, size_t count, uint8_t code)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == code)
            return true;
    }
    return false;
}

// Starts a packet whose body has `body_size` bytes, of which at least `present_size` follow in this
// writer: makes sure that they fit, then writes the fixed header. False: nothing was written.
bool packet_begin(struct writer *writer, uint8_t type, uint8_t flags, size_t body_size,
                  size_t present_size);

// Writes one whole packet whose body `write_body` writes. It runs twice: to count, then to write.
typedef void packet_body(struct writer *writer, uint8_t version, const void *packet);
void packet_write(struct writer *writer, uint8_t type, uint8_t version, packet_body *write_body,
                  const void *packet);

#endif
