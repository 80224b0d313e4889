// SPDX-License-Identifier: MIT
#include "server/options.h"

#include "server/option_value.h"

#include <string.h>

#define NO_LIMIT (UINT64_MAX / 2)

static bool is_global(const struct option_row *row)
{
    return row->scope == SCOPE_GLOBAL;
}

static bool is_of_listener(const struct option_row *row)
{
    return row->scope == SCOPE_LISTENER || row->scope == SCOPE_SECURITY;
}

static void set_defaults(void *object, bool (*is_here)(const struct option_row *row),
                         bool from_file)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (is_here(&rows[i]))
            option_set_default(object, &rows[i], from_file);
}

void listener_options_set_defaults(struct listener_options *listener, bool from_file)
{
    *listener = (struct listener_options){.file = "", .path = ""};
    set_defaults(listener, is_of_listener, from_file);
}

static void set_all(struct options *options, bool from_file)
{
    struct listener_options listener;
    *options = (struct options){.from_file = from_file};
    set_defaults(options, is_global, from_file);
    listener_options_set_defaults(&listener, from_file);
    options->bind_address = listener.address;
    options->port = listener.port;
    options->allow_anonymous = listener.allow_anonymous;
    options->qos_max = listener.qos_max;
    options->topic_alias_max = listener.topic_alias_max;
}

void options_set_defaults(struct options *options)
{
    set_all(options, false);
}

void options_set_file_defaults(struct options *options)
{
    set_all(options, true);
}

void options_fill_listener(const struct options *options, struct listener_options *listener)
{
    listener_options_set_defaults(listener, options->from_file);
    listener->address = options->bind_address;
    listener->port = (uint16_t)options->port;
    listener->allow_anonymous = (uint8_t)options->allow_anonymous;
    listener->qos_max = (uint8_t)options->qos_max;
    listener->topic_alias_max = (uint16_t)options->topic_alias_max;
    listener->topic_alias_broker_max = (uint16_t)options->topic_alias_max;
}

void options_take_on(struct options *options, const struct options *next)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const struct option_row *row = &rows[i];
        if (row->scope != SCOPE_GLOBAL || row->size == 0 || (row->flags & OPTION_RESTART) != 0)
            continue;
        memcpy((char *)options + row->offset, (const char *)next + row->offset, row->size);
        if (row->kind == OPTION_LIST)
            memcpy((char *)options + row->count_offset, (const char *)next + row->count_offset,
                   sizeof(uint32_t));
    }
    options->listeners = next->listeners;
    options->listener_count = next->listener_count;
    options->allow_anonymous = next->allow_anonymous;
    options->qos_max = next->qos_max;
    options->topic_alias_max = next->topic_alias_max;
}

static uint64_t or_no_limit(uint64_t value)
{
    return value > 0 ? value : NO_LIMIT;
}

void options_fill_limits(const struct options *options, struct limits *ret_limits)
{
    *ret_limits = (struct limits){
        .in_flight_max = options->in_flight_max > 0 ? (uint32_t)options->in_flight_max : UINT16_MAX,
        .in_flight_bytes_max = or_no_limit(options->in_flight_bytes_max),
        .queue_messages_max = options->queue_messages_max,
        .queue_bytes_max = options->queue_bytes_max,
        .output_bytes_max = options->output_bytes_max,
        .subscriptions_max = (uint32_t)options->subscriptions_max,
        .subscriptions_all_max = options->subscriptions_all_max,
        .topic_bytes_max = (uint32_t)options->topic_bytes_max,
        .topic_levels_max = (uint32_t)options->topic_levels_max,
        .user_properties_max = (uint32_t)options->user_properties_max,
        .property_bytes_max = (uint32_t)options->property_bytes_max,
        .client_id_bytes_max = (uint32_t)options->client_id_bytes_max,
        .sessions_max = or_no_limit(options->sessions_max),
        .connections_max = options->connections_max,
        .queues_qos0 = options->queue_qos0_messages,
        .upgrades_qos = options->upgrade_outgoing_qos,
        .keeps_duplicates = options->allow_duplicate_messages,
    };
}
