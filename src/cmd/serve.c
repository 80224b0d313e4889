// SPDX-License-Identifier: MIT
// `bud serve`: the broker. Needs no file and no flag; says what it listens on, for whom, and what
// to type next. Every option of server/options.h is a flag here.
#include "access/admin_key.h"
#include "access/secret.h"
#include "access/secret_file.h"
#include "cmd/cmd.h"

#include "base/memory.h"
#include "cmd/confinement.h"
#include "cmd/data_directory.h"
#include "cmd/serve_arguments.h"
#include "cmd/serve_help.h"
#include "cmd/serve_words.h"
#include "cmd/service.h"
#include "edge/http_api.h"
#include "edge/log_topics.h"
#include "edge/sys_topics.h"
#include "os/daemon.h"
#include "os/file.h"
#include "os/file_contents.h"
#include "os/process.h"
#include "server/log_setup.h"
#include "server/option_value.h"
#include "server/reload.h"
#include "server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A burst's memory is kept for the next one; giving it back each time costs a page fault for every
// fourth message.
#define KEPT_MEMORY ((size_t)4 << 20)
#define DATA_DIRECTORY_MAX 1024
#define PLACE_MAX 512
#define PID_FILE_MODE 0644
#define EXIT_CONFIGURATION 3 // as Mosquitto ends

static int on_bound(struct server *server, char *error);

// ---- the configuration ----

// One that was in use: its texts may still be.
struct past {
    struct past *next;
    struct config *config;
};

struct serving {
    struct serve_arguments *arguments;
    struct config *config; // the one in use
    struct past *past;
    struct server *server;
    char data[DATA_DIRECTORY_MAX];
};

static const char *kind_word(enum complaint_kind kind)
{
    static const char *const words[] = {
        [COMPLAINT_ERROR] = "", [COMPLAINT_WARNING] = "warning: ", [COMPLAINT_NOTE] = "note: "};
    return words[kind];
}

static void place_text(const struct complaint *complaint, char *text, size_t size)
{
    if (complaint->line > 0)
        (void)snprintf(text, size, "%s:%" PRIu32 ": ", complaint->file, complaint->line);
    else
        (void)snprintf(text, size, "%s%s", complaint->file, complaint->file[0] != 0 ? ": " : "");
}

static void print_complaints(const struct config *config)
{
    char place[PLACE_MAX];
    for (const struct complaint *complaint = config_complaints(config); complaint != NULL;
         complaint = complaint->next) {
        place_text(complaint, place, sizeof(place));
        fprintf(stderr, "bud serve: %s%s%s\n", place, kind_word(complaint->kind), complaint->text);
    }
}

static void log_complaints(struct log *log, const struct config *config)
{
    char place[PLACE_MAX];
    for (const struct complaint *complaint = config_complaints(config); complaint != NULL;
         complaint = complaint->next) {
        struct log_line line;
        place_text(complaint, place, sizeof(place));
        log_begin(&line, log, LOG_CONFIGURATION);
        log_text(&line, "where", place);
        log_text(&line, "what", complaint->text);
        log_end(&line);
    }
}

// What is neither in the file nor an option: false, and it said why.
static bool complete(struct serving *serving, struct config *config)
{
    struct options *options = config_options_for_change(config);
    options->verbose = serving->arguments->verbose;
    options->quiet = serving->arguments->quiet;
    options->on_bound = on_bound;
    if (options->persistence != 0 && options->data[0] == 0) {
        if (!data_directory_default(serving->data, sizeof(serving->data))) {
            fputs("bud serve: where shall the store be? Say it with --data DIRECTORY (or "
                  "--persistence false)\n",
                  stderr);
            return false;
        }
        options->data = serving->data;
    }
    // The wear of a card follows the number of commits.
    if (options->durability == DURABILITY_AUTO)
        options->durability = file_is_on_card(options->data) ? DURABILITY_BATCH : DURABILITY_COMMIT;
    return true;
}

