// SPDX-License-Identifier: MIT
#include "server/option_table.h"

#include "base/suggestion.h"
#include "server/options.h"

#include <string.h>

#define KiB INT64_C(1024)
#define MiB (KiB * 1024)
#define GiB (MiB * 1024)
#define DAY INT64_C(86400)
#define INT_BOUND INT64_C(2147483647)

// Where the value is kept.
#define FIELD_OF(type, field)                                                                      \
    .offset = offsetof(struct type, field), .size = sizeof(((struct type *)0)->field)
#define GLOBAL(field) .scope = SCOPE_GLOBAL, FIELD_OF(options, field)
#define LISTENER(field) .scope = SCOPE_LISTENER, FIELD_OF(listener_options, field)
#define SECURITY(field) .scope = SCOPE_SECURITY, FIELD_OF(listener_options, field)
#define GLOBAL_LIST(field)                                                                         \
    .scope = SCOPE_GLOBAL, .offset = offsetof(struct options, field.texts),                        \
    .size = sizeof(const char *const *), .count_offset = offsetof(struct options, field.count)
#define LISTENER_LIST(field, count)                                                                \
    .scope = SCOPE_LISTENER, .offset = offsetof(struct listener_options, field),                   \
    .size = sizeof(const char *const *), .count_offset = offsetof(struct listener_options, count)
#define BRIDGE .scope = SCOPE_BRIDGE
#define PLUGIN .scope = SCOPE_PLUGIN

// What it is.
#define NUMBER(low, high, default)                                                                 \
    .kind = OPTION_NUMBER, .minimum = low, .maximum = high, .standard = default
#define SIZE(low, high, default)                                                                   \
    .kind = OPTION_SIZE, .minimum = low, .maximum = high, .standard = default
#define DURATION(low, high, default)                                                               \
    .kind = OPTION_DURATION, .minimum = low, .maximum = high, .standard = default
#define EXPIRY(default)                                                                            \
    .kind = OPTION_EXPIRY, .minimum = 1, .maximum = UINT32_MAX, .standard = default
#define BOOLEAN(default) .kind = OPTION_BOOLEAN, .maximum = 1, .standard = default
#define CHOICE(words, default) .kind = OPTION_CHOICE, .choices = words, .standard = default
#define WORD(words, default) .kind = OPTION_TEXT, .choices = words, .text = default
#define TEXT .kind = OPTION_TEXT
#define TEXT_WITH(default) .kind = OPTION_TEXT, .text = default
#define LIST .kind = OPTION_LIST
#define LIST_OF(words) .kind = OPTION_LIST, .choices = words
#define KEYWORD .kind = OPTION_KEYWORD

#define IN_A_FILE(default) .file_standard = default, .has_file_standard = true
#define IN_A_FILE_TEXT(default) .file_text = default
#define OR(names) .aliases = names
#define FLAGS(bits) .flags = (bits)
#define START OPTION_RESTART
#define OLD OPTION_DEPRECATED
#define OURS OPTION_OURS
#define BELOW OPTION_EXPLICIT
#define READS OPTION_READS
#define MINUS_ONE OPTION_UNLIMITED
#define NO_EFFECT(why) .support = HAS_NO_EFFECT, .instead = why
#define LATER(why) .support = NOT_YET, .instead = why
#define NEVER(why) .support = REFUSED, .instead = why
#define HELP(sentence) .help = sentence

