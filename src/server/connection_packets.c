// SPDX-License-Identifier: MIT
// The packets of an open connection: decided by the session and the router, answered here.
#include "server/connection.h"

#include "base/memory.h"
#include "proto/topic.h"
#include "proto/utf8.h"
#include "server/connection_name.h"
#include "server/connection_rate.h"
#include "server/held.h"
#include "server/mount.h"
#include "server/worker.h"
#include "server/writer.h"

#include <string.h>

static void log_refused_publish(struct connection *connection, struct bytes topic,
                                const char *cause, size_t size)
{
    struct log_line line;
    log_begin(&line, &connection->worker->server->log, LOG_PUBLISH_REFUSED);
    log_bytes(&line, "client", connection->session->client_id);
    log_bytes(&line, "topic", topic);
    log_text(&line, "cause", cause);
    log_number(&line, "bytes", size);
    log_end(&line);
}

// The topic of a PUBLISH: its own, or what its alias stands for [MQTT-3.3.2-8 to 3.3.2-12].
static enum bud_reason resolve_topic(struct connection *connection,
                                     const struct packet_publish *publish, struct bytes *ret_topic)
{
    *ret_topic = publish->topic;
    if (!properties_have(&publish->properties, PROPERTY_TOPIC_ALIAS))
        return publish->topic.size > 0 ? BUD_SUCCESS : BUD_PROTOCOL_ERROR;
    uint16_t alias = publish->properties.topic_alias;
    if (alias == 0 || alias > connection->alias_in_max)
        return BUD_TOPIC_ALIAS_INVALID;
    if (connection->aliases_in == NULL)
        connection->aliases_in =
            alias_table_try_new(&connection->worker->server->budget, connection->alias_in_max);
    if (connection->aliases_in == NULL)
        return BUD_QUOTA_EXCEEDED;
    if (publish->topic.size > 0)
        return alias_try_put(connection->aliases_in, alias, publish->topic) ? BUD_SUCCESS
                                                                            : BUD_QUOTA_EXCEEDED;
    *ret_topic = alias_topic(connection->aliases_in, alias);
    return ret_topic->size > 0 ? BUD_SUCCESS : BUD_PROTOCOL_ERROR;
}

// What one message may not do, however well-formed. The connection goes on; 5.0 is told in the
// acknowledgement.
// A QoS 2 message that was taken before a crash, and reached somebody: it must not be refused now.
static bool was_taken(const struct session *session, const struct packet_publish *publish)
{
    return publish->qos == 2 && session_has_spread(session, publish->packet_id);
}

static enum bud_reason judge(struct connection *connection, const struct packet_publish *publish,
                             struct bytes topic, const char **ret_cause)
{
    struct worker *worker = connection->worker;
    const struct limits *limits = &worker->server->limits;
    if (topic.size > limits->topic_bytes_max ||
        topic_level_count(topic) > limits->topic_levels_max) {
        counter_add(&worker->counters, COUNTER_REFUSED_TOPIC, 1);
        *ret_cause = "the topic is too long or too deep (max_topic_bytes, max_topic_levels)";
        return BUD_TOPIC_NAME_INVALID;
    }
    if (publish->properties.user_property_count > limits->user_properties_max ||
        publish->properties.raw.size > limits->property_bytes_max) {
        counter_add(&worker->counters, COUNTER_REFUSED_PROPERTIES, 1);
        *ret_cause = "too many properties (max_user_properties, max_property_bytes)";
        return BUD_QUOTA_EXCEEDED;
    }
    uint64_t payload_max = worker->server->options.payload_bytes_max;
    if (payload_max > 0 && publish->payload.size > payload_max) {
        counter_add(&worker->counters, COUNTER_REFUSED_PROPERTIES, 1);
        *ret_cause = "the payload is larger than message_size_limit";
        return BUD_IMPLEMENTATION_SPECIFIC_ERROR;
    }
    if (publish->properties.payload_format_indicator == 1 && !utf8_well_formed(publish->payload)) {
        *ret_cause = "the payload is declared as UTF-8 and is not";
        return BUD_PAYLOAD_FORMAT_INVALID;
    }
    if (publish->qos > 0 && connection->engine.version == MQTT_5_0 &&
        writer_is_low(worker->server->writer) && !was_taken(connection->session, publish)) {
        counter_add(&worker->counters, COUNTER_REFUSED_DISK, 1);
        *ret_cause = "little disk space is left";
        return BUD_QUOTA_EXCEEDED;
    }
    if (!router_may_write(&worker->router, connection->session->principal, topic)) {
        counter_add(&worker->counters, COUNTER_REFUSED_NOT_AUTHORIZED, 1);
        *ret_cause = "not authorized to publish here";
        return BUD_NOT_AUTHORIZED;
    }
    return BUD_SUCCESS;
}

