// SPDX-License-Identifier: MIT
// What one listener is told: where it listens, what it speaks, who may come in by it. Filled in by
// the configuration (or, without one, by the defaults of a bare start). Texts belong to the
// configuration and live as long as it; a text that is not set is "".
#ifndef BUD_SERVER_LISTENER_OPTIONS_H
#define BUD_SERVER_LISTENER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum listener_protocol { PROTOCOL_ANY, PROTOCOL_MQTT, PROTOCOL_WEBSOCKETS, PROTOCOL_HTTP };

// Is TLS around it? ALSO: by the first bytes.
enum listener_tls { LISTENER_TLS_NONE, LISTENER_TLS_ALSO, LISTENER_TLS_ONLY };

enum socket_domain { SOCKET_ANY, SOCKET_IPV4, SOCKET_IPV6 };

struct listener_options {
    const char *file; // where it is written, for messages; "" not in a file
    uint32_t line;

    const char *address;   // "" every interface; a name or numeric address
    const char *path;      // of a Unix socket; then address and port mean nothing
    const char *interface; // bind_interface
    uint16_t port;
    uint8_t socket_domain;  // enum socket_domain
    uint8_t protocol;       // enum listener_protocol
    uint8_t tls;            // enum listener_tls
    uint8_t versions;       // accept_protocol_versions: bits 1 << 3, 1 << 4, 1 << 5
    uint8_t proxy_protocol; // 0: if it comes from trusted_proxies; 1, 2: each connection begins so
    bool proxy_protocol_v2_require_tls;
    const char *http_dir;
    const char *const *origins; // websockets_origin; none: the host of the request itself
    uint32_t origin_count;

    uint64_t connections_max; // 0: no limit of its own
    uint8_t qos_max;
    uint16_t topic_alias_max;        // from the client
    uint16_t topic_alias_broker_max; // to the client
    const char *mount_point;

    // Who may come in; per_listener_settings is resolved already.
    uint8_t allow_anonymous; // enum anonymous_rule
    bool allow_zero_length_clientid;
    const char *auto_id_prefix;
    bool use_username_as_clientid;
    const char *password_file;
    const char *acl_file;
    const char *psk_file;

    const char *certfile, *keyfile, *cafile, *capath, *crlfile;
    bool require_certificate;
    bool use_identity_as_username;
    bool use_subject_as_username;
    bool disable_client_cert_date_checks;
    const char *ciphers, *ciphers_tls13, *tls_version;
    const char *tls_engine, *tls_engine_kpass_sha1, *tls_keyform;
    const char *psk_hint;
};

#endif
