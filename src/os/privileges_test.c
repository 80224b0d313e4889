// SPDX-License-Identifier: MIT
// What root can do is tried by children, as root; another user skips those tests.
#include "os/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SOMEBODY 54321

static const char *const our_names[] = {"store.db", NULL};
static char directory[64];

static const char *in(const char *name)
{
    static char path[2][128];
    static unsigned turn;
    char *text = path[++turn % 2];
    (void)snprintf(text, 128, "%s/%s", directory, name);
    return text;
}

static void make_file(const char *name)
{
    int descriptor = open(in(name), O_WRONLY | O_CREAT, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(close(descriptor), 0);
}

static int make_directory(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/bud-privileges-XXXXXX");
    if (mkdtemp(directory) == NULL || mkdir(in("data"), 0700) < 0)
        return -1;
    make_file("secret");
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"data/store.db/key",
                                        "data/store.db",
                                        "data/store.db-wal",
                                        "data/store.db-link",
                                        "data/store.db-hard",
                                        "data/other",
                                        "data",
                                        "link",
                                        "secret",
                                        ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        (void)remove(in(names[i]));
    return 0;
}

static unsigned owner_of(const char *name)
{
    struct stat status;
    assert_int_equal(lstat(in(name), &status), 0);
    return status.st_uid;
}

static void only_as_root(void)
{
    if (geteuid() != 0)
        skip();
}

static const struct privileges_user somebody = {
    .name = "somebody", .user = SOMEBODY, .group = SOMEBODY};

static void users_are_found_by_name_and_by_number(void **state)
{
    (void)state;
    struct privileges_user user;
    assert_int_equal(privileges_find_user("root", &user), 0);
    assert_int_equal(user.user, 0);
    assert_true(user.has_entry);
    assert_int_equal(privileges_find_user("54321", &user), 0);
    assert_int_equal(user.user, SOMEBODY);
    assert_int_equal(user.group, SOMEBODY);
    assert_false(user.has_entry);
    assert_int_equal(privileges_find_user("no such user", &user), -ENOENT);
    assert_int_equal(privileges_find_user("", &user), -ENOENT);
    assert_int_equal(privileges_find_user("-1", &user), -ENOENT);
    assert_int_equal(privileges_find_user("4294967295", &user), -ENOENT);
}

static void without_descriptors_nobody_is_said_to_be_missing(void **state)
{
    (void)state;
    struct privileges_user user;
    struct rlimit before, none;
    // Other sources than the file may know an answer without a descriptor.
    assert_int_equal(__nss_configure_lookup("passwd", "files"), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = privileges_find_user("no such user", &user);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, -EMFILE);
}

static void numbers_of_the_environment_are_numbers(void **state)
{
    (void)state;
    struct privileges_user user;
    assert_int_equal(privileges_find_numbers("54321", "100", &user), 0);
    assert_int_equal(user.user, SOMEBODY);
    assert_int_equal(user.group, 100);
    assert_int_equal(privileges_find_numbers("0", NULL, &user), 0);
    assert_string_equal(user.name, "root");
    assert_int_equal(privileges_find_numbers("root", NULL, &user), -EINVAL);
    assert_int_equal(privileges_find_numbers("1000", "users", &user), -EINVAL);
    assert_int_equal(privileges_find_numbers("1000x", NULL, &user), -EINVAL);
    assert_int_equal(privileges_find_numbers("", NULL, &user), -EINVAL);
}

static void what_is_above_a_directory_can_be_passed(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(privileges_make_directory(in("data/a/b/")), 0);
    assert_int_equal(privileges_make_directory(in("data/a/b")), 0);
    assert_int_equal(stat(in("data/a"), &status), 0);
    assert_int_equal(status.st_mode & 0077, 0055);
    assert_int_equal(stat(in("data/a/b"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(rmdir(in("data/a/b")), 0);
    assert_int_equal(rmdir(in("data/a")), 0);
    assert_int_equal(privileges_make_directory(""), -ENOENT);
    assert_int_equal(privileges_make_directory(in("secret/a")), -ENOTDIR);
}

static void an_empty_directory_and_a_store_are_handed_over(void **state)
{
    (void)state;
    only_as_root();
    assert_int_equal(privileges_hand_over(in("data"), our_names, &somebody), 0);
    assert_int_equal(owner_of("data"), SOMEBODY);
    make_file("data/store.db");
    make_file("data/store.db-wal");
    make_file("data/other");
    // Made by root meanwhile, in a directory that is theirs already.
    assert_int_equal(privileges_hand_over(in("data"), our_names, &somebody), 0);
    assert_int_equal(owner_of("data/store.db"), SOMEBODY);
    assert_int_equal(owner_of("data/store.db-wal"), SOMEBODY);
    assert_int_equal(owner_of("data/other"), 0);
}

static void a_directory_in_it_goes_along(void **state)
{
    (void)state;
    only_as_root();
    assert_int_equal(mkdir(in("data/store.db"), 0700), 0);
    make_file("data/store.db/key");
    assert_int_equal(privileges_hand_over(in("data"), our_names, &somebody), 0);
    assert_int_equal(owner_of("data/store.db"), SOMEBODY);
    assert_int_equal(owner_of("data/store.db/key"), SOMEBODY);
}

static void a_directory_of_other_things_stays_roots(void **state)
{
    (void)state;
    only_as_root();
    make_file("data/store.db");
    make_file("data/other");
    assert_int_equal(privileges_hand_over(in("data"), our_names, &somebody), -ENOTEMPTY);
    assert_int_equal(owner_of("data"), 0);
    assert_int_equal(owner_of("data/store.db"), 0);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    only_as_root();
    assert_int_equal(symlink(in("secret"), in("data/store.db-link")), 0);
    assert_int_equal(link(in("secret"), in("data/store.db-hard")), 0);
    assert_int_equal(privileges_hand_over(in("data"), our_names, &somebody), 0);
    assert_int_equal(owner_of("secret"), 0);
    assert_int_equal(owner_of("data/store.db-link"), 0);
    assert_int_equal(symlink(in("data"), in("link")), 0);
    assert_int_equal(privileges_hand_over(in("link"), our_names, &somebody), -ELOOP);
    assert_int_equal(privileges_hand_over(in("nothing"), our_names, &somebody), -ENOENT);
}

static void what_belongs_to_somebody_else_stays_theirs(void **state)
{
    (void)state;
    only_as_root();
    make_file("data/store.db");
    assert_int_equal(chown(in("data/store.db"), 1, 1), 0);
    assert_int_equal(privileges_hand_over(in("data"), our_names, &somebody), 0);
    assert_int_equal(owner_of("data/store.db"), 1);
}

static void expect_child(int (*run)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int drop(void)
{
    gid_t groups[] = {0, 1, 2};
    if (setgroups(3, groups) < 0 || privileges_drop(&somebody) < 0)
        return 1;
    if (getuid() != SOMEBODY || geteuid() != SOMEBODY || getegid() != SOMEBODY)
        return 2;
    if (getgroups(0, NULL) != 0)
        return 3;
    if (setuid(0) == 0 || setgid(0) == 0)
        return 4;
    return open(in("secret"), O_RDONLY | O_CLOEXEC) < 0 ? 0 : 5;
}

static void root_becomes_a_user_for_good(void **state)
{
    (void)state;
    only_as_root();
    expect_child(drop);
}

static int lock_down(void)
{
    struct rlimit limit;
    privileges_lock_down();
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && getrlimit(RLIMIT_CORE, &limit) == 0 &&
                   limit.rlim_max == 0
               ? 0
               : 1;
}

static void nothing_gives_rights_back(void **state)
{
    (void)state;
    expect_child(lock_down);
}

static int ask_why(void)
{
    char text[PRIVILEGES_TEXT_MAX] = "";
    if (privileges_drop(&somebody) < 0)
        return 1;
    if (!privileges_explain(in("secret"), false, text, sizeof(text)) ||
        strstr(text, "pass through /tmp/bud-privileges-") == NULL)
        return 2;
    return privileges_explain("/etc", false, text, sizeof(text)) ? 3 : 0;
}

static int ask_why_not(void)
{
    char text[PRIVILEGES_TEXT_MAX] = "", expected[256];
    if (chmod(directory, 0755) < 0 || privileges_drop(&somebody) < 0)
        return 1;
    if (!privileges_explain(in("secret"), false, text, sizeof(text)))
        return 2;
    (void)snprintf(expected, sizeof(expected),
                   "user '54321' may not read %s (root:root 0600): chgrp", in("secret"));
    if (strncmp(text, expected, strlen(expected)) != 0)
        return 3;
    return privileges_explain(in("nothing"), false, text, sizeof(text)) ? 4 : 0;
}

static void what_may_not_be_read_is_explained(void **state)
{
    (void)state;
    only_as_root();
    expect_child(ask_why);
    expect_child(ask_why_not);
    char text[PRIVILEGES_TEXT_MAX];
    assert_false(privileges_explain(in("secret"), false, text, sizeof(text)));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_found_by_name_and_by_number),
        cmocka_unit_test(without_descriptors_nobody_is_said_to_be_missing),
        cmocka_unit_test(numbers_of_the_environment_are_numbers),
        TEST(what_is_above_a_directory_can_be_passed),
        TEST(an_empty_directory_and_a_store_are_handed_over),
        TEST(a_directory_in_it_goes_along),
        TEST(a_directory_of_other_things_stays_roots),
        TEST(links_are_not_followed),
        TEST(what_belongs_to_somebody_else_stays_theirs),
        TEST(root_becomes_a_user_for_good),
        TEST(nothing_gives_rights_back),
        TEST(what_may_not_be_read_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
