// SPDX-License-Identifier: MIT
// `bud store check|dump|backup|compact`: looking into the broker's store, and looking after it. All
// but compact work while a broker runs.
#include "store/store.h"

#include "cmd/cmd.h"
#include "cmd/data_directory.h"

#include <stdio.h>
#include <string.h>

#define DIRECTORY_SIZE 4000

struct store_command {
    const char *name, *argument;
    int (*run)(const char *directory, const char *argument, char *error);
};

static int check(const char *directory, const char *argument, char *error)
{
    (void)argument;
    return store_check(directory, error);
}

static int dump(const char *directory, const char *argument, char *error)
{
    (void)argument;
    return store_dump(directory, error);
}

static int compact(const char *directory, const char *argument, char *error)
{
    (void)argument;
    return store_compact(directory, error);
}

static const struct store_command commands[] = {
    {"check", NULL, check},
    {"dump", NULL, dump},
    {"backup", "FILE", store_backup},
    {"compact", NULL, compact},
};

static int help(void)
{
    fputs("usage: bud store check [--data DIRECTORY]\n"
          "       bud store dump [--data DIRECTORY]\n"
          "       bud store backup FILE [--data DIRECTORY]\n"
          "       bud store compact [--data DIRECTORY]\n\n"
          "What the broker keeps on the disk: sessions, subscriptions, queued and retained "
          "messages, wills.\n\n"
          "  check     is every page and row of it sound?\n"
          "  dump      prints all of it, one JSON object a line\n"
          "  backup    copies it to FILE, as it is at one moment; to go back, stop the broker and\n"
          "            put the copy alone into an empty directory as store.db\n"
          "  compact   gives the space of what was deleted back; stop the broker first\n\n"
          "      --data DIRECTORY   where it is (as for bud serve)\n\n"
          "Exit status: 0 done and sound, 1 damaged or not done, 2 not understood.\n",
          stdout);
    return EXIT_DONE;
}

static const struct store_command *find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

struct words {
    const char *command, *argument, *directory;
    bool help;
};

// NULL, or what is wrong.
static const char *parse(int argc, char **argv, struct words *words)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            words->help = true;
        else if (strcmp(argv[i], "--data") == 0 && i + 1 < argc)
            words->directory = argv[++i];
        else if (strncmp(argv[i], "--data=", 7) == 0)
            words->directory = argv[i] + 7;
        else if (argv[i][0] == '-' && argv[i][1] != '\0')
            return strcmp(argv[i], "--data") == 0 ? "--data needs a directory"
                                                  : "there is no such option";
        else if (words->command == NULL)
            words->command = argv[i];
        else if (words->argument == NULL)
            words->argument = argv[i];
        else
            return "too many arguments";
    }
    return NULL;
}

static const char *complaint_about(const struct words *words, const struct store_command *command)
{
    if (words->command == NULL)
        return "what shall be done? check, dump, backup or compact";
    if (command == NULL)
        return "only check, dump, backup and compact are known";
    if (command->argument != NULL && words->argument == NULL)
        return "the name of the file to write is missing";
    if (command->argument == NULL && words->argument != NULL)
        return "too many arguments";
    return NULL;
}

int cmd_store(int argc, char **argv)
{
    char directory[DIRECTORY_SIZE], error[STORE_ERROR_MAX] = "";
    struct words words = {0};
    const char *complaint = parse(argc, argv, &words);
    if (words.help && complaint == NULL)
        return help();
    const struct store_command *command = find(words.command);
    if (complaint == NULL)
        complaint = complaint_about(&words, command);
    if (complaint != NULL) {
        fprintf(stderr, "bud store: %s. See: bud store --help\n", complaint);
        return EXIT_USAGE;
    }
    if (words.directory == NULL && !data_directory_default(directory, sizeof(directory))) {
        fputs("bud store: where is the store? Say it with --data DIRECTORY\n", stderr);
        return EXIT_FAILED;
    }
    int result =
        command->run(words.directory == NULL ? directory : words.directory, words.argument, error);
    if (result < 0)
        fprintf(stderr, "bud store: %s\n", error);
    return result == 0 ? EXIT_DONE : EXIT_FAILED;
}
