// SPDX-License-Identifier: MIT
// `bud sub FILTER...`: prints messages as they come, payloads byte for byte. A message counts as
// received, and is acknowledged, once it was written out. What strangers published goes to the
// terminal as it is; --hex shows it harmlessly.
#include "cmd/cmd.h"
#include "cmd/connection.h"
#include "os/clock.h"
#include "os/process.h"
#include "proto/topic.h"
#include "proto/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SIGNAL_LOOK_MS 200 // how long after Ctrl-C we may still be waiting
#define SIGNAL_LOOK_MESSAGES 64
#define RETAIN_HANDLING_NONE 2

struct sub {
    struct connection connection;
    char *const *filters;
    size_t filter_count;
    uint32_t qos;
    uint32_t count;     // messages to print; 0: no end
    uint32_t timeout_s; // 0: none
    bool verbose;
    bool raw;
    bool hex;
    bool retained_only;
    bool no_retained;
    uint32_t printed;
    int64_t end_ms; // of timeout_s; -1: none
};

enum {
    OPTION_SESSION_EXPIRY = OPTION_OWN,
    OPTION_RETAINED_ONLY,
    OPTION_NO_RETAINED,
    OPTION_RAW,
    OPTION_HEX
};

static const struct option options[] = {
    CONNECTION_LONG,
    {"qos", required_argument, NULL, 'q'},
    {"count", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, 't'},
    {"no-clean", no_argument, NULL, 'c'},
    {"session-expiry", required_argument, NULL, OPTION_SESSION_EXPIRY},
    {"verbose", no_argument, NULL, 'v'},
    {"retained-only", no_argument, NULL, OPTION_RETAINED_ONLY},
    {"no-retained", no_argument, NULL, OPTION_NO_RETAINED},
    {"raw", no_argument, NULL, OPTION_RAW},
    {"hex", no_argument, NULL, OPTION_HEX},
    {NULL, 0, NULL, 0},
};

static int help(void)
{
    fputs(
        "usage: bud sub [OPTION...] FILTER...\n\n"
        "Prints the payload of each message to a topic that a FILTER matches, one a line; with\n"
        "several filters, '+' or '#' the topic before it. '+' is any one level, '#' all below.\n\n"
        "  -v, --verbose            always print the topic\n"
        "      --raw                print payloads only, and nothing between them\n"
        "      --hex                print payloads as hexadecimal digits\n"
        "  -n, --count COUNT        end after COUNT messages\n"
        "  -t, --timeout SECONDS    end after SECONDS, with status 27\n"
        "  -q, --qos QOS            at most this quality of service: 0, 1 or 2 (0)\n"
        "      --retained-only      only messages that the broker had kept\n"
        "      --no-retained        only messages that are sent from now on\n"
        "  -c, --no-clean           keep the session: what comes while we are away comes later;\n"
        "                           needs -i\n"
        "      --session-expiry SECONDS  how long it is kept (-c: for ever)\n" CONNECTION_HELP
        "\nExit status: 0 done or interrupted, 1 it did not work, 2 not understood, 27 the time "
        "is over.\n",
        stdout);
    return EXIT_DONE;
}

static bool take_session_expiry(struct connection *connection, const char *text)
{
    struct properties *properties = &connection->connect.properties;

    connection->wants_session_expiry = true;
    properties->present |= (uint64_t)1 << PROPERTY_SESSION_EXPIRY_INTERVAL;
    return connection_number(connection, "--session-expiry", text, 0, UINT32_MAX,
                             &properties->session_expiry_interval);
}

static bool take_option(struct sub *sub, int option)
{
    struct connection *connection = &sub->connection;

    switch (option) {
    case 'q': return connection_number(connection, "--qos", optarg, 0, 2, &sub->qos);
    case 'n': return connection_number(connection, "--count", optarg, 1, UINT32_MAX, &sub->count);
    case 't':
        return connection_number(connection, "--timeout", optarg, 1, 86400 * 365, &sub->timeout_s);
    case 'c': connection->connect.clean_start = false; return true;
    case 'v': sub->verbose = true; return true;
    case OPTION_SESSION_EXPIRY: return take_session_expiry(connection, optarg);
    case OPTION_RETAINED_ONLY: sub->retained_only = true; return true;
    case OPTION_NO_RETAINED: sub->no_retained = true; return true;
    case OPTION_RAW: sub->raw = true; return true;
    case OPTION_HEX: sub->hex = true; return true;
    default: return connection_option(connection, option, optarg) > 0;
    }
}

