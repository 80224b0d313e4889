// SPDX-License-Identifier: MIT
// The lines of an ACL file: which are read and how, which are wrong, and what is said of them.
#include "access/acl_file.h"

#include "core/topic_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char error[ACCESS_ERROR_MAX];

static struct acl *parse(struct bytes rules)
{
    struct acl *acl = NULL;
    int result = acl_file_parse("my.acl", rules, NULL, &acl, error);
    assert_int_equal(result, acl == NULL ? -EINVAL : 0);
    return acl;
}

static bool may(const struct acl *acl, const char *user, uint8_t access, const char *topic)
{
    struct acl_subject subject = {text("tv"), text(user), user[0] != 0};
    return acl_check(acl, &subject, access, text(topic), NULL);
}

static void blanks_and_ends_of_lines(void **state)
{
    (void)state;
    struct acl *acl = parse(text("user   kari  \t\r\n"
                                 "  topic   read    a b/c\t \r\n"
                                 "topic write \n"
                                 "topic x\r\n"
                                 "\v\n"
                                 "#topic deny #\n"
                                 "user ola"));
    assert_non_null(acl);
    assert_true(may(acl, "kari", ACL_READ, "a b/c"));
    assert_true(may(acl, "kari", ACL_WRITE, "write")); // a topic, not an access
    assert_true(may(acl, "kari", ACL_READ, "write"));
    assert_true(may(acl, "kari", ACL_WRITE, "x"));
    acl_unref(acl);
}

static void wrong_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "topic",
        "topic read a/#/b",
        "topic a b",
        "topic readonly a",
        "pattern",
        "pattern %c#",
        "user",
        "user \t ",
        "users kari",
        "Topic a",
        " # comment",
        "topic\tread\ta",
        "allow all",
        "topic read a+",
        "user\tkari",
        "topic deny a##",
        "\xef\xbb\xbfuser kari",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char file[128];
        (void)snprintf(file, sizeof(file), "user kari\n%s\ntopic a\n", lines[i]);
        struct acl *acl = parse(text(file));
        if (acl != NULL)
            print_error("taken: %s\n", lines[i]);
        assert_null(acl);
        assert_true(strstr(error, "my.acl: line 2: ") == error);
    }
    assert_null(parse(BYTES_OF("topic a\0b\n")));
    assert_true(strstr(error, "NUL") != NULL);
}

static void every_wrong_line_is_named(void **state)
{
    (void)state;
    assert_null(parse(text("topic a\nfoo\ntopic b\nbar\nuser\n")));
    assert_string_equal(error, "my.acl: line 2: 'foo' is none of user, topic, pattern (a comment "
                               "begins with '#' in the first column); also wrong: lines 4, 5");
    char many[400] = "";
    for (int i = 0; i < 60; i++)
        memcpy(many + 3 * (size_t)i, "x\033\n", 4);
    assert_null(parse(text(many)));
    assert_true(strstr(error, "'x?'") != NULL);
    assert_true(strstr(error, ", 9 and more") != NULL);
}

static void long_names_and_lines(void **state)
{
    (void)state;
    static char file[200000];
    size_t size = (size_t)snprintf(file, sizeof(file), "user ");
    memset(file + size, 'u', 65535);
    size += 65535;
    size += (size_t)snprintf(file + size, sizeof(file) - size, "\ntopic read ");
    memset(file + size, 't', 65535);
    size += 65535;
    struct acl *acl = parse(bytes_make(file, size));
    assert_non_null(acl);
    acl_unref(acl);
    file[size++] = 't'; // longer than a topic can be
    assert_null(parse(bytes_make(file, size)));
    assert_true(strlen(error) < 200);
}

static uint32_t warned[8];

static void note_warning(void *context, uint32_t line, bool is_error, const char *what)
{
    (void)context;
    assert_false(is_error);
    assert_true(strlen(what) > 0);
    assert_true(line < 8);
    warned[line]++;
}

static void what_is_strange_is_said(void **state)
{
    (void)state;
    static const struct acl_listener listener = {NULL, note_warning};
    struct acl *acl = NULL;
    memset(warned, 0, sizeof(warned));
    assert_int_equal(acl_file_parse("my.acl",
                                    text("topic read a\n" // for anonymous clients alone
                                         "topic read b\n"
                                         "user kari\n"
                                         "topic read a/%u\n"   // text here
                                         "pattern read x\n"    // for everybody
                                         "pattern read a-%c\n" // not alone
                                         "pattern read a/%c/%u\n"),
                                    &listener, &acl, error),
                     0);
    static const uint32_t expected[8] = {0, 1, 0, 0, 1, 1, 1, 0};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(warned[i], expected[i]);
    acl_unref(acl);
}

static int write_file(const char *path, const char *rules, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(rules, file);
    fclose(file);
    return chmod(path, mode);
}

static void files_that_cannot_be_read_are_no_rules(void **state)
{
    (void)state;
    char directory[] = "/tmp/bud-acl-XXXXXX", path[64], link[64];
    struct acl *acl = NULL;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/acl", directory);
    (void)snprintf(link, sizeof(link), "%s/link", directory);
    assert_int_equal(acl_file_read(path, NULL, &acl, error), -ENOENT);
    assert_true(strstr(error, path) != NULL);
    assert_true(acl_file_read(directory, NULL, &acl, error) < 0);
    assert_int_equal(write_file(path, "topic a\n", 0600), 0);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(acl_file_read(link, NULL, &acl, error), -ELOOP);
    assert_null(acl);
    assert_int_equal(acl_file_read(path, NULL, &acl, error), 0);
    assert_string_equal(acl->name, path);
    acl_unref(acl);
    static const struct acl_listener listener = {NULL, note_warning};
    memset(warned, 0, sizeof(warned));
    assert_int_equal(write_file(path, "", 0666), 0);
    assert_int_equal(acl_file_read(path, &listener, &acl, error), 0);
    assert_int_equal(warned[0], 2); // empty, and everybody can write it
    assert_false(may(acl, "", ACL_READ, "a"));
    acl_unref(acl);
    unlink(link);
    unlink(path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_and_ends_of_lines),
        cmocka_unit_test(wrong_lines),
        cmocka_unit_test(every_wrong_line_is_named),
        cmocka_unit_test(long_names_and_lines),
        cmocka_unit_test(what_is_strange_is_said),
        cmocka_unit_test(files_that_cannot_be_read_are_no_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
