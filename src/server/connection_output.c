// SPDX-License-Identifier: MIT
// What goes out: small packets are encoded into chunks, messages are taken from the session while
// there is room, and the socket is written once a turn. A message that many clients of one kind get
// is encoded once and copied.
#include "server/connection.h"

#include "server/held.h"
#include "server/mount.h"
#include "server/worker.h"

#include <errno.h>
#include <string.h>

// How much is gathered before it is written, and how much one connection may write in a turn.
#define GATHERED_MAX ((size_t)64 * 1024)
#define WRITTEN_IN_A_TURN_MAX ((size_t)256 * 1024)
#define PARTS_MAX 64
#define ALIAS_SIZE_MAX 5 // the property, and a byte more for each of the two lengths around it

static void count_sent(struct connection *connection, uint8_t type)
{
    struct counters *counters = &connection->worker->counters;
    counter_add(counters, COUNTER_PACKETS_SENT, 1);
    counter_add(counters, COUNTER_SENT_CONNECT + type - 1u, 1);
}

// Ours are small, but a broker without memory for them cannot keep its word to this client.
static uint8_t *try_room(struct connection *connection, size_t size)
{
    uint8_t *room = output_try_room(connection->into, &connection->worker->chunks, size);
    if (room == NULL)
        connection->failed = true; // found by the flush, where it can be dropped
    return room;
}

// Commits what `writer` wrote as one packet of this type.
static void commit(struct connection *connection, const struct writer *writer, uint8_t type)
{
    ASSERT(!writer->bad);
    if (writer->size > connection->packet_size_max)
        return; // [MQTT-3.1.2-24]: the rest of the protocol goes on without it
    output_wrote(connection->into, writer->size);
    count_sent(connection, type);
    connection_mark_dirty(connection);
}

static void add_reason_string(const struct connection *connection, enum bud_reason reason,
                              struct properties *properties)
{
    if (connection->declined_problem_information || !bud_reason_is_error(reason))
        return;
    const char *text = bud_reason_text(reason);
    properties->reason_string = bytes_make(text, strlen(text));
    properties->present |= UINT64_C(1) << PROPERTY_REASON_STRING;
}

// Too large for the client with its words? Then they go, and it is written again [MQTT-3.2.2-19]
// [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.6.2-2] [MQTT-3.7.2-2] [MQTT-3.14.2-3].
static bool take_words_out(const struct connection *connection, const struct writer *writer,
                           struct properties *properties)
{
    if (writer->size <= connection->packet_size_max ||
        !properties_have(properties, PROPERTY_REASON_STRING))
        return false;
    properties->present &= ~(UINT64_C(1) << PROPERTY_REASON_STRING);
    return true;
}

bool connection_send_connack(struct connection *connection, const struct packet_connack *connack)
{
    // A refusal promises nothing, nor does the welcome of a client that brings and leaves nothing.
    const struct session *session = connection->session;
    if (!bud_reason_is_error(connack->reason) &&
        (session->stored || session->will_stored || connection->replaced_stored))
        held_begin(connection);
    connection->welcomed = connection->into == &connection->output;
    uint8_t *room = try_room(connection, CHUNK_SIZE);
    if (room == NULL) {
        held_end(connection);
        return true; // the flush finds it
    }
    struct packet_connack full = *connack;
    if (bud_reason_is_error(full.reason) && full.properties.present == 0)
        add_reason_string(connection, full.reason, &full.properties);
    struct writer writer;
    do {
        writer = writer_of(room, CHUNK_SIZE);
        packet_encode_connack(&writer, connection->engine.version, &full);
    } while (take_words_out(connection, &writer, &full.properties));
    connection->connack_sent = true;
    commit(connection, &writer, PACKET_CONNACK);
    held_end(connection);
    return writer.size <= connection->packet_size_max;
}

