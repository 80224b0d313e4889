// SPDX-License-Identifier: MIT
// Opening: it always starts, for one process at a time, and nobody else may read what it keeps.
#include "store/store_heard.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "store/disk.h"

static char path[400];

static const char *path_of(const char *name)
{
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

// SQL on a stopped store, past all checks of rows.
static void run_sql(const char *sql)
{
    struct disk *disk = disk_new(NULL);
    sqlite3 *database;
    assert_int_equal(
        sqlite3_open_v2(path_of("store.db"), &database, SQLITE_OPEN_READWRITE, disk_vfs_name(disk)),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    disk_free(disk);
}

static int try_open(char *error)
{
    struct store *other;
    int result = store_open(&options, &other, error);
    if (result == 0)
        assert_int_equal(store_close(other), 0);
    return result;
}

static void only_one_opens_it(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    assert_int_equal(try_open(error), -EWOULDBLOCK);
    assert_non_null(strstr(error, "another bud uses"));
    close_store();
    assert_int_equal(try_open(error), 0);
    open_and_load();
}

static void a_newer_format_is_refused_and_untouched(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    commit_one(session_put(1, "c"));
    close_store();
    run_sql("PRAGMA user_version=3");
    assert_int_equal(try_open(error), -EPROTO);
    assert_non_null(strstr(error, "newer bud"));
    run_sql("PRAGMA user_version=2");
    open_and_load();
    assert_non_null(strstr(heard, "session 1"));
    assert_string_equal(reports, "");
}

static void directories_are_made(void **state)
{
    char inner[128], error[STORE_ERROR_MAX];
    struct stat status;
    (void)state;
    (void)snprintf(inner, sizeof(inner), "%s/a/b", directory);
    options.directory = inner;
    assert_int_equal(try_open(error), 0);
    assert_int_equal(stat(inner, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    static const char *const files[] = {"a/b/store.db", "a/b/store.db-mark", "a/b/lock",
                                        "a/b/reading"};
    for (unsigned i = 0; i < 4; i++)
        (void)unlink(path_of(files[i]));
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(rmdir(path_of("a")), 0);
    options.directory = directory;
}

static void a_file_in_the_place_of_the_directory_is_refused(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    options.directory = "/dev/null";
    assert_int_equal(try_open(error), -ENOTDIR);
    assert_non_null(strstr(error, "/dev/null"));
    options.directory = directory;
}

static void nobody_else_may_read_it(void **state)
{
    (void)state;
    mode_t before = umask(0);
    commit_one(session_put(1, "c"));
    struct dirent *entry;
    struct stat status;
    unsigned count = 0;
    DIR *stream = opendir(directory);
    while ((entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(stat(path_of(entry->d_name), &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        count++;
    }
    (void)closedir(stream);
    (void)umask(before);
    assert_true(count >= 4);
}

static void an_empty_main_file_is_reported(void **state)
{
    (void)state;
    commit_one(session_put(1, "c"));
    close_store();
    assert_int_equal(truncate(path_of("store.db"), 0), 0);
    open_and_load();
    assert_string_equal(heard, "");
    assert_non_null(strstr(reports, "missing"));
    reports[0] = '\0';
    reopen();
    assert_string_equal(reports, "");
}

static void what_is_no_store_is_moved_aside(void **state)
{
    (void)state;
    close_store();
    FILE *file = fopen(path_of("store.db"), "w");
    for (unsigned i = 0; i < 3000; i++)
        (void)fprintf(file, "this is not a store\n");
    (void)fclose(file);
    open_and_load();
    assert_non_null(strstr(reports, "damaged"));
    assert_true(file_exists(path_of("store.db.damaged-1700000000")));
    commit_one(session_put(1, "c"));
    reopen();
    assert_non_null(strstr(heard, "session 1"));
}

static void a_kill_loses_nothing(void **state)
{
    char copy[300];
    (void)state;
    commit_one(session_put(1, "c"));
    (void)snprintf(copy, sizeof(copy), "cp -r %s %s.copy", directory, directory);
    assert_int_equal(system(copy), 0); // the files as they are while it runs
    close_store();
    (void)snprintf(copy, sizeof(copy), "rm -r %s && mv %s.copy %s", directory, directory,
                   directory);
    assert_int_equal(system(copy), 0);
    open_and_load();
    assert_non_null(strstr(heard, "session 1"));
    assert_string_equal(reports, "");
}

static void the_reserve_is_taken_when_there_is_space(void **state)
{
    (void)state;
    assert_false(
        file_exists(path_of("reserve"))); // the limit of these tests is higher than any disk
    assert_true(store_is_low(store));
    close_store();
    options.low_space_bytes = 1;
    open_and_load();
    assert_false(store_is_low(store));
    assert_int_equal(file_size(path_of("reserve")), 4 << 20);
}

static void a_commit_passes_one_barrier(void **state)
{
    struct store_numbers before, after;
    (void)state;
    commit_one(session_put(1, "c")); // the first in a log has one more
    store_numbers(store, &before);
    for (uint64_t i = 2; i < 12; i++)
        commit_one(session_put(i, "c"));
    store_numbers(store, &after);
    assert_int_equal(after.commits - before.commits, 10);
    assert_int_equal(after.barriers - before.barriers, 10);
    assert_true(after.bytes_written > before.bytes_written);
}

static void a_group_without_records_writes_nothing(void **state)
{
    struct store_numbers before, after;
    (void)state;
    commit_one(session_put(1, "c"));
    store_numbers(store, &before);
    begin();
    commit();
    store_numbers(store, &after);
    assert_int_equal(after.bytes_written, before.bytes_written);
    assert_int_equal(after.barriers, before.barriers);
}

static void relaxed_has_no_barrier(void **state)
{
    struct store_numbers before, after;
    (void)state;
    close_store();
    options.durability = STORE_RELAXED;
    open_and_load();
    commit_one(session_put(1, "c"));
    store_numbers(store, &before);
    for (uint64_t i = 2; i < 12; i++)
        commit_one(session_put(i, "c"));
    store_numbers(store, &after);
    assert_int_equal(after.barriers, before.barriers);
    reopen();
    assert_non_null(strstr(heard, "session 11"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_one_opens_it),
        TEST(a_newer_format_is_refused_and_untouched),
        TEST(directories_are_made),
        TEST(a_file_in_the_place_of_the_directory_is_refused),
        TEST(nobody_else_may_read_it),
        TEST(an_empty_main_file_is_reported),
        TEST(what_is_no_store_is_moved_aside),
        TEST(a_kill_loses_nothing),
        TEST(the_reserve_is_taken_when_there_is_space),
        TEST(a_commit_passes_one_barrier),
        TEST(a_group_without_records_writes_nothing),
        TEST(relaxed_has_no_barrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
