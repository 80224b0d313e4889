// SPDX-License-Identifier: MIT
#include "server/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KiB UINT64_C(1024)
#define MiB (KiB * 1024)
#define GiB (MiB * 1024)
#define DAY UINT64_C(86400)

#define AT(field) offsetof(struct options, field)
#define NUMBER(name, field, low, high, standard, help)                                             \
    {                                                                                              \
        name, OPTION_NUMBER, AT(field), low, high, standard, NULL, help                            \
    }
#define SIZE(name, field, low, high, standard, help)                                               \
    {                                                                                              \
        name, OPTION_SIZE, AT(field), low, high, standard, NULL, help                              \
    }
#define DURATION(name, field, low, high, standard, help)                                           \
    {                                                                                              \
        name, OPTION_DURATION, AT(field), low, high, standard, NULL, help                          \
    }
#define BOOLEAN(name, field, standard, help)                                                       \
    {                                                                                              \
        name, OPTION_BOOLEAN, AT(field), 0, 1, standard, NULL, help                                \
    }
#define CHOICE(name, field, choices, standard, help)                                               \
    {                                                                                              \
        name, OPTION_CHOICE, AT(field), 0, 0, standard, choices, help                              \
    }
#define TEXT(name, field, help)                                                                    \
    {                                                                                              \
        name, OPTION_TEXT, AT(field), 0, 0, 0, NULL, help                                          \
    }