static void send_ack(struct connection *connection, uint8_t type, uint16_t packet_id,
                     enum bud_reason reason)
{
    uint8_t *room = try_room(connection, 256);
    if (room == NULL)
        return;
    struct packet_ack ack;
    ack.packet_id = packet_id;
    ack.reason = reason;
    ack.properties.present = 0;
    ack.properties.user = (struct bytes){0};
    if (connection->engine.version == MQTT_5_0)
        add_reason_string(connection, reason, &ack.properties);
    struct writer writer;
    do {
        writer = writer_of(room, 256);
        packet_encode_ack(&writer, connection->engine.version, type, &ack);
    } while (take_words_out(connection, &writer, &ack.properties));
    commit(connection, &writer, type);
}

void connection_send_ack(struct connection *connection, uint8_t type, uint16_t packet_id,
                         enum bud_reason reason)
{
    held_begin_answer(connection);
    send_ack(connection, type, packet_id, reason);
    held_end(connection);
}

// Thousands of filters in one packet: the answer takes more than a chunk.
static void send_long_suback(struct connection *connection, uint8_t type,
                             const struct packet_suback *suback, size_t size)
{
    struct worker *worker = connection->worker;
    uint8_t *text = arena_try_take(&worker->scratch, size);
    if (text == NULL) {
        connection->failed = true;
        return;
    }
    struct writer writer = writer_of(text, size);
    packet_encode_suback(&writer, connection->engine.version, type, suback);
    ASSERT(!writer.bad);
    if (!output_try_append(connection->into, &worker->chunks, bytes_make(text, size)))
        connection->failed = true;
    count_sent(connection, type);
    connection_mark_dirty(connection);
}

static void send_suback(struct connection *connection, uint8_t type, uint16_t packet_id,
                        struct bytes codes)
{
    struct packet_suback suback = {.packet_id = packet_id, .codes = codes};
    uint8_t version = connection->engine.version;
    struct writer writer = writer_counting();
    packet_encode_suback(&writer, version, type, &suback);
    if (writer.size > connection->packet_size_max)
        return; // [MQTT-3.1.2-24]
    if (writer.size > CHUNK_SIZE) {
        send_long_suback(connection, type, &suback, writer.size);
        return;
    }
    uint8_t *room = try_room(connection, writer.size);
    if (room == NULL)
        return;
    writer = writer_of(room, writer.size);
    packet_encode_suback(&writer, version, type, &suback);
    commit(connection, &writer, type);
}

void connection_send_suback(struct connection *connection, uint8_t type, uint16_t packet_id,
                            struct bytes codes)
{
    held_begin_answer(connection);
    send_suback(connection, type, packet_id, codes);
    held_end(connection);
}

void connection_send_disconnect(struct connection *connection, enum bud_reason reason)
{
    held_begin_if_waiting(connection);
    uint8_t *room = try_room(connection, 1024);
    if (room == NULL) {
        held_end(connection);
        return;
    }
    struct packet_disconnect disconnect = {.reason = reason};
    const char *reference = connection->worker->server->options.server_reference;
    add_reason_string(connection, reason, &disconnect.properties);
    if (reason == BUD_USE_ANOTHER_SERVER && reference[0] != 0) {
        disconnect.properties.server_reference = bytes_make(reference, strlen(reference));
        disconnect.properties.present |= UINT64_C(1) << PROPERTY_SERVER_REFERENCE;
    }
    struct writer writer;
    do {
        writer = writer_of(room, 1024);
        packet_encode_disconnect(&writer, connection->engine.version, &disconnect);
    } while (take_words_out(connection, &writer, &disconnect.properties));
    commit(connection, &writer, PACKET_DISCONNECT);
    held_end(connection);
}

void connection_send_auth(struct connection *connection, enum bud_reason reason, struct bytes data)
{
    held_begin_if_waiting(connection);
    uint8_t *room = try_room(connection, CHUNK_SIZE);
    if (room == NULL) {
        held_end(connection);
        return;
    }
    struct packet_auth auth = {.reason = reason};
    const char *method = connection->mechanism->name;
    auth.properties.authentication_method = bytes_make(method, strlen(method));
    auth.properties.authentication_data = data;
    auth.properties.present = UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD;
    if (data.size > 0)
        auth.properties.present |= UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
    struct writer writer = writer_of(room, CHUNK_SIZE);
    packet_encode_auth(&writer, &auth);
    commit(connection, &writer, PACKET_AUTH);
    held_end(connection);
}