// Is it something that the client was told it must not send at all?
static enum bud_reason check_abilities(const struct connection *connection,
                                       const struct packet_publish *publish)
{
    const struct options *options = &connection->worker->server->options;
    if (publish->qos > connection_listener(connection)->qos_max)
        return BUD_QOS_NOT_SUPPORTED; // [MQTT-3.2.2-11]
    if (publish->retain && !options->retain_available)
        return BUD_RETAIN_NOT_SUPPORTED; // [MQTT-3.2.2-14]
    return BUD_SUCCESS;
}

static struct message *try_new_message(struct connection *connection, struct message_source *source,
                                       struct buffer *storage)
{
    struct budget *budget = &connection->worker->server->budget;
    if (storage == NULL)
        return message_try_new(budget, source);
    source->storage = storage->data;
    source->storage_size = storage->capacity;
    budget_give(budget, storage->capacity); // the message counts the block from here on
    struct message *message = message_try_new(budget, source);
    if (message == NULL)
        budget_take_anyway(budget, storage->capacity);
    else
        *storage = (struct buffer){0};
    return message;
}

static struct message *make_message(struct connection *connection,
                                    const struct packet_publish *publish, struct bytes topic,
                                    struct buffer *storage)
{
    struct message_source source = {
        .topic = topic,
        .payload = publish->payload,
        .properties = publish->properties.raw.size > 0 ? &publish->properties : NULL,
        .qos = publish->qos,
        .retain = publish->retain,
        .publisher = connection->session->number,
        .principal = connection->session->principal,
        .now_ms = connection->worker->now_ms,
    };
    struct session *session = connection->session;
    if (publish->qos == 2 && session->stored) {
        source.spread = session_take_spread(session, publish->packet_id);
        if (session->router->spreads_over_workers)
            source.packet_id = publish->packet_id;
    }
    // A topic that came by alias is not in the block, so that message is copied.
    if (topic.data != publish->topic.data)
        storage = NULL;
    struct message *message = try_new_message(connection, &source, storage);
    if (message == NULL && source.spread != NULL)
        session_put_spread(session, source.spread); // the client will try again
    return message;
}

// Passes the message on, once it is judged and has memory.
static enum bud_reason spread_message(struct connection *connection, struct message *message,
                                      const char **ret_cause)
{
    struct worker *worker = connection->worker;
    if (message == NULL) {
        counter_add(&worker->counters, COUNTER_REFUSED_MEMORY, 1);
        *ret_cause = "no memory (memory_limit)";
        return BUD_QUOTA_EXCEEDED;
    }
    enum bud_reason reason = router_publish(&worker->router, message);
    if (bud_reason_is_error(reason))
        *ret_cause =
            "no room to retain it (max_retained_messages, max_retained_bytes) or no memory";
    return reason;
}

