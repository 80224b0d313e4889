// SPDX-License-Identifier: MIT
// What the broker is told: the global options, and the listeners with theirs. Filled in from the
// table (server/option_table.h) by a configuration (server/config.h), which owns all texts, or in
// code for tests: then texts are literals and there may be no listeners. Texts are never NULL.
#ifndef BUD_SERVER_OPTIONS_H
#define BUD_SERVER_OPTIONS_H

#include "core/limits.h"
#include "server/listener_options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum anonymous_rule { ANONYMOUS_PRIVATE, ANONYMOUS_TRUE, ANONYMOUS_FALSE };
enum durability { DURABILITY_AUTO, DURABILITY_COMMIT, DURABILITY_BATCH, DURABILITY_RELAXED };
enum acl_subscribe { ACL_SUBSCRIBE_REFUSE, ACL_SUBSCRIBE_MOSQUITTO };
enum log_format { LOG_TEXT, LOG_LOGFMT, LOG_JSON, LOG_MOSQUITTO };

struct server;

struct text_list {
    const char *const *texts;
    uint32_t count;
};

struct options {
    // A start without `listeners` has one, of these.
    const char *bind_address; // "": every interface
    uint64_t port;
    uint64_t allow_anonymous; // enum anonymous_rule; with listeners: the strictest of theirs
    uint64_t qos_max;
    uint64_t topic_alias_max;
    const struct listener_options *listeners;
    uint32_t listener_count;

    bool per_listener_settings;
    bool local_only; // a file without listeners: this machine alone
    bool from_file;
    struct text_list sources; // files and directories that this was read from

    const char *server_reference;
    const char *response_information;
    const char *data; // the store's directory
    const char *client_id_prefix;
    const char *log_timestamp_format; // "": of the log format
    const char *pid_file;
    const char *user;
    const char *persistence_file;
    struct text_list log_destinations;
    struct text_list log_types;
    struct text_list trusted_proxies;
    bool connection_messages;
    bool log_timestamp;
    bool queue_qos0_messages;
    bool upgrade_outgoing_qos;
    bool allow_duplicate_messages;
    bool check_retain_source;
    uint64_t acl_subscribe; // enum acl_subscribe
    bool set_tcp_nodelay;
    bool autosave_on_changes;
    bool enable_control_api;
    int64_t autosave_interval;
    uint64_t log_facility; // 0 to 7: LOCAL0 to LOCAL7; LOG_FACILITY_DAEMON
    uint64_t retain_expiry_min;
    uint64_t payload_bytes_max; // 0: no limit
    uint64_t packet_buffer_size;
    uint64_t persistence;
    uint64_t durability; // enum durability
    uint64_t batch_ms;
    uint64_t will_grace_s;
    uint64_t workers;    // 0: one a core
    uint64_t log_format; // enum log_format
    uint64_t verbose;
    uint64_t quiet;
    uint64_t connect_timeout_s;
    uint64_t pending_max;
    uint64_t pending_address_max;
    uint64_t connect_packet_bytes_max;
    uint64_t packet_bytes_max;
    uint64_t connections_max;     // 0: no limit
    uint64_t sessions_max;        // 0: no limit
    uint64_t in_flight_max;       // 0: no limit
    uint64_t in_flight_bytes_max; // 0: no limit
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
    uint64_t retained_count_max;
    uint64_t retained_bytes_max;
    uint64_t retain_available;
    uint64_t keep_alive_max_s;
    uint64_t session_expiry_s; // UINT32_MAX: never
    uint64_t login_threads;
    uint64_t memory_limit; // 0: a quarter of the machine's
    uint64_t descriptors_reserved;
    uint64_t sys_interval_s;
    bool sandbox;
    // Called once, when the ports are bound and before any file of the data directory is opened: to
    // give up what was needed for the ports alone. 0, or -errno and a sentence in `error` (of
    // SERVER_ERROR_MAX bytes). NULL: nothing is given up. No row of the table.
    int (*on_bound)(struct server *server, char *error);
    // Who fails, floods or fights is slowed down. Rates are per second; 0: no limit.
    uint64_t ban_failures_max; // 0: nobody is banned
    uint64_t ban_window_s, ban_s, ban_s_max;
    uint64_t login_delay_ms, login_delay_ms_max;
    uint64_t ban_entries_max;
    uint64_t connect_rate, connect_burst;                 // of each listener
    uint64_t network_connect_rate, network_connect_burst; // of each network of addresses
    uint64_t client_publish_rate, client_publish_burst, client_byte_rate, client_byte_burst;
    uint64_t user_publish_rate, user_publish_burst, user_byte_rate, user_byte_burst;
    uint64_t listener_publish_rate, listener_publish_burst, listener_byte_rate, listener_byte_burst;
    uint64_t takeovers_max; // in takeover_window_s; 0: no limit
    uint64_t takeover_window_s, takeover_hold_s;

    // Tokens and somebody else's service as ways in.
    const char *jwt_key_file, *jwt_jwks_file, *jwt_algorithms;
    const char *jwt_audience, *jwt_issuer, *jwt_user_claim;
    uint64_t jwt_leeway_s;
    bool jwt_require_expiry;
    const char *auth_http_url, *auth_http_acl_url, *auth_http_headers;
    const char *auth_http_proxy, *auth_http_cafile;
    uint64_t auth_http_timeout_s, auth_http_cache_s;

    // For tests, which set them in code; they are no rows of the table.
    const char *store_vfs;        // the SQLite VFS below the store's; NULL: the system's
    uint32_t store_log_pages_max; // 0: the store's own choice
};

#define LOG_FACILITY_DAEMON 8
#define SESSION_NEVER_EXPIRES UINT32_MAX

// Those of a bare start, or of one with a file.
void options_set_defaults(struct options *options);
void options_set_file_defaults(struct options *options);
void listener_options_set_defaults(struct listener_options *listener, bool from_file);

// The listener of options that have none.
void options_fill_listener(const struct options *options, struct listener_options *listener);

// Takes on every global option that needs no restart, and the listeners.
void options_take_on(struct options *options, const struct options *next);

void options_fill_limits(const struct options *options, struct limits *ret_limits);

#endif
