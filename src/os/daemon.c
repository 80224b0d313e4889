// SPDX-License-Identifier: MIT
#include "os/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int ready_pipe = -1;
static int nowhere = -1; // opened early: later there may be no way to it

static _Noreturn void wait_for(pid_t child, int pipe_end)
{
    char ready;
    int status = 0;
    ssize_t size;
    do
        size = read(pipe_end, &ready, 1);
    while (size < 0 && errno == EINTR);
    if (size == 1)
        _exit(EXIT_SUCCESS);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    _exit(code != 0 ? code : EXIT_FAILURE); // it ended before it was ready: that is no success
}

int daemon_begin(void)
{
    int ends[2];
    nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child > 0) {
        (void)close(ends[1]);
        wait_for(child, ends[0]);
    }
    (void)close(ends[0]);
    ready_pipe = ends[1];
    (void)setsid();
    return 0;
}

void daemon_ready(void)
{
    if (ready_pipe < 0)
        return;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        (void)dup2(nowhere, fd);
    (void)!write(ready_pipe, "r", 1);
    (void)close(ready_pipe);
    (void)close(nowhere);
    ready_pipe = nowhere = -1;
}
