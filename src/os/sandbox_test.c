// SPDX-License-Identifier: MIT
// Each attempt is made by a child of its own, since a sandbox is never left.
#include "os/sandbox.h"

#include "os/sanitizer.h"
#include "os/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PASSED = 0, NOT_HERE = 99 };

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/bud-sandbox-XXXXXX");
    char name[128];
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(name, sizeof(name), "%s/readable", directory);
    if (mkdir(name, 0700) < 0)
        return -1;
    (void)snprintf(name, sizeof(name), "%s/writable", directory);
    if (mkdir(name, 0700) < 0)
        return -1;
    (void)snprintf(name, sizeof(name), "%s/readable/file", directory);
    int descriptor = open(name, O_WRONLY | O_CREAT, 0600);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"readable/file", "readable", "writable/other",
                                        "writable/file", "writable", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s/%s", directory, names[i]);
        (void)remove(name);
    }
    return 0;
}

// How the child ended: its exit status, or 256 + the signal.
static int status_of(int (*attempt)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(attempt());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void expect_status(int (*attempt)(void), int expected)
{
    int status = status_of(attempt);
    if (status == NOT_HERE) // a kernel without
        skip();
    assert_int_equal(status, expected);
}

static const char *in(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static int enter_files(void)
{
    char readable[128], writable[128];
    (void)snprintf(readable, sizeof(readable), "%s/readable/file", directory);
    (void)snprintf(writable, sizeof(writable), "%s/writable", directory);
    struct sandbox_path paths[] = {{readable, SANDBOX_READ}, {writable, SANDBOX_WRITE}};
    int result = sandbox_restrict_files(paths, 2);
    return result == -ENOSYS || result == -EOPNOTSUPP ? NOT_HERE : result;
}

static int error_of_open(const char *path, int flags)
{
    int descriptor = open(path, flags, 0600);
    int result = descriptor < 0 ? errno : 0;
    if (descriptor >= 0)
        (void)close(descriptor);
    return result;
}

static int open_what_is_not_ours(void)
{
    int result = enter_files();
    if (result != 0)
        return result;
    static const char *const closed[] = {"/etc/shadow", "/root", "/var/log", "/proc/1/environ"};
    for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++)
        if (access(closed[i], F_OK) == 0 && error_of_open(closed[i], O_RDONLY) != EACCES)
            return 10 + (int)i;
    return error_of_open(in("file"), O_WRONLY | O_CREAT) == EACCES ? PASSED : 20;
}

static void other_files_are_refused_even_to_root(void **state)
{
    (void)state;
    expect_status(open_what_is_not_ours, PASSED);
}

static int use_what_is_ours(void)
{
    int result = enter_files();
    char other[128];
    (void)snprintf(other, sizeof(other), "%s/writable/other", directory);
    if (result != 0)
        return result;
    if (error_of_open(in("readable/file"), O_RDONLY) != 0)
        return 10;
    if (error_of_open(in("readable"), O_RDONLY | O_DIRECTORY) != 0) // files are replaced there
        return 11;
    if (error_of_open(in("readable/file"), O_WRONLY) != EACCES)
        return 12;
    if (error_of_open(in("writable/file"), O_RDWR | O_CREAT) != 0 ||
        error_of_open(in("writable/file"), O_RDWR | O_TRUNC) != 0)
        return 13;
    if (rename(in("writable/file"), other) < 0)
        return 14;
    return unlink(other) == 0 ? PASSED : 15;
}

static void own_files_are_read_and_written(void **state)
{
    (void)state;
    expect_status(use_what_is_ours, PASSED);
}

static int read_what_libraries_need(void)
{
    int result = enter_files();
    if (result != 0)
        return result;
    static const char *const open_to_all[] = {"/etc/hosts", "/etc/nsswitch.conf",
                                              "/proc/self/statm", "/usr/lib", "/dev/urandom"};
    for (size_t i = 0; i < sizeof(open_to_all) / sizeof(*open_to_all); i++)
        if (access(open_to_all[i], F_OK) == 0 && error_of_open(open_to_all[i], O_RDONLY) != 0)
            return 10 + (int)i;
    return PASSED;
}

static void libraries_find_their_files(void **state)
{
    (void)state;
    expect_status(read_what_libraries_need, PASSED);
}

static int give_a_missing_file_in_the_root(void)
{
    struct sandbox_path paths[] = {{"/no-such-file-of-bud", SANDBOX_WRITE}};
    int result = sandbox_restrict_files(paths, 1);
    if (result == -ENOSYS || result == -EOPNOTSUPP)
        return NOT_HERE;
    return result == 0 && error_of_open(in("file"), O_WRONLY | O_CREAT) == EACCES ? PASSED : 1;
}

static void a_file_in_the_root_directory_opens_no_other(void **state)
{
    (void)state;
    expect_status(give_a_missing_file_in_the_root, PASSED);
}

static int enter_calls(void)
{
    if (!sandbox_is_possible())
        return NOT_HERE;
    int result = sandbox_restrict_calls();
    return result == -ENOSYS ? NOT_HERE : result;
}

static int execute(void)
{
    int result = enter_calls();
    if (result != 0)
        return result;
    (void)execl("/bin/true", "true", (char *)NULL);
    return 1;
}

static int become_root(void)
{
    int result = enter_calls();
    if (result != 0)
        return result;
    (void)syscall(SYS_setuid, 0);
    return 1;
}

static int trace(void)
{
    int result = enter_calls();
    if (result != 0)
        return result;
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return 1;
}

static void what_only_an_intruder_tries_ends_the_process(void **state)
{
    (void)state;
    expect_status(execute, 256 + SIGSYS);
    expect_status(become_root, 256 + SIGSYS);
    expect_status(trace, 256 + SIGSYS);
}

static int call_the_unknown(void)
{
    int pipes[2];
    if (pipe(pipes) < 0 || dup2(pipes[1], STDERR_FILENO) < 0)
        return 3;
    int result = enter_calls();
    if (result != 0)
        return result;
    for (int i = 0; i < 3; i++)
        if (syscall(SYS_getpriority, 0, 0) != -1 || errno != ENOSYS)
            return 4;
    char text[1024] = "";
    (void)close(pipes[1]);
    (void)close(STDERR_FILENO);
    ssize_t size = read(pipes[0], text, sizeof(text) - 1);
    const char *line = strchr(text, '\n');
    return size > 0 && line != NULL && line[1] == 0 ? PASSED : 5; // said once
}

static void other_calls_do_not_exist_and_that_is_said_once(void **state)
{
    (void)state;
    expect_status(call_the_unknown, PASSED);
}

static int use_other_sockets(void)
{
    int result = enter_calls();
    if (result != 0)
        return result;
    if (socket(AF_PACKET, SOCK_RAW, 0) != -1 || errno != ENOSYS)
        return 3;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return descriptor >= 0 && close(descriptor) == 0 ? PASSED : 4;
}

static void only_sockets_of_the_net_and_unix_are_made(void **state)
{
    (void)state;
    expect_status(use_other_sockets, PASSED);
}

static int make_code(void)
{
    int result = enter_calls();
    if (result != 0)
        return result;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    if (mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, flags, -1, 0) != MAP_FAILED)
        return 3;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (page == MAP_FAILED)
        return 4;
    return mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0 ? PASSED : 5;
}

