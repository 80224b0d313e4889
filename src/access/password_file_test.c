// SPDX-License-Identifier: MIT
#include "access/password_file.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DIGEST                                                                                     \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define HASH "$6$AAAA$" DIGEST
#define OTHER_HASH "$6$AAAB$" DIGEST
#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define VERIFIER "SCRAM-SHA-256$4096:AAAA$" KEY ":" KEY

static char error[ACCESS_ERROR_MAX];

static int parse_as(enum password_file_kind kind, struct bytes text, struct password_file **file)
{
    error[0] = 0;
    return password_file_parse("etc/passwd", kind, text, file, error);
}

static struct password_file *parse(struct bytes text)
{
    struct password_file *file;
    if (parse_as(PASSWORD_FILE_OF_MOSQUITTO, text, &file) < 0)
        fail_msg("%s", error);
    return file;
}

static void users_are_found_by_their_whole_name(void **state)
{
    (void)state;
    struct password_file *file =
        parse(BYTES_OF("# users\n\nada:" HASH "\n bob :\t" HASH " \r\nno colon here\n#eve:" HASH
                       "\nKari Nordmann:" HASH));
    assert_int_equal(file->count, 3);
    assert_int_equal(file->skipped_line, 5);
    assert_non_null(password_file_find(file, BYTES_OF("ada")));
    assert_non_null(password_file_find(file, BYTES_OF("bob")));
    assert_non_null(password_file_find(file, BYTES_OF("Kari Nordmann")));
    static const char *const nobody[] = {"", "ad", "adaa", "ADA", " bob", "#eve", "eve", "# users"};
    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
        assert_null(password_file_find(file, bytes_make(nobody[i], strlen(nobody[i]))));
    assert_null(password_file_find(file, bytes_make("ada\0x", 5)));
    password_file_unref(file);
}

static void an_empty_file_has_nobody(void **state)
{
    (void)state;
    struct password_file *file = parse(BYTES_OF(""));
    assert_null(password_file_find(file, BYTES_OF("")));
    password_file_check_nobody(file, BYTES_OF("x"));
    password_file_unref(file);
    file = parse(BYTES_OF("\n\n# nobody\n"));
    assert_int_equal(file->count + file->skipped_line, 0);
    password_file_unref(file);
}

static void the_number_changes_with_the_hash_alone(void **state)
{
    (void)state;
    struct password_file *one = parse(BYTES_OF("ada:" HASH "\nbob:" HASH "\n"));
    struct password_file *other = parse(BYTES_OF("# moved\nbob:" OTHER_HASH "\n ada : " HASH));
    assert_int_equal(password_file_find(one, BYTES_OF("ada"))->number,
                     password_file_find(other, BYTES_OF("ada"))->number);
    assert_int_not_equal(password_file_find(one, BYTES_OF("bob"))->number,
                         password_file_find(other, BYTES_OF("bob"))->number);
    password_file_unref(one);
    password_file_unref(other);
}

static void check_refused(enum password_file_kind kind, struct bytes text, const char *place,
                          const char *words)
{
    struct password_file *file = NULL;
    assert_int_equal(parse_as(kind, text, &file), -EINVAL);
    assert_null(file);
    if (strstr(error, place) == NULL || strstr(error, words) == NULL)
        fail_msg("'%s' has no '%s' and '%s'", error, place, words);
    assert_null(strstr(error, "swordfish")); // what stands in the file is a secret
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
    enum password_file_kind kind = PASSWORD_FILE_OF_MOSQUITTO;
    check_refused(kind, BYTES_OF("ada:swordfish"), "etc/passwd:1:", "bud passwd -U etc/passwd");
    check_refused(kind, BYTES_OF("\nada:"), "etc/passwd:2:", "missing");
    check_refused(kind, BYTES_OF("#\n:" HASH), "etc/passwd:2:", "no name");
    check_refused(kind, BYTES_OF(" \t:" HASH), "etc/passwd:1:", "no name");
    check_refused(kind, BYTES_OF("ada:" HASH "\nbob:" HASH "\nada:" HASH),
                  "etc/passwd:3:", "already");
    check_refused(kind, BYTES_OF("ada:$6$swordfish"), "etc/passwd:1:", "too early");
    check_refused(kind, BYTES_OF("ada:" HASH "x"), "etc/passwd:1:", "base64");
    check_refused(kind, BYTES_OF("a\0:" HASH), "etc/passwd:1:", "NUL");
    check_refused(kind, BYTES_OF("ada:" HASH ":" VERIFIER), "etc/passwd:1:", "base64");
    check_refused(kind, BYTES_OF("ada:$argon2id$v=19$m=99999999,t=1,p=1$AAAA$AAAA"),
                  "etc/passwd:1:", "1 GB");
}