// clang-format off
static const struct option_row rows[] = {
    NUMBER("port", port, 0, 65535, 1883, "TCP port; 0 lets the system choose"),
    TEXT("bind_address", bind_address, "listen on this address only (default: every interface)"),
    NUMBER("workers", workers, 0, 256, 0, "threads; 0: one for each core"),
    CHOICE("allow_anonymous", allow_anonymous, "private|true|false", 0,
        "clients without a user name: from this machine and private networks, from anywhere, or"
        " none"),
    CHOICE("log_format", log_format, "text|logfmt|json", 0, "how log lines look"),
    DURATION("connect_timeout", connect_timeout_s, 1, 3600, 10,
        "time from accepting a connection to its whole CONNECT"),
    NUMBER("max_pending_connections", pending_max, 1, 1000000, 1000,
        "connections without CONNECT; the oldest goes first"),
    NUMBER("max_pending_per_address", pending_address_max, 1, 1000000, 50,
        "the same from one address (this machine is exempt)"),
    SIZE("max_connect_packet_size", connect_packet_bytes_max, 64, 256 * MiB, 256 * KiB,
        "largest packet before CONNECT was accepted"),
    SIZE("max_packet_size", packet_bytes_max, 64, 268435460, 268435460,
        "largest packet; 5.0 clients are told"),
    NUMBER("max_connections", connections_max, 0, 100000000, 0,
        "connected clients; 0: as many as there are file descriptors"),
    NUMBER("max_sessions", sessions_max, 1, 100000000, 100000, "sessions, connected or not"),
    NUMBER("max_inflight_messages", in_flight_max, 1, 65535, 128,
        "unacknowledged QoS 1 and 2 messages on their way to one client"),
    SIZE("max_inflight_bytes", in_flight_bytes_max, 1, 1024 * GiB, 256 * KiB,
        "their bytes; one message is always allowed"),
    NUMBER("max_queued_messages", queue_messages_max, 0, 4000000000, 10000,
        "QoS 1 and 2 messages queued for one session; 0: no limit"),
    SIZE("max_queued_bytes", queue_bytes_max, 0, 1024 * GiB, 16 * MiB, "their bytes; 0: no limit"),
    SIZE("max_output_bytes", output_bytes_max, 1, 1024 * GiB, 1 * MiB,
        "QoS 0 bytes waiting for one client that reads slowly; the oldest message goes first"),
    DURATION("stalled_output_timeout", stalled_output_s, 1, DAY, 60,
        "a client that has output waiting and reads nothing for so long is disconnected"),
    NUMBER("max_subscriptions", subscriptions_max, 1, 100000000, 1000,
        "subscriptions of one session"),
    NUMBER("max_subscriptions_all", subscriptions_all_max, 1, 1000000000, 1000000,
        "subscriptions of all sessions"),
    NUMBER("max_topic_bytes", topic_bytes_max, 1, 65535, 4096, "length of a topic or filter"),
    NUMBER("max_topic_levels", topic_levels_max, 1, 65535, 128, "levels of a topic or filter"),
    NUMBER("max_user_properties", user_properties_max, 0, 65535, 64,
        "user properties in one packet"),
    SIZE("max_property_bytes", property_bytes_max, 64, 256 * MiB, 128 * KiB,
        "properties in one packet"),
    NUMBER("max_client_id_bytes", client_id_bytes_max, 23, 65535, 256,
        "length of a client identifier"),
    NUMBER("max_topic_alias", topic_alias_max, 0, 65535, 32,
        "topic aliases of a 5.0 client, each way"),
    NUMBER("max_retained_messages", retained_count_max, 0, 4000000000, 100000,
        "retained messages, $SYS not counted"),
    SIZE("max_retained_bytes", retained_bytes_max, 0, 1024 * GiB, 256 * MiB, "their bytes"),
    BOOLEAN("retain_available", retain_available, 1, "take retained messages"),
    NUMBER("max_qos", qos_max, 0, 2, 2, "highest QoS taken from clients"),
    DURATION("max_keepalive", keep_alive_max_s, 0, 65535, 3600,
        "longest keep-alive of 5.0 clients, who are told; 0: no limit"),
    DURATION("persistent_client_expiration", session_expiry_s, 1, UINT32_MAX - 1, 14 * DAY,
        "sessions of clients that stay away are removed after this time"),
    SIZE("memory_limit", memory_limit, 0, 1024 * GiB, 0,
        "memory for what clients send; 0: a quarter of the machine's, at least 64M"),
    NUMBER("reserved_descriptors", descriptors_reserved, 4, 10000, 16,
        "file descriptors that clients cannot take"),
    TEXT("data", data,
        "directory of the store (default: the user's state directory, /var/lib/bud for root)"),
    BOOLEAN("persistence", persistence, 1,
        "keep sessions, queued and retained messages on the disk; what is acknowledged is there"),
    CHOICE("durability", durability, "auto|commit|batch|relaxed", 0,
        "acknowledge after each commit, after a commit every batch_ms (fewer writes, nothing "
        "lost), or without waiting for the disk (a power cut may lose a second); auto: commit, "
        "and batch on SD cards"),
    NUMBER("batch_ms", batch_ms, 1, 60000, 500,
        "milliseconds between commits with durability batch"),
    DURATION("will_grace", will_grace_s, 0, DAY, 30,
        "after a restart clients have so long to come back before their wills are published"),
    DURATION("sys_interval", sys_interval_s, 0, DAY, 10, "how often $SYS is published; 0: never"),
    TEXT("server_reference", server_reference,
        "another server that clients are sent to when this one stops"),
    TEXT("response_information", response_information,
        "first level of the topics given to 5.0 clients that ask for response information"),
};
// clang-format on

const struct option_row *option_rows(size_t *ret_count)
{
    *ret_count = sizeof(rows) / sizeof(rows[0]);
    return rows;
}

static bool same_name(const char *name, const char *asked)
{
    for (; *name != 0 && *asked != 0; name++, asked++)
        if (*name != (*asked == '-' ? '_' : *asked))
            return false;
    return *name == *asked;
}

const struct option_row *option_find(const char *name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (same_name(rows[i].name, name))
            return &rows[i];
    return NULL;
}

static uint64_t *number_at(struct options *options, const struct option_row *row)
{
    return (uint64_t *)(void *)((char *)options + row->offset);
}

static char *text_at(struct options *options, const struct option_row *row)
{
    return (char *)options + row->offset;
}

void options_set_defaults(struct options *options)
{
    *options = (struct options){0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].kind != OPTION_TEXT)
            *number_at(options, &rows[i]) = rows[i].standard;
    memcpy(options->response_information, "response", sizeof("response"));
}

static int refuse(char *error, const struct option_row *row, const char *value, const char *wanted)
{
    (void)snprintf(error, 256, "%s: '%.60s' is not %s", row->name, value, wanted);
    return -EINVAL;
}

