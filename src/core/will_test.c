// SPDX-License-Identifier: MIT
// Wills: published at most once, only as long as they are wanted, with a life that begins when they
// are published. Their orders with time and reconnections: server/worker_sessions_test.c.
#include "core/will.h"

#include "core/test_router.h"

struct fixture {
    struct world *world;
    struct session *owner, *observer; // the observer is here, offline and keeps everything
};

static int set_up(void **state)
{
    struct fixture *fixture = memory_new(sizeof(*fixture));
    fixture->world = world_new();
    fixture->owner = world_session(fixture->world, 0);
    fixture->observer = world_session(fixture->world, 0);
    world_subscribe(fixture->observer, "will/#", 2);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    world_end_session(fixture->owner);
    world_end_session(fixture->observer);
    world_free(fixture->world);
    memory_free(fixture);
    return 0;
}

static struct packet_will will_of(const char *payload)
{
    return (struct packet_will){.topic = text("will/a"), .payload = text(payload), .qos = 1};
}

static void set(struct fixture *fixture, const char *payload)
{
    struct packet_will will = will_of(payload);
    assert_true(will_try_set(fixture->owner, &will, 0));
}

static void a_will_is_published_once(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, "gone");
    world_expect_nothing(fixture->observer);
    will_publish(fixture->owner, 0);
    world_expect(fixture->observer, "gone", 1);
    will_publish(fixture->owner, 0);
    will_publish(fixture->owner, 1000);
    world_expect_nothing(fixture->observer);
}

static void a_forgotten_will_is_never_published(void **state)
{
    struct fixture *fixture = *state;
    will_forget(fixture->owner); // there is none: fine
    will_publish(fixture->owner, 0);
    set(fixture, "gone");
    will_forget(fixture->owner);
    will_publish(fixture->owner, 0);
    world_expect_nothing(fixture->observer);
}

static void the_last_connect_decides(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, "first");
    set(fixture, "second");
    will_publish(fixture->owner, 0);
    world_expect(fixture->observer, "second", 1);
    set(fixture, "third");
    assert_true(will_try_set(fixture->owner, NULL, 0));
    will_publish(fixture->owner, 0);
    world_expect_nothing(fixture->observer);
}

static void a_session_that_ends_takes_its_will_along(void **state)
{
    struct fixture *fixture = *state;
    struct session *other = world_session(fixture->world, 0);
    struct packet_will will = will_of("gone");
    assert_true(will_try_set(other, &will, 0));
    world_end_session(other); // who wants it published says so before
    world_expect_nothing(fixture->observer);
}

static void its_life_begins_with_its_publication(void **state)
{
    struct fixture *fixture = *state;
    struct packet_will will = will_of("gone");
    will.properties.present = UINT64_C(1) << PROPERTY_MESSAGE_EXPIRY_INTERVAL;
    will.properties.message_expiry_interval = 10;
    assert_true(will_try_set(fixture->owner, &will, 0));
    will_publish(fixture->owner, 500000);
    struct session_outgoing outgoing = session_next(fixture->observer, 509999);
    assert_int_equal(outgoing.type, PACKET_PUBLISH);
    assert_int_equal(outgoing.delivery->message->expires_ms, 510000);
    assert_true(will_try_set(fixture->owner, &will, 0));
    will_publish(fixture->owner, 500000);
    assert_int_equal(session_next(fixture->observer, 510000).type, 0);
}

// [MQTT-3.3.2-6]: a receiver is told, however far away it is.
static void the_longest_life_is_a_life_too(void **state)
{
    struct fixture *fixture = *state;
    struct packet_will will = will_of("gone");
    will.properties.present = UINT64_C(1) << PROPERTY_MESSAGE_EXPIRY_INTERVAL;
    will.properties.message_expiry_interval = UINT32_MAX;
    assert_true(will_try_set(fixture->owner, &will, 0));
    will_publish(fixture->owner, 0);
    struct session_outgoing outgoing = session_next(fixture->observer, 0);
    assert_int_equal(outgoing.type, PACKET_PUBLISH);
    assert_true(outgoing.delivery->message->expires_ms < MESSAGE_NEVER_EXPIRES);
}

static void a_retained_will_is_retained(void **state)
{
    struct fixture *fixture = *state;
    struct packet_will will = will_of("gone");
    will.retain = true; // [MQTT-3.1.2-15]
    assert_true(will_try_set(fixture->owner, &will, 0));
    assert_null(retained_get(fixture->world->retained, text("will/a")));
    will_publish(fixture->owner, 0);
    struct message *message = retained_get(fixture->world->retained, text("will/a"));
    assert_true(bytes_equal(message_payload(message), text("gone")));
    message_unref(message);
}

