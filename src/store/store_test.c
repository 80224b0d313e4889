// SPDX-License-Identifier: MIT
// What is committed is there after a restart, and what was removed is not: every kind of record.
#include "store/store_heard.h"

#include <errno.h>

static void an_empty_store_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(heard, "");
    reopen();
    assert_string_equal(heard, "");
    assert_string_equal(reports, "");
}

static void a_session_with_all_it_has(void **state)
{
    struct message *message = make_message("last/words", "gone");
    struct record session = session_put(5, "lampouser");
    struct record subscription = of_session(RECORD_SUBSCRIPTION_PUT, 5);
    struct record incoming = of_session(RECORD_INCOMING_PUT, 5);
    struct record will = of_session(RECORD_WILL_PUT, 5);
    (void)state;
    session.text_size = 5;
    session.text_more_size = 4;
    subscription.options = (struct subscription_options){2, true, true, 1};
    subscription.identifier = 268435455;
    incoming.packet_id = 65535;
    will.message = message;
    will.delay_interval = 10;
    will.expiry_interval = UINT32_MAX;
    begin();
    apply(session);
    apply(with_text(subscription, "hus/+/#"));
    apply(incoming);
    apply(with_text(will, "lampo"));
    commit();
    message_unref(message);
    reopen();
    assert_string_equal(heard, "session 5 'lampo' 'user' version 5 expiry 60 detached 4000\n"
                               "subscription 5 'hus/+/#' qos 2 no-local as-published handling 1 "
                               "identifier 268435455\n"
                               "incoming 5 65535\n"
                               "will 5 'lampo' delay 10 expiry 4294967295 'last/words' 'gone'\n");
    assert_string_equal(reports, "");
}

static void what_is_put_again_is_replaced(void **state)
{
    struct message *first = make_message("w", "1"), *second = make_message("w", "2");
    struct record subscription = of_session(RECORD_SUBSCRIPTION_PUT, 1);
    struct record will = of_session(RECORD_WILL_PUT, 1);
    (void)state;
    begin();
    apply(session_put(1, "old"));
    apply(session_put(1, "new"));
    apply(with_text(subscription, "a"));
    subscription.options.qos = 1;
    apply(with_text(subscription, "a"));
    will.message = first;
    apply(with_text(will, "new"));
    will.message = second;
    apply(with_text(will, "new"));
    commit();
    message_unref(first);
    message_unref(second);
    assert_int_equal(message_count(), 1);
    reopen();
    assert_string_equal(heard, "session 1 'new' '' version 5 expiry 60 detached 4000\n"
                               "subscription 1 'a' qos 1 handling 0 identifier 0\n"
                               "will 1 'new' delay 0 expiry 0 'w' '2'\n");
}

static void what_is_removed_stays_away(void **state)
{
    struct message *message = make_message("w", "1");
    struct record will = of_session(RECORD_WILL_PUT, 1);
    struct record incoming = of_session(RECORD_INCOMING_PUT, 1);
    (void)state;
    will.message = message;
    incoming.packet_id = 7;
    begin();
    apply(session_put(1, "c"));
    apply(with_text(of_session(RECORD_SUBSCRIPTION_PUT, 1), "a"));
    apply(with_text(of_session(RECORD_SUBSCRIPTION_PUT, 1), "b"));
    apply(incoming);
    apply(with_text(will, "c"));
    commit();
    message_unref(message);
    incoming.kind = RECORD_INCOMING_REMOVE;
    begin();
    apply(with_text(of_session(RECORD_SUBSCRIPTION_REMOVE, 1), "a"));
    apply(incoming);
    apply(of_session(RECORD_WILL_REMOVE, 1));
    commit();
    reopen();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached 4000\n"
                               "subscription 1 'b' qos 0 handling 0 identifier 0\n");
    assert_int_equal(message_count(), 0);
}

static void removing_what_is_not_there_is_no_error(void **state)
{
    (void)state;
    begin();
    apply(of_session(RECORD_SESSION_REMOVE, 9));
    apply(with_text(of_session(RECORD_SUBSCRIPTION_REMOVE, 9), "a"));
    apply(delivery_changed(RECORD_DELIVERY_SENT, 9, 1, 1));
    apply(delivery_changed(RECORD_DELIVERY_RELEASED, 9, 1, 1));
    apply(delivery_changed(RECORD_DELIVERY_REMOVE, 9, 1, 0));
    apply(of_session(RECORD_INCOMING_REMOVE, 9));
    apply(of_session(RECORD_WILL_REMOVE, 9));
    apply(of_session(RECORD_NONE, 9));
    commit();
    reopen();
    assert_string_equal(heard, "");
}