// clang-format off
static const struct option_row rows[] = {
    // ---- what the lines below belong to ----
    {"listener", KEYWORD, .scope = SCOPE_LISTENER, FLAGS(START),
        HELP("PORT [ADDRESS], or 0 and the path of a Unix socket: the options below it are of this"
             " listener")},
    {"connection", KEYWORD, BRIDGE, HELP("NAME: the options below it are of this bridge")},
    {"include_dir", KEYWORD, .scope = SCOPE_GLOBAL,
        HELP("read every *.conf of this directory, in the order of their names")},
    {"per_listener_settings", BOOLEAN(0), GLOBAL(per_listener_settings), FLAGS(OLD),
        HELP("options about who may come in are of the listener above them; before any of them")},

    // ---- where it listens; without a `listener` line ----
    {"port", NUMBER(0, 65535, 1883), LISTENER(port), FLAGS(START | OLD),
        HELP("TCP port; 0 lets the system choose")},
    {"bind_address", TEXT, LISTENER(address), OR("bind"), FLAGS(START | OLD),
        HELP("listen on this address only (default: every interface)")},

    // ---- who may come in ----
    {"allow_anonymous", CHOICE("private|true|false", ANONYMOUS_PRIVATE), SECURITY(allow_anonymous),
        IN_A_FILE(ANONYMOUS_FALSE),
        HELP("clients without a user name: from this machine and private networks, from anywhere,"
             " or none; in a file without listeners all that come from this machine")},
    {"allow_zero_length_clientid", BOOLEAN(1), SECURITY(allow_zero_length_clientid),
        HELP("give clients without a client identifier one")},
    {"auto_id_prefix", TEXT_WITH("bud-"), SECURITY(auto_id_prefix), IN_A_FILE_TEXT("auto-"),
        FLAGS(OLD),
        HELP("how the client identifiers begin that are given out")},
    {"password_file", TEXT, SECURITY(password_file), FLAGS(READS),
        HELP("users and their passwords")},
    {"acl_file", TEXT, SECURITY(acl_file), FLAGS(READS),
        HELP("who may read and write which topics")},
    {"acl_subscribe", CHOICE("refuse|mosquitto", ACL_SUBSCRIBE_REFUSE), GLOBAL(acl_subscribe),
        FLAGS(OURS),
        HELP("a subscription to what may not be read: refuse it, or as Mosquitto grant it and send"
             " nothing")},
    {"psk_file", TEXT, SECURITY(psk_file), FLAGS(READS),
        HELP("identities and keys for TLS with psk_hint")},
    {"clientid_prefixes", TEXT, GLOBAL(client_id_prefix), FLAGS(OLD),
        HELP("only client identifiers that begin so may connect")},
    {"check_retain_source", BOOLEAN(1), GLOBAL(check_retain_source),
        HELP("retained messages are sent only while who wrote them may still write")},

    // ---- tokens and services as ways in ----
    {"jwt_key_file", TEXT, GLOBAL(jwt_key_file), FLAGS(OURS | READS),
        HELP("take JSON Web Tokens as passwords, checked with this public key (PEM) or, for HS256,"
             " secret")},
    {"jwt_jwks_file", TEXT, GLOBAL(jwt_jwks_file), FLAGS(OURS | READS),
        HELP("the same with a set of keys (JWKS), chosen by the token's kid")},
    {"jwt_algorithms", TEXT_WITH("RS256,ES256"), GLOBAL(jwt_algorithms), FLAGS(OURS),
        HELP("which are taken: RS256, ES256, HS256")},
    {"jwt_audience", TEXT, GLOBAL(jwt_audience), FLAGS(OURS),
        HELP("the token's aud must name this")},
    {"jwt_issuer", TEXT, GLOBAL(jwt_issuer), FLAGS(OURS), HELP("the token's iss must be this")},
    {"jwt_user_claim", TEXT_WITH("sub"), GLOBAL(jwt_user_claim), FLAGS(OURS),
        HELP("the claim that is the user name")},
    {"jwt_leeway", DURATION(0, 3600, 60), GLOBAL(jwt_leeway_s), FLAGS(OURS),
        HELP("by which the issuer's clock may differ")},
    {"jwt_require_expiry", BOOLEAN(1), GLOBAL(jwt_require_expiry), FLAGS(OURS),
        HELP("a token must have exp; false: those without last for ever")},
    {"auth_http_url", TEXT, GLOBAL(auth_http_url), FLAGS(OURS),
        HELP("ask this service by HTTP whether somebody may come in")},
    {"auth_http_acl_url", TEXT, GLOBAL(auth_http_acl_url), FLAGS(OURS),
        HELP("and this one, once, what it may read and write")},
    {"auth_http_timeout", DURATION(1, 60, 2), GLOBAL(auth_http_timeout_s), FLAGS(OURS),
        HELP("time for its answer; then nobody comes in")},
    {"auth_http_cache", DURATION(0, 3600, 60), GLOBAL(auth_http_cache_s), FLAGS(OURS),
        HELP("how long an answer is kept that does not say it by Cache-Control")},
    {"auth_http_headers", TEXT, GLOBAL(auth_http_headers), FLAGS(OURS),
        HELP("sent with the question: \"Name: value\", several with | between them")},
    {"auth_http_proxy", TEXT, GLOBAL(auth_http_proxy), FLAGS(OURS),
        HELP("proxy to ask by (default: none, whatever the environment says)")},
    {"auth_http_cafile", TEXT, GLOBAL(auth_http_cafile), FLAGS(OURS | READS),
        HELP("who signs its certificate (default: whom the system trusts)")},

    // ---- who fails, floods or fights is slowed down ----
    {"ban_failures", NUMBER(0, 1000000, 10), GLOBAL(ban_failures_max), FLAGS(OURS),
        HELP("so many wrong passwords within ban_window ban an address, and a user from there (this"
             " machine is exempt); 0: nobody is banned")},
    {"ban_window", DURATION(1, DAY, 600), GLOBAL(ban_window_s), FLAGS(OURS),
        HELP("time in which wrong passwords are counted together")},
    {"ban_time", DURATION(1, 30 * DAY, 600), GLOBAL(ban_s), FLAGS(OURS),
        HELP("how long the first ban lasts; each further one twice as long")},
    {"ban_time_max", DURATION(1, 30 * DAY, DAY), GLOBAL(ban_s_max), FLAGS(OURS),
        HELP("the longest ban")},
    {"login_delay_ms", NUMBER(0, 60000, 100), GLOBAL(login_delay_ms), FLAGS(OURS),
        HELP("milliseconds that the answer to a wrong password is held back; twice as long for each"
             " further one")},
    {"login_delay_max_ms", NUMBER(0, 60000, 5000), GLOBAL(login_delay_ms_max), FLAGS(OURS),
        HELP("the longest such delay")},
    {"max_ban_entries", NUMBER(16, 10000000, 10000), GLOBAL(ban_entries_max), FLAGS(OURS),
        HELP("addresses, and users of them, whose wrong passwords are remembered")},
    {"max_connect_rate", NUMBER(0, INT_BOUND, 500), GLOBAL(connect_rate), FLAGS(OURS),
        HELP("connections a second to one listener (this machine is exempt); 0: no limit")},
    {"max_connect_burst", NUMBER(0, INT_BOUND, 2000), GLOBAL(connect_burst), FLAGS(OURS),
        HELP("so many may come at once; 0: as many as in a second")},
    {"max_network_connect_rate", NUMBER(0, INT_BOUND, 500), GLOBAL(network_connect_rate),
        FLAGS(OURS), HELP("the same from one network (IPv4: of 24 bits, IPv6: of 64)")},
    {"max_network_connect_burst", NUMBER(0, INT_BOUND, 2000), GLOBAL(network_connect_burst),
        FLAGS(OURS), HELP("so many may come at once")},
    {"max_client_publish_rate", NUMBER(0, INT_BOUND, 0), GLOBAL(client_publish_rate), FLAGS(OURS),
        HELP("messages a second of one client; beyond it the client is read from more slowly;"
             " 0: no limit")},
    {"max_client_publish_burst", NUMBER(0, INT_BOUND, 0), GLOBAL(client_publish_burst), FLAGS(OURS),
        HELP("so many may come at once; 0: as many as in a second")},
    {"max_client_byte_rate", SIZE(0, 1024 * GiB, 0), GLOBAL(client_byte_rate), FLAGS(OURS),
        HELP("bytes a second from one client")},
    {"max_client_byte_burst", SIZE(0, 1024 * GiB, 0), GLOBAL(client_byte_burst), FLAGS(OURS),
        HELP("so many may come at once")},
    {"max_user_publish_rate", NUMBER(0, INT_BOUND, 0), GLOBAL(user_publish_rate), FLAGS(OURS),
        HELP("messages a second of all clients of one user")},
    {"max_user_publish_burst", NUMBER(0, INT_BOUND, 0), GLOBAL(user_publish_burst), FLAGS(OURS),
        HELP("so many may come at once")},
    {"max_user_byte_rate", SIZE(0, 1024 * GiB, 0), GLOBAL(user_byte_rate), FLAGS(OURS),
        HELP("bytes a second from all clients of one user")},
    {"max_user_byte_burst", SIZE(0, 1024 * GiB, 0), GLOBAL(user_byte_burst), FLAGS(OURS),
        HELP("so many may come at once")},
    {"max_listener_publish_rate", NUMBER(0, INT_BOUND, 0), GLOBAL(listener_publish_rate),
        FLAGS(OURS),
        HELP("messages a second by one listener")},
    {"max_listener_publish_burst", NUMBER(0, INT_BOUND, 0), GLOBAL(listener_publish_burst),
        FLAGS(OURS), HELP("so many may come at once")},
    {"max_listener_byte_rate", SIZE(0, 1024 * GiB, 0), GLOBAL(listener_byte_rate), FLAGS(OURS),
        HELP("bytes a second by one listener")},
    {"max_listener_byte_burst", SIZE(0, 1024 * GiB, 0), GLOBAL(listener_byte_burst), FLAGS(OURS),
        HELP("so many may come at once")},
    {"max_takeovers", NUMBER(0, 1000000, 5), GLOBAL(takeovers_max), FLAGS(OURS),
        HELP("so often within takeover_window may clients with the same client identifier throw"
             " each other out; then newcomers wait for takeover_hold; 0: no limit")},
    {"takeover_window", DURATION(1, 3600, 10), GLOBAL(takeover_window_s), FLAGS(OURS),
        HELP("time in which they are counted together")},
    {"takeover_hold", DURATION(1, 3600, 10), GLOBAL(takeover_hold_s), FLAGS(OURS),
        HELP("how long newcomers are refused then")},

    // ---- of one listener ----
    {"bind_interface", TEXT, LISTENER(interface), FLAGS(START),
        HELP("listen on this network device only")},
    {"socket_domain", CHOICE("any|ipv4|ipv6", 0), LISTENER(socket_domain), FLAGS(START),
        HELP("only this version of IP")},
    {"protocol", CHOICE("any|mqtt|websockets|http_api", PROTOCOL_ANY), LISTENER(protocol),
        IN_A_FILE(PROTOCOL_MQTT), HELP("what is spoken; any: told apart by the first bytes")},
    {"tls", CHOICE("none|also|only", LISTENER_TLS_ALSO), LISTENER(tls), FLAGS(OURS),
        IN_A_FILE(LISTENER_TLS_NONE),
        HELP("TLS around it: not, by the first bytes, or nothing else; in a file: only, with"
             " certfile or psk_hint")},
    {"accept_protocol_versions", .kind = OPTION_VERSIONS, LISTENER(versions), .standard = 0x38,
        FLAGS(BELOW), HELP("versions of MQTT: 3 is 3.1, 4 is 3.1.1, 5 is 5.0")},
    {"enable_proxy_protocol", NUMBER(0, 2, 0), LISTENER(proxy_protocol), FLAGS(BELOW),
        HELP("each connection begins with a PROXY header of this version")},
    {"proxy_protocol_v2_require_tls", BOOLEAN(0), LISTENER(proxy_protocol_v2_require_tls),
        FLAGS(BELOW), HELP("the client must have used TLS to the proxy")},
    {"trusted_proxies", LIST, GLOBAL_LIST(trusted_proxies), FLAGS(OURS),
        HELP("networks whose PROXY headers are believed without enable_proxy_protocol")},
    {"http_dir", TEXT, LISTENER(http_dir), FLAGS(BELOW | READS),
        HELP("directory of files given by HTTP")},
    {"listener_allow_anonymous", CHOICE("private|true|false", 0), .scope = SCOPE_LISTENER,
        FLAGS(BELOW), HELP("allow_anonymous of this listener alone")},
    {"listener_auto_id_prefix", TEXT, .scope = SCOPE_LISTENER, FLAGS(BELOW),
        HELP("auto_id_prefix of this listener alone")},
    {"max_connections", NUMBER(-1, INT_BOUND, 0), LISTENER(connections_max), FLAGS(MINUS_ONE),
        HELP("clients connected by this listener; -1: as many as there are file descriptors")},
    {"max_qos", NUMBER(0, 2, 2), LISTENER(qos_max), OR("maximum_qos"),
        HELP("highest QoS taken from clients")},
    {"max_topic_alias", NUMBER(0, 65535, 32), LISTENER(topic_alias_max), IN_A_FILE(10),
        HELP("topic aliases of a 5.0 client")},
    {"max_topic_alias_broker", NUMBER(0, 65535, 32), LISTENER(topic_alias_broker_max),
        FLAGS(BELOW), IN_A_FILE(10), HELP("topic aliases to a 5.0 client")},
    {"mount_point", TEXT, LISTENER(mount_point), FLAGS(BELOW),
        HELP("put before every topic of this listener's clients, who do not see it")},
    {"use_username_as_clientid", BOOLEAN(0), LISTENER(use_username_as_clientid),
        HELP("the user name is the client identifier too")},
    {"websockets_origin", LIST, LISTENER_LIST(origins, origin_count), FLAGS(BELOW),
        HELP("pages of this origin may connect (default: those of the same host)")},

    // ---- TLS of one listener ----
    {"certfile", TEXT, LISTENER(certfile), FLAGS(READS),
        HELP("certificate, with what is between it and the root")},
    {"keyfile", TEXT, LISTENER(keyfile), FLAGS(READS), HELP("its key")},
    {"cafile", TEXT, LISTENER(cafile), FLAGS(READS), HELP("who signs clients' certificates")},
    {"capath", TEXT, LISTENER(capath), FLAGS(READS),
        HELP("the same as a directory of hashed names")},
    {"crlfile", TEXT, LISTENER(crlfile), FLAGS(READS),
        HELP("clients' certificates that were revoked")},
    {"require_certificate", BOOLEAN(0), LISTENER(require_certificate),
        HELP("clients must have a certificate")},
    {"use_identity_as_username", BOOLEAN(0), LISTENER(use_identity_as_username),
        HELP("the certificate's common name or the PSK identity is the user name")},
    {"use_subject_as_username", BOOLEAN(0), LISTENER(use_subject_as_username),
        HELP("the certificate's whole subject is the user name")},
    {"disable_client_cert_date_checks", BOOLEAN(0), LISTENER(disable_client_cert_date_checks),
        FLAGS(BELOW), HELP("take clients' certificates that are too old or too new")},
    {"ciphers", TEXT, LISTENER(ciphers), HELP("ciphers of TLS 1.2")},
    {"ciphers_tls1.3", TEXT, LISTENER(ciphers_tls13), HELP("ciphers of TLS 1.3")},
    {"tls_version", WORD("tlsv1.3|tlsv1.2|tlsv1.1", NULL), LISTENER(tls_version), FLAGS(BELOW),
        HELP("oldest version of TLS (default: 1.2)")},
    {"tls_engine", TEXT, LISTENER(tls_engine),
        NEVER("OpenSSL engines are not used: give the key as a PEM file, with keyfile"),
        HELP("OpenSSL engine")},
    {"tls_engine_kpass_sha1", TEXT, LISTENER(tls_engine_kpass_sha1),
        NEVER("OpenSSL engines are not used: give the key as a PEM file, with keyfile"),
        HELP("password of an engine's key")},
    {"tls_keyform", WORD("pem|engine", NULL), LISTENER(tls_keyform), HELP("what keyfile is")},
    {"psk_hint", TEXT, LISTENER(psk_hint), HELP("TLS with pre-shared keys, of psk_file")},
    {"dhparamfile", TEXT, .scope = SCOPE_LISTENER, NO_EFFECT("OpenSSL chooses its own"),
        FLAGS(OLD), HELP("Diffie-Hellman parameters")},

    // ---- messages, sessions and their limits ----
    {"max_packet_size", SIZE(20, 268435460, 268435460), GLOBAL(packet_bytes_max),
        IN_A_FILE(2000000), HELP("largest packet; 5.0 clients are told")},
    {"message_size_limit", SIZE(0, 268435455, 0), GLOBAL(payload_bytes_max),
        HELP("larger payloads are acknowledged and not passed on; 0: no limit")},
    {"max_inflight_messages", NUMBER(0, 65535, 128), GLOBAL(in_flight_max), IN_A_FILE(20),
        HELP("unacknowledged QoS 1 and 2 messages on their way to one client; 0: no limit")},
    {"max_inflight_bytes", SIZE(0, 1024 * GiB, 256 * KiB), GLOBAL(in_flight_bytes_max),
        IN_A_FILE(0), HELP("their bytes; one message is always allowed; 0: no limit")},
    {"max_queued_messages", NUMBER(0, 4000000000, 10000), GLOBAL(queue_messages_max),
        IN_A_FILE(1000), HELP("QoS 1 and 2 messages queued for one session; 0: no limit")},
    {"max_queued_bytes", SIZE(0, 1024 * GiB, 16 * MiB), GLOBAL(queue_bytes_max), IN_A_FILE(0),
        HELP("their bytes; 0: no limit")},
    {"queue_qos0_messages", BOOLEAN(0), GLOBAL(queue_qos0_messages),
        HELP("queue QoS 0 messages too for clients that are away")},
    {"upgrade_outgoing_qos", BOOLEAN(0), GLOBAL(upgrade_outgoing_qos),
        HELP("send with the subscription's QoS, also what was published with a lower one")},
    {"allow_duplicate_messages", BOOLEAN(0), GLOBAL(allow_duplicate_messages), FLAGS(OLD),
        IN_A_FILE(1),
        HELP("a client with several subscriptions to a topic gets a message for each, not one for "
             "all of them")},
    {"max_keepalive", DURATION(0, 65535, 3600), GLOBAL(keep_alive_max_s), IN_A_FILE(0),
        HELP("longest keep-alive of 5.0 clients, who are told; with a file clients of 3.x that "
             "want a longer one are refused; 0: no limit")},
    {"retain_available", BOOLEAN(1), GLOBAL(retain_available), HELP("take retained messages")},
    {"retain_expiry_interval", NUMBER(0, 10000000, 0), GLOBAL(retain_expiry_min),
        NO_EFFECT("retained messages go at the moment they expire"),
        HELP("minutes between removals of expired retained messages")},
    {"persistent_client_expiration", EXPIRY(14 * DAY), GLOBAL(session_expiry_s),
        IN_A_FILE(SESSION_NEVER_EXPIRES),
        HELP("sessions of clients that stay away are removed after this time (m is a month)")},
    {"global_max_clients", NUMBER(-1, INT_BOUND, 100000), GLOBAL(sessions_max),
        OR("max_sessions"), FLAGS(MINUS_ONE), IN_A_FILE(0),
        HELP("sessions, connected or not; -1: no limit")},
    {"global_max_connections", NUMBER(-1, INT_BOUND, 0), GLOBAL(connections_max),
        FLAGS(MINUS_ONE),
        HELP("connected clients; -1: as many as there are file descriptors")},
    {"login_threads", NUMBER(1, 64, 2), GLOBAL(login_threads), FLAGS(START | OURS),
        HELP("passwords that are hashed at once")},
    {"memory_limit", SIZE(0, 1024 * GiB, 0), GLOBAL(memory_limit), FLAGS(START),
        HELP("memory for what clients send; 0: a quarter of the machine's, at least 64M")},
    {"set_tcp_nodelay", BOOLEAN(1), GLOBAL(set_tcp_nodelay),
        NO_EFFECT("small packets are never held back"),
        HELP("send small packets at once")},
    {"sys_interval", DURATION(0, 65535, 10), GLOBAL(sys_interval_s),
        HELP("how often $SYS is published; 0: never")},
    {"connect_timeout", DURATION(1, 3600, 10), GLOBAL(connect_timeout_s), FLAGS(OURS),
        HELP("time from accepting a connection to its whole CONNECT")},
    {"max_pending_connections", NUMBER(1, 1000000, 1000), GLOBAL(pending_max), FLAGS(OURS),
        HELP("connections without CONNECT; the oldest goes first")},
    {"max_pending_per_address", NUMBER(1, 1000000, 50), GLOBAL(pending_address_max), FLAGS(OURS),
        HELP("the same from one address (this machine is exempt)")},
    {"max_connect_packet_size", SIZE(64, 256 * MiB, 256 * KiB), GLOBAL(connect_packet_bytes_max),
        FLAGS(OURS), HELP("largest packet before CONNECT was accepted")},
    {"max_output_bytes", SIZE(1, 1024 * GiB, 1 * MiB), GLOBAL(output_bytes_max), FLAGS(OURS),
        HELP("QoS 0 bytes waiting for one client that reads slowly; the oldest goes first")},
    {"stalled_output_timeout", DURATION(1, DAY, 60), GLOBAL(stalled_output_s), FLAGS(OURS),
        HELP("a client that has output waiting and reads nothing for so long is disconnected")},
    {"max_subscriptions", NUMBER(1, 100000000, 1000), GLOBAL(subscriptions_max), FLAGS(OURS),
        HELP("subscriptions of one session")},
    {"max_subscriptions_all", NUMBER(1, 1000000000, 1000000), GLOBAL(subscriptions_all_max),
        FLAGS(OURS), HELP("subscriptions of all sessions")},
    {"max_topic_bytes", NUMBER(1, 65535, 4096), GLOBAL(topic_bytes_max), FLAGS(OURS),
        HELP("length of a topic or filter")},
    {"max_topic_levels", NUMBER(1, 65535, 128), GLOBAL(topic_levels_max), FLAGS(OURS),
        HELP("levels of a topic or filter")},
    {"max_user_properties", NUMBER(0, 65535, 64), GLOBAL(user_properties_max), FLAGS(OURS),
        HELP("user properties in one packet")},
    {"max_property_bytes", SIZE(64, 256 * MiB, 128 * KiB), GLOBAL(property_bytes_max), FLAGS(OURS),
        HELP("properties in one packet")},
    {"max_client_id_bytes", NUMBER(23, 65535, 256), GLOBAL(client_id_bytes_max), FLAGS(OURS),
        HELP("length of a client identifier")},
    {"max_retained_messages", NUMBER(0, 4000000000, 100000), GLOBAL(retained_count_max),
        FLAGS(START | OURS), HELP("retained messages, $SYS not counted")},
    {"max_retained_bytes", SIZE(0, 1024 * GiB, 256 * MiB), GLOBAL(retained_bytes_max),
        FLAGS(START | OURS), HELP("their bytes")},
    {"server_reference", TEXT, GLOBAL(server_reference), FLAGS(OURS),
        HELP("another server that clients are sent to when this one stops")},
    {"response_information", TEXT_WITH("response"), GLOBAL(response_information), FLAGS(OURS),
        HELP("first level of the topics given to 5.0 clients that ask for response information")},

    // ---- the store ----
    {"persistence", BOOLEAN(1), GLOBAL(persistence), OR("retained_persistence"), FLAGS(START),
        IN_A_FILE(0),
        HELP("keep sessions, queued and retained messages on the disk; what is acknowledged is"
             " there")},
    {"persistence_location", TEXT, GLOBAL(data), OR("data"), FLAGS(START), IN_A_FILE_TEXT("."),
        HELP("directory of the store (default: the user's state directory, /var/lib/bud for root;"
             " with a file the current directory)")},
    {"persistence_file", TEXT_WITH("mosquitto.db"), GLOBAL(persistence_file), FLAGS(START),
        NO_EFFECT("the store has a form of its own, in persistence_location"),
        HELP("name of Mosquitto's file")},
    {"autosave_interval", NUMBER(-INT_BOUND, INT_BOUND, 1800), GLOBAL(autosave_interval),
        NO_EFFECT("every acknowledgement is on the disk already"),
        HELP("seconds, or changes, between savings")},
    {"autosave_on_changes", BOOLEAN(0), GLOBAL(autosave_on_changes),
        NO_EFFECT("every acknowledgement is on the disk already"),
        HELP("count changes instead of seconds")},
    {"durability", CHOICE("auto|commit|batch|relaxed", 0), GLOBAL(durability), FLAGS(START | OURS),
        HELP("acknowledge after each commit, after a commit every batch_ms (fewer writes, nothing "
             "lost), or without waiting for the disk (a power cut may lose a second); auto: "
             "commit, and batch on SD cards")},
    {"batch_ms", NUMBER(1, 60000, 500), GLOBAL(batch_ms), FLAGS(START | OURS),
        HELP("milliseconds between commits with durability batch")},
    {"will_grace", DURATION(0, DAY, 30), GLOBAL(will_grace_s), FLAGS(START | OURS),
        HELP("after a restart clients have so long to come back before their wills are"
             " published")},

    // ---- the log ----
    {"log_dest", LIST, GLOBAL_LIST(log_destinations),
        HELP("stdout, stderr, syslog, topic, file PATH or none; several are possible")},
    {"log_type",
        LIST_OF("debug|error|warning|notice|information|subscribe|unsubscribe|internal|websockets|"
                "none|all"),
        GLOBAL_LIST(log_types), HELP("what is logged; several are possible")},
    {"log_format", CHOICE("text|logfmt|json|mosquitto", 0), GLOBAL(log_format), FLAGS(OURS),
        HELP("how log lines look")},
    {"log_timestamp", BOOLEAN(1), GLOBAL(log_timestamp), HELP("log lines begin with the time")},
    {"log_timestamp_format", TEXT, GLOBAL(log_timestamp_format),
        HELP("the time as strftime writes it (default: of the log format)")},
    {"log_facility", NUMBER(0, 7, LOG_FACILITY_DAEMON), GLOBAL(log_facility),
        HELP("of syslog, LOCAL0 to LOCAL7 (default: DAEMON)")},
    {"connection_messages", BOOLEAN(1), GLOBAL(connection_messages),
        HELP("log who connects and disconnects")},
    {"websockets_log_level", NUMBER(0, INT_BOUND, 0), .scope = SCOPE_GLOBAL,
        NO_EFFECT("there is no libwebsockets; see log_type"), HELP("of libwebsockets")},

    // ---- the process ----
    {"workers", NUMBER(0, 256, 0), GLOBAL(workers), FLAGS(START | OURS),
        HELP("threads; 0: one for each core")},
    {"reserved_descriptors", NUMBER(4, 10000, 16), GLOBAL(descriptors_reserved),
        FLAGS(START | OURS), HELP("file descriptors that clients cannot take")},
    {"pid_file", TEXT, GLOBAL(pid_file), FLAGS(START), HELP("write the process number there")},
    {"user", TEXT, GLOBAL(user), FLAGS(START), IN_A_FILE_TEXT("mosquitto"),
        HELP("become this user when started as root; root stays root (default: bud, mosquitto or "
             "nobody, whichever there is; with a file not bud; or PUID and PGID of the "
             "environment)")},
    {"sandbox", BOOLEAN(1), GLOBAL(sandbox), FLAGS(START | OURS),
        HELP("let the kernel refuse files and system calls that a broker has no use for")},
    {"packet_buffer_size", NUMBER(0, 65535, 4096), GLOBAL(packet_buffer_size),
        OR("websockets_headers_size"), NO_EFFECT("clients need no buffer of their own"),
        HELP("bytes read at once")},
    {"enable_control_api", BOOLEAN(0), GLOBAL(enable_control_api),
        LATER("$CONTROL is not served yet"), HELP("$CONTROL/broker/v1")},
    {"retry_interval", TEXT, .scope = SCOPE_GLOBAL, FLAGS(OLD),
        NO_EFFECT("messages are sent again when a client connects again, as MQTT wants it"),
        HELP("seconds between sendings")},

    // ---- plugins ----
    {"plugin", KEYWORD, PLUGIN, OR("auth_plugin"), HELP("shared object; see plugins")},
    {"global_plugin", KEYWORD, PLUGIN, HELP("the same for all listeners")},
    {"plugin_load", KEYWORD, PLUGIN, HELP("NAME PATH: the same, used by plugin_use")},
    {"plugin_use", KEYWORD, PLUGIN, FLAGS(BELOW), HELP("NAME: use it for this listener")},
    {"auth_plugin_deny_special_chars", BOOLEAN(1), PLUGIN,
        NO_EFFECT("user names and client identifiers never act as wildcards"),
        HELP("refuse names with + or #")},

    // ---- bridges ----
    {"address", TEXT, BRIDGE, OR("addresses"), HELP("HOST[:PORT] ... of the other broker")},
    {"topic", LIST, BRIDGE, HELP("PATTERN [DIRECTION [QOS [LOCAL-PREFIX [REMOTE-PREFIX]]]]")},
    {"remote_clientid", TEXT, BRIDGE, OR("clientid"), HELP("client identifier over there")},
    {"local_clientid", TEXT, BRIDGE, HELP("client identifier here")},
    {"remote_username", TEXT, BRIDGE, OR("username"), HELP("user name over there")},
    {"remote_password", TEXT, BRIDGE, OR("password"), HELP("password over there")},
    {"local_username", TEXT, BRIDGE, HELP("user name here")},
    {"local_password", TEXT, BRIDGE, HELP("password here")},
    {"cleansession", BOOLEAN(0), BRIDGE, HELP("start anew with each connection")},
    {"local_cleansession", BOOLEAN(0), BRIDGE, HELP("the same on this side")},
    {"keepalive_interval", NUMBER(0, 65535, 60), BRIDGE, HELP("seconds; at least 5")},
    {"idle_timeout", NUMBER(0, INT_BOUND, 60), BRIDGE, HELP("seconds, of a lazy bridge")},
    {"threshold", NUMBER(0, INT_BOUND, 10), BRIDGE, HELP("messages that start a lazy bridge")},
    {"start_type", CHOICE("automatic|lazy|once", 0), BRIDGE, HELP("when it connects")},
    {"restart_timeout", TEXT_WITH("5 30"), BRIDGE, HELP("SECONDS, or BASE CAP [STABLE]")},
    {"round_robin", BOOLEAN(0), BRIDGE, HELP("no address is the first choice")},
    {"try_private", BOOLEAN(1), BRIDGE, HELP("tell the other broker that this is a bridge")},
    {"notifications", BOOLEAN(1), BRIDGE, HELP("publish whether it is connected")},
    {"notifications_local_only", BOOLEAN(0), BRIDGE, HELP("on this side only")},
    {"notification_topic", TEXT, BRIDGE, HELP("where")},
    {"bridge_attempt_unsubscribe", BOOLEAN(1), BRIDGE, HELP("unsubscribe from `out` topics")},
    {"bridge_bind_address", TEXT, BRIDGE, HELP("connect from this address")},
    {"bridge_protocol_version", CHOICE("mqttv31|mqttv311|mqttv50", 1), BRIDGE,
        HELP("version of MQTT")},
    {"bridge_max_packet_size", SIZE(0, 268435460, 0), BRIDGE, HELP("largest packet")},
    {"bridge_max_topic_alias", NUMBER(0, 65535, 10), BRIDGE, HELP("topic aliases from there")},
    {"bridge_receive_maximum", NUMBER(1, 65535, 20), BRIDGE, HELP("unacknowledged messages")},
    {"bridge_session_expiry_interval", NUMBER(0, UINT32_MAX, 0), BRIDGE, HELP("seconds")},
    {"bridge_outgoing_retain", BOOLEAN(1), BRIDGE, HELP("keep the retain flag")},
    {"bridge_tcp_keepalive", TEXT, BRIDGE, HELP("IDLE INTERVAL COUNT")},
    {"bridge_tcp_user_timeout", NUMBER(0, INT_BOUND, 0), BRIDGE, HELP("milliseconds")},
    {"bridge_reload_type", CHOICE("lazy|immediate", 0), BRIDGE,
        HELP("when changes take effect")},
    {"bridge_cafile", TEXT, BRIDGE, HELP("who signs the other broker's certificate")},
    {"bridge_capath", TEXT, BRIDGE, HELP("the same as a directory")},
    {"bridge_certfile", TEXT, BRIDGE, HELP("our certificate")},
    {"bridge_keyfile", TEXT, BRIDGE, HELP("its key")},
    {"bridge_alpn", TEXT, BRIDGE, HELP("protocol name asked for")},
    {"bridge_ciphers", TEXT, BRIDGE, HELP("ciphers of TLS 1.2")},
    {"bridge_ciphers_tls1.3", TEXT, BRIDGE, HELP("ciphers of TLS 1.3")},
    {"bridge_tls_version", WORD("tlsv1.3|tlsv1.2|tlsv1.1", "tlsv1.2"), BRIDGE,
        HELP("version of TLS")},
    {"bridge_insecure", BOOLEAN(0), BRIDGE, HELP("do not compare the host's name")},
    {"bridge_require_ocsp", BOOLEAN(0), BRIDGE, HELP("ask whether the certificate is revoked")},
    {"bridge_tls_use_os_certs", BOOLEAN(0), BRIDGE, HELP("trust whom the system trusts")},
    {"bridge_identity", TEXT, BRIDGE, HELP("PSK identity")},
    {"bridge_psk", TEXT, BRIDGE, HELP("PSK, in hexadecimal")},
};
// clang-format on

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

