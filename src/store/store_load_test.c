// SPDX-License-Identifier: MIT
// Loading: a bounded window of each queue, the rest from the disk, clocks that jump, and rows that
// cannot be trusted.
#include "store/store_heard.h"

#include <errno.h>
#include <sqlite3.h>

#include "store/disk.h"

static void fill_queue(uint64_t session, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++) {
        char payload[32];
        (void)snprintf(payload, sizeof(payload), "%d", (int)number);
        struct message *message = make_message("q", payload);
        apply(delivery_put(session, number, message));
        message_unref(message);
    }
}

static int read_more(uint64_t session, uint64_t after, uint32_t count_max)
{
    heard[0] = '\0';
    return store_read(store, session, after, count_max, &budget, hear_delivery, NULL);
}

static void what_is_beyond_the_window_waits_on_the_disk(void **state)
{
    (void)state;
    begin();
    apply(session_put(1, "c"));
    apply(session_put(2, "d"));
    fill_queue(1, 1, 6);
    fill_queue(2, 1, 1);
    apply(delivery_changed(RECORD_DELIVERY_SENT, 1, 5, 9)); // in flight: always given
    commit();
    window = 2;
    reopen();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached 4000\n"
                               "session 2 'd' '' version 5 expiry 60 detached 4000\n"
                               "delivery 1 1 qos 1 'q' '1'\n"
                               "delivery 1 2 qos 1 'q' '2'\n"
                               "delivery 1 5 qos 1 sent 9 'q' '5'\n"
                               "delivery 2 1 qos 1 'q' '1'\n");
    assert_int_equal(store_waiting(store, 1), 3);
    assert_int_equal(store_waiting(store, 2), 0);
    assert_int_equal(store_waiting(store, 3), 0);
    assert_int_equal(read_more(1, 2, 2), 2);
    assert_string_equal(heard, "delivery 1 3 qos 1 'q' '3'\ndelivery 1 4 qos 1 'q' '4'\n");
    assert_int_equal(store_waiting(store, 1), 1);
    assert_int_equal(read_more(1, 4, 10), 1);
    assert_string_equal(heard, "delivery 1 6 qos 1 'q' '6'\n");
    assert_int_equal(store_waiting(store, 1), 0);
    assert_int_equal(read_more(1, 6, 10), 0);
    assert_int_equal(read_more(7, 0, 10), 0);
}

static void what_waits_can_be_removed_unread(void **state)
{
    (void)state;
    begin();
    apply(session_put(1, "c"));
    fill_queue(1, 1, 4);
    commit();
    window = 1;
    reopen();
    assert_int_equal(store_waiting(store, 1), 3);
    commit_one(delivery_changed(RECORD_DELIVERY_REMOVE, 1, 3, 0));
    assert_int_equal(store_waiting(store, 1), 2);
    begin();
    apply(delivery_changed(RECORD_DELIVERY_REMOVE, 1, 4, 0));
    store_roll_back(store);
    assert_int_equal(store_waiting(store, 1), 2);
    commit_one(delivery_changed(RECORD_DELIVERY_REMOVE, 1, 1, 0)); // that one was given
    assert_int_equal(store_waiting(store, 1), 2);
    commit_one(of_session(RECORD_SESSION_REMOVE, 1));
    assert_int_equal(store_waiting(store, 1), 0);
    assert_int_equal(message_count(), 0);
}

static void what_was_put_meanwhile_is_read_behind_the_rest(void **state)
{
    (void)state;
    begin();
    apply(session_put(1, "c"));
    fill_queue(1, 1, 3);
    commit();
    window = 1;
    reopen();
    begin();
    fill_queue(1, 4, 4);
    commit();
    assert_int_equal(read_more(1, 1, 10), 3);
    assert_string_equal(heard, "delivery 1 2 qos 1 'q' '2'\ndelivery 1 3 qos 1 'q' '3'\n"
                               "delivery 1 4 qos 1 'q' '4'\n");
}

