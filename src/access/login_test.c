// SPDX-License-Identifier: MIT
// Whom a login is checked against, from files to the verdict.
#include "access/login.h"

#include "access/password_authority.h"
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

static char error[ACCESS_ERROR_MAX];
static char directory[] = "/tmp/bud-login-XXXXXX";
static struct login_cache *cache;

static void write_file(const char *name, const char *text)
{
    FILE *stream = fopen(name, "we");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

// "name:hash\n" of a password that is cheap to check.
static const char *line_of(const char *name, const char *password)
{
    static char line[PASSWORD_HASH_TEXT_MAX + 64];
    char text[PASSWORD_HASH_TEXT_MAX];
    struct password_hash hash;
    assert_int_equal(
        password_hash_make(PASSWORD_PBKDF2, 10, bytes_make(password, strlen(password)), &hash), 0);
    password_hash_write(&hash, text);
    (void)snprintf(line, sizeof(line), "%s:%s\n", name, text);
    return line;
}

static struct login_gate *gate_of_file(const char *text)
{
    struct password_file *file;
    assert_int_equal(password_file_parse("p", PASSWORD_FILE_OF_MOSQUITTO,
                                         bytes_make(text, strlen(text)), &file, error),
                     0);
    struct authority authority = password_file_authority(file, cache);
    struct login_gate *gate = login_gate_new();
    login_gate_add(gate, &authority);
    return gate;
}

static struct login_request request_of(const char *user, const char *password)
{
    return (struct login_request){
        .user = bytes_make(user, user != NULL ? strlen(user) : 0),
        .password = bytes_make(password, password != NULL ? strlen(password) : 0),
        .has_user = user != NULL,
        .has_password = password != NULL,
    };
}

static enum login_verdict now(const struct login_gate *gate, const char *user, const char *password)
{
    struct login_request request = request_of(user, password);
    struct login_result result = {0};
    enum login_verdict verdict = login_ask_now(gate, &request, &result);
    login_result_done(&result);
    return verdict;
}

static enum login_verdict slowly(const struct login_gate *gate, const char *user,
                                 const char *password, uint64_t *ret_entry)
{
    struct login_request request = request_of(user, password);
    struct login_result result = {0};
    uint32_t next = 0;
    enum login_verdict verdict = login_ask(gate, &next, AUTHORITY_IS_SLOW, &request, &result);
    if (ret_entry != NULL)
        *ret_entry = result.entry;
    assert_true(verdict != LOGIN_NO || result.why != NULL);
    login_result_done(&result);
    return verdict;
}

static void a_password_file_decides(void **state)
{
    (void)state;
    struct login_gate *gate = gate_of_file(line_of("ada", "right"));
    assert_true(login_gate_has_users(gate));
    assert_int_equal(slowly(gate, "ada", "wrong", NULL), LOGIN_NO);
    assert_int_equal(slowly(gate, "ada", "", NULL), LOGIN_NO);
    assert_int_equal(slowly(gate, "eve", "right", NULL), LOGIN_NO);
    assert_int_equal(slowly(gate, "", "right", NULL), LOGIN_NO);
    assert_int_equal(slowly(gate, "ada", NULL, NULL), LOGIN_NO);
    assert_int_equal(slowly(gate, NULL, "right", NULL), LOGIN_NOT_MINE);
    assert_int_equal(slowly(gate, NULL, NULL, NULL), LOGIN_NOT_MINE);
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_YES);
    login_gate_unref(gate);
}

static void only_a_password_that_fitted_needs_no_thread(void **state)
{
    (void)state;
    struct login_gate *gate = gate_of_file(line_of("ada", "right"));
    assert_int_equal(now(gate, "ada", "right"), LOGIN_ASK);
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_YES);
    assert_int_equal(now(gate, "ada", "right"), LOGIN_YES);
    assert_int_equal(now(gate, "ada", "wrong"), LOGIN_ASK);
    assert_int_equal(now(gate, "ada", ""), LOGIN_ASK);
    assert_int_equal(now(gate, "eve", "right"), LOGIN_ASK); // to take as long
    assert_int_equal(now(gate, "eve", NULL), LOGIN_NO);     // and so does nobody of these
    assert_int_equal(now(gate, "ada", NULL), LOGIN_NO);
    assert_int_equal(now(gate, NULL, NULL), LOGIN_NOT_MINE);
    login_gate_unref(gate);
    // The same password with another hash is another thing.
    gate = gate_of_file(line_of("ada", "right"));
    assert_int_equal(now(gate, "ada", "right"), LOGIN_ASK);
    login_gate_unref(gate);
}