const struct option_row *option_rows(size_t *ret_count)
{
    *ret_count = ROW_COUNT;
    return rows;
}

static char folded(char c, bool dashes)
{
    return dashes && c == '-' ? '_' : c;
}

// Is `asked` the name that is `size` bytes long?
static bool same_name(const char *name, size_t size, const char *asked, bool dashes)
{
    for (size_t i = 0; i < size; i++)
        if (name[i] != folded(asked[i], dashes)) // also at its end
            return false;
    return asked[size] == 0;
}

static bool is_alias(const char *aliases, const char *asked, bool dashes)
{
    while (aliases != NULL && *aliases != 0) {
        size_t size = strcspn(aliases, "|");
        if (same_name(aliases, size, asked, dashes))
            return true;
        aliases += size + (aliases[size] == '|');
    }
    return false;
}

static const struct option_row *find(const char *name, bool dashes)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (same_name(rows[i].name, strlen(rows[i].name), name, dashes) ||
            is_alias(rows[i].aliases, name, dashes))
            return &rows[i];
    return NULL;
}

const struct option_row *option_find(const char *name)
{
    return find(name, true);
}

const struct option_row *option_find_key(const char *name)
{
    return find(name, false);
}

const char *option_suggest(const char *name)
{
    const char *names[ROW_COUNT];
    for (size_t i = 0; i < ROW_COUNT; i++)
        names[i] = rows[i].name;
    return suggestion_nearest(name, names, ROW_COUNT);
}