static uint64_t unit_of(enum option_kind kind, const char *suffix)
{
    static const struct {
        enum option_kind kind;
        const char *suffix;
        uint64_t unit;
    } units[] = {
        {OPTION_SIZE, "k", KiB},      {OPTION_SIZE, "K", KiB},     {OPTION_SIZE, "M", MiB},
        {OPTION_SIZE, "G", GiB},      {OPTION_DURATION, "s", 1},   {OPTION_DURATION, "m", 60},
        {OPTION_DURATION, "h", 3600}, {OPTION_DURATION, "d", DAY},
    };
    if (*suffix == 0)
        return 1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (units[i].kind == kind && strcmp(units[i].suffix, suffix) == 0)
            return units[i].unit;
    return 0;
}

static int set_number(struct options *options, const struct option_row *row, const char *value,
                      char *error)
{
    char *suffix;
    errno = 0;
    uint64_t number = strtoull(value, &suffix, 10);
    uint64_t unit = unit_of(row->kind, suffix);
    char wanted[160];
    (void)snprintf(wanted, sizeof(wanted), "a %s from %" PRIu64 " to %" PRIu64 "%s",
                   row->kind == OPTION_NUMBER ? "number"
                   : row->kind == OPTION_SIZE ? "size"
                                              : "time",
                   row->minimum, row->maximum,
                   row->kind == OPTION_SIZE       ? " bytes (k, M and G are understood)"
                   : row->kind == OPTION_DURATION ? " seconds (s, m, h and d are understood)"
                                                  : "");
    bool is_number = suffix != value && value[0] >= '0' && value[0] <= '9' && errno == 0;
    if (!is_number || unit == 0 || number > UINT64_MAX / unit || number * unit < row->minimum ||
        number * unit > row->maximum)
        return refuse(error, row, value, wanted);
    *number_at(options, row) = number * unit;
    return 0;
}

static int set_choice(struct options *options, const struct option_row *row, const char *value,
                      char *error)
{
    const char *choices = row->kind == OPTION_BOOLEAN ? "false|true" : row->choices;
    uint64_t index = 0;
    size_t size = strlen(value);
    for (const char *choice = choices; choice != NULL; index++) {
        size_t length = strcspn(choice, "|");
        if (length == size && memcmp(choice, value, size) == 0) {
            *number_at(options, row) = index;
            return 0;
        }
        choice = choice[length] == '|' ? choice + length + 1 : NULL;
    }
    char wanted[128];
    (void)snprintf(wanted, sizeof(wanted), "one of %s", choices);
    return refuse(error, row, value, wanted);
}

int option_set(struct options *options, const struct option_row *row, const char *value,
               char *error)
{
    switch (row->kind) {
    case OPTION_TEXT:
        if (strlen(value) >= OPTION_TEXT_MAX)
            return refuse(error, row, value, "at most 255 bytes long");
        memcpy(text_at(options, row), value, strlen(value) + 1);
        return 0;
    case OPTION_BOOLEAN:
    case OPTION_CHOICE: return set_choice(options, row, value, error);
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_DURATION: break;
    }
    return set_number(options, row, value, error);
}

static void show_choice(const char *choices, uint64_t index, char *text, size_t size)
{
    for (; index > 0; index--)
        choices += strcspn(choices, "|") + 1;
    (void)snprintf(text, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

void option_show(const struct options *options, const struct option_row *row, char *text,
                 size_t size)
{
    struct options copy = *options;
    if (row->kind == OPTION_TEXT)
        (void)snprintf(text, size, "%s", text_at(&copy, row));
    else if (row->kind == OPTION_BOOLEAN)
        show_choice("false|true", *number_at(&copy, row), text, size);
    else if (row->kind == OPTION_CHOICE)
        show_choice(row->choices, *number_at(&copy, row), text, size);
    else
        (void)snprintf(text, size, "%" PRIu64, *number_at(&copy, row));
}

void options_fill_limits(const struct options *options, struct limits *ret_limits)
{
    *ret_limits = (struct limits){
        .in_flight_max = (uint32_t)options->in_flight_max,
        .in_flight_bytes_max = options->in_flight_bytes_max,
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
        .sessions_max = options->sessions_max,
        .connections_max = options->connections_max,
    };
}
