// SPDX-License-Identifier: MIT
// Every option of the broker, in one table: name, kind, bounds, default, help. The table drives the
// command line, `--help` and (later) the configuration file; nothing else knows an option's name.
// Names are Mosquitto's where it has the option.
#ifndef BUD_SERVER_OPTIONS_H
#define BUD_SERVER_OPTIONS_H

#include "core/limits.h"

#include <stddef.h>

#define OPTION_TEXT_MAX 256

enum anonymous_rule { ANONYMOUS_PRIVATE, ANONYMOUS_TRUE, ANONYMOUS_FALSE };
enum durability { DURABILITY_AUTO, DURABILITY_COMMIT, DURABILITY_BATCH, DURABILITY_RELAXED };
enum log_format { LOG_TEXT, LOG_LOGFMT, LOG_JSON };

struct options {
    char bind_address[OPTION_TEXT_MAX]; // empty: every interface
    char server_reference[OPTION_TEXT_MAX];
    char response_information[OPTION_TEXT_MAX];
    char data[OPTION_TEXT_MAX]; // the store's directory
    uint64_t persistence;
    uint64_t durability; // enum durability
    uint64_t batch_ms;
    uint64_t will_grace_s;
    uint64_t port;
    uint64_t workers;         // 0: one a core
    uint64_t allow_anonymous; // enum anonymous_rule
    uint64_t log_format;      // enum log_format
    uint64_t verbose;
    uint64_t connect_timeout_s;
    uint64_t pending_max;
    uint64_t pending_address_max;
    uint64_t connect_packet_bytes_max;
    uint64_t packet_bytes_max;
    uint64_t connections_max;
    uint64_t sessions_max;
    uint64_t in_flight_max;
    uint64_t in_flight_bytes_max;
    uint64_t queue_messages_max;
    uint64_t queue_bytes_max;
    uint64_t output_bytes_max;
    uint64_t stalled_output_s;
    uint64_t subscriptions_max;
    uint64_t subscriptions_all_max;
    uint64_t topic_bytes_max;
    uint64_t topic_levels_max;
    uint64_t user_properties_max;
    uint64_t property_bytes_max;
    uint64_t client_id_bytes_max;
    uint64_t topic_alias_max;
    uint64_t retained_count_max;
    uint64_t retained_bytes_max;
    uint64_t retain_available;
    uint64_t qos_max;
    uint64_t keep_alive_max_s;
    uint64_t session_expiry_s;
    uint64_t memory_limit; // 0: a quarter of the machine's
    uint64_t descriptors_reserved;
    uint64_t sys_interval_s;
    // For tests, which set them in code; they are no rows of the table.
    const char *store_vfs;        // the SQLite VFS below the store's; NULL: the system's
    uint32_t store_log_pages_max; // 0: the store's own choice
};

enum option_kind {
    OPTION_NUMBER,
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_BOOLEAN,
    OPTION_CHOICE,
    OPTION_TEXT
};

struct option_row {
    const char *name; // with underscores, as in a file; dashes on the command line
    enum option_kind kind;
    size_t offset;
    uint64_t minimum, maximum, standard; // of numbers, bytes, seconds; the index of a choice
    const char *choices;                 // "private|true|false"
    const char *help;
};

const struct option_row *option_rows(size_t *ret_count);
const struct option_row *option_find(const char *name); // dashes or underscores; NULL unknown

void options_set_defaults(struct options *options);

// Sets one option from text: numbers; sizes with k, M, G (powers of 1024); durations with s, m, h,
// d; true/false. 0, or -EINVAL with a sentence about cause and remedy in `error` (at least 256
// bytes).
int option_set(struct options *options, const struct option_row *row, const char *value,
               char *error);

// The value as option_set would take it.
void option_show(const struct options *options, const struct option_row *row, char *text,
                 size_t size);

void options_fill_limits(const struct options *options, struct limits *ret_limits);

#endif