void connection_send_pingresp(struct connection *connection)
{
    held_begin_if_waiting(connection);
    uint8_t *room = try_room(connection, 2);
    if (room == NULL) {
        held_end(connection);
        return;
    }
    struct writer writer = writer_of(room, 2);
    packet_encode_ping(&writer, PACKET_PINGRESP);
    commit(connection, &writer, PACKET_PINGRESP);
    held_end(connection);
}

// --- messages ---

static uint32_t expiry_left(const struct message *message, int64_t now_ms)
{
    int64_t left_ms = message->expires_ms - now_ms;
    return left_ms <= 0 ? 0 : (uint32_t)((left_ms + 999) / 1000);
}

// Fills in what a 5.0 client gets on top. The forwarded properties and identifiers are put together
// in the worker's scratch.
static bool fill_properties(struct connection *connection, const struct delivery *delivery,
                            struct properties *properties)
{
    const struct message *message = delivery->message;
    struct bytes forwarded = message_properties(message);
    uint32_t more = delivery->extra == NULL ? 0 : delivery->extra->count;
    properties->present = 0;
    properties->user = forwarded;
    if (message->expires_ms != MESSAGE_NEVER_EXPIRES) { // [MQTT-3.3.2-6]
        properties->message_expiry_interval = expiry_left(message, connection->worker->now_ms);
        properties->present |= UINT64_C(1) << PROPERTY_MESSAGE_EXPIRY_INTERVAL;
    }
    if (delivery->identifier != 0) {
        properties->subscription_identifier = delivery->identifier;
        properties->present |= UINT64_C(1) << PROPERTY_SUBSCRIPTION_IDENTIFIER;
    }
    if (more == 0)
        return true;
    size_t room = forwarded.size + more * 5;
    uint8_t *text = arena_try_take(&connection->worker->scratch, room);
    if (text == NULL)
        return false;
    struct writer writer = writer_of(text, room);
    writer_bytes(&writer, forwarded);
    for (uint32_t i = 0; i < more; i++) // [MQTT-3.3.4-4]
        property_write_subscription_identifier(&writer, delivery->extra->identifiers[i]);
    properties->user = bytes_make(text, writer.size);
    return true;
}

static void fill_alias(struct connection *connection, struct packet_publish *publish)
{
    struct worker *worker = connection->worker;
    bool known;
    if (connection->aliases_out == NULL)
        connection->aliases_out =
            alias_table_try_new(&worker->server->budget, connection->alias_out_max);
    if (connection->aliases_out == NULL || publish->topic.size < 3)
        return;
    uint16_t alias =
        alias_choose(connection->aliases_out, worker->server->hash_key, publish->topic, &known);
    if (alias == 0)
        return;
    publish->properties.topic_alias = alias;
    publish->properties.present |= UINT64_C(1) << PROPERTY_TOPIC_ALIAS;
    if (known)
        publish->topic = (struct bytes){0};
}

// May the last encoding be used for this client too?
static bool same_encoding(const struct encoded *encoded, const struct connection *connection,
                          const struct delivery *delivery)
{
    return encoded->message == delivery->message &&
           encoded->with_properties == (connection->engine.version == MQTT_5_0) &&
           encoded->qos == delivery->qos && encoded->retain == delivery->retain &&
           encoded->identifier == delivery->identifier && delivery->extra == NULL;
}

static bool send_encoded(struct connection *connection, const struct session_outgoing *outgoing)
{
    struct encoded *encoded = &connection->worker->encoded;
    uint8_t *room = try_room(connection, encoded->size);
    if (room == NULL)
        return false;
    memcpy(room, encoded->bytes, encoded->size);
    if (outgoing->delivery->qos > 0) {
        room[encoded->packet_id_at] = (uint8_t)(outgoing->packet_id >> 8);
        room[encoded->packet_id_at + 1] = (uint8_t)outgoing->packet_id;
    }
    output_wrote(connection->into, encoded->size);
    return true;
}

