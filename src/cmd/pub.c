// SPDX-License-Identifier: MIT
// `bud pub TOPIC VALUE`: sends, waits until the broker has taken it over, and says if it has not.
#include "cmd/cmd.h"
#include "cmd/connection.h"
#include "proto/topic.h"
#include "proto/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct pub {
    struct connection connection;
    const char *topic;
    const char *value;
    uint32_t qos;
    uint32_t count;
    bool retain;
    bool lines;
    bool literal;
    bool failed; // a message was refused; said so
};

enum { OPTION_LITERAL = OPTION_OWN };

static const struct option options[] = {
    CONNECTION_LONG,
    {"qos", required_argument, NULL, 'q'},
    {"retain", no_argument, NULL, 'r'},
    {"count", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, 't'},
    {"lines", no_argument, NULL, 'l'},
    {"literal", no_argument, NULL, OPTION_LITERAL},
    {NULL, 0, NULL, 0},
};

static int help(void)
{
    fputs("usage: bud pub [OPTION...] TOPIC VALUE\n"
          "       bud pub [OPTION...] TOPIC -l\n\n"
          "Sends VALUE to TOPIC. VALUE '-' is standard input, '@FILE' the contents of FILE.\n\n"
          "  -q, --qos QOS            0 at most once, 1 at least once, 2 exactly once (0)\n"
          "  -r, --retain             the broker keeps it for who comes later; an empty VALUE "
          "removes it\n"
          "  -l, --lines              each line of standard input is a message\n"
          "  -n, --count COUNT        send it COUNT times (1)\n"
          "      --literal            VALUE means itself, also '-' and '@...'\n"
          "  -t, --timeout SECONDS    how long to wait for each answer (10)\n" CONNECTION_HELP
          "\nExit status: 0 taken over (QoS 0: sent), 1 not, 2 not understood.\n",
          stdout);
    return EXIT_DONE;
}

static bool take_option(struct pub *pub, int option)
{
    struct connection *connection = &pub->connection;
    uint32_t seconds;

    switch (option) {
    case 'q': return connection_number(connection, "--qos", optarg, 0, 2, &pub->qos);
    case 'r': pub->retain = true; return true;
    case 'l': pub->lines = true; return true;
    case OPTION_LITERAL: pub->literal = true; return true;
    case 'n': return connection_number(connection, "--count", optarg, 1, UINT32_MAX, &pub->count);
    case 't':
        if (!connection_number(connection, "--timeout", optarg, 1, 86400, &seconds))
            return false;
        connection->timeout_ms = (int)seconds * 1000;
        return true;
    default: return connection_option(connection, option, optarg) > 0;
    }
}

static bool take_arguments(struct pub *pub, int count, char *const *arguments)
{
    int expected = pub->lines ? 1 : 2;

    if (count != expected) {
        connection_complain(&pub->connection,
                            "%s. See: bud pub --help", // what is missing, not only that
                            count > expected ? "too many arguments: quote a value with spaces"
                            : count == 0     ? "a topic and a value are missing"
                                             : "a value is missing ('' sends an empty message)");
        return false;
    }
    pub->topic = arguments[0];
    pub->value = pub->lines ? "" : arguments[1];
    if (utf8_valid(bytes_make(pub->topic, strlen(pub->topic))) &&
        topic_name_valid(bytes_make(pub->topic, strlen(pub->topic))))
        return true;
    connection_complain(&pub->connection,
                        "'%s' is not a topic: a message goes to one topic; '+' and '#' are for "
                        "subscribing",
                        pub->topic);
    return false;
}

static bool parse(struct pub *pub, int argc, char **argv, bool *ret_help)
{
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, CONNECTION_SHORT "q:rn:t:l", options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            *ret_help = true;
            return true;
        }
        if (option == '?' || option == ':') {
            connection_bad_option(&pub->connection, option, argv, options);
            return false;
        }
        if (!take_option(pub, option))
            return false;
    }
    return take_arguments(pub, argc - optind, argv + optind) && connection_finish(&pub->connection);
}

// Reads all of `stream`. False: said why.
static bool read_all(struct pub *pub, FILE *stream, const char *name, struct buffer *buffer)
{
    size_t size;

    do {
        if (!buffer_try_reserve(buffer, 65536, PACKET_SIZE_MAX)) {
            connection_complain(&pub->connection, "%s is larger than an MQTT message can be", name);
            return false;
        }
        size = fread(buffer->data + buffer->size, 1, buffer->capacity - buffer->size, stream);
        buffer->size += size;
    } while (size > 0);
    if (!ferror(stream))
        return true;
    connection_complain(&pub->connection, "cannot read %s: %s", name, strerror(errno));
    return false;
}

