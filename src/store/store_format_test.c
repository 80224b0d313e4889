// SPDX-License-Identifier: MIT
// Who was it? Kept with sessions, wills and retained messages since format 2; and a store of
// format 1, which did not know, is opened, with all that was in it.
#include "store/store_heard.h"

#include <sqlite3.h>

#include "store/disk.h"
#include "store/table.h"

static struct principal *make_principal(const char *client_id, const char *user, uint32_t domain)
{
    struct principal_source source = {
        .client_id = bytes_make(client_id, strlen(client_id)),
        .user = bytes_make(user, strlen(user)),
        .domain = domain,
    };
    struct principal *principal = principal_try_new(&budget, &source);
    assert_non_null(principal);
    return principal;
}

// A session, its will, and a retained message.
static void put_all(const char *user, uint32_t domain)
{
    struct principal *principal = make_principal("tv", user, domain);
    struct message *last = make_message("gone", "w"), *value = make_message("on", "1");
    value->retain = true;
    value->principal = principal; // and its reference
    struct record session = session_put(1, "tv"), will = of_session(RECORD_WILL_PUT, 1);
    char text[64];
    (void)snprintf(text, sizeof(text), "tv%s", user);
    session = with_text(session, text);
    will = with_text(will, text);
    session.text_size = will.text_size = 2;
    session.text_more_size = will.text_more_size = (uint32_t)strlen(user);
    session.domain = will.domain = domain;
    will.message = last;
    begin();
    apply(session);
    apply(will);
    apply(retained_put(value, 7));
    commit();
    message_unref(last);
    message_unref(value);
}

static void it_is_kept_who_it_was(void **state)
{
    (void)state;
    put_all("kari", 77);
    reopen();
    assert_non_null(strstr(heard, "session 1 'tv' 'kari' version 5 expiry 60 detached 4000 domain "
                                  "77\n"));
    assert_non_null(strstr(heard, "retained 7 'on' '1' of 'tv' user 'kari' domain 77\n"));
    assert_non_null(strstr(heard, "will 1 'tv' delay 0 expiry 0 'gone' 'w' user 'kari' domain 77"));
    assert_string_equal(reports, "");
}

static void nobody_is_kept_as_nobody(void **state)
{
    (void)state;
    put_all("", 0);
    struct message *value = make_message("by/the/broker", "1");
    commit_one(retained_put(value, 8));
    message_unref(value);
    reopen();
    assert_non_null(strstr(heard, "retained 7 'on' '1' of 'tv'\n"));
    assert_non_null(strstr(heard, "retained 8 'by/the/broker' '1'\n"));
}

// The check that format 1 had of a row: its table's number, then its values.
static void check_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct row row = {.table = (uint8_t)sqlite3_value_int(values[0])};
    for (int i = 1; i < count; i++) {
        struct value *value = &row.values[i - 1];
        value->number = sqlite3_value_int64(values[i]);
        value->bytes =
            bytes_make(sqlite3_value_blob(values[i]), (size_t)sqlite3_value_bytes(values[i]));
    }
    sqlite3_result_int64(context, row_check_first(&row, (unsigned)count - 1));
}

static const char to_format_1[] =
    "BEGIN;"
    "ALTER TABLE session RENAME TO now;"
    "CREATE TABLE session(number INTEGER NOT NULL PRIMARY KEY, client_id TEXT NOT NULL, user TEXT "
    "NOT NULL, version INTEGER NOT NULL, expiry INTEGER NOT NULL, detached INTEGER NOT NULL, crc "
    "INTEGER NOT NULL);"
    "INSERT INTO session SELECT number, client_id, user, version, expiry, detached,"
    " check_of(1, number, client_id, user, version, expiry, detached) FROM now;"
    "DROP TABLE now;"
    "ALTER TABLE retained RENAME TO now;"
    "CREATE TABLE retained(topic TEXT NOT NULL, sequence INTEGER NOT NULL, message INTEGER NOT "
    "NULL, crc INTEGER NOT NULL, PRIMARY KEY(topic)) WITHOUT ROWID;"
    "INSERT INTO retained SELECT topic, sequence, message,"
    " check_of(7, topic, sequence, message) FROM now;"
    "DROP TABLE now;"
    "ALTER TABLE will RENAME TO now;"
    "CREATE TABLE will(session INTEGER NOT NULL PRIMARY KEY, client_id TEXT NOT NULL, message "
    "INTEGER NOT NULL, delay INTEGER NOT NULL, expiry INTEGER NOT NULL, crc INTEGER NOT NULL);"
    "INSERT INTO will SELECT session, client_id, message, delay, expiry,"
    " check_of(8, session, client_id, message, delay, expiry) FROM now;"
    "DROP TABLE now;"
    "PRAGMA user_version=1;"
    "COMMIT";

static void make_format_1(void)
{
    char path[400];
    sqlite3 *database;
    struct disk *disk = disk_new(NULL);
    (void)snprintf(path, sizeof(path), "%s/store.db", directory);
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, disk_vfs_name(disk)),
                     SQLITE_OK);
    assert_int_equal(sqlite3_create_function(database, "check_of", -1,
                                             SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, check_of,
                                             NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL),
                     SQLITE_OK);
    char *error = NULL;
    if (sqlite3_exec(database, to_format_1, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    disk_free(disk);
}

static void a_store_of_format_1_opens_with_all_that_was_in_it(void **state)
{
    (void)state;
    put_all("kari", 77);
    struct message *queued = make_message("queued", "q");
    commit_one(delivery_put(1, 1, queued));
    message_unref(queued);
    close_store();
    make_format_1();
    open_and_load();
    assert_non_null(strstr(heard, "session 1 'tv' 'kari' version 5 expiry 60 detached 4000\n"));
    assert_non_null(strstr(heard, "delivery 1 1 qos 1 'queued' 'q'\n"));
    assert_non_null(strstr(heard, "retained 7 'on' '1'\n"));
    assert_non_null(strstr(heard, "will 1 'tv' delay 0 expiry 0 'gone' 'w'\n"));
    assert_non_null(strstr(reports, "was of an older format (1, now 2)"));
    assert_null(strstr(reports, "damaged"));
    reports[0] = '\0';
    put_all("ola", 5); // and is written as any other
    reopen();
    assert_non_null(strstr(heard, "retained 7 'on' '1'"));
    assert_non_null(strstr(heard, "session 1 'tv' 'ola'"));
    assert_string_equal(reports, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_kept_who_it_was),
        TEST(nobody_is_kept_as_nobody),
        TEST(a_store_of_format_1_opens_with_all_that_was_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