static struct bytes text_of(const char *text)
{
    return bytes_make(text, strlen(text));
}

static bool take_filter(struct sub *sub, const char *text)
{
    struct bytes filter = text_of(text), group;
    enum topic_share share = topic_share_parse(filter, &group, &filter);

    if (share != TOPIC_SHARE_INVALID && topic_filter_valid(filter) && utf8_valid(filter)) {
        sub->verbose |= strpbrk(text, "+#") != NULL;
        return true;
    }
    connection_complain(&sub->connection,
                        "'%s' is not a topic filter: '+' stands for one whole level, '#' for all "
                        "levels at the end; quote it, or the shell may change it",
                        text);
    return false;
}

static bool take_filters(struct sub *sub, int count, char *const *filters)
{
    if (count == 0) {
        connection_complain(&sub->connection, "a topic filter is missing; '#' is all topics. See: "
                                              "bud sub --help");
        return false;
    }
    sub->filters = filters;
    sub->filter_count = (size_t)count;
    sub->verbose |= count > 1;
    for (int i = 0; i < count; i++) {
        if (!take_filter(sub, filters[i]))
            return false;
    }
    return true;
}

static bool options_fit(struct sub *sub)
{
    const char *clash = sub->retained_only && sub->no_retained ? "--retained-only and --no-retained"
                        : sub->raw && sub->hex                 ? "--raw and --hex"
                                                               : NULL;

    if (!clash)
        return true;
    connection_complain(&sub->connection, "%s exclude each other", clash);
    return false;
}

// 5.0 ends a session with the connection unless told otherwise; who says --no-clean wants it kept.
static void keep_session(struct connection *connection)
{
    struct properties *properties = &connection->connect.properties;

    if (connection->connect.clean_start || connection->wants_session_expiry)
        return;
    properties->present |= (uint64_t)1 << PROPERTY_SESSION_EXPIRY_INTERVAL;
    properties->session_expiry_interval = UINT32_MAX;
}

static bool parse(struct sub *sub, int argc, char **argv, bool *ret_help)
{
    int option;

    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, CONNECTION_SHORT "q:n:t:cv", options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            *ret_help = true;
            return true;
        }
        if (option == '?' || option == ':') {
            connection_bad_option(&sub->connection, option, argv, options);
            return false;
        }
        if (!take_option(sub, option))
            return false;
    }
    keep_session(&sub->connection);
    return options_fit(sub) && take_filters(sub, argc - optind, argv + optind) &&
           connection_finish(&sub->connection);
}

static bool subscribe(struct sub *sub)
{
    struct subscription_options subscription = {.qos = (uint8_t)sub->qos};
    uint8_t version = sub->connection.connect.version;
    struct packet_subscribe packet = {0};
    struct buffer filters = {0};
    struct client_status status = {-ENOMEM, BUD_SUCCESS};
    struct writer writer;
    size_t size = 0;

    subscription.retain_handling = sub->no_retained ? RETAIN_HANDLING_NONE : 0;
    for (size_t i = 0; i < sub->filter_count; i++)
        size += 3 + strlen(sub->filters[i]);
    if (buffer_try_reserve(&filters, size, PACKET_SIZE_MAX)) {
        writer = writer_of(filters.data, size);
        for (size_t i = 0; i < sub->filter_count; i++)
            subscribe_write_filter(&writer, version, text_of(sub->filters[i]), subscription);
        packet.filters = bytes_make(filters.data, writer.size);
        status = client_subscribe(&sub->connection.client, &packet);
    }
    buffer_done(&filters);
    if (!client_ok(status))
        connection_complain_lost(&sub->connection, status);
    return client_ok(status);
}