static void deliveries_go_through_their_states(void **state)
{
    uint32_t more[] = {8, 9};
    struct message *message = make_message("t", "p");
    struct record first = delivery_put(1, 10, message);
    (void)state;
    first.qos = 2;
    first.retain = true;
    first.identifier = 7;
    first.text = (uint8_t *)more;
    first.text_size = sizeof(more);
    begin();
    apply(session_put(1, "c"));
    apply(first);
    apply(delivery_put(1, 11, message));
    apply(delivery_put(1, 12, message));
    commit();
    begin();
    apply(delivery_changed(RECORD_DELIVERY_SENT, 1, 10, 500));
    apply(delivery_changed(RECORD_DELIVERY_SENT, 1, 11, 501));
    apply(delivery_changed(RECORD_DELIVERY_RELEASED, 1, 11, 501));
    commit();
    message_unref(message);
    reopen();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached 4000\n"
                               "delivery 1 10 qos 2 retain sent 500 identifier 7 and 8 and 9 't' "
                               "'p'\n"
                               "delivery 1 11 qos 1 released 501\n"
                               "delivery 1 12 qos 1 't' 'p'\n");
    begin();
    for (uint64_t number = 10; number <= 12; number++)
        apply(delivery_changed(RECORD_DELIVERY_REMOVE, 1, number, 0));
    commit();
    assert_int_equal(message_count(), 0);
    reopen();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached 4000\n");
}

static void a_delivery_may_be_put_in_flight(void **state)
{
    struct message *message = make_message("t", "p");
    struct record record = delivery_put(1, 1, message);
    (void)state;
    record.packet_id = 3;
    begin();
    apply(session_put(1, "c"));
    apply(record);
    commit();
    message_unref(message);
    reopen();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached 4000\n"
                               "delivery 1 1 qos 1 sent 3 't' 'p'\n");
}

static void a_message_is_there_once_for_all(void **state)
{
    struct message *message = make_message("t", "p");
    (void)state;
    begin();
    for (uint64_t session = 1; session <= 3; session++) {
        apply(session_put(session, "c"));
        apply(delivery_put(session, 1, message));
    }
    apply(retained_put(message, 4));
    commit();
    assert_int_equal(message_count(), 1);
    reopen();
    assert_int_equal(message_count(), 1);
    begin();
    for (uint64_t session = 1; session <= 3; session++)
        apply(delivery_changed(RECORD_DELIVERY_REMOVE, session, 1, 0));
    commit();
    assert_int_equal(message_count(), 1);
    message_unref(message);
    message = make_message("t", "");
    commit_one(retained_put(message, 5));
    message_unref(message);
    assert_int_equal(message_count(), 0);
}

// The row went with its last delivery; the message in memory lives on.
static void a_message_can_come_back(void **state)
{
    struct message *message = make_message("t", "p");
    (void)state;
    commit_one(session_put(1, "c"));
    commit_one(delivery_put(1, 1, message));
    commit_one(delivery_changed(RECORD_DELIVERY_REMOVE, 1, 1, 0));
    assert_int_equal(message_count(), 0);
    commit_one(delivery_put(1, 2, message));
    message_unref(message);
    reopen();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached 4000\n"
                               "delivery 1 2 qos 1 't' 'p'\n");
}

static void everything_of_a_session_goes_with_it(void **state)
{
    struct message *message = make_message("t", "p");
    struct record will = of_session(RECORD_WILL_PUT, 1);
    struct record incoming = of_session(RECORD_INCOMING_PUT, 1);
    (void)state;
    will.message = message;
    begin();
    apply(session_put(1, "c"));
    apply(session_put(2, "d"));
    apply(with_text(of_session(RECORD_SUBSCRIPTION_PUT, 1), "a"));
    apply(incoming);
    apply(with_text(will, "c"));
    apply(delivery_put(1, 1, message));
    apply(delivery_put(2, 1, message));
    commit();
    message_unref(message);
    commit_one(of_session(RECORD_SESSION_REMOVE, 1));
    reopen();
    assert_string_equal(heard, "session 2 'd' '' version 5 expiry 60 detached 4000\n"
                               "delivery 2 1 qos 1 't' 'p'\n");
    assert_string_equal(reports, "");
}