static void log_difference(void *context, const struct option_row *row,
                           const struct listener_options *listener, bool restart)
{
    struct server *server = context;
    struct log_line line;
    char port[16] = "";
    log_begin(&line, &server->log, LOG_CHANGED);
    log_text(&line, "option", row->name);
    if (listener != NULL) {
        (void)snprintf(port, sizeof(port), "%u", (unsigned)listener->port);
        log_text(&line, "listener", listener->path[0] != 0 ? listener->path : port);
    }
    log_text(&line, "effect", restart ? "at the next start" : "now");
    log_end(&line);
}

// The old one stays: who uses its texts is not known.
static void take_on(struct serving *serving, struct config *next)
{
    struct past *past = memory_new(sizeof(*past));
    (void)config_compare(config_options(serving->config), config_options(next), log_difference,
                         serving->server);
    *past = (struct past){serving->past, serving->config};
    serving->past = past;
    serving->config = next;
}

static void forget(struct serving *serving)
{
    while (serving->past != NULL) {
        struct past *past = serving->past;
        serving->past = past->next;
        config_free(past->config);
        memory_free(past);
    }
}

// A file that is being written is empty for a moment. It would mean: this machine alone, and all.
static bool lost_its_listeners(const struct options *old, const struct options *next)
{
    return next->local_only && !old->local_only;
}

// 0, or -errno with a sentence in `error` (SERVER_ERROR_MAX bytes): then nothing has changed.
static int try_take_on(struct serving *serving, struct config *next, char *error)
{
    const struct options *options = config_options(next);
    if (lost_its_listeners(config_options(serving->config), options)) {
        (void)snprintf(error, SERVER_ERROR_MAX,
                       "the file has no listener any more; if that is meant, start again");
        return -EINVAL;
    }
    if (!complete(serving, next)) {
        (void)snprintf(error, SERVER_ERROR_MAX, "there is no place for the store");
        return -EINVAL;
    }
    return server_reload(serving->server, options, error);
}

// The log's file is opened anew; where that fails the old one stays.
static void reopen_log(struct server *server, const struct options *options)
{
    struct log_line line;
    char error[LOG_SETUP_ERROR_MAX];
    if (log_setup(&server->log, options, error) == 0)
        return;
    log_begin(&line, &server->log, LOG_CONFIGURATION);
    log_text(&line, "what", error);
    log_end(&line);
}

static void reload(void *context)
{
    struct serving *serving = context;
    struct server *server = serving->server;
    struct config *next;
    struct log_line line;
    char error[SERVER_ERROR_MAX] = "there are mistakes in the configuration";
    int result = config_read_again(serving->config, &next);
    log_complaints(&server->log, next);
    if (result == 0)
        result = try_take_on(serving, next, error);
    if (result == 0)
        reopen_log(server, config_options(next));
    log_begin(&line, &server->log, result < 0 ? LOG_RELOAD_REFUSED : LOG_RELOADED);
    if (result < 0)
        log_text(&line, "cause", error);
    log_end(&line);
    if (result == 0)
        take_on(serving, next);
    else
        config_free(next);
}

// ---- serving ----

static int on_bound(struct server *server, char *error)
{
    const char *path = server->options.pid_file;
    char text[24];
    (void)snprintf(text, sizeof(text), "%ld\n", process_id());
    int result = path[0] != 0 ? file_replace(path, text, strlen(text), PID_FILE_MODE) : 0;
    if (result < 0) {
        (void)snprintf(error, SERVER_ERROR_MAX, "cannot write pid_file %s: %s", path,
                       strerror(-result));
        return result;
    }
    return confinement_enter(server, error);
}

static void stop(struct server *server)
{
    struct log_line line;
    log_begin(&line, &server->log, LOG_STOPPING);
    log_number(&line, "clients", server_count(server, COUNTER_CLIENTS_CONNECTED));
    log_end(&line);
    server_stop(server);
    if (server->options.pid_file[0] != 0)
        (void)file_remove(server->options.pid_file); // without the right to, it is found stale
}

