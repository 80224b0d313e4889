// SPDX-License-Identifier: MIT
// Standard error, one line in one write. sim/ keeps the lines instead.
#ifndef BUD_OS_OUTPUT_H
#define BUD_OS_OUTPUT_H

#include <stddef.h>

void output_error(const char *text,
                  size_t size); // what cannot be written is lost: there is nobody left to tell

#endif
