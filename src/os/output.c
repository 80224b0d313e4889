// SPDX-License-Identifier: MIT
#include "os/output.h"

#include <errno.h>
#include <unistd.h>

void output_error(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDERR_FILENO, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return;
        text += written;
        size -= (size_t)written;
    }
}
