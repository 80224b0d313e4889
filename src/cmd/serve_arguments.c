// SPDX-License-Identifier: MIT
#include "cmd/serve_arguments.h"

#include "cmd/cmd.h"
#include "cmd/serve_help.h"
#include "server/option_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_SIZE 64

struct reading {
    struct serve_arguments *told;
    int count, next;
    char **values;
};

// The value of a flag: behind '=', or the next argument.
static const char *value_of(struct reading *reading, const char *inline_value)
{
    if (inline_value != NULL)
        return inline_value;
    return reading->next < reading->count ? reading->values[reading->next++] : NULL;
}

static int unknown_option(const char *name)
{
    const char *nearest = option_suggest(name);
    const struct option_row *row = nearest != NULL ? option_find(nearest) : NULL;
    fprintf(stderr, "bud serve: there is no option '--%s'.", name);
    if (row != NULL && serve_is_flag(row)) {
        char flag[OPTION_NAME_MAX];
        serve_flag_name(row->name, flag, sizeof(flag));
        fprintf(stderr, " Did you mean: --%s", flag);
    }
    fputs(" (`bud serve --help` lists them)\n", stderr);
    return EXIT_USAGE;
}

static int set_option(struct reading *reading, const char *name, const char *inline_value)
{
    char error[OPTION_ERROR_MAX];
    const struct option_row *row = option_find(name);
    if (row == NULL || !serve_is_flag(row))
        return unknown_option(name);
    const char *value = value_of(reading, inline_value);
    if (value == NULL) {
        fprintf(stderr, "bud serve: --%s needs a value\n", name);
        return EXIT_USAGE;
    }
    if (config_set(reading->told->config, name, value, error) < 0) {
        fprintf(stderr, "bud serve: %s\n", error);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static int take_file(struct reading *reading, const char *flag, const char *inline_value)
{
    const char *path = value_of(reading, inline_value);
    if (path == NULL || path[0] == 0) {
        fprintf(stderr, "bud serve: %s needs a file\n", flag);
        return EXIT_USAGE;
    }
    if (reading->told->file != NULL) {
        fputs("bud serve: there can be one configuration file; it may have an include_dir\n",
              stderr);
        return EXIT_USAGE;
    }
    reading->told->file = path;
    return EXIT_DONE;
}

// Flags without a value. False: it is none of them.
static bool take_switch(struct serve_arguments *told, const char *argument)
{
    static const struct {
        const char *names[2];
        enum serve_task task;
    } tasks[] = {
        {{"-h", "--help"}, TASK_HELP},      {{"--test-config", "--check-config"}, TASK_CHECK},
        {{"--dump-config", ""}, TASK_DUMP}, {{"--manual", ""}, TASK_MANUAL},
        {{"--version", ""}, TASK_VERSION},
    };
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
        if (strcmp(argument, tasks[i].names[0]) == 0 || strcmp(argument, tasks[i].names[1]) == 0) {
            told->task = tasks[i].task;
            return true;
        }
    if (strcmp(argument, "-d") == 0 || strcmp(argument, "--daemon") == 0)
        told->daemon = true;
    else if (strcmp(argument, "-q") == 0 || strcmp(argument, "--quiet") == 0)
        told->quiet = true;
    else if (strcmp(argument, "-v") == 0 || strcmp(argument, "--verbose") == 0)
        told->verbose = true;
    else if (strcmp(argument, "--lenient") == 0)
        config_be_lenient(told->config);
    else
        return false;
    return true;
}

static int take_long(struct reading *reading, const char *argument)
{
    char name[NAME_MAX_SIZE];
    size_t size = strcspn(argument, "=");
    const char *inline_value = argument[size] == '=' ? argument + size + 1 : NULL;
    if (size >= sizeof(name))
        return unknown_option(argument);
    memcpy(name, argument, size);
    name[size] = 0;
    if (strcmp(name, "config-file") == 0)
        return take_file(reading, "--config-file", inline_value);
    return set_option(reading, name, inline_value);
}

static int take_one(struct reading *reading, const char *argument)
{
    if (take_switch(reading->told, argument))
        return EXIT_DONE;
    if (strncmp(argument, "--", 2) == 0 && argument[2] != 0)
        return take_long(reading, argument + 2);
    const char *inline_value =
        argument[0] == '-' && argument[1] != 0 && argument[2] != 0 ? argument + 2 : NULL;
    if (strncmp(argument, "-p", 2) == 0)
        return set_option(reading, "port", inline_value);
    if (strncmp(argument, "-c", 2) == 0)
        return take_file(reading, "-c", inline_value);
    fprintf(stderr, "bud serve: what is '%s'? (`bud serve --help` lists the options)\n", argument);
    return EXIT_USAGE;
}

int serve_arguments_read(int argc, char **argv, struct serve_arguments *arguments)
{
    struct reading reading = {.told = arguments, .count = argc, .next = 1, .values = argv};
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
    *arguments = (struct serve_arguments){.config = config_new()};
    arguments->as_mosquitto = strcmp(name, "mosquitto") == 0;
    while (reading.next < argc) {
        int result = take_one(&reading, argv[reading.next++]);
        if (result != EXIT_DONE)
            return result;
    }
    return EXIT_DONE;
}