static void a_long_queue_goes_piece_by_piece(void **state)
{
    struct store_numbers numbers;
    (void)state;
    begin();
    apply(session_put(1, "c"));
    for (uint64_t number = 1; number <= 3500; number++) {
        struct message *message = make_message("t", "p");
        apply(delivery_put(1, number, message));
        message_unref(message);
    }
    commit();
    commit_one(of_session(RECORD_SESSION_REMOVE, 1));
    store_numbers(store, &numbers);
    assert_int_equal(numbers.deliveries, 2500);
    reopen(); // in the middle of it: nothing of the session is given
    assert_string_equal(heard, "");
    assert_string_equal(reports, "");
    for (unsigned i = 0; i < 4; i++) {
        begin();
        commit();
    }
    store_numbers(store, &numbers);
    assert_int_equal(numbers.deliveries, 0);
    assert_int_equal(numbers.messages, 0);
    reopen();
    assert_string_equal(heard, "");
}

static void retain(const char *payload, uint64_t sequence)
{
    struct message *message = make_message("r", payload);
    commit_one(retained_put(message, sequence));
    message_unref(message);
}

static void the_newest_retained_value_stays(void **state)
{
    (void)state;
    retain("one", 1);
    retain("three", 3);
    retain("two", 2); // handed over late by another worker
    reopen();
    assert_string_equal(heard, "retained 3 'r' 'three'\n");
    struct store_numbers numbers;
    store_numbers(store, &numbers);
    assert_int_equal(numbers.last_sequence, 3);
    assert_int_equal(numbers.retained, 1);
    assert_int_equal(numbers.messages, 1);
}

static void a_removed_retained_value_does_not_come_back_late(void **state)
{
    (void)state;
    retain("one", 1);
    retain("", 3);
    retain("two", 2);
    assert_int_equal(message_count(), 0);
    reopen();
    assert_string_equal(heard, "");
    retain("four", 4);
    retain("", 2); // a late removal of something older
    reopen();
    assert_string_equal(heard, "retained 4 'r' 'four'\n");
}

static void where_a_publication_went_is_known_until_it_is_released(void **state)
{
    struct message *message = make_message("t", "p");
    struct record incoming = of_session(RECORD_INCOMING_PUT, 1);
    (void)state;
    message->publisher = 1;
    message->packet_id = 77;
    incoming.packet_id = 77;
    begin();
    apply(session_put(1, "publisher"));
    apply(session_put(2, "subscriber"));
    struct record put = delivery_put(2, 1, message);
    put.reached = 2;
    apply(put);
    put.number = 2; // the same message again, given by another way: that is not noted
    put.reached = 0;
    apply(put);
    apply(incoming);
    commit();
    message_unref(message);
    commit_one(delivery_changed(RECORD_DELIVERY_REMOVE, 2, 1, 0));
    commit_one(delivery_changed(RECORD_DELIVERY_REMOVE, 2, 2, 0));
    reopen();
    assert_string_equal(heard, "session 1 'publisher' '' version 5 expiry 60 detached 4000\n"
                               "session 2 'subscriber' '' version 5 expiry 60 detached 4000\n"
                               "incoming 1 77\nspread 1 77 to 2\n");
    incoming.kind = RECORD_INCOMING_REMOVE;
    commit_one(incoming);
    reopen();
    assert_null(strstr(heard, "spread"));
}

static void where_a_will_went_is_known_until_it_is_removed(void **state)
{
    struct message *message = make_message("t", "p");
    struct record will = of_session(RECORD_WILL_PUT, 7);
    (void)state;
    message->publisher = 7;
    message->packet_id = 1;
    will.message = message;
    begin();
    apply(session_put(2, "subscriber"));
    apply(with_text(will, "client"));
    struct record put = delivery_put(2, 1, message);
    put.reached = UINT64_C(1) << 63 | 5; // a group
    apply(put);
    commit();
    message_unref(message);
    commit_one(delivery_changed(RECORD_DELIVERY_REMOVE, 2, 1, 0));
    reopen();
    assert_non_null(strstr(heard, "will 7 'client'"));
    assert_non_null(strstr(heard, "spread 7 1 to "));
    commit_one(of_session(RECORD_WILL_REMOVE, 7));
    reopen();
    assert_null(strstr(heard, "will"));
    assert_null(strstr(heard, "spread"));
}

static const uint8_t raw_properties[] = {3, 0, 2, 'a', 'b', 38, 0, 1, 'k', 0, 1, 'v'};
static const uint8_t any_bytes[] = {0, 255, 0, 1, '\n', '\'', 0};