static bool read_file(struct pub *pub, const char *path, struct buffer *buffer)
{
    FILE *stream = fopen(path, "rbe");
    bool done;

    if (!stream) {
        connection_complain(&pub->connection,
                            "cannot read '%s': %s. (To send the text '%s' itself: --literal)", path,
                            strerror(errno), pub->value);
        return false;
    }
    done = read_all(pub, stream, path, buffer);
    fclose(stream);
    return done;
}

// `buffer` holds what was read; *ret_value views it or the argument.
static bool load_value(struct pub *pub, struct buffer *buffer, struct bytes *ret_value)
{
    bool from_stdin = !pub->literal && strcmp(pub->value, "-") == 0;
    bool from_file = !pub->literal && pub->value[0] == '@';

    if (from_stdin && !read_all(pub, stdin, "standard input", buffer))
        return false;
    if (from_file && !read_file(pub, pub->value + 1, buffer))
        return false;
    *ret_value =
        from_stdin || from_file ? buffer_bytes(buffer) : bytes_make(pub->value, strlen(pub->value));
    return true;
}

static bool take_event(struct pub *pub)
{
    struct connection *connection = &pub->connection;
    struct client_event event;
    struct client_status status = client_next(&connection->client, connection->timeout_ms, &event);

    if (!client_ok(status)) {
        connection_complain_lost(connection, status);
        return false;
    }
    if (event.type == CLIENT_NOTHING) {
        connection_complain(connection, "the broker has not taken the message over within %d s",
                            connection->timeout_ms / 1000);
        return false;
    }
    if (event.type == CLIENT_PUBLISHED && bud_reason_is_error(event.reason)) {
        connection_complain(
            connection, "the broker refused the message: %s%s%s", bud_reason_text(event.reason),
            connection->client.reason_string[0] ? ": " : "", connection->client.reason_string);
        pub->failed = true;
    }
    return true;
}

static void complain_unsent(struct pub *pub, struct client_status status)
{
    if (status.error)
        connection_complain_lost(&pub->connection, status);
    else
        connection_complain(&pub->connection, "the broker does not take such a message: %s",
                            bud_reason_text(status.reason));
}

static bool publish(struct pub *pub, struct bytes value)
{
    struct packet_publish message = {
        .qos = (uint8_t)pub->qos,
        .retain = pub->retain,
        .topic = bytes_make(pub->topic, strlen(pub->topic)),
        .payload = value,
    };

    for (;;) {
        struct client_status status = client_publish(&pub->connection.client, &message);

        if (client_ok(status))
            return true;
        if (status.error != -EAGAIN) {
            complain_unsent(pub, status);
            return false;
        }
        if (!take_event(pub)) // the window is full
            return false;
    }
}

// One line without its newline; false at the end.
static bool read_line(struct buffer *line)
{
    int byte = getc_unlocked(stdin);

    line->size = 0;
    if (byte == EOF)
        return false;
    for (; byte != EOF && byte != '\n'; byte = getc_unlocked(stdin)) {
        uint8_t one = (uint8_t)byte;

        if (!buffer_try_append(line, bytes_make(&one, 1), PACKET_SIZE_MAX))
            return false;
    }
    return true;
}

static bool publish_lines(struct pub *pub)
{
    struct buffer line = {0};
    bool done = true;

    while (done && read_line(&line)) {
        for (uint32_t i = 0; done && i < pub->count; i++)
            done = publish(pub, buffer_bytes(&line));
    }
    if (done && ferror(stdin)) {
        connection_complain(&pub->connection, "cannot read standard input: %s", strerror(errno));
        done = false;
    }
    buffer_done(&line);
    return done;
}

static bool publish_all(struct pub *pub, struct bytes value)
{
    bool done = true;

    if (pub->lines)
        done = publish_lines(pub);
    for (uint32_t i = 0; done && !pub->lines && i < pub->count; i++)
        done = publish(pub, value);
    while (done && client_unanswered(&pub->connection.client) > 0)
        done = take_event(pub);
    return done && !pub->failed;
}

static int run(struct pub *pub)
{
    struct buffer buffer = {0};
    struct bytes value;
    bool done = load_value(pub, &buffer, &value) && connection_open(&pub->connection);

    if (done) {
        done = publish_all(pub, value);
        connection_close(&pub->connection);
    }
    buffer_done(&buffer);
    return done ? EXIT_DONE : EXIT_FAILED;
}

int cmd_pub(int argc, char **argv)
{
    struct pub pub = {.count = 1};
    bool wants_help = false;

    connection_init(&pub.connection, "bud pub");
    if (!parse(&pub, argc, argv, &wants_help))
        return EXIT_USAGE;
    return wants_help ? help() : run(&pub);
}
