// SPDX-License-Identifier: MIT
// Messages: what is kept of a PUBLISH, what it costs, and that the last holder frees it.
#include "core/message.h"

#include "core/topic_world.h"

#include <pthread.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct budget budget;

static int set_up(void **state)
{
    (void)state;
    budget = (struct budget){.limit = 1 << 20};
    return 0;
}

static int nothing_is_left(void **state)
{
    (void)state;
    assert_int_equal(budget_used(&budget), 0);
    return 0;
}

static struct message_source source_of(const char *topic, const char *payload)
{
    return (struct message_source){.topic = text(topic), .payload = text(payload), .now_ms = 1000};
}

static void keeps_its_own_copy(void **state)
{
    (void)state;
    char topic[] = "hus/lys", payload[] = "paa";
    struct message_source source = source_of(topic, payload);
    source.qos = 2;
    source.retain = true;
    source.publisher = 77;
    struct message *message = message_try_new(&budget, &source);
    memset(topic, '-', strlen(topic));
    memset(payload, '-', strlen(payload));
    assert_true(bytes_equal(message_topic(message), text("hus/lys")));
    assert_true(bytes_equal(message_payload(message), text("paa")));
    assert_int_equal(message_properties(message).size, 0);
    assert_int_equal(message->qos, 2);
    assert_true(message->retain);
    assert_int_equal(message->publisher, 77);
    assert_int_equal(message->sequence, 0);
    message_unref(message);
}

static void nothing_is_a_payload_too(void **state)
{
    (void)state;
    struct message_source source = source_of("a", "");
    source.payload = (struct bytes){0};
    struct message *message = message_try_new(&budget, &source);
    assert_int_equal(message_payload(message).size, 0);
    message_unref(message);
    message_unref(NULL);
}

// The properties of a PUBLISH as the decoder gives them.
static struct properties decoded(struct writer *section, uint8_t *packet, size_t size)
{
    struct properties properties;
    assert_false(section->bad);
    assert_in_range(section->size, 0, 127);
    assert_true(section->size + 1 <= size);
    packet[0] = (uint8_t)section->size;
    struct reader reader = reader_of(bytes_make(packet, section->size + 1));
    assert_int_equal(properties_decode(&reader, PACKET_PUBLISH, &properties), BUD_SUCCESS);
    return properties;
}

static void forwards_what_is_the_publishers_and_nothing_else(void **state)
{
    (void)state;
    uint8_t packet[128], expected[128];
    struct writer in = writer_of(packet + 1, sizeof(packet) - 1);
    struct writer out = writer_of(expected, sizeof(expected));
    writer_bytes(&in, BYTES_OF("\x02\x00\x00\x00\x07")); // Message Expiry Interval
    property_write_user(&in, text("b"), text("1"));
    property_write_user(&out, text("b"), text("1"));
    writer_bytes(&in, BYTES_OF("\x23\x00\x05")); // Topic Alias
    writer_bytes(&in, BYTES_OF("\x03\x00\x01t"));
    writer_bytes(&out, BYTES_OF("\x03\x00\x01t"));   // Content Type
    writer_bytes(&in, BYTES_OF("\x01\x01"));         // Payload Format Indicator
    writer_bytes(&out, BYTES_OF("\x01\x01"));        //
    property_write_user(&in, text("a"), text("2"));  // order of user properties is kept
    property_write_user(&out, text("a"), text("2")); // [MQTT-3.3.2-18]
    writer_bytes(&in, BYTES_OF("\x08\x00\x03"
                               "r/t")); // Response Topic
    writer_bytes(&out, BYTES_OF("\x08\x00\x03"
                                "r/t"));
    writer_bytes(&in, BYTES_OF("\x09\x00\x02\x00\xff")); // Correlation Data
    writer_bytes(&out, BYTES_OF("\x09\x00\x02\x00\xff"));
    struct properties properties = decoded(&in, packet, sizeof(packet));
    struct message_source source = source_of("a", "x");
    source.properties = &properties;
    struct message *message = message_try_new(&budget, &source);
    assert_true(bytes_equal(message_properties(message), bytes_make(expected, out.size)));
    assert_int_equal(message->expires_ms, 1000 + 7000);
    message_unref(message);
}

