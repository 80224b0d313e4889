// SPDX-License-Identifier: MIT
// See connection.h: options, and opening and closing. The words for failures are in
// connection_words.c.
#include "cmd/connection.h"

#include "base/suggestion.h"
#include "cmd/connection_words.h"
#include "os/random.h"
#include "proto/topic.h"
#include "proto/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 1883
#define DEFAULT_KEEP_ALIVE 60
#define DEFAULT_TIMEOUT_MS 10000

static struct bytes text_of(const char *text)
{
    return bytes_make(text, strlen(text));
}

void connection_init(struct connection *connection, const char *program)
{
    *connection = (struct connection){
        .program = program,
        .host = "127.0.0.1",
        .port = DEFAULT_PORT,
        .timeout_ms = DEFAULT_TIMEOUT_MS,
        .connect =
            {
                .version = MQTT_5_0,
                .clean_start = true,
                .keep_alive = DEFAULT_KEEP_ALIVE,
            },
    };
}

bool connection_number(const struct connection *connection, const char *option, const char *text,
                       uint32_t least, uint32_t most, uint32_t *ret_number)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < least || number > most) {
        connection_complain(connection, "%s takes a number from %u to %u, not '%s'", option, least,
                            most, text);
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static int take_version(struct connection *connection, const char *text)
{
    static const struct {
        const char *text;
        uint8_t version;
    } versions[] = {
        {"3.1", MQTT_3_1},   {"31", MQTT_3_1},     {"mqttv31", MQTT_3_1},    {"3.1.1", MQTT_3_1_1},
        {"311", MQTT_3_1_1}, {"4", MQTT_3_1_1},    {"mqttv311", MQTT_3_1_1}, {"5", MQTT_5_0},
        {"5.0", MQTT_5_0},   {"mqttv5", MQTT_5_0},
    };

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (strcmp(versions[i].text, text) == 0) {
            connection->connect.version = versions[i].version;
            return 1;
        }
    }
    connection_complain(connection, "-V takes 3.1, 3.1.1 or 5, not '%s'", text);
    return -1;
}

static int take_port(struct connection *connection, const char *text)
{
    uint32_t port;

    if (!connection_number(connection, "--port", text, 1, 65535, &port))
        return -1;
    connection->port = (uint16_t)port;
    return 1;
}

static int take_keep_alive(struct connection *connection, const char *text)
{
    uint32_t seconds;

    if (!connection_number(connection, "--keep-alive", text, 0, 65535, &seconds))
        return -1;
    connection->connect.keep_alive = (uint16_t)seconds;
    return 1;
}

static int take_will_qos(struct connection *connection, const char *text)
{
    uint32_t qos;

    if (!connection_number(connection, "--will-qos", text, 0, 2, &qos))
        return -1;
    connection->connect.will.qos = (uint8_t)qos;
    return 1;
}

static int take_credential(const char *text, bool *has, struct bytes *credential)
{
    *has = true;
    *credential = text_of(text);
    return 1;
}

int connection_option(struct connection *connection, int option, const char *argument)
{
    struct packet_connect *connect = &connection->connect;

    switch (option) {
    case 'h': connection->host = argument; return 1;
    case 'p': return take_port(connection, argument);
    case 'i': connect->client_id = text_of(argument); return 1;
    case 'u': return take_credential(argument, &connect->has_user_name, &connect->user_name);
    case 'P': return take_credential(argument, &connect->has_password, &connect->password);
    case 'V': return take_version(connection, argument);
    case 'k': return take_keep_alive(connection, argument);
    case OPTION_WILL_TOPIC: connect->will.topic = text_of(argument); return 1;
    case OPTION_WILL_PAYLOAD: connect->will.payload = text_of(argument); return 1;
    case OPTION_WILL_QOS: return take_will_qos(connection, argument);
    case OPTION_WILL_RETAIN: connect->will.retain = true; return 1;
    default: return 0;
    }
}

