// SPDX-License-Identifier: MIT
// SUBSCRIBE and UNSUBSCRIBE [MQTT5 3.8, 3.10]: lists of filters. The list stays in wire form; the
// decoder walks all of it once, so that the iterators below need not fail. An attacker controls the
// number of filters: the walk is linear and stores only their count.
#include "proto/packet.h"
#include "proto/packet_parts.h"
#include "proto/topic.h"

#define OPTION_NO_LOCAL 0x04u
#define OPTION_RETAIN_AS_PUBLISHED 0x08u
#define RETAIN_HANDLING_SHIFT 4
#define OPTIONS_RESERVED 0xC0u

static enum bud_reason judge_options(uint8_t version, uint8_t options, struct bytes filter)
{
    static const struct bytes share = {(const uint8_t *)"$share/", 7};
    bool shared =
        filter.size >= share.size && bytes_equal(bytes_make(filter.data, share.size), share);

    if (version == MQTT_3_1) // the upper six bits mean nothing
        return (options & 3) != 3 ? BUD_SUCCESS : BUD_MALFORMED_PACKET;
    if (version == MQTT_3_1_1) // [MQTT-3.8.3-4 of 3.1.1]
        return options <= 2 ? BUD_SUCCESS : BUD_MALFORMED_PACKET;
    if (options & OPTIONS_RESERVED) // [MQTT-3.8.3-5]
        return BUD_MALFORMED_PACKET;
    if ((options & 3) == 3 || (options >> RETAIN_HANDLING_SHIFT & 3) == 3)
        return BUD_PROTOCOL_ERROR;
    return (options & OPTION_NO_LOCAL) && shared ? BUD_PROTOCOL_ERROR
                                                 : BUD_SUCCESS; // [MQTT-3.8.3-4]
}

// Counts the filters that are left in `reader`. At least one has to be there [MQTT-3.8.3-2].
static enum bud_reason count_subscriptions(struct reader *reader, uint8_t version,
                                           uint32_t *ret_count)
{
    uint32_t count = 0;

    while (reader_left(reader) > 0) {
        struct bytes filter = reader_text(reader); // [MQTT-3.8.3-1]
        uint8_t options = reader_u8(reader);
        enum bud_reason reason = judge_options(version, options, filter);

        if (reader->bad)
            return BUD_MALFORMED_PACKET;
        if (reason)
            return reason;
        count++;
    }
    *ret_count = count;
    return count > 0 ? BUD_SUCCESS : BUD_PROTOCOL_ERROR;
}

enum bud_reason subscribe_decode(const struct frame *frame, uint8_t version,
                                 struct packet_subscribe *ret_subscribe)
{
    struct packet_subscribe *subscribe = ret_subscribe;
    struct reader reader = reader_of(frame->body);
    enum bud_reason reason;

    subscribe->packet_id = reader_u16(&reader);
    reason = decode_properties(&reader, version, PACKET_SUBSCRIBE, &subscribe->properties);
    if (reader.bad)
        return BUD_MALFORMED_PACKET;
    if (reason)
        return reason;
    if (subscribe->packet_id == 0) // [MQTT-2.2.1-3]
        return BUD_PROTOCOL_ERROR;
    subscribe->filters = bytes_make(reader.cursor, reader_left(&reader));
    return count_subscriptions(&reader, version, &subscribe->count);
}

static enum bud_reason count_filters(struct reader *reader, uint32_t *ret_count)
{
    uint32_t count = 0;

    for (; reader_left(reader) > 0; count++)
        reader_text(reader); // [MQTT-3.10.3-1]
    *ret_count = count;
    if (reader->bad)
        return BUD_MALFORMED_PACKET;
    return count > 0 ? BUD_SUCCESS : BUD_PROTOCOL_ERROR; // [MQTT-3.10.3-2]
}

enum bud_reason unsubscribe_decode(const struct frame *frame, uint8_t version,
                                   struct packet_unsubscribe *ret_unsubscribe)
{
    struct packet_unsubscribe *unsubscribe = ret_unsubscribe;
    struct reader reader = reader_of(frame->body);
    enum bud_reason reason;

    unsubscribe->packet_id = reader_u16(&reader);
    reason = decode_properties(&reader, version, PACKET_UNSUBSCRIBE, &unsubscribe->properties);
    if (reader.bad)
        return BUD_MALFORMED_PACKET;
    if (reason)
        return reason;
    if (unsubscribe->packet_id == 0) // [MQTT-2.2.1-3]
        return BUD_PROTOCOL_ERROR;
    unsubscribe->filters = bytes_make(reader.cursor, reader_left(&reader));
    return count_filters(&reader, &unsubscribe->count);
}

bool subscribe_iterate(struct bytes *rest, uint8_t version, struct bytes *ret_filter,
                       struct subscription_options *ret_options)
{
    struct reader reader = reader_of(*rest);
    struct bytes filter = reader_binary(&reader);
    uint8_t options = reader_u8(&reader);

    if (reader.bad)
        return false;
    *ret_filter = filter;
    *ret_options = (struct subscription_options){.qos = options & 3};
    if (version >= MQTT_5_0) {
        ret_options->no_local = options & OPTION_NO_LOCAL;
        ret_options->retain_as_published = options & OPTION_RETAIN_AS_PUBLISHED;
        ret_options->retain_handling = options >> RETAIN_HANDLING_SHIFT & 3;
    }
    *rest = reader_rest(&reader);
    return true;
}

bool unsubscribe_iterate(struct bytes *rest, struct bytes *ret_filter)
{
    struct reader reader = reader_of(*rest);
    struct bytes filter = reader_binary(&reader);

    if (reader.bad)
        return false;
    *ret_filter = filter;
    *rest = reader_rest(&reader);
    return true;
}

void subscribe_write_filter(struct writer *writer, uint8_t version, struct bytes filter,
                            struct subscription_options options)
{
    unsigned byte = options.qos;

    if (version >= MQTT_5_0) {
        byte |= options.no_local ? OPTION_NO_LOCAL : 0;
        byte |= options.retain_as_published ? OPTION_RETAIN_AS_PUBLISHED : 0;
        byte |= (unsigned)options.retain_handling << RETAIN_HANDLING_SHIFT;
    }
    if (filter.size > UINT16_MAX)
        writer->bad = true;
    if (!writer_fits(writer, 2 + filter.size + 1))
        return;
    writer_binary(writer, filter);
    writer_u8(writer, (uint8_t)byte);
}

void unsubscribe_write_filter(struct writer *writer, struct bytes filter)
{
    writer_binary(writer, filter);
}

static void write_subscribe(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_subscribe *subscribe = packet;

    writer_u16(writer, subscribe->packet_id);
    if (version >= MQTT_5_0)
        properties_encode(writer, &subscribe->properties);
    writer_bytes(writer, subscribe->filters);
}

void packet_encode_subscribe(struct writer *writer, uint8_t version,
                             const struct packet_subscribe *subscribe)
{
    packet_write(writer, PACKET_SUBSCRIBE, version, write_subscribe, subscribe);
}

static void write_unsubscribe(struct writer *writer, uint8_t version, const void *packet)
{
    const struct packet_unsubscribe *unsubscribe = packet;

    writer_u16(writer, unsubscribe->packet_id);
    if (version >= MQTT_5_0)
        properties_encode(writer, &unsubscribe->properties);
    writer_bytes(writer, unsubscribe->filters);
}

void packet_encode_unsubscribe(struct writer *writer, uint8_t version,
                               const struct packet_unsubscribe *unsubscribe)
{
    packet_write(writer, PACKET_UNSUBSCRIBE, version, write_unsubscribe, unsubscribe);
}
