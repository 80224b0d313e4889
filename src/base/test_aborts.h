// SPDX-License-Identifier: MIT
// For tests only: does this call end the process by an assertion? It runs in a child that keeps
// quiet and leaves no core dump.
#ifndef BUD_BASE_TEST_ABORTS_H
#define BUD_BASE_TEST_ABORTS_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool test_aborts(void (*act)(void))
{
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        if (freopen("/dev/null", "w", stderr) != NULL) {
            act();
        }
        _exit(0);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
