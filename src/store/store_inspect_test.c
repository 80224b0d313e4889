// SPDX-License-Identifier: MIT
// check, dump, backup and compact, beside a running store and on a stopped one.
#include "store/store_heard.h"

#include "base/buffer.h"
#include "store/json.h"

#include <errno.h>
#include <fcntl.h>

static char printed[16384], path[200];

// What a call prints to standard output.
static int run(int (*call)(const char *directory, char *error), char *error)
{
    (void)fflush(stdout);
    int before = dup(1);
    FILE *file = tmpfile();
    assert_true(dup2(fileno(file), 1) >= 0);
    int result = call(directory, error);
    (void)fflush(stdout);
    assert_true(dup2(before, 1) >= 0);
    (void)close(before);
    rewind(file);
    size_t size = fread(printed, 1, sizeof(printed) - 1, file);
    printed[size] = '\0';
    (void)fclose(file);
    return result;
}

static int backup(const char *from, char *error)
{
    return store_backup(from, path, error);
}

static const char *path_of(const char *name)
{
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void make_some_of_everything(void)
{
    struct message *message = make_message("t/1", "p");
    struct record will = of_session(RECORD_WILL_PUT, 1);
    struct record incoming = of_session(RECORD_INCOMING_PUT, 1);
    will.message = message;
    incoming.packet_id = 4;
    begin();
    apply(session_put(1, "lampo"));
    apply(with_text(of_session(RECORD_SUBSCRIPTION_PUT, 1), "a"));
    apply(with_text(will, "lampo"));
    apply(incoming);
    apply(delivery_put(1, 1, message));
    apply(retained_put(message, 1));
    commit();
    message_unref(message);
}

static void a_running_store_is_checked(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    make_some_of_everything();
    assert_int_equal(run(store_check, error), 0);
    assert_non_null(strstr(printed, "1 session, 0 removal, 1 message, 1 subscription, 1 incoming, "
                                    "0 spread, 1 delivery, 1 retained, 1 will"));
    assert_non_null(strstr(printed, "The store is sound."));
    commit_one(session_put(2, "other")); // it goes on
    assert_int_equal(run(store_check, error), 0);
    assert_non_null(strstr(printed, "2 session,"));
}

static void a_stopped_store_is_checked(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    make_some_of_everything();
    close_store();
    assert_int_equal(run(store_check, error), 0);
    assert_non_null(strstr(printed, "1 session,"));
    open_and_load();
}

static void damage_is_found(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    make_some_of_everything();
    close_store();
    int file = open(path_of("store.db"), O_RDWR);
    assert_int_equal(pwrite(file, "x", 1, 5 * 4096 + 4000), 1);
    (void)close(file);
    assert_int_equal(run(store_check, error), 1);
    assert_non_null(strstr(printed, "1 pages are damaged, page 6 the first"));
    assert_non_null(strstr(printed, "The store is damaged."));
    open_and_load();
}

static void no_store_is_said(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    close_store();
    assert_int_equal(unlink(path_of("store.db")), 0);
    assert_int_equal(run(store_check, error), -ENOENT);
    assert_non_null(strstr(error, "there is no store in"));
    assert_int_equal(run(store_dump, error), -ENOENT);
    assert_int_equal(run(store_compact, error), -ENOENT);
    path_of("copy");
    assert_int_equal(run(backup, error), -ENOENT);
    open_and_load();
}

static void everything_is_dumped(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    make_some_of_everything();
    assert_int_equal(run(store_dump, error), 0);
    assert_non_null(
        strstr(printed, "{\"table\":\"session\",\"number\":1,\"client_id\":\"lampo\","));
    assert_non_null(strstr(printed, "{\"table\":\"message\",\"id\":1,\"topic\":\"t/1\","
                                    "\"payload\":\"p\","));
    assert_non_null(strstr(printed, "{\"table\":\"delivery\",\"session\":1,\"number\":1,"
                                    "\"message\":1,\"qos\":1,"));
    assert_non_null(strstr(printed, "{\"table\":\"incoming\",\"session\":1,\"packet_id\":4}\n"));
}

static void json_of(const char *payload, size_t size, char *text, size_t text_size)
{
    struct buffer buffer = {0};
    struct row row = {.table = TABLE_MESSAGE};
    row.values[MESSAGE_PAYLOAD].bytes = bytes_make(payload, size);
    json_row(&buffer, &row, NULL);
    (void)snprintf(text, text_size, "%.*s", (int)buffer.size, (const char *)buffer.data);
    buffer_done(&buffer);
}

static void nothing_in_a_dump_reaches_the_terminal(void **state)
{
    char text[512];
    (void)state;
    json_of("\x1b[2J\"\\\n\x7f", 8, text, sizeof(text));
    assert_non_null(strstr(text, "\"payload\":\"\\u001b[2J\\u0022\\u005c\\u000a\\u007f\""));
    json_of("\xc2\x9b", 2, text, sizeof(text)); // CSI, as one character
    assert_non_null(strstr(text, "\"payload\":\"\\u009b\""));
    json_of("\xc3\xa6\xe2\x82\xac", 5, text, sizeof(text));
    assert_non_null(strstr(text, "\"payload\":\"\xc3\xa6\xe2\x82\xac\""));
    json_of("a\0b", 3, text, sizeof(text));
    assert_non_null(strstr(text, "\"payload_hex\":\"610062\""));
    json_of("\xff", 1, text, sizeof(text));
    assert_non_null(strstr(text, "\"payload_hex\":\"ff\""));
}

static void a_backup_of_a_running_store_is_a_store(void **state)
{
    char error[STORE_ERROR_MAX], place[128];
    (void)state;
    make_some_of_everything();
    char *before = strdup(heard);
    path_of("copy");
    assert_int_equal(run(backup, error), 0);
    assert_int_equal(run(backup, error), -EEXIST);
    commit_one(session_put(2, "later"));
    reopen();
    assert_non_null(strstr(heard, "later"));
    close_store();
    (void)snprintf(place, sizeof(place), "%s/store.db", directory);
    assert_int_equal(rename(path_of("copy"), place), 0);
    open_and_load();
    assert_null(strstr(heard, "later"));
    assert_non_null(strstr(heard, "session 1 'lampo'"));
    assert_non_null(strstr(heard, "delivery 1 1 qos 1 't/1' 'p'"));
    assert_string_equal(reports, "");
    free(before);
}

static void compacting_gives_space_back(void **state)
{
    char error[STORE_ERROR_MAX];
    (void)state;
    make_some_of_everything();
    begin();
    for (uint64_t number = 2; number < 3000; number++) {
        struct message *message = make_message("q", "some text that takes some space");
        apply(delivery_put(1, number, message));
        message_unref(message);
    }
    commit();
    begin();
    for (uint64_t number = 2; number < 3000; number++)
        apply(delivery_changed(RECORD_DELIVERY_REMOVE, 1, number, 0));
    commit();
    assert_int_equal(run(store_compact, error), -EWOULDBLOCK);
    assert_non_null(strstr(error, "stop it first"));
    close_store();
    int64_t before = file_size(path_of("store.db"));
    assert_int_equal(run(store_compact, error), 0);
    assert_true(file_size(path_of("store.db")) < before / 2);
    assert_int_equal(run(store_check, error), 0);
    assert_non_null(strstr(printed, "The store is sound."));
    open_and_load();
    assert_non_null(strstr(heard, "delivery 1 1 qos 1 't/1' 'p'"));
    assert_string_equal(reports, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_running_store_is_checked),
        TEST(a_stopped_store_is_checked),
        TEST(damage_is_found),
        TEST(no_store_is_said),
        TEST(everything_is_dumped),
        TEST(nothing_in_a_dump_reaches_the_terminal),
        TEST(a_backup_of_a_running_store_is_a_store),
        TEST(compacting_gives_space_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