static enum bud_reason accept_message(struct connection *connection,
                                      const struct packet_publish *publish, struct bytes topic,
                                      struct buffer *storage, const char **ret_cause)
{
    struct message *message = NULL;
    enum bud_reason reason = judge(connection, publish, topic, ret_cause);
    if (!bud_reason_is_error(reason)) {
        message = make_message(connection, publish, topic, storage);
        reason = spread_message(connection, message, ret_cause);
    }
    // Here and not later: a large message took the block over that the topic lies in.
    if (bud_reason_is_error(reason))
        log_refused_publish(connection, topic, *ret_cause, publish->payload.size);
    message_unref(message);
    return reason;
}

// 3.x has no word for a refusal: what is not allowed is acknowledged and dropped [MQTT-3.3.5-2
// of 3.1.1], what may work later is not.
static bool must_close(const struct connection *connection, uint8_t qos, enum bud_reason reason)
{
    return connection->engine.version < MQTT_5_0 && qos > 0 &&
           (reason == BUD_QUOTA_EXCEEDED || reason == BUD_TOPIC_NAME_INVALID);
}

static void answer_publish(struct connection *connection, const struct packet_publish *publish,
                           enum bud_reason reason)
{
    if (publish->qos == 1)
        connection_send_ack(connection, PACKET_PUBACK, publish->packet_id, reason);
    else if (publish->qos == 2)
        connection_send_ack(connection, PACKET_PUBREC, publish->packet_id, reason);
}

static void on_publish(struct connection *connection, const struct packet_publish *publish,
                       struct buffer *storage)
{
    struct worker *worker = connection->worker;
    struct session *session = connection->session;
    struct bytes topic;
    connection->has_published = true;
    connection->messages_received++;
    connection_rate_charge(connection, 1, 0);
    counter_add(&worker->counters, COUNTER_PUBLISH_RECEIVED, 1);
    counter_add(&worker->counters, COUNTER_PUBLISH_BYTES_RECEIVED, publish->payload.size);
    enum bud_reason reason = check_abilities(connection, publish);
    if (reason == BUD_SUCCESS)
        reason = resolve_topic(connection, publish, &topic);
    if (reason == BUD_SUCCESS && !mount_topic(connection, topic, &topic))
        reason = BUD_QUOTA_EXCEEDED;
    if (reason != BUD_SUCCESS) {
        connection_end(connection, reason, NULL);
        return;
    }
    // QoS 2 spreads at PUBLISH; the identifier kept until PUBREL is what makes it exactly once
    // [MQTT-4.3.3-10].
    if (publish->qos == 2 && packet_id_set_has(&session->incoming, publish->packet_id)) {
        connection_send_ack(connection, PACKET_PUBREC, publish->packet_id, BUD_SUCCESS);
        return;
    }
    const char *cause = NULL;
    bool duplicate;
    if (publish->qos == 2 && !session_incoming_begin(session, publish->packet_id, &duplicate)) {
        counter_add(&worker->counters, COUNTER_REFUSED_MEMORY, 1);
        cause = "no memory (memory_limit)";
        reason = BUD_QUOTA_EXCEEDED;
        log_refused_publish(connection, topic, cause, publish->payload.size);
    } else {
        reason = accept_message(connection, publish, topic, storage, &cause);
    }
    if (bud_reason_is_error(reason)) {
        // A refused QoS 2 message has no PUBREL to come [MQTT-4.3.3-9]; 3.x goes through the
        // motions.
        if (publish->qos == 2 && connection->engine.version == MQTT_5_0)
            session_incoming_end(session, publish->packet_id);
        if (must_close(connection, publish->qos, reason)) {
            if (publish->qos == 2)
                session_incoming_end(session, publish->packet_id);
            connection_end(connection, reason, cause);
            return;
        }
    }
    answer_publish(connection, publish, reason);
    // 3.x has no word for it: it is read from no further until there is space.
    if (connection->engine.version < MQTT_5_0 && publish->qos > 0 &&
        writer_is_low(worker->server->writer))
        connection_set_paused(connection, true);
}