static const char *nearest_option(const char *given, const struct option *options)
{
    const char *names[64];
    size_t count = 0;

    while (options[count].name && count < sizeof(names) / sizeof(names[0])) {
        names[count] = options[count].name;
        count++;
    }
    return strncmp(given, "--", 2) == 0 ? suggestion_nearest(given + 2, names, count) : NULL;
}

void connection_bad_option(const struct connection *connection, int option, char *const *argv,
                           const struct option *options)
{
    // For a cluster of short options argv[optind - 1] may be another word: optopt knows the letter.
    bool is_short = optopt > 0 && optopt < 256;
    const char *given = argv[optind - 1], *nearest;
    char letter[3] = {'-', (char)optopt, '\0'};

    if (is_short && strncmp(given, "--", 2) != 0)
        given = letter;
    nearest = nearest_option(given, options);
    if (option == ':')
        connection_complain(connection, "%s needs an argument. See: %s --help", given,
                            connection->program);
    else if (nearest)
        connection_complain(connection, "there is no option %s. Did you mean --%s?", given,
                            nearest);
    else
        connection_complain(connection, "there is no option %s. See: %s --help", given,
                            connection->program);
}

static bool finish_will(struct connection *connection)
{
    struct packet_will *will = &connection->connect.will;

    connection->connect.has_will = will->topic.size > 0;
    if (!connection->connect.has_will) {
        if (!will->payload.data && will->qos == 0 && !will->retain)
            return true;
        connection_complain(connection, "a will needs a topic. Give it with --will-topic");
        return false;
    }
    if (topic_name_valid(will->topic) && utf8_valid(will->topic))
        return true;
    connection_complain(connection, "--will-topic takes a topic, without '+' and '#'");
    return false;
}

// "bud-pub-1a2b3c4d": at most 23 characters, as 3.1 wants.
static void make_up_id(struct connection *connection)
{
    uint32_t number;
    int size;

    random_bytes(&number, sizeof(number));
    size = snprintf(connection->id, sizeof(connection->id), "%s-%08x", connection->program, number);
    connection->id[3] = '-'; // for the space in "bud pub"
    connection->connect.client_id = bytes_make(connection->id, (size_t)size);
}

bool connection_finish(struct connection *connection)
{
    struct packet_connect *connect = &connection->connect;
    const char *password = getenv("BUD_PASSWORD");

    if (password && !connect->has_password && connect->has_user_name)
        take_credential(password, &connect->has_password, &connect->password);
    if (connect->has_password && !connect->has_user_name && connect->version != MQTT_5_0) {
        connection_complain(connection, // [MQTT-3.1.2-22]
                            "before MQTT 5 a password needs a user name. Give it with -u");
        return false;
    }
    if (connection->wants_session_expiry && connect->version != MQTT_5_0) {
        connection_complain(connection, "--session-expiry needs MQTT 5. Leave out -V");
        return false;
    }
    if (!finish_will(connection))
        return false;
    if (connect->client_id.size > 0)
        return true;
    if (!connect->clean_start) {
        connection_complain(connection, "a session that is kept needs a name. Give it with -i");
        return false;
    }
    make_up_id(connection);
    return true;
}

bool connection_open(struct connection *connection)
{
    struct client_transport transport;
    struct client_status status;
    int error = client_transport_tcp(connection->host, connection->port, connection->timeout_ms,
                                     &transport);

    if (error) {
        connection_complain_unreached(connection, error);
        return false;
    }
    client_init(&connection->client, transport, connection->timeout_ms);
    status = client_connect(&connection->client, &connection->connect);
    if (client_ok(status))
        return true;
    connection_complain_refused(connection, status);
    client_done(&connection->client);
    return false;
}

void connection_close(struct connection *connection)
{
    struct client_status status = client_disconnect(&connection->client, BUD_SUCCESS);

    if (!client_ok(status) && status.error != -ENOTCONN)
        connection_complain_lost(connection, status);
    client_done(&connection->client);
}
