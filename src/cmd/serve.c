// SPDX-License-Identifier: MIT
// `bud serve`: the broker. Needs no file and no flag; says what it listens on, for whom, and what
// to type next. Every option of server/options.h is a flag here.
#include "cmd/cmd.h"
#include "cmd/data_directory.h"
#include "cmd/service.h"
#include "edge/sys_topics.h"
#include "os/file.h"
#include "os/net.h"
#include "os/process.h"
#include "server/listener.h"
#include "server/option_value.h"
#include "server/reload.h"
#include "server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A burst's memory is kept for the next one; giving it back each time costs a page fault for every
// fourth message.
#define KEPT_MEMORY ((size_t)4 << 20)
#define DATA_DIRECTORY_MAX 1024

static void flag_name(const struct option_row *row, char *name, size_t size)
{
    (void)snprintf(name, size, "%s", row->name);
    for (char *c = name; *c != 0; c++)
        *c = *c == '_' ? '-' : *c;
}

// The options of a start, and of its one listener.
struct told {
    struct options options;
    struct listener_options listener;
    char data[DATA_DIRECTORY_MAX];
};

static void *object_of(struct told *told, const struct option_row *row)
{
    return row->scope == SCOPE_GLOBAL ? (void *)&told->options : (void *)&told->listener;
}

static bool is_flag(const struct option_row *row)
{
    return row->size > 0 && row->scope <= SCOPE_SECURITY && row->kind != OPTION_LIST;
}

static void print_flags(void)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    struct told defaults;
    options_set_defaults(&defaults.options);
    listener_options_set_defaults(&defaults.listener, false);
    for (size_t i = 0; i < count; i++) {
        char name[OPTION_NAME_MAX], value[OPTION_SHOWN_MAX];
        if (!is_flag(&rows[i]))
            continue;
        flag_name(&rows[i], name, sizeof(name));
        option_show(object_of(&defaults, &rows[i]), &rows[i], value, sizeof(value));
        printf("  --%-30s %s (%s)\n", name, rows[i].help, value);
    }
}

static void print_help(void)
{
    printf("usage: bud serve [-p PORT] [--bind ADDRESS] [--workers N] [-v] [--OPTION VALUE]...\n\n"
           "The broker for MQTT 3.1, 3.1.1 and 5.0. It needs no option: it listens on every\n"
           "interface, port 1883, and takes clients from this machine and private networks.\n\n"
           "  -p, --port PORT          0 lets the system choose\n"
           "      --bind ADDRESS       listen on this address only\n"
           "  -v, --verbose            log more\n\noptions (and their defaults):\n\n");
    print_flags();
}

static int unknown_option(const char *name)
{
    const char *nearest = option_suggest(name);
    fprintf(stderr, "bud serve: there is no option '--%s'.", name);
    if (nearest != NULL) {
        char flag[OPTION_NAME_MAX];
        flag_name(option_find(nearest), flag, sizeof(flag));
        fprintf(stderr, " Did you mean: --%s", flag);
    }
    fputs(" (`bud serve --help` lists them)\n", stderr);
    return EXIT_USAGE;
}

struct arguments {
    int count, next;
    char **values;
};

// The value of a flag: behind '=', or the next argument.
static const char *value_of(struct arguments *arguments, const char *inline_value)
{
    if (inline_value != NULL)
        return inline_value;
    return arguments->next < arguments->count ? arguments->values[arguments->next++] : NULL;
}

