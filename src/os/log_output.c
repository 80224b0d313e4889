// SPDX-License-Identifier: MIT
#include "os/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>

#define MODE 0640

int log_output_open(const char *path)
{
    int descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, MODE);
    return descriptor < 0 ? -errno : descriptor;
}

void log_output_replace(int descriptor, int fresh)
{
    (void)dup3(fresh, descriptor, O_CLOEXEC);
    (void)close(fresh);
}

void log_output_close(int descriptor)
{
    (void)close(descriptor);
}

void log_output_write(int descriptor, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return;
        text += written;
        size -= (size_t)written;
    }
}

void log_output_open_system(int facility)
{
    static const int local[] = {LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3,
                                LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};
    openlog("bud", LOG_NDELAY | LOG_PID,
            facility >= 0 && facility < 8 ? local[facility] : LOG_DAEMON);
}

void log_output_system(int level, const char *text, size_t size)
{
    syslog(level, "%.*s", (int)size, text);
}