static void compare_bytes(void *context, const struct store_delivery *delivery)
{
    const struct message *message = delivery->message;
    (void)context;
    assert_int_equal(message->payload_size, sizeof(any_bytes));
    assert_memory_equal(message->payload, any_bytes, sizeof(any_bytes));
    assert_int_equal(message->properties_size, sizeof(raw_properties));
    assert_memory_equal(message->bytes, raw_properties, sizeof(raw_properties));
    assert_int_equal(message->qos, 2);
    assert_true(message->retain);
    assert_true(message->publisher == UINT64_MAX);
    message_unref(delivery->message);
}

static void properties_and_any_bytes_come_back(void **state)
{
    struct properties properties = {.raw = bytes_make(raw_properties, sizeof(raw_properties))};
    struct message_source source = {
        .topic = BYTES_OF("t"),
        .payload = bytes_make(any_bytes, sizeof(any_bytes)),
        .properties = &properties,
        .qos = 2,
        .retain = true,
        .publisher = UINT64_MAX,
    };
    struct message *message = message_try_new(&budget, &source);
    (void)state;
    commit_one(session_put(1, "c"));
    commit_one(delivery_put(1, 1, message));
    message_unref(message);
    reopen();
    assert_int_equal(store_read(store, 1, 0, 10, &budget, compare_bytes, NULL), 1);
}

static void a_large_payload_comes_back(void **state)
{
    char *payload = malloc(3000001);
    (void)state;
    memset(payload, 'x', 3000000);
    payload[3000000] = '\0';
    struct message *message = make_message("big", payload);
    commit_one(retained_put(message, 1));
    message_unref(message);
    free(payload);
    close_store();
    open_and_load();
    assert_int_equal(strlen(heard), sizeof(heard) - 1); // cut short by us
    assert_int_equal(message_count(), 1);
    message = make_message("big", "");
    commit_one(retained_put(message, 2));
    message_unref(message);
    reopen();
    assert_string_equal(heard, "");
}

static void a_group_that_is_rolled_back_never_was(void **state)
{
    struct message *message = make_message("t", "p"), *other = make_message("r", "q");
    struct store_numbers before, after;
    (void)state;
    begin();
    apply(session_put(1, "c"));
    apply(delivery_put(1, 1, message));
    commit();
    store_numbers(store, &before);
    begin();
    apply(session_put(2, "d"));
    apply(delivery_put(2, 1, message));
    apply(delivery_put(2, 2, other));
    apply(retained_put(other, 1));
    apply(delivery_changed(RECORD_DELIVERY_REMOVE, 1, 1, 0));
    apply(of_session(RECORD_SESSION_REMOVE, 1));
    store_roll_back(store);
    store_numbers(store, &after);
    assert_memory_equal(&before.messages, &after.messages, 4 * sizeof(before.messages));
    commit_one(delivery_put(1, 2, other)); // its row went with the group
    message_unref(message);
    message_unref(other);
    reopen();
    assert_string_equal(heard, "session 1 'c' '' version 5 expiry 60 detached 4000\n"
                               "delivery 1 1 qos 1 't' 'p'\n"
                               "delivery 1 2 qos 1 'r' 'q'\n");
    assert_string_equal(reports, "");
}

static void numbering_goes_on(void **state)
{
    struct store_numbers numbers;
    (void)state;
    commit_one(session_put(41, "c"));
    commit_one(of_session(RECORD_SESSION_REMOVE, 41));
    reopen();
    store_numbers(store, &numbers);
    assert_true(numbers.next_session > 41);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_store_says_nothing),
        TEST(a_session_with_all_it_has),
        TEST(what_is_put_again_is_replaced),
        TEST(what_is_removed_stays_away),
        TEST(removing_what_is_not_there_is_no_error),
        TEST(deliveries_go_through_their_states),
        TEST(a_delivery_may_be_put_in_flight),
        TEST(a_message_is_there_once_for_all),
        TEST(a_message_can_come_back),
        TEST(everything_of_a_session_goes_with_it),
        TEST(a_long_queue_goes_piece_by_piece),
        TEST(the_newest_retained_value_stays),
        TEST(a_removed_retained_value_does_not_come_back_late),
        TEST(where_a_publication_went_is_known_until_it_is_released),
        TEST(where_a_will_went_is_known_until_it_is_removed),
        TEST(properties_and_any_bytes_come_back),
        TEST(a_large_payload_comes_back),
        TEST(a_group_that_is_rolled_back_never_was),
        TEST(numbering_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
