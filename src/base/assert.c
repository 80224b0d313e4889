// SPDX-License-Identifier: MIT
// The end of a process that found itself wrong. It says where and aborts, so that a core dump
// holds the moment and a supervisor starts the next one. Called by ASSERT only.
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "bud: assertion failed: %s (%s:%d)\n", expression, file, line);
    fflush(stderr);
    abort();
}