static void a_users_file_may_have_verifiers(void **state)
{
    (void)state;
    struct password_file *file;
    enum password_file_kind kind = PASSWORD_FILE_OF_USERS;
    assert_int_equal(
        parse_as(kind, BYTES_OF("ada:" HASH ":" VERIFIER "\nbob:" HASH "\neva::" VERIFIER), &file),
        0);
    const struct password_entry *ada = password_file_find(file, BYTES_OF("ada")),
                                *bob = password_file_find(file, BYTES_OF("bob")),
                                *eva = password_file_find(file, BYTES_OF("eva"));
    assert_true(ada->has_hash && ada->has_verifier);
    assert_true(bob->has_hash && !bob->has_verifier);
    assert_true(!eva->has_hash && eva->has_verifier);
    assert_int_equal(ada->verifier.iterations, 4096);
    password_file_unref(file);
    check_refused(kind, BYTES_OF("ada:" HASH ":swordfish"), "etc/passwd:1:", "SCRAM");
    check_refused(kind, BYTES_OF("ada:" HASH ":"), "etc/passwd:1:", "SCRAM");
    check_refused(kind, BYTES_OF("ada:swordfish:" VERIFIER), "etc/passwd:1:", "plain text");
    check_refused(kind, BYTES_OF("ada:"), "etc/passwd:1:", "missing");
}

static void without_memory_nothing_is_kept(void **state)
{
    (void)state;
    struct password_file *file = NULL;
    for (uint64_t nth = 1;; nth++) {
        memory_fail(nth, 1);
        int result =
            parse_as(PASSWORD_FILE_OF_MOSQUITTO, BYTES_OF("ada:" HASH "\nbob:" HASH "\n"), &file);
        memory_fail(0, 0);
        if (result == 0)
            break;
        assert_int_equal(result, -ENOMEM);
        assert_null(file);
        assert_non_null(strstr(error, "memory"));
    }
    password_file_unref(file);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *stream = fopen(path, "we");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_unreadable(const char *path, int cause, const char *words)
{
    struct password_file *file = NULL;
    error[0] = 0;
    assert_int_equal(password_file_read(path, PASSWORD_FILE_OF_MOSQUITTO, &file, error), cause);
    assert_null(file);
    if (strstr(error, words) == NULL || strstr(error, path) == NULL)
        fail_msg("'%s' has no '%s'", error, words);
}

static void only_a_file_itself_is_read(void **state)
{
    (void)state;
    char directory[] = "/tmp/bud-password-file-XXXXXX";
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    struct password_file *file;
    write_file("passwd", "ada:" HASH "\n", 0604);
    assert_int_equal(password_file_read("passwd", PASSWORD_FILE_OF_MOSQUITTO, &file, error), 0);
    assert_non_null(secret_file_warning(&file->contents));
    password_file_unref(file);
    write_file("passwd", "ada:" HASH "\n", 0640);
    assert_int_equal(password_file_read("passwd", PASSWORD_FILE_OF_MOSQUITTO, &file, error), 0);
    assert_null(secret_file_warning(&file->contents));
    password_file_unref(file);
    assert_int_equal(symlink("passwd", "link"), 0);
    expect_unreadable("link", -ELOOP, "MOSQUITTO_UNSAFE_ALLOW_SYMLINKS");
    assert_int_equal(setenv("MOSQUITTO_UNSAFE_ALLOW_SYMLINKS", "1", 1), 0);
    assert_int_equal(password_file_read("link", PASSWORD_FILE_OF_MOSQUITTO, &file, error), 0);
    password_file_unref(file);
    assert_int_equal(unsetenv("MOSQUITTO_UNSAFE_ALLOW_SYMLINKS"), 0);
    expect_unreadable("nothing", -ENOENT, "no such file");
    expect_unreadable(".", -EISDIR, "no regular file");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    expect_unreadable("pipe", -EINVAL, "no regular file");
    assert_int_equal(unlink("pipe") + unlink("link") + unlink("passwd") + rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_found_by_their_whole_name),
        cmocka_unit_test(an_empty_file_has_nobody),
        cmocka_unit_test(the_number_changes_with_the_hash_alone),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(a_users_file_may_have_verifiers),
        cmocka_unit_test(without_memory_nothing_is_kept),
        cmocka_unit_test(only_a_file_itself_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
