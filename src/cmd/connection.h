// SPDX-License-Identifier: MIT
// What `bud pub` and `bud sub` share: the options that say how to reach the broker and as whom, and
// words for every way that can fail. Complaints go to standard error, one line each: what happened,
// and what to do about it.
#ifndef BUD_CMD_CONNECTION_H
#define BUD_CMD_CONNECTION_H

#include "client/client.h"

#include <getopt.h>

struct connection {
    const char *program; // "bud pub", for complaints
    const char *host;
    uint16_t port;
    int timeout_ms; // for connecting and for each answer
    bool wants_session_expiry;
    struct packet_connect connect;
    char id[24]; // made up if none was given
    struct client client;
};

enum {
    OPTION_WILL_TOPIC = 256,
    OPTION_WILL_PAYLOAD,
    OPTION_WILL_QOS,
    OPTION_WILL_RETAIN,
    OPTION_HELP,
    OPTION_OWN, // the first that a tool may use for itself
};

// A tool's own table starts with these; its short options with CONNECTION_SHORT.
#define CONNECTION_SHORT ":h:p:i:u:P:V:k:"
#define CONNECTION_LONG                                                                            \
    {"host", required_argument, NULL, 'h'}, {"port", required_argument, NULL, 'p'},                \
        {"id", required_argument, NULL, 'i'}, {"user", required_argument, NULL, 'u'},              \
        {"password", required_argument, NULL, 'P'}, {"protocol", required_argument, NULL, 'V'},    \
        {"keep-alive", required_argument, NULL, 'k'},                                              \
        {"will-topic", required_argument, NULL, OPTION_WILL_TOPIC},                                \
        {"will-payload", required_argument, NULL, OPTION_WILL_PAYLOAD},                            \
        {"will-qos", required_argument, NULL, OPTION_WILL_QOS},                                    \
        {"will-retain", no_argument, NULL, OPTION_WILL_RETAIN},                                    \
    {                                                                                              \
        "help", no_argument, NULL, OPTION_HELP                                                     \
    }

#define CONNECTION_HELP                                                                            \
    "  -h, --host HOST          name or address of the broker (127.0.0.1)\n"                       \
    "  -p, --port PORT          its port (1883)\n"                                                 \
    "  -i, --id ID              client identifier (made up)\n"                                     \
    "  -u, --user NAME          user name\n"                                                       \
    "  -P, --password WORD      password; better in the environment: BUD_PASSWORD\n"               \
    "  -V, --protocol VERSION   3.1, 3.1.1 or 5 (5)\n"                                             \
    "  -k, --keep-alive SECONDS ping the broker when idle that long, 0 never (60)\n"               \
    "      --will-topic TOPIC   what the broker publishes if we go without a word:\n"              \
    "      --will-payload VALUE\n"                                                                 \
    "      --will-qos QOS\n"                                                                       \
    "      --will-retain\n"

void connection_init(struct connection *connection, const char *program);

// One option of getopt_long's. 1: it was one of these; 0: it is the tool's own; -1: it was one, its
// argument is wrong, and that was said.
int connection_option(struct connection *connection, int option, const char *argument);

// What getopt_long did not understand ('?' or ':'): says so and what was probably meant.
void connection_bad_option(const struct connection *connection, int option, char *const *argv,
                           const struct option *options);

// A whole number between `least` and `most`, or a complaint that names the option.
bool connection_number(const struct connection *connection, const char *option, const char *text,
                       uint32_t least, uint32_t most, uint32_t *ret_number);

// Whether the options fit together; after all were taken. False: said why.
bool connection_finish(struct connection *connection);

// Connects. False: said why.
bool connection_open(struct connection *connection);

// Says DISCONNECT and frees what connection_open had opened.
void connection_close(struct connection *connection);

// One line on standard error: "bud pub: ...".
void connection_complain(const struct connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The end of an open connection, in words.
void connection_complain_lost(const struct connection *connection, struct client_status status);

#endif
