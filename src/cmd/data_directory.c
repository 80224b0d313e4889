// SPDX-License-Identifier: MIT
#include "cmd/data_directory.h"

#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>

bool data_directory_default(char *directory, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length;
    if (process_is_root())
        length = snprintf(directory, size, "/var/lib/bud");
    else if (state != NULL && state[0] == '/')
        length = snprintf(directory, size, "%s/bud", state);
    else if (home != NULL)
        length = snprintf(directory, size, "%s/.local/state/bud", home);
    else
        return false;
    return (size_t)length < size;
}