static void what_was_written_is_not_executed(void **state)
{
    (void)state;
    expect_status(make_code, PASSED);
}

static void count_up(void *argument)
{
    ++*(int *)argument;
}

static int start_threads(void)
{
    int result = enter_calls(), count = 0;
    struct thread *thread;
    for (int i = 0; result == 0 && i < 3; i++) {
        result = thread_start(&thread, "counts", count_up, &count);
        if (result == 0)
            thread_join(thread);
    }
    if (result != 0)
        return result < 0 ? 3 : result;
    if (count != 3)
        return 4;
    return fork() == -1 && errno == ENOSYS ? PASSED : 5;
}

static void threads_start_and_processes_do_not(void **state)
{
    (void)state;
    expect_status(start_threads, PASSED);
}

static int abort_inside(void)
{
    int result = enter_calls();
    if (result != 0)
        return result;
    abort();
}

static void a_failed_assertion_still_ends_it_by_sigabrt(void **state)
{
    (void)state;
    expect_status(abort_inside, 256 + SIGABRT);
}

static int look_up(void)
{
    int result = enter_files();
    if (result == 0)
        result = enter_calls();
    if (result != 0)
        return result;
    return getpwuid(0) != NULL && malloc(1 << 20) != NULL ? PASSED : 3;
}

static void both_together_leave_the_libraries_working(void **state)
{
    (void)state;
    expect_status(look_up, PASSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_files_are_refused_even_to_root),
        cmocka_unit_test(own_files_are_read_and_written),
        cmocka_unit_test(libraries_find_their_files),
        cmocka_unit_test(a_file_in_the_root_directory_opens_no_other),
        cmocka_unit_test(what_only_an_intruder_tries_ends_the_process),
        cmocka_unit_test(other_calls_do_not_exist_and_that_is_said_once),
        cmocka_unit_test(only_sockets_of_the_net_and_unix_are_made),
        cmocka_unit_test(what_was_written_is_not_executed),
        cmocka_unit_test(threads_start_and_processes_do_not),
        cmocka_unit_test(a_failed_assertion_still_ends_it_by_sigabrt),
        cmocka_unit_test(both_together_leave_the_libraries_working),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
