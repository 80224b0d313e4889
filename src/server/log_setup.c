// SPDX-License-Identifier: MIT
#include "server/log_setup.h"

#include "os/log_output.h"

#include <stdio.h>
#include <string.h>

// What log_type names.
enum {
    TYPE_ERROR = 1,
    TYPE_WARNING = 2,
    TYPE_NOTICE = 4,
    TYPE_INFORMATION = 8,
    TYPE_DEBUG = 16,
    TYPE_SUBSCRIBE = 32,
    TYPE_ALL = 63
};

#define TYPES_USUAL (TYPE_ERROR | TYPE_WARNING | TYPE_NOTICE | TYPE_INFORMATION)

static unsigned type_named(const char *name)
{
    static const struct {
        const char *name;
        unsigned types;
    } types[] = {{"error", TYPE_ERROR},
                 {"warning", TYPE_WARNING},
                 {"notice", TYPE_NOTICE},
                 {"information", TYPE_INFORMATION},
                 {"debug", TYPE_DEBUG},
                 {"subscribe", TYPE_SUBSCRIBE},
                 {"unsubscribe", 0},
                 {"internal", 0},
                 {"websockets", 0},
                 {"all", TYPE_ALL},
                 {"none", 0}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].types;
    return 0;
}

static unsigned wanted_types(const struct options *options)
{
    unsigned types = 0;
    if (options->quiet > 0)
        return 0;
    if (options->verbose > 0)
        return TYPE_ALL;
    if (options->log_types.count == 0)
        return TYPES_USUAL;
    for (uint32_t i = 0; i < options->log_types.count; i++) {
        if (strcmp(options->log_types.texts[i], "none") == 0)
            return 0;
        types |= type_named(options->log_types.texts[i]);
    }
    return types;
}

static unsigned type_of(enum log_event event)
{
    static const unsigned types[] = {[LOG_ERROR] = TYPE_ERROR,
                                     [LOG_WARNING] = TYPE_WARNING,
                                     [LOG_INFO] = TYPE_NOTICE | TYPE_INFORMATION,
                                     [LOG_DEBUG] = TYPE_DEBUG};
    return types[log_event_level(event)] | (event == LOG_SUBSCRIBED ? TYPE_SUBSCRIBE : 0);
}

static uint64_t muted_events(const struct options *options)
{
    unsigned types = wanted_types(options);
    uint64_t muted = 0;
    for (int event = 0; event < LOG_EVENT_COUNT; event++) {
        bool is_coming = event == LOG_CONNECTED || event == LOG_DISCONNECTED;
        if ((type_of((enum log_event)event) & types) == 0 ||
            (is_coming && !options->connection_messages))
            muted |= UINT64_C(1) << event;
    }
    return muted;
}

static const char *file_of(const struct options *options)
{
    for (uint32_t i = 0; i < options->log_destinations.count; i++) {
        const char *text = options->log_destinations.texts[i];
        if (strncmp(text, "file ", strlen("file ")) == 0)
            return text + strlen("file ") + strspn(text + strlen("file "), " ");
    }
    return NULL;
}

// `none` is silence, whatever else is said.
static unsigned wanted_outputs(const struct options *options)
{
    unsigned outputs = 0;
    if (options->log_destinations.count == 0)
        return LOG_TO_STDERR;
    for (uint32_t i = 0; i < options->log_destinations.count; i++) {
        const char *text = options->log_destinations.texts[i];
        if (strcmp(text, "none") == 0)
            return 0;
        outputs |= strcmp(text, "stderr") == 0     ? LOG_TO_STDERR
                   : strcmp(text, "stdout") == 0   ? LOG_TO_STDOUT
                   : strcmp(text, "syslog") == 0   ? LOG_TO_SYSTEM
                   : strcmp(text, "topic") == 0    ? LOG_TO_TOPIC
                   : strncmp(text, "file", 4) == 0 ? LOG_TO_FILE
                                                   : 0;
    }
    return outputs;
}

static int open_file(struct log *log, const char *path, char *error)
{
    int file = log_output_open(path);
    if (file < 0) {
        (void)snprintf(error, LOG_SETUP_ERROR_MAX, "cannot write log_dest file %s: %s", path,
                       strerror(-file));
        return file;
    }
    if (log->file >= 0)
        log_output_replace(log->file, file);
    else
        log->file = file;
    return 0;
}

int log_setup(struct log *log, const struct options *options, char *error)
{
    unsigned outputs = wanted_outputs(options);
    if ((outputs & LOG_TO_FILE) != 0) {
        int result = open_file(log, file_of(options), error);
        if (result < 0)
            return result;
    }
    if ((outputs & LOG_TO_SYSTEM) != 0)
        log_output_open_system((int)options->log_facility);
    log_set_time(log, options->log_timestamp, options->log_timestamp_format);
    log->format = (enum log_format)options->log_format;
    log->level = LOG_DEBUG; // what is muted says the rest
    log->muted = muted_events(options);
    log->outputs = outputs;
    return 0;
}
