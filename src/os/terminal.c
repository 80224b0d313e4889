// SPDX-License-Identifier: MIT
#include "os/terminal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

bool terminal_is_there(void)
{
    return isatty(STDIN_FILENO) == 1;
}

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; // who cannot see the prompt can still type
}

static ssize_t read_line(char *line, size_t size_max)
{
    size_t size = 0;
    bool is_too_long = false;
    for (;;) {
        char c;
        ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0)
            return -errno;
        if (got == 0 && size == 0 && !is_too_long)
            return -ENODATA;
        if (got == 0 || c == '\n')
            break;
        if (size == size_max)
            is_too_long = true;
        else
            line[size++] = c;
    }
    if (size > 0 && line[size - 1] == '\r')
        size--;
    return is_too_long ? -EMSGSIZE : (ssize_t)size;
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

// Whoever ends the program here gets the echo back first: nobody is left with a mute terminal.
static ssize_t read_unseen(const char *prompt, char *line, size_t size_max)
{
    struct termios before, silent;
    struct sigaction old[SIGNAL_COUNT], ours = {.sa_handler = on_signal}; // reading is interrupted
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return -errno;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    caught = 0;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        (void)sigaction(signals[i], &ours, &old[i]);
    // Silent before the prompt: who answers it at once is neither shown nor thrown away.
    ssize_t size = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0 ? -errno : 0;
    if (size == 0) {
        say(prompt);
        size = read_line(line, size_max);
    }
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    say("\n");
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        (void)sigaction(signals[i], &old[i], NULL);
    if (caught != 0)
        (void)raise(caught);
    return size;
}

ssize_t terminal_read_secret(const char *prompt, char *line, size_t size_max)
{
    return terminal_is_there() ? read_unseen(prompt, line, size_max) : read_line(line, size_max);
}