static void an_empty_file_knows_nobody_and_lets_nobody_in(void **state)
{
    (void)state;
    struct login_gate *gate = gate_of_file("# nobody\n");
    assert_true(login_gate_has_users(gate));
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_NO);
    assert_int_equal(slowly(gate, "", "", NULL), LOGIN_NO);
    login_gate_unref(gate);
}

static void without_anybody_who_knows_names_are_nothing(void **state)
{
    (void)state;
    struct login_gate *gate = login_gate_new();
    assert_false(login_gate_has_users(gate));
    assert_int_equal(now(gate, "DVES_USER", "DVES_PASS"), LOGIN_NOT_MINE);
    login_gate_unref(gate);
}

static void a_connection_stays_as_long_as_its_line_does(void **state)
{
    (void)state;
    uint64_t entry;
    char line[PASSWORD_HASH_TEXT_MAX + 64];
    (void)snprintf(line, sizeof(line), "%s", line_of("ada", "right"));
    struct login_gate *gate = gate_of_file(line);
    assert_int_equal(slowly(gate, "ada", "right", &entry), LOGIN_YES);
    assert_true(login_still_valid(gate, AUTHORITY_PASSWORD_FILE, BYTES_OF("ada"), entry));
    assert_false(login_still_valid(gate, AUTHORITY_PASSWORD_FILE, BYTES_OF("eve"), entry));
    assert_false(login_still_valid(gate, AUTHORITY_USERS, BYTES_OF("ada"), entry));
    login_gate_unref(gate);
    gate = gate_of_file(line_of("ada", "right")); // the same password, set anew
    assert_false(login_still_valid(gate, AUTHORITY_PASSWORD_FILE, BYTES_OF("ada"), entry));
    login_gate_unref(gate);
}

static void the_first_who_knows_a_user_decides(void **state)
{
    (void)state;
    struct login_gate *gate = gate_of_file(line_of("ada", "first"));
    struct password_file *second;
    const char *text = line_of("ada", "second");
    assert_int_equal(password_file_parse("q", PASSWORD_FILE_OF_MOSQUITTO,
                                         bytes_make(text, strlen(text)), &second, error),
                     0);
    struct authority authority = password_file_authority(second, cache);
    login_gate_add(gate, &authority);
    assert_int_equal(slowly(gate, "ada", "second", NULL), LOGIN_NO);
    assert_int_equal(slowly(gate, "ada", "first", NULL), LOGIN_YES);
    login_gate_unref(gate);
}

// Our users, whose file changes while the broker runs.

static struct users *open_users(struct login_gate **ret_gate)
{
    struct users *users;
    if (users_open("users", cache, &users, error) < 0)
        fail_msg("%s", error);
    *ret_gate = login_gate_new();
    struct authority authority = users_authority(users);
    login_gate_add(*ret_gate, &authority);
    return users;
}

static void close_users(struct users *users, struct login_gate *gate)
{
    login_gate_unref(gate);
    users_close(users);
    (void)unlink("users");
}

// A change counts at the second look.
static int refresh(struct users *users)
{
    int first = users_refresh(users, error);
    return first != 0 ? first : users_refresh(users, error);
}

static void users_come_and_go_while_it_runs(void **state)
{
    (void)state;
    struct login_gate *gate;
    struct users *users = open_users(&gate);
    assert_false(login_gate_has_users(gate)); // there is no file
    assert_int_equal(refresh(users), 0);
    write_file("users", line_of("ada", "right"));
    assert_int_equal(refresh(users), 1);
    assert_int_equal(refresh(users), 0);
    assert_true(login_gate_has_users(gate));
    uint64_t entry;
    assert_int_equal(slowly(gate, "ada", "right", &entry), LOGIN_YES);
    assert_true(login_still_valid(gate, AUTHORITY_USERS, BYTES_OF("ada"), entry));
    write_file("users", line_of("bob", "right"));
    assert_int_equal(refresh(users), 1);
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_NO);
    assert_false(login_still_valid(gate, AUTHORITY_USERS, BYTES_OF("ada"), entry));
    close_users(users, gate);
}

static void changes_within_one_moment_are_seen(void **state)
{
    (void)state;
    struct login_gate *gate;
    write_file("users", line_of("ada", "0"));
    struct users *users = open_users(&gate);
    for (int i = 0; i < 20; i++) { // the same size each time, and within the same second
        char password[2] = {(char)('a' + i), 0};
        write_file("new", line_of("ada", password));
        assert_int_equal(rename("new", "users"), 0);
        assert_int_equal(refresh(users), 1);
        assert_int_equal(slowly(gate, "ada", password, NULL), LOGIN_YES);
    }
    close_users(users, gate);
}

