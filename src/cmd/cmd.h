// SPDX-License-Identifier: MIT
// The subcommands of `bud`. Each is one file with one function: argc and argv start at the
// subcommand's own name, and what it returns is the exit status: 0 done, 1 it did not work (said
// why on standard error), 2 it was not understood, 27 the time was over.
#ifndef BUD_CMD_CMD_H
#define BUD_CMD_CMD_H

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_TIMED_OUT = 27 };

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; // for `bud help`: one line, no full stop
};

int cmd_serve(int argc, char **argv);
int cmd_pub(int argc, char **argv);
int cmd_sub(int argc, char **argv);
int cmd_ban(int argc, char **argv);
int cmd_store(int argc, char **argv);
int cmd_passwd(int argc, char **argv);
int cmd_acl(int argc, char **argv);
int cmd_user(int argc, char **argv);

#endif