static void without_memory_a_queue_stays_on_the_disk(void **state)
{
    (void)state;
    begin();
    apply(session_put(1, "c"));
    fill_queue(1, 1, 100);
    commit();
    close_store();
    budget.limit = 3000;
    open_and_load();
    uint64_t waiting = store_waiting(store, 1);
    assert_in_range(waiting, 1, 99);
    budget.limit = INT64_MAX;
    assert_int_equal(read_more(1, 100 - waiting, 1000), waiting);
    assert_int_equal(store_waiting(store, 1), 0);
}

// A message that expires at this moment of the clock of apply().
static void put_expiring(uint64_t number, int64_t expires_ms)
{
    struct message *message = make_message("e", "x");
    message->expires_ms = expires_ms;
    apply(delivery_put(1, number, message));
    message_unref(message);
}

static void time_goes_on_while_it_is_stopped(void **state)
{
    (void)state;
    begin();
    apply(session_put(1, "c"));
    put_expiring(1, MONOTONIC_MS + 10000);
    put_expiring(2, MONOTONIC_MS + 30000);
    commit();
    close_store();
    options.wall_ms = WALL_MS + 20000;
    options.monotonic_ms = 100; // another boot
    open_and_load();
    // Gone offline a second before the clocks were at WALL_MS: 21 seconds ago.
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached -20900\n"
                               "delivery 1 2 qos 1 'e' 'x' expires 10100\n");
    begin(); // what expired is deleted with the next group
    commit();
    assert_int_equal(message_count(), 1);
    assert_string_equal(reports, "");
}

static void a_clock_that_went_back_expires_nothing(void **state)
{
    (void)state;
    begin();
    apply(session_put(1, "c"));
    put_expiring(1, MONOTONIC_MS + 10000);
    commit();
    close_store();
    options.wall_ms = 0; // 1970: a machine without a clock
    options.monotonic_ms = 100;
    open_and_load();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached -900\n"
                               "delivery 1 1 qos 1 'e' 'x' expires 10100\n");
}

// The last commit may be hours older than the crash.
static void the_time_of_a_session_connected_at_the_crash_begins_at_the_start(void **state)
{
    struct record record = session_put(1, "c");
    (void)state;
    record.detached_ms = 0;
    commit_one(record);
    close_store();
    options.wall_ms = WALL_MS + 3000;
    open_and_load();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached 5000\n");
}

static void an_expired_message_is_not_read_either(void **state)
{
    (void)state;
    begin();
    apply(session_put(1, "c"));
    put_expiring(1, MONOTONIC_MS + 10000);
    put_expiring(2, MONOTONIC_MS + 10000);
    put_expiring(3, MONOTONIC_MS + 90000);
    commit();
    close_store();
    window = 0;
    options.wall_ms = WALL_MS + 20000;
    open_and_load();
    assert_int_equal(store_waiting(store, 1), 3);
    assert_int_equal(read_more(1, 0, 10), 1);
    assert_non_null(strstr(heard, "delivery 1 3"));
    begin();
    commit();
    assert_int_equal(message_count(), 1);
}

// SQL on the stopped store: rows change, and their checks do not.
static void spoil(const char *sql)
{
    char path[128];
    struct disk *disk = disk_new(NULL);
    sqlite3 *database;
    close_store();
    (void)snprintf(path, sizeof(path), "%s/store.db", directory);
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, disk_vfs_name(disk)),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    disk_free(disk);
}

static void make_some_of_everything(void)
{
    struct message *message = make_message("t", "p");
    struct record will = of_session(RECORD_WILL_PUT, 1);
    will.message = message;
    begin();
    apply(session_put(1, "lampo"));
    apply(session_put(2, "other"));
    apply(with_text(of_session(RECORD_SUBSCRIPTION_PUT, 1), "a"));
    apply(with_text(will, "lampo"));
    fill_queue(1, 1, 2);
    apply(retained_put(message, 1));
    commit();
    message_unref(message);
}

