// SPDX-License-Identifier: MIT
#include "server/connection_name.h"

#include "os/random.h"
#include "server/listener.h"
#include "server/worker.h"

#include <stdio.h>
#include <string.h>

#define PREFIX_MAX 50

const struct listener_options *connection_listener(const struct connection *connection)
{
    return connection->listener != NULL ? connection->listener->options
                                        : &connection->worker->server->bare_listener;
}

// What follows the prefix of a name that is given out: random, so that it cannot be guessed and
// taken over.
static void assign(struct connection *connection)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[9];
    char *text = connection->assigned_client_id;
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        text[2 * i] = digits[random[i] >> 4];
        text[2 * i + 1] = digits[random[i] & 15];
    }
    text[2 * sizeof(random)] = 0;
}

struct bytes connection_name_of(const struct connection *connection,
                                const struct packet_connect *connect, char *room)
{
    const struct listener_options *listener = connection_listener(connection);
    if (listener->use_username_as_clientid)
        return connect->user_name;
    if (connection->assigned_client_id[0] == 0)
        return connect->client_id;
    int size = snprintf(room, CLIENT_NAME_ROOM, "%.*s%s", PREFIX_MAX, listener->auto_id_prefix,
                        connection->assigned_client_id);
    return bytes_make(room, (size_t)size);
}

static enum bud_reason refuse_name(struct connection *connection, const char *why,
                                   const char **ret_why)
{
    counter_add(&connection->worker->counters, COUNTER_REFUSED_CLIENT_ID, 1);
    *ret_why = why;
    return BUD_CLIENT_IDENTIFIER_NOT_VALID;
}

static enum bud_reason check_empty(struct connection *connection,
                                   const struct packet_connect *connect, const char **ret_why)
{
    // 3.1 knows no empty identifier, 3.1.1 only for a session that nobody returns to [MQTT-3.1.3-8
    // of 3.1.1].
    if (connect->version == MQTT_3_1 || (connect->version == MQTT_3_1_1 && !connect->clean_start))
        return refuse_name(
            connection,
            "an empty client identifier needs a clean session (and at least MQTT 3.1.1)", ret_why);
    if (!connection_listener(connection)->allow_zero_length_clientid)
        return refuse_name(
            connection, "an empty client identifier (allow_zero_length_clientid false)", ret_why);
    if (connection->assigned_client_id[0] == 0)
        assign(connection); // [MQTT-3.1.3-6] [MQTT-3.1.3-7]
    return BUD_SUCCESS;
}

static bool begins_with(struct bytes name, const char *prefix)
{
    size_t size = strlen(prefix);
    return name.size >= size && memcmp(name.data, prefix, size) == 0;
}

static enum bud_reason check_own(struct connection *connection, struct bytes name,
                                 const char **ret_why)
{
    const struct server *server = connection->worker->server;
    const char *prefix = server->options.client_id_prefix;
    if (name.size > server->limits.client_id_bytes_max)
        return refuse_name(connection, "client identifier too long (max_client_id_bytes)", ret_why);
    if (prefix == NULL || prefix[0] == 0 || begins_with(name, prefix))
        return BUD_SUCCESS;
    counter_add(&connection->worker->counters, COUNTER_REFUSED_CLIENT_ID, 1);
    *ret_why = "the client identifier does not begin as clientid_prefixes says";
    return BUD_NOT_AUTHORIZED;
}

// 3.x cannot be told of a shorter keep-alive. With a file it is refused, with the code that
// Mosquitto has for it.
static bool is_keep_alive_too_long(const struct connection *connection,
                                   const struct packet_connect *connect)
{
    const struct options *options = &connection->worker->server->options;
    uint64_t most = options->keep_alive_max_s;
    return options->from_file && connect->version < MQTT_5_0 && most > 0 &&
           (connect->keep_alive == 0 || connect->keep_alive > most);
}

enum bud_reason connection_name_check(struct connection *connection,
                                      const struct packet_connect *connect, const char **ret_why)
{
    const struct listener_options *listener = connection_listener(connection);
    if ((listener->versions >> connect->version & 1) == 0) {
        *ret_why = "this listener does not take this version of MQTT (accept_protocol_versions)";
        return BUD_UNSUPPORTED_PROTOCOL_VERSION;
    }
    if (is_keep_alive_too_long(connection, connect)) {
        *ret_why = "its keep-alive is longer than max_keepalive";
        return BUD_CLIENT_IDENTIFIER_NOT_VALID;
    }
    if (listener->use_username_as_clientid && connect->user_name.size == 0) {
        counter_add(&connection->worker->counters, COUNTER_REFUSED_NOT_AUTHORIZED, 1);
        *ret_why = "without a user name there is no client identifier (use_username_as_clientid)";
        return BUD_NOT_AUTHORIZED;
    }
    if (listener->use_username_as_clientid)
        return check_own(connection, connect->user_name, ret_why);
    return connect->client_id.size > 0 ? check_own(connection, connect->client_id, ret_why)
                                       : check_empty(connection, connect, ret_why);
}