static int set_option(struct arguments *arguments, struct told *told, const char *name,
                      const char *inline_value)
{
    char error[OPTION_ERROR_MAX];
    const struct option_row *row = option_find(name);
    if (row == NULL || !is_flag(row))
        return unknown_option(name);
    const char *value = value_of(arguments, inline_value);
    if (value == NULL) {
        fprintf(stderr, "bud serve: --%s needs a value\n", name);
        return EXIT_USAGE;
    }
    if (option_set(object_of(told, row), row, value, error) < 0) {
        fprintf(stderr, "bud serve: %s\n", error);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static int parse_long(struct arguments *arguments, struct told *told, const char *argument)
{
    char name[64];
    size_t size = strcspn(argument, "=");
    if (size >= sizeof(name))
        return unknown_option(argument);
    memcpy(name, argument, size);
    name[size] = 0;
    if (strcmp(name, "verbose") == 0) {
        told->options.verbose = 1;
        return EXIT_DONE;
    }
    return set_option(arguments, told, name, argument[size] == '=' ? argument + size + 1 : NULL);
}

static int parse_one(struct arguments *arguments, struct told *told, const char *argument)
{
    if (strncmp(argument, "--", 2) == 0 && argument[2] != 0)
        return parse_long(arguments, told, argument + 2);
    if (strcmp(argument, "-v") == 0) {
        told->options.verbose = 1;
        return EXIT_DONE;
    }
    if (strncmp(argument, "-p", 2) == 0)
        return set_option(arguments, told, "port", argument[2] != 0 ? argument + 2 : NULL);
    fprintf(stderr, "bud serve: what is '%s'? (`bud serve --help` lists the options)\n", argument);
    return EXIT_USAGE;
}

static void say_who_may_come(const struct server *server)
{
    switch (server->auth.anonymous) {
    case ANONYMOUS_PRIVATE:
        fputs("Open to clients of this machine and of private networks; others are refused "
              "(--allow-anonymous true lets everybody in).\n",
              stderr);
        break;
    case ANONYMOUS_TRUE: fputs("Open to everybody who can reach it.\n", stderr); break;
    case ANONYMOUS_FALSE:
        fputs("Closed: anonymous clients are not allowed, and there are no users.\n", stderr);
        break;
    }
}

static void say_what_is_kept(const struct server *server)
{
    static const char *const promises[] = {
        [DURABILITY_COMMIT] = "What is acknowledged is on the disk",
        [DURABILITY_BATCH] = "What is acknowledged is on the disk; commits are gathered for a "
                             "while, to spare it (--durability commit answers sooner)",
        [DURABILITY_RELAXED] = "A power cut may lose what was acknowledged in the last second "
                               "(--durability commit loses nothing)",
    };
    if (server->options.persistence != 0)
        fprintf(stderr, "%s: %s.\n", promises[server->options.durability], server->options.data);
    else
        fputs("Nothing is kept on the disk (--persistence false).\n", stderr);
}

static void say_started(struct server *server)
{
    struct net_address address;
    char text[NET_ADDRESS_TEXT_MAX], message[NET_ADDRESS_TEXT_MAX + 32];
    if (net_local_address(server->listeners->fd, &address) < 0)
        return;
    net_address_text(&address, text);
    (void)snprintf(message, sizeof(message), "listening on %s", text);
    if (server->log.format != LOG_TEXT) {
        struct log_line line;
        log_begin_with(&line, &server->log, LOG_LISTENING, message);
        log_text(&line, "address", text);
        log_number(&line, "workers", server->worker_count);
        log_end(&line);
        return;
    }
    fprintf(stderr, "bud %s %s: MQTT 3.1, 3.1.1 and 5.0, %" PRIu32 " worker%s.\n", BUD_VERSION,
            message, server->worker_count, server->worker_count == 1 ? "" : "s");
    say_who_may_come(server);
    say_what_is_kept(server);
    if (server->fingerprint[0] != 0)
        fprintf(stderr, "TLS and WebSocket on the same port; SHA-256 of the certificate: %s\n",
                server->fingerprint);
    char flag[16] = "";
    if (address.port != 1883)
        (void)snprintf(flag, sizeof(flag), " -p %u", (unsigned)address.port);
    fprintf(stderr,
            "Try it:  bud sub%s 'hus/#'    and in another terminal:  bud pub%s "
            "hus/soverom/temperatur 23.4\n",
            flag, flag);
}

static bool choose_data(struct told *told)
{
    struct options *options = &told->options;
    if (options->data[0] != 0 || options->persistence == 0)
        return true;
    options->data = told->data;
    return data_directory_default(told->data, sizeof(told->data));
}

// The interim: one listener.
static void settle_listener(struct told *told)
{
    told->options.allow_anonymous = told->listener.allow_anonymous;
    told->options.qos_max = told->listener.qos_max;
    told->options.topic_alias_max = told->listener.topic_alias_max;
    if (told->listener.connections_max > 0)
        told->options.connections_max = told->listener.connections_max;
    told->options.listeners = &told->listener;
    told->options.listener_count = 1;
}

struct running {
    struct server *server;
    const struct options *options;
};

static void reload(void *context)
{
    struct running *running = context;
    struct log_line line;
    char error[SERVER_ERROR_MAX] = "";
    int result = server_reload(running->server, running->options, error);
    log_begin(&line, &running->server->log, result < 0 ? LOG_RELOAD_REFUSED : LOG_RELOADED);
    if (result < 0)
        log_text(&line, "cause", error);
    log_end(&line);
}

static int run(struct told *told)
{
    struct options *options = &told->options;
    char error[SERVER_ERROR_MAX] = "";
    struct server *server;
    process_catch_signals();
    process_keep_freed_memory(KEPT_MEMORY);
    settle_listener(told);
    if (!choose_data(told)) {
        fputs("bud serve: where shall the store be? Say it with --data DIRECTORY (or "
              "--persistence false)\n",
              stderr);
        return EXIT_FAILED;
    }
    // The wear of a card follows the number of commits.
    if (options->durability == DURABILITY_AUTO)
        options->durability = file_is_on_card(options->data) ? DURABILITY_BATCH : DURABILITY_COMMIT;
    if (server_new(options, &server, error) < 0) {
        fprintf(stderr, "bud serve: %s\n", error);
        return EXIT_FAILED;
    }
    struct sys_topics *sys_topics = sys_topics_new(server, BUD_VERSION);
    int result = EXIT_DONE;
    if (server_start(server, error) < 0) {
        fprintf(stderr, "bud serve: %s\n", error);
        result = EXIT_FAILED;
    } else {
        say_started(server);
        struct running running = {server, options};
        service_run(&(struct service){.server = server, .context = &running, .reload = reload});
    }
    struct log_line line;
    log_begin(&line, &server->log, LOG_STOPPING);
    log_number(&line, "clients", server_count(server, COUNTER_CLIENTS_CONNECTED));
    log_end(&line);
    server_stop(server);
    sys_topics_free(sys_topics);
    server_free(server);
    return result;
}

int cmd_serve(int argc, char **argv)
{
    struct told told;
    options_set_defaults(&told.options);
    listener_options_set_defaults(&told.listener, false);
    struct arguments arguments = {.count = argc, .next = 1, .values = argv};
    while (arguments.next < arguments.count) {
        const char *argument = argv[arguments.next++];
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            print_help();
            return EXIT_DONE;
        }
        int result = parse_one(&arguments, &told, argument);
        if (result != EXIT_DONE)
            return result;
    }
    return run(&told);
}