// On the first start there is one, which is printed this once. Without it only the owner's own
// socket can do what needs it.
static void make_admin_key(const struct server *server)
{
    char key[ADMIN_KEY_TEXT_MAX], error[ACCESS_ERROR_MAX];
    bool is_new;
    if (server->options.persistence == 0)
        return;
    if (admin_key_ensure(server->options.data, key, &is_new, error) < 0)
        fprintf(stderr, "bud serve: %s\n", error);
    else if (is_new && server->log.format == LOG_TEXT) // a program that reads logs reads the file
        fprintf(stderr, "The admin key, shown this once (and kept in %s/admin.key): %s\n",
                server->options.data, key);
    secret_wipe(key, sizeof(key));
}

static int serve(struct serving *serving)
{
    const struct options *options = config_options(serving->config);
    char error[SERVER_ERROR_MAX] = "";
    int result = serving->arguments->daemon ? daemon_begin() : 0;
    if (result < 0) {
        fprintf(stderr, "bud serve: cannot go into the background: %s\n", strerror(-result));
        return EXIT_FAILED;
    }
    process_catch_signals();
    process_keep_freed_memory(KEPT_MEMORY);
    if (server_new(options, &serving->server, error) < 0) {
        fprintf(stderr, "bud serve: %s\n", error);
        return EXIT_FAILED;
    }
    struct server *server = serving->server;
    make_admin_key(server);
    struct sys_topics *sys_topics = sys_topics_new(server, BUD_VERSION);
    struct log_topics *log_topics = log_topics_new(server);
    struct http_api *http_api = http_api_new(server);
    result = EXIT_DONE;
    if (server_start(server, error) < 0) {
        fprintf(stderr, "bud serve: %s\n", error);
        result = EXIT_FAILED;
    } else {
        if (!serving->arguments->quiet)
            serve_say_started(server);
        confinement_say_root(server);
        daemon_ready();
        service_run(&(struct service){.server = server, .context = serving, .reload = reload});
    }
    stop(server);
    log_topics_free(log_topics);
    sys_topics_free(sys_topics);
    http_api_free(http_api);
    server_free(server);
    return result;
}

// Reads what the command line names. Called as mosquitto without a file it is as if with an empty
// one.
static int read_configuration(const struct serve_arguments *arguments)
{
    struct config *config = arguments->config;
    const char *location = getenv("MOSQUITTO_PERSISTENCE_LOCATION");
    char error[OPTION_ERROR_MAX];
    if (arguments->file != NULL && location != NULL &&
        config_set(config, "persistence_location", location, error) < 0)
        fprintf(stderr, "bud serve: MOSQUITTO_PERSISTENCE_LOCATION: %s\n", error);
    if (arguments->file == NULL && arguments->as_mosquitto)
        return config_read_text(config, "mosquitto", (struct bytes){0});
    return config_read(config, arguments->file);
}

static int perform(struct serve_arguments *arguments)
{
    struct serving serving = {.arguments = arguments, .config = arguments->config};
    int result = read_configuration(arguments);
    print_complaints(serving.config);
    if (result < 0)
        return EXIT_CONFIGURATION;
    if (!complete(&serving, serving.config))
        return EXIT_FAILED;
    if (arguments->task == TASK_SERVE)
        result = serve(&serving);
    else if (arguments->task == TASK_CHECK)
        config_print_effective(serving.config, stdout);
    else
        config_print_file(serving.config, stdout);
    arguments->config = serving.config;
    forget(&serving);
    return result;
}

int cmd_serve(int argc, char **argv)
{
    struct serve_arguments arguments;
    int result = serve_arguments_read(argc, argv, &arguments);
    if (result == EXIT_DONE)
        switch (arguments.task) {
        case TASK_HELP: serve_print_help(); break;
        case TASK_MANUAL: serve_print_manual(); break;
        case TASK_VERSION: puts("bud " BUD_VERSION); break;
        default: result = perform(&arguments);
        }
    config_free(arguments.config);
    return result;
}