// Encodes into the worker's `encoded`, for this client and those like it.
static void encode_shared(struct connection *connection, const struct packet_publish *publish,
                          const struct delivery *delivery, size_t size)
{
    struct encoded *encoded = &connection->worker->encoded;
    struct writer writer = writer_of(encoded->bytes, sizeof(encoded->bytes));
    packet_encode_publish(&writer, connection->engine.version, publish);
    ASSERT(!writer.bad && writer.size == size);
    message_unref(encoded->message);
    encoded->message = message_ref(delivery->message);
    encoded->with_properties = connection->engine.version == MQTT_5_0;
    encoded->qos = delivery->qos;
    encoded->retain = delivery->retain;
    encoded->identifier = delivery->identifier;
    encoded->size = (uint32_t)writer.size;
    uint32_t header_size = writer.size < 130 ? 2 : 3; // at most CHUNK_SIZE in all
    encoded->packet_id_at = header_size + 2 + (uint32_t)publish->topic.size;
}

static bool send_large(struct connection *connection, const struct packet_publish *publish,
                       struct message *message, size_t size)
{
    size_t head_size = size - message->payload_size;
    uint8_t version = connection->engine.version;
    uint8_t *room = head_size <= CHUNK_SIZE
                        ? try_room(connection, head_size)
                        : arena_try_take(&connection->worker->scratch, head_size);
    if (room == NULL) {
        connection->failed = true;
        return false;
    }
    struct writer writer = writer_of(room, head_size);
    packet_encode_publish_head(&writer, version, publish, message->payload_size);
    ASSERT(!writer.bad && writer.size == head_size);
    if (head_size <= CHUNK_SIZE)
        output_wrote(connection->into, head_size);
    else if (!output_try_append(connection->into, &connection->worker->chunks,
                                bytes_make(room, head_size)))
        connection->failed = true;
    if (message->payload_size > 0 && !output_try_payload(connection->into, message))
        connection->failed = true; // its head is in the output already
    return !connection->failed;
}

static void count_publish(struct connection *connection, const struct message *message)
{
    struct counters *counters = &connection->worker->counters;
    count_sent(connection, PACKET_PUBLISH);
    connection->messages_sent++;
    counter_add(counters, COUNTER_PUBLISH_SENT, 1);
    counter_add(counters, COUNTER_PUBLISH_BYTES_SENT, message->payload_size);
}

// Puts one message into the output. False: it is too large for this client, or there is no memory
// (then `failed` is set).
static bool put_message(struct connection *connection, const struct session_outgoing *outgoing)
{
    const struct delivery *delivery = outgoing->delivery;
    struct message *message = delivery->message;
    bool plain = connection->alias_out_max == 0 && !outgoing->dup && !mount_is_used(connection);
    if (plain && same_encoding(&connection->worker->encoded, connection, delivery) &&
        connection->worker->encoded.size <= connection->packet_size_max)
        return send_encoded(connection, outgoing);
    struct packet_publish publish;
    publish.dup = outgoing->dup;
    publish.retain = delivery->retain;
    publish.qos = delivery->qos;
    publish.packet_id = outgoing->packet_id;
    publish.topic = mount_strip(connection, message_topic(message));
    publish.payload = message_payload(message);
    if (!fill_properties(connection, delivery, &publish.properties)) {
        connection->failed = true;
        return false;
    }
    size_t size = packet_publish_size(connection->engine.version, &publish);
    if (size > connection->packet_size_max)
        return false; // [MQTT-3.1.2-24] [MQTT-3.1.2-25]
    // Not at QoS 2: MQTT.js keeps such a packet until PUBREL and then shows it without a topic. Nor
    // where the alias itself could make the packet too large, before it makes others smaller.
    if (connection->alias_out_max > 0 && publish.qos < 2 &&
        size + ALIAS_SIZE_MAX <= connection->packet_size_max) {
        fill_alias(connection, &publish);
        size = packet_publish_size(connection->engine.version, &publish);
    }
    if (message->payload_size >= REFERENCED_SIZE_MIN || size > CHUNK_SIZE / 2)
        return send_large(connection, &publish, message, size);
    // Somebody else wants it too: others of this kind of client get a copy of these bytes.
    if (plain && delivery->extra == NULL &&
        atomic_load_explicit(&message->references, memory_order_relaxed) > 1) {
        encode_shared(connection, &publish, delivery, size);
        return send_encoded(connection, outgoing);
    }
    uint8_t *room = try_room(connection, size);
    if (room == NULL)
        return false;
    struct writer writer = writer_of(room, size);
    packet_encode_publish(&writer, connection->engine.version, &publish);
    ASSERT(!writer.bad && writer.size == size);
    output_wrote(connection->into, size);
    return true;
}