static void on_pubrel(struct connection *connection, const struct packet_ack *ack)
{
    bool known = session_incoming_end(connection->session, ack->packet_id);
    connection_send_ack(connection, PACKET_PUBCOMP, ack->packet_id,
                        known ? BUD_SUCCESS : BUD_PACKET_IDENTIFIER_NOT_FOUND);
}

static void on_pubrec(struct connection *connection, const struct packet_ack *ack)
{
    enum bud_reason reason = session_on_pubrec(connection->session, ack->packet_id, ack->reason);
    if (reason == BUD_SUCCESS)
        connection_send_ack(connection, PACKET_PUBREL, ack->packet_id, BUD_SUCCESS);
    else if (reason == BUD_PACKET_IDENTIFIER_NOT_FOUND)
        connection_send_ack(connection, PACKET_PUBREL, ack->packet_id, reason);
    else if (reason == BUD_PROTOCOL_ERROR)
        connection_end(connection, reason, "PUBREC for a message that is not QoS 2");
}

// An acknowledgement of something unknown is ignored (it may answer what was settled before a
// reconnect); one of the wrong kind shows a client that has lost its way.
static void settle_ack(struct connection *connection, enum bud_reason reason)
{
    if (reason == BUD_PROTOCOL_ERROR)
        connection_end(connection, reason, "acknowledgement of the wrong kind");
}

static const char *cause_of_refusal(const struct connection *connection, struct bytes filter,
                                    enum bud_reason reason)
{
    const struct limits *limits = &connection->worker->server->limits;
    if (reason == BUD_QUOTA_EXCEEDED)
        return "too many subscriptions (max_subscriptions, max_subscriptions_all) or no memory";
    if (reason == BUD_TOPIC_FILTER_INVALID &&
        (filter.size > limits->topic_bytes_max ||
         topic_level_count(filter) > limits->topic_levels_max))
        return "the filter is too long or too deep (max_topic_bytes, max_topic_levels)";
    return bud_reason_text(reason);
}

static void log_refused_filter(struct connection *connection, struct bytes filter,
                               enum bud_reason reason)
{
    struct log_line line;
    log_begin(&line, &connection->worker->server->log, LOG_SUBSCRIBE_REFUSED);
    log_bytes(&line, "client", connection->session->client_id);
    log_bytes(&line, "filter", filter);
    log_text(&line, "cause", cause_of_refusal(connection, filter, reason));
    log_end(&line);
}

static void log_subscribed(struct connection *connection, struct bytes filter, uint8_t qos)
{
    struct log_line line;
    log_begin(&line, &connection->worker->server->log, LOG_SUBSCRIBED);
    log_bytes(&line, "client", connection->session->client_id);
    log_bytes(&line, "filter", filter);
    log_number(&line, "qos", qos);
    log_end(&line);
}

static uint8_t subscribe_one(struct connection *connection, struct bytes filter,
                             struct subscription_options options, uint32_t identifier)
{
    uint8_t qos_max = connection_listener(connection)->qos_max;
    if (options.qos > qos_max)
        options.qos = qos_max;
    enum bud_reason reason = BUD_QUOTA_EXCEEDED;
    if (mount_filter(connection, filter, &filter))
        reason = session_subscribe(connection->session, filter, options, identifier);
    if (!bud_reason_is_error(reason)) {
        log_subscribed(connection, filter, options.qos);
        return (uint8_t)reason;
    }
    log_refused_filter(connection, filter, reason);
    // 3.1.1 has one code for every refusal [MQTT-3.9.3-2 of 3.1.1].
    return connection->engine.version == MQTT_5_0 ? (uint8_t)reason : 0x80;
}

// Takes room for one code a filter; closes the connection when there is none.
static uint8_t *try_codes(struct connection *connection, uint32_t count)
{
    uint8_t *codes = memory_try_new(count);
    if (codes == NULL)
        connection_end(connection, BUD_QUOTA_EXCEEDED, "no memory for the answer");
    return codes;
}