// Says which filters were refused. False if all were.
static bool on_subscribed(struct sub *sub, struct bytes codes)
{
    size_t granted = 0;

    for (size_t i = 0; i < codes.size && i < sub->filter_count; i++) {
        enum bud_reason reason = (enum bud_reason)codes.data[i];

        if (!bud_reason_is_error(reason))
            granted++;
        else
            connection_complain(&sub->connection, "the broker refused the filter '%s': %s",
                                sub->filters[i], bud_reason_text(reason));
    }
    return granted > 0;
}

static void print_payload(const struct sub *sub, struct bytes payload)
{
    if (!sub->hex) {
        fwrite(payload.data, 1, payload.size, stdout);
        return;
    }
    for (size_t i = 0; i < payload.size; i++)
        printf("%02x", payload.data[i]);
}

static bool is_wanted(const struct sub *sub, const struct packet_publish *message)
{
    return message->retain ? !sub->no_retained : !sub->retained_only;
}

enum { GO_ON = -1 }; // otherwise what to end with

// A reader that has seen enough (`| head`) is no failure.
static int complain_unwritten(struct sub *sub)
{
    client_withhold(&sub->connection.client); // nobody has seen it
    if (errno == EPIPE)
        return EXIT_DONE;
    connection_complain(&sub->connection, "cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILED;
}

// Flushed at once: whoever reads our pipe waits for it, and it is acknowledged next.
static int on_message(struct sub *sub, const struct packet_publish *message)
{
    if (!is_wanted(sub, message))
        return GO_ON;
    if (sub->verbose && !sub->raw) {
        fwrite(message->topic.data, 1, message->topic.size, stdout);
        putchar(' ');
    }
    print_payload(sub, message->payload);
    if (!sub->raw)
        putchar('\n');
    sub->printed++;
    if (fflush(stdout) != 0)
        return complain_unwritten(sub);
    return sub->count != 0 && sub->printed >= sub->count ? EXIT_DONE : GO_ON;
}

// Never waits longer than until the next look at the signals.
static struct client_status next_event(struct sub *sub, struct client_event *event)
{
    int64_t left_ms = sub->end_ms < 0 ? SIGNAL_LOOK_MS : sub->end_ms - clock_monotonic_ms();

    left_ms = left_ms < 0 ? 0 : left_ms > SIGNAL_LOOK_MS ? SIGNAL_LOOK_MS : left_ms;
    return client_next(&sub->connection.client, (int)left_ms, event);
}

static int on_event(struct sub *sub, const struct client_event *event)
{
    if (event->type == CLIENT_MESSAGE)
        return on_message(sub, &event->message);
    if (event->type == CLIENT_SUBSCRIBED && !on_subscribed(sub, event->codes))
        return EXIT_FAILED;
    return GO_ON;
}

static bool interrupted(const struct sub *sub, const struct client_event *event)
{
    bool look = event->type == CLIENT_NOTHING || sub->printed % SIGNAL_LOOK_MESSAGES == 0;

    return look && (process_wait_signals(0) & SIGNAL_STOP);
}

static int receive(struct sub *sub)
{
    int result = GO_ON;

    while (result == GO_ON) {
        struct client_event event;
        struct client_status status = next_event(sub, &event);

        if (!client_ok(status)) {
            connection_complain_lost(&sub->connection, status);
            return EXIT_FAILED;
        }
        result = on_event(sub, &event);
        if (result == GO_ON && sub->end_ms >= 0 && clock_monotonic_ms() >= sub->end_ms)
            result = EXIT_TIMED_OUT;
        if (result == GO_ON && interrupted(sub, &event))
            result = EXIT_DONE;
    }
    return result;
}

static int run(struct sub *sub)
{
    int result = EXIT_FAILED;

    sub->end_ms = sub->timeout_s ? clock_monotonic_ms() + sub->timeout_s * (int64_t)1000 : -1;
    if (!connection_open(&sub->connection))
        return EXIT_FAILED;
    process_catch_signals(); // from here on there is a session to take leave of
    if (subscribe(sub))
        result = receive(sub);
    connection_close(&sub->connection);
    return result;
}

int cmd_sub(int argc, char **argv)
{
    struct sub sub = {0};
    bool wants_help = false;

    connection_init(&sub.connection, "bud sub");
    if (!parse(&sub, argc, argv, &wants_help))
        return EXIT_USAGE;
    return wants_help ? help() : run(&sub);
}