static void what_cannot_be_read_changes_nothing(void **state)
{
    (void)state;
    struct login_gate *gate;
    write_file("users", line_of("ada", "right"));
    struct users *users = open_users(&gate);
    write_file("users", "ada:swordfish\n");
    assert_int_equal(refresh(users), -EINVAL);
    assert_non_null(strstr(error, "users:1:"));
    assert_int_equal(refresh(users), 0); // said once
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_YES);
    assert_int_equal(slowly(gate, "ada", "swordfish", NULL), LOGIN_NO);
    assert_int_equal(unlink("users") + symlink("/etc/passwd", "users"), 0);
    assert_int_equal(refresh(users), -ELOOP);
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_YES);
    close_users(users, gate);
}

static void a_file_is_gone_at_the_second_look(void **state)
{
    (void)state;
    struct login_gate *gate;
    write_file("users", line_of("ada", "right"));
    struct users *users = open_users(&gate);
    assert_int_equal(unlink("users"), 0);
    assert_int_equal(users_refresh(users, error), 0);
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_YES);
    assert_int_equal(users_refresh(users, error), 1);
    assert_int_equal(refresh(users), 0);
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_NO);
    close_users(users, gate);
}

// Names are believed only where there never was somebody to know them.
static void an_empty_users_file_believes_nobody(void **state)
{
    (void)state;
    struct login_gate *gate;
    write_file("users", "");
    struct users *users = open_users(&gate);
    assert_true(login_gate_has_users(gate));
    assert_int_equal(slowly(gate, "ada", "right", NULL), LOGIN_NO);
    assert_int_equal(now(gate, NULL, NULL), LOGIN_NOT_MINE);
    close_users(users, gate);
}

static void the_cache_forgets_what_was_not_used(void **state)
{
    (void)state;
    struct login_cache *small = login_cache_new(2);
    struct password_hash hash = {.scheme = PASSWORD_SHA512}, other = hash;
    other.salt[0] = 1;
    login_cache_put(small, &hash, BYTES_OF("a"), BYTES_OF("p"));
    login_cache_put(small, &hash, BYTES_OF("b"), BYTES_OF("p"));
    login_cache_put(small, &hash, BYTES_OF("b"), BYTES_OF("p"));
    assert_true(login_cache_has(small, &hash, BYTES_OF("a"), BYTES_OF("p")));
    login_cache_put(small, &hash, BYTES_OF("c"), BYTES_OF("p"));
    assert_false(login_cache_has(small, &hash, BYTES_OF("b"), BYTES_OF("p")));
    assert_true(login_cache_has(small, &hash, BYTES_OF("a"), BYTES_OF("p")));
    assert_true(login_cache_has(small, &hash, BYTES_OF("c"), BYTES_OF("p")));
    assert_false(login_cache_has(small, &other, BYTES_OF("a"), BYTES_OF("p")));
    assert_false(login_cache_has(small, &hash, BYTES_OF("ap"), BYTES_OF("")));
    memory_fail(1, 1);
    login_cache_put(small, &hash, BYTES_OF("d"), BYTES_OF("p"));
    memory_fail(2, 1);
    login_cache_put(small, &hash, BYTES_OF("e"), BYTES_OF("p"));
    memory_fail(0, 0);
    login_cache_free(small);
}

static int set_up(void **state)
{
    (void)state;
    cache = login_cache_new(100);
    return mkdtemp(directory) == NULL || chdir(directory) != 0 ? -1 : 0;
}

static int clean_up(void **state)
{
    (void)state;
    login_cache_free(cache);
    return chdir("/") + rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_file_decides),
        cmocka_unit_test(only_a_password_that_fitted_needs_no_thread),
        cmocka_unit_test(an_empty_file_knows_nobody_and_lets_nobody_in),
        cmocka_unit_test(without_anybody_who_knows_names_are_nothing),
        cmocka_unit_test(a_connection_stays_as_long_as_its_line_does),
        cmocka_unit_test(the_first_who_knows_a_user_decides),
        cmocka_unit_test(users_come_and_go_while_it_runs),
        cmocka_unit_test(changes_within_one_moment_are_seen),
        cmocka_unit_test(what_cannot_be_read_changes_nothing),
        cmocka_unit_test(a_file_is_gone_at_the_second_look),
        cmocka_unit_test(an_empty_users_file_believes_nobody),
        cmocka_unit_test(the_cache_forgets_what_was_not_used),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