static void on_subscribe(struct connection *connection, const struct packet_subscribe *subscribe)
{
    uint8_t *codes = try_codes(connection, subscribe->count);
    if (codes == NULL)
        return;
    uint32_t identifier = properties_have(&subscribe->properties, PROPERTY_SUBSCRIPTION_IDENTIFIER)
                              ? subscribe->properties.subscription_identifier
                              : 0;
    struct bytes rest = subscribe->filters, filter;
    struct subscription_options options;
    uint32_t count = 0;
    while (subscribe_iterate(&rest, connection->engine.version, &filter, &options))
        codes[count++] = subscribe_one(connection, filter, options, identifier);
    ASSERT(count == subscribe->count);
    connection_send_suback(connection, PACKET_SUBACK, subscribe->packet_id,
                           bytes_make(codes, count));
    memory_free(codes);
}

static void on_unsubscribe(struct connection *connection,
                           const struct packet_unsubscribe *unsubscribe)
{
    uint8_t *codes = try_codes(connection, unsubscribe->count);
    if (codes == NULL)
        return;
    struct bytes rest = unsubscribe->filters, filter;
    uint32_t count = 0;
    while (unsubscribe_iterate(&rest, &filter))
        codes[count++] = mount_filter(connection, filter, &filter)
                             ? (uint8_t)session_unsubscribe(connection->session, filter)
                             : BUD_UNSPECIFIED_ERROR;
    connection_send_suback(connection, PACKET_UNSUBACK, unsubscribe->packet_id,
                           bytes_make(codes, count));
    memory_free(codes);
}

static void on_disconnect(struct connection *connection, const struct packet_disconnect *disconnect)
{
    struct session *session = connection->session;
    if (properties_have(&disconnect->properties, PROPERTY_SESSION_EXPIRY_INTERVAL)) {
        uint32_t asked = disconnect->properties.session_expiry_interval;
        uint32_t cap = (uint32_t)connection->worker->server->options.session_expiry_s;
        if (session->expiry_interval == 0 && asked > 0) { // [MQTT-3.1.2-11 and 3.14.2.2.2]
            connection_end(connection, BUD_PROTOCOL_ERROR,
                           "DISCONNECT raises a Session Expiry Interval of 0");
            return;
        }
        session->expiry_interval = asked < cap ? asked : cap;
    }
    connection->disconnected = true;
    connection_end(connection, disconnect->reason, NULL); // what is queued for it still goes out
    // The end of the connection says that all this is done: the will is forgotten, the session
    // ended. So it waits for the disk as an answer does.
    held_begin_answer(connection);
    held_end(connection);
}

void connection_on_packet(struct connection *connection, const struct packet *packet,
                          struct buffer *storage)
{
    struct session *session = connection->session;
    uint16_t packet_id = packet->ack.packet_id;
    switch (packet->type) {
    case PACKET_PUBLISH: on_publish(connection, &packet->publish, storage); break;
    case PACKET_PUBACK: settle_ack(connection, session_on_puback(session, packet_id)); break;
    case PACKET_PUBREC: on_pubrec(connection, &packet->ack); break;
    case PACKET_PUBREL: on_pubrel(connection, &packet->ack); break;
    case PACKET_PUBCOMP: settle_ack(connection, session_on_pubcomp(session, packet_id)); break;
    case PACKET_SUBSCRIBE: on_subscribe(connection, &packet->subscribe); break;
    case PACKET_UNSUBSCRIBE: on_unsubscribe(connection, &packet->unsubscribe); break;
    case PACKET_PINGREQ: connection_send_pingresp(connection); break;
    case PACKET_DISCONNECT: on_disconnect(connection, &packet->disconnect); break;
    default: ASSERT(false); // the engine lets nothing else through
    }
}