static void lives_as_long_as_it_was_given(void **state)
{
    (void)state;
    uint8_t packet[16];
    struct writer in = writer_of(packet + 1, sizeof(packet) - 1);
    writer_bytes(&in, BYTES_OF("\x02\xff\xff\xff\xff"));
    struct properties properties = decoded(&in, packet, sizeof(packet));
    struct message_source source = source_of("a", "x");
    struct message *message = message_try_new(&budget, &source);
    assert_false(message_expired(message, INT64_MAX - 1));
    message_unref(message);
    source.properties = &properties;
    message = message_try_new(&budget, &source);
    int64_t end_ms = 1000 + INT64_C(4294967295) * 1000;
    assert_false(message_expired(message, end_ms - 1));
    assert_true(message_expired(message, end_ms));
    message_unref(message);
    properties.message_expiry_interval = 0; // expires at once
    message = message_try_new(&budget, &source);
    assert_true(message_expired(message, 1000));
    message_unref(message);
}

static void costs_what_it_holds_until_the_last_reference_goes(void **state)
{
    (void)state;
    struct message_source small = source_of("a", ""), large = source_of("a", "0123456789");
    struct message *message = message_try_new(&budget, &small);
    size_t empty_size = message_size(message);
    message_unref(message);
    message = message_try_new(&budget, &large);
    assert_int_equal(message_size(message), empty_size + 10);
    assert_int_equal(budget_used(&budget), message_size(message));
    assert_ptr_equal(message_ref(message), message);
    message_unref(message);
    assert_true(bytes_equal(message_payload(message), text("0123456789")));
    message_unref(message);
    assert_int_equal(budget_used(&budget), 0);
}

static struct message_source adopted_source(size_t capacity)
{
    uint8_t *block = memory_new(capacity);
    memcpy(block,
           "head"
           "a/b"
           "payload",
           14);
    return (struct message_source){
        .topic = bytes_make(block + 4, 3),
        .payload = bytes_make(block + 7, 7),
        .storage = block,
        .storage_size = capacity,
    };
}

static void a_large_payload_stays_where_it_came(void **state)
{
    (void)state;
    struct message_source source = adopted_source(1000);
    struct message *message = message_try_new(&budget, &source);
    assert_ptr_equal(message_payload(message).data, source.payload.data);
    assert_true(bytes_equal(message_topic(message), text("a/b")));
    assert_true(message_size(message) >= 1000);
    assert_int_equal(budget_used(&budget), message_size(message));
    message_unref(message); // and frees the block: the leak checker looks
}

static void what_cannot_be_made_leaves_the_block_to_the_caller(void **state)
{
    (void)state;
    struct message_source source = adopted_source(1000);
    memory_fail(1, 1);
    assert_null(message_try_new(&budget, &source));
    memory_fail(0, 0);
    assert_int_equal(budget_used(&budget), 0);
    budget.limit = 1000; // too little for the block and the message around it
    assert_null(message_try_new(&budget, &source));
    assert_int_equal(budget_used(&budget), 0);
    assert_memory_equal(source.payload.data, "payload", 7);
    memory_free(source.storage);
}

static void the_largest_topic_fits(void **state)
{
    (void)state;
    static uint8_t topic[65535];
    memset(topic, 'x', sizeof(topic));
    struct message_source source = {.topic = bytes_make(topic, sizeof(topic))};
    struct message *message = message_try_new(&budget, &source);
    assert_int_equal(message_topic(message).size, 65535);
    message_unref(message);
}

#define HOLDERS 4

static void *hold_and_let_go(void *argument)
{
    struct message *message = argument;
    unsigned sum = 0;
    for (int i = 0; i < 5000; i++) {
        message_ref(message);
        sum += message_payload(message).data[0];
        message_unref(message);
    }
    message_unref(message); // the one that this thread was given
    return sum == 0 ? argument : NULL;
}

static void whichever_thread_is_last_frees_it(void **state)
{
    (void)state;
    struct message_source source = source_of("a", "x");
    struct message *message = message_try_new(&budget, &source);
    pthread_t threads[HOLDERS];
    for (int i = 0; i < HOLDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_let_go, message_ref(message)),
                         0);
    message_unref(message);
    for (int i = 0; i < HOLDERS; i++)
        pthread_join(threads[i], NULL);
}

#define MESSAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGE_TEST(keeps_its_own_copy),
        MESSAGE_TEST(nothing_is_a_payload_too),
        MESSAGE_TEST(forwards_what_is_the_publishers_and_nothing_else),
        MESSAGE_TEST(lives_as_long_as_it_was_given),
        MESSAGE_TEST(costs_what_it_holds_until_the_last_reference_goes),
        MESSAGE_TEST(a_large_payload_stays_where_it_came),
        MESSAGE_TEST(what_cannot_be_made_leaves_the_block_to_the_caller),
        MESSAGE_TEST(the_largest_topic_fits),
        MESSAGE_TEST(whichever_thread_is_last_frees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