// What is set aside is in the quarantine file, and gone from the store with the next group.
static void assert_set_aside(const char *what)
{
    char line[1024], path[128];
    (void)snprintf(path, sizeof(path), "%s/damaged-1700000000.jsonl", directory);
    FILE *file = fopen(path, "r");
    bool found = false;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        found = found || strstr(line, what) != NULL;
    (void)fclose(file);
    assert_true(found);
    begin();
    commit();
    reports[0] = '\0';
    reopen();
    assert_string_equal(reports, "");
}

static void a_spoilt_delivery_is_set_aside(void **state)
{
    struct store_numbers numbers;
    (void)state;
    make_some_of_everything();
    spoil("UPDATE delivery SET packet_id=9 WHERE number=1");
    open_and_load();
    assert_null(strstr(heard, "delivery 1 1"));
    assert_non_null(strstr(heard, "delivery 1 2"));
    assert_non_null(strstr(reports, "session 1"));
    assert_non_null(strstr(reports, "queued message 1"));
    store_numbers(store, &numbers);
    assert_int_equal(numbers.damaged, 2); // the row, and the message that nobody names now
    assert_set_aside("\"table\":\"delivery\",\"session\":1,\"number\":1");
    assert_int_equal(message_count(), 2);
}

static void a_spoilt_message_is_never_given(void **state)
{
    (void)state;
    make_some_of_everything();
    spoil("UPDATE message SET payload=x'31313131' WHERE topic='t'");
    open_and_load();
    assert_null(strstr(heard, "1111"));
    assert_null(strstr(heard, "retained"));
    assert_null(strstr(heard, "will"));
    assert_non_null(strstr(reports, "the retained message of 't'"));
    assert_non_null(strstr(reports, "the will of client 'lampo'"));
    assert_set_aside("\"payload\":\"1111\"");
    assert_int_equal(message_count(), 2);
}

static void a_missing_message_is_reported(void **state)
{
    (void)state;
    make_some_of_everything();
    spoil("DELETE FROM message WHERE topic='t'");
    open_and_load();
    assert_null(strstr(heard, "retained"));
    assert_set_aside("its message is not there");
}

static void a_spoilt_session_takes_its_own_along(void **state)
{
    (void)state;
    make_some_of_everything();
    spoil("UPDATE session SET client_id='lampe' WHERE number=1");
    open_and_load();
    assert_string_equal(heard, "session 2 'other' '' version 5 expiry 60 detached 4000\n"
                               "retained 1 't' 'p'\n"
                               "will 1 'lampo' delay 0 expiry 0 't' 'p'\n");
    assert_non_null(strstr(reports, "the session of client 'lampe'"));
    assert_non_null(strstr(reports, "session 1: the subscription to 'a'"));
    assert_set_aside("its session is not there");
    assert_int_equal(message_count(), 1);
}

static void a_spoilt_number_of_the_store_itself_does_no_harm(void **state)
{
    struct store_numbers numbers;
    (void)state;
    make_some_of_everything();
    spoil("UPDATE meta SET value=7");
    open_and_load();
    assert_non_null(strstr(heard, "session 1 'lampo'"));
    store_numbers(store, &numbers);
    assert_true(numbers.next_session > 2);
    assert_string_not_equal(reports, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_beyond_the_window_waits_on_the_disk),
        TEST(what_waits_can_be_removed_unread),
        TEST(what_was_put_meanwhile_is_read_behind_the_rest),
        TEST(without_memory_a_queue_stays_on_the_disk),
        TEST(time_goes_on_while_it_is_stopped),
        TEST(a_clock_that_went_back_expires_nothing),
        TEST(the_time_of_a_session_connected_at_the_crash_begins_at_the_start),
        TEST(an_expired_message_is_not_read_either),
        TEST(a_spoilt_delivery_is_set_aside),
        TEST(a_spoilt_message_is_never_given),
        TEST(a_missing_message_is_reported),
        TEST(a_spoilt_session_takes_its_own_along),
        TEST(a_spoilt_number_of_the_store_itself_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
