// SPDX-License-Identifier: MIT
// The option table for people: the help of `bud serve`, and the manual page of the configuration
// file. Both are made from the rows, so they cannot say anything else than the program does.
#ifndef BUD_CMD_SERVE_HELP_H
#define BUD_CMD_SERVE_HELP_H

#include "server/option_table.h"

bool serve_is_flag(const struct option_row *row); // may it be said on the command line?
void serve_flag_name(const char *name, char *flag, size_t size); // with dashes

void serve_print_help(void);
void serve_print_manual(void); // mdoc

#endif