static void no_local_knows_whose_will_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct subscription_options options = {.qos = 1, .no_local = true, .retain_handling = 2};
    session_subscribe(fixture->owner, text("will/#"), options, 0);
    set(fixture, "gone");
    will_publish(fixture->owner, 0);
    world_expect_nothing(fixture->owner);
    world_expect(fixture->observer, "gone", 1);
}

// ---- what cannot be published is reported ----

static void who_may_no_longer_write_has_no_will(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, "gone");
    fixture->world->denied = text("will/a");
    will_publish(fixture->owner, 0);
    world_expect_nothing(fixture->observer);
    assert_int_equal(fixture->world->dropped[COUNTER_DROPPED_NOT_AUTHORIZED], 1);
    assert_ptr_equal(fixture->world->dropped_for, fixture->owner);
}

static void nobody_has_a_will_for_the_brokers_topics(void **state)
{
    struct fixture *fixture = *state;
    struct packet_will will = will_of("uptime 7 years");
    will.topic = text("$SYS/broker/uptime");
    world_subscribe(fixture->observer, "$SYS/#", 1);
    assert_true(will_try_set(fixture->owner, &will, 0));
    will_publish(fixture->owner, 0);
    world_expect_nothing(fixture->observer);
    assert_int_equal(fixture->world->dropped[COUNTER_DROPPED_NOT_AUTHORIZED], 1);
}

static void a_will_that_cannot_be_retained_is_reported(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 100; i++) {
        char topic[8];
        snprintf(topic, sizeof(topic), "%d", i);
        world_retain(fixture->world, topic, "x", 0);
    }
    struct packet_will will = will_of("gone");
    will.retain = true;
    assert_true(will_try_set(fixture->owner, &will, 0));
    will_publish(fixture->owner, 0);
    assert_int_equal(fixture->world->dropped[COUNTER_DROPPED_NOT_RETAINED], 1);
    assert_ptr_equal(fixture->world->dropped_for, fixture->owner);
    world_expect_nothing(fixture->observer);
}

static void without_memory_the_earlier_will_stays(void **state)
{
    struct fixture *fixture = *state;
    struct packet_will will = will_of("second");
    set(fixture, "first");
    fixture->owner->will_due_ms = 7;
    memory_fail(1, 1);
    assert_false(will_try_set(fixture->owner, &will, 0));
    memory_fail(0, 0);
    int64_t limit = fixture->world->budget.limit;
    fixture->world->budget.limit = 0;
    assert_false(will_try_set(fixture->owner, &will, 0));
    fixture->world->budget.limit = limit;
    assert_int_equal(fixture->owner->will_due_ms, 7);
    will_publish(fixture->owner, 0);
    world_expect(fixture->observer, "first", 1);
}

static void each_failing_allocation_of_a_publication_is_reported(void **state)
{
    struct fixture *fixture = *state;
    uint64_t calls = UINT64_MAX;
    for (uint64_t nth = 1; nth <= calls; nth++) {
        uint64_t drops = fixture->world->drops;
        set(fixture, "gone");
        uint64_t before = memory_try_count();
        memory_fail(nth, 1);
        will_publish(fixture->owner, 0);
        memory_fail(0, 0);
        calls = memory_try_count() - before;
        uint64_t got = fixture->observer->lasting.count;
        assert_int_equal(got + fixture->world->drops - drops, 1);
        if (got > 0)
            session_on_puback(fixture->observer, world_expect(fixture->observer, "gone", 1));
    }
}

#define WILL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WILL_TEST(a_will_is_published_once),
        WILL_TEST(a_forgotten_will_is_never_published),
        WILL_TEST(the_last_connect_decides),
        WILL_TEST(a_session_that_ends_takes_its_will_along),
        WILL_TEST(its_life_begins_with_its_publication),
        WILL_TEST(the_longest_life_is_a_life_too),
        WILL_TEST(a_retained_will_is_retained),
        WILL_TEST(no_local_knows_whose_will_it_is),
        WILL_TEST(who_may_no_longer_write_has_no_will),
        WILL_TEST(nobody_has_a_will_for_the_brokers_topics),
        WILL_TEST(a_will_that_cannot_be_retained_is_reported),
        WILL_TEST(without_memory_the_earlier_will_stays),
        WILL_TEST(each_failing_allocation_of_a_publication_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