// A QoS 2 message to a stored session waits until its identifier is on the disk, and what was to
// follow it keeps its place.
static void hold_message(struct connection *connection, const struct delivery *delivery)
{
    if (delivery->qos == 2 && connection->session->stored) {
        held_begin(connection);
        connection->message_ticket = connection->worker->journal.ticket;
    } else {
        held_begin_behind(connection, connection->message_ticket);
    }
}

// Takes one thing from the session into the output. False: there is nothing now.
static bool gather_one(struct connection *connection)
{
    struct session *session = connection->session;
    struct session_outgoing outgoing = session_next(session, connection->worker->now_ms);
    if (outgoing.type == 0) {
        if (outgoing.again)
            connection_mark_dirty(connection);
        return false;
    }
    if (outgoing.type == PACKET_PUBREL) {
        connection_send_ack(connection, PACKET_PUBREL, outgoing.packet_id, BUD_SUCCESS);
        return true;
    }
    struct message *message = outgoing.delivery->message;
    hold_message(connection, outgoing.delivery);
    bool put = put_message(connection, &outgoing);
    held_end(connection);
    if (put) {
        count_publish(connection, message);
        session_sent(session);
    } else if (!connection->failed) {
        session_discard(session, outgoing.packet_id);
    } else {
        session_sent(session);
        return false;
    }
    return true;
}

static void gather(struct connection *connection)
{
    while (connection->session != NULL && connection->welcomed &&
           connection->output.size < GATHERED_MAX && !connection->failed && gather_one(connection))
        ;
}

// Writes what is there. Bytes written, or -errno.
static ssize_t write_out(struct connection *connection)
{
    struct iovec parts[PARTS_MAX];
    struct worker *worker = connection->worker;
    int count = output_parts(&connection->output, parts, PARTS_MAX);
    ssize_t wrote = connection_write(connection, parts, count);
    if (wrote > 0) {
        output_consume(&connection->output, &worker->chunks, (size_t)wrote);
        counter_add(&worker->counters, COUNTER_BYTES_SENT, (uint64_t)wrote);
        connection->progress_ms = worker->now_ms;
    }
    return wrote;
}

// True: everything there was is written. False: the socket is full, has failed, or had its share of
// this turn.
static bool write_all(struct connection *connection)
{
    size_t written = 0;
    for (;;) {
        gather(connection);
        if (connection->failed) {
            connection_drop(connection, BUD_QUOTA_EXCEEDED, "no memory for its output");
            return false;
        }
        if (connection->output.size == 0)
            return connection_flush_stream(connection);
        ssize_t wrote = write_out(connection);
        if (wrote == -EPIPE && connection->is_websocket &&
            connection->state == CONNECTION_CLOSING) {
            output_done(&connection->output, &connection->worker->chunks); // behind a close frame
            return connection_flush_stream(connection);
        }
        if (wrote == -EAGAIN) {
            connection_want_write(connection, true);
            return false;
        }
        if (wrote < 0) {
            connection_drop(connection, BUD_UNSPECIFIED_ERROR, strerror((int)-wrote));
            return false;
        }
        written += (size_t)wrote;
        if (written > WRITTEN_IN_A_TURN_MAX) {
            connection_mark_dirty(connection);
            return false;
        }
    }
}

void connection_flush(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (connection->state == CONNECTION_CLOSED) {
        connection_bury(connection);
        return;
    }
    // A full socket says itself when it takes more; trying before costs a system call for nothing.
    if (connection->state == CONNECTION_LINGERING || connection->moving ||
        connection->wants_write || !write_all(connection))
        return;
    connection->progress_ms = worker->now_ms;
    if (connection->state == CONNECTION_CLOSING && connection->held_first == NULL)
        connection_linger(connection);
}
