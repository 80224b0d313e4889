// SPDX-License-Identifier: MIT
// The program: looks its first argument up in a table and goes there. To add a subcommand, write
// its file, declare it in cmd.h and give it a row here.
#include "base/suggestion.h"
#include "cmd/cmd.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"serve", cmd_serve, "the broker"},
    {"pub", cmd_pub, "send a message"},
    {"sub", cmd_sub, "print messages as they come"},
    {"ban", cmd_ban, "who is banned for wrong passwords; lift it"},
    {"store", cmd_store, "look into what the broker keeps: check, dump, backup, compact"},
    {"user", cmd_user, "who may come in: add, del, list"},
    {"acl", cmd_acl, "who may read and write what, and which rule says so: explain, check"},
    {"passwd", cmd_passwd, "Mosquitto's password files, as mosquitto_passwd"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *stream)
{
    fputs("usage: bud COMMAND [ARGUMENT...]\n\n", stream);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  bud %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`bud COMMAND --help` explains a command, `bud --version` tells the version.\n",
          stream);
}

static int refuse(const char *name)
{
    const char *names[COMMAND_COUNT];
    const char *nearest;

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    nearest = suggestion_nearest(name, names, COMMAND_COUNT);
    fprintf(stderr, "bud: there is no command '%s'.", name);
    if (nearest)
        fprintf(stderr, " Did you mean: bud %s?", nearest);
    else
        fputs(" `bud help` lists the commands.", stderr);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int help_on(int argc, char **argv)
{
    const struct command *command = argc > 2 ? find_command(argv[2]) : NULL;
    char option[] = "--help";

    if (argc > 2 && !command)
        return refuse(argv[2]);
    if (command)
        return command->run(2, (char *[]){argv[2], option, NULL});
    print_help(stdout);
    return EXIT_DONE;
}

// A link of another name to the program stands for the one of that name.
static bool is_called(const char *program, const char *name)
{
    const char *slash = program ? strrchr(program, '/') : NULL;

    return program && strcmp(slash ? slash + 1 : program, name) == 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    const struct command *command = find_command(name);

    if (is_called(argv[0], "mosquitto"))
        return cmd_serve(argc, argv);
    if (is_called(argv[0], "mosquitto_passwd"))
        return cmd_passwd(argc, argv);
    if (command)
        return command->run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("bud " BUD_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help_on(argc, argv);
    if (argc > 1)
        return refuse(name);
    print_help(stderr);
    return EXIT_USAGE;
}
