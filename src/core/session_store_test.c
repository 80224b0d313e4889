// SPDX-License-Identifier: MIT
// What sessions tell the store, and in which order: whom a publication reached, what goes from one
// member of a group to another, what ends. A power cut may come between any two lines of it that
// different workers say.
#include "core/test_router.h"
#include "core/will.h"

#include <stdarg.h>
#include <stdio.h>

static char told[1024];

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    size_t size = strlen(told);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(told + size, sizeof(told) - size, format, arguments);
    va_end(arguments);
}

static void expect_told(const char *expected)
{
    assert_string_equal(told, expected);
    told[0] = '\0';
}

static int number_of(const struct session *session)
{
    return (int)session->number;
}

static void put(void *context, const struct session *session, struct delivery *delivery)
{
    (void)context;
    tell("put %d/%d%s\n", number_of(session), (int)delivery->number,
         delivery->is_noted ? " noted" : "");
}

static void sent(void *context, const struct session *session, const struct delivery *delivery,
                 uint16_t packet_id)
{
    (void)context;
    (void)session;
    (void)delivery;
    (void)packet_id;
}

static void removed(void *context, const struct session *session, const struct delivery *delivery)
{
    (void)context;
    tell("remove %d/%d\n", number_of(session), (int)delivery->number);
}

static void moved_removed(void *context, struct moved moved)
{
    (void)context;
    tell("moved %d/%d\n", (int)moved.session, (int)moved.number);
}

static void put_session(void *context, const struct session *session)
{
    (void)context;
    (void)session;
}

static void remove_session(void *context, const struct session *session)
{
    (void)context;
    tell("session %d ends\n", number_of(session));
}

static void put_subscription(void *context, const struct session *session, struct bytes filter,
                             const struct subscription *subscription)
{
    (void)context;
    (void)session;
    (void)filter;
    (void)subscription;
}

static void remove_subscription(void *context, const struct session *session, struct bytes filter)
{
    (void)context;
    (void)session;
    (void)filter;
}

static void put_retained(void *context, struct message *message)
{
    (void)context;
    (void)message;
}

static void put_will(void *context, const struct session *session)
{
    (void)context;
    tell("will of %d\n", number_of(session));
}

static void remove_will(void *context, const struct session *session, bool published)
{
    (void)context;
    tell("will of %d goes%s\n", number_of(session), published ? ", published" : "");
}

static int set_up(void **state)
{
    struct world *world = world_new();
    world->store = (struct store_port){
        .keeps = true,
        .context = world,
        .session_put = put_session,
        .session_remove = remove_session,
        .subscription_put = put_subscription,
        .subscription_remove = remove_subscription,
        .delivery_put = put,
        .delivery_sent = sent,
        .delivery_remove = removed,
        .moved_remove = moved_removed,
        .retained_put = put_retained,
        .will_put = put_will,
        .will_remove = remove_will,
    };
    for (uint32_t i = 0; i < WORLD_WORKERS; i++)
        world->routers[i].spreads_over_workers = true;
    told[0] = '\0';
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    return 0;
}

static struct session *stored_session(struct world *world, uint32_t worker, const char *filter)
{
    struct session *session = world_session(world, worker);
    session_keep(session);
    world_subscribe(session, filter, 2);
    return session;
}

static void end(struct session *session)
{
    world_end_session(session);
    told[0] = '\0';
}

// A QoS 2 message of a stored session, which is known by its packet identifier. `reached`: whom it
// reached before a crash; 0 nobody.
static void publish(struct world *world, const char *payload, bool retain, uint64_t reached)
{
    struct message *message = world_message(world, "a", payload, 2);
    message->publisher = 1000;
    message->packet_id = 7;
    message->retain = retain;
    if (reached != 0)
        message->spread = spread_try_add(NULL, 7, reached);
    (void)router_publish(&world->routers[0], message);
    message_unref(message);
}

static uint64_t group_of_a(struct world *world)
{
    struct hits *hits = &world->routers[0].hits;
    assert_true(index_match(world->index, text("a"), hits));
    assert_int_equal(hits->group_count, 1);
    return share_group_id(hits->groups[0]);
}

static void whom_a_publication_reaches_is_noted(void **state)
{
    struct world *world = *state;
    struct session *session = stored_session(world, 0, "a");
    publish(world, "x", false, 0);
    expect_told("put 1/1 noted\n");
    world_publish(world, "a", "nobody's", 2);
    expect_told("put 1/2\n");
    end(session);
}

// Its publisher may have released it long ago, and given its identifier to something else: that
// would be taken for a repetition after a crash, and be lost.
static void a_retained_message_is_not_noted_when_it_is_given_later(void **state)
{
    struct world *world = *state;
    struct subscription_options options = {.qos = 2};
    publish(world, "x", true, 0);
    struct session *session = world_session(world, 0);
    session_keep(session);
    assert_int_equal(session_subscribe(session, text("a"), options, 0), 2);
    world_expect(session, "x", 2);
    expect_told("put 1/1\n");
    end(session);
}

static void who_has_it_already_is_passed_over(void **state)
{
    struct world *world = *state;
    struct session *one = stored_session(world, 0, "a");
    struct session *other = stored_session(world, 0, "a");
    publish(world, "x", false, one->number);
    expect_told("put 2/1 noted\n");
    world_expect_nothing(one);
    end(one);
    end(other);
}

// Whichever member would be chosen now: one of them has it.
static void a_group_that_has_it_already_is_passed_over(void **state)
{
    struct world *world = *state;
    struct session *one = stored_session(world, 0, "$share/g/a");
    struct session *other = stored_session(world, 0, "$share/g/a");
    publish(world, "x", false, group_of_a(world));
    publish(world, "y", false, group_of_a(world));
    expect_told("");
    publish(world, "z", false, one->number); // by another subscription: that is not the group's
    assert_non_null(strstr(told, " noted\n"));
    end(one);
    end(other);
}

static void a_group_is_the_same_in_every_run(void **state)
{
    struct world *world = *state;
    struct session *session = stored_session(world, 0, "$share/g/a");
    assert_true(group_of_a(world) == UINT64_C(0xd4022d03a9d267c8));
    session_unsubscribe(session, text("$share/g/a"));
    world_subscribe(session, "$share/h/a", 2);
    assert_true(group_of_a(world) != UINT64_C(0xd4022d03a9d267c8));
    end(session);
}

static void what_is_passed_on_moves_in_the_store(void **state)
{
    struct world *world = *state;
    struct session *leaving = stored_session(world, 0, "$share/g/a");
    publish(world, "x", false, 0);
    expect_told("put 1/1 noted\n");
    struct session *staying = stored_session(world, 0, "$share/g/a");
    session_detach(leaving, 0);
    expect_told("put 2/1\nmoved 1/1\n");
    end(leaving);
    end(staying);
}

// The worker that takes it tells of both; the giver of nothing.
static void what_is_passed_on_to_another_worker_moves_there(void **state)
{
    struct world *world = *state;
    struct session *leaving = stored_session(world, 0, "$share/g/a");
    publish(world, "x", false, 0);
    struct session *staying = stored_session(world, 1, "$share/g/a");
    told[0] = '\0';
    session_detach(leaving, 0);
    expect_told("");
    assert_int_equal(world->posts[0].moved.session, leaving->number);
    world_read_posts(world);
    expect_told("put 2/1\nmoved 1/1\n");
    end(leaving);
    end(staying);
}

static void a_session_ends_after_what_it_passed_on(void **state)
{
    struct world *world = *state;
    struct session *leaving = stored_session(world, 0, "$share/g/a");
    publish(world, "x", false, 0);
    world_subscribe(leaving, "b", 1);
    world_publish(world, "b", "its own", 1);
    struct session *staying = stored_session(world, 1, "$share/g/a");
    session_detach(staying, 0);
    session_detach(leaving, 0);
    told[0] = '\0';
    session_free(leaving);
    expect_told("session 1 ends\n"); // which goes for what is its own, too
    world_read_posts(world);
    expect_told("put 2/1\nmoved 1/1\n");
    session_free(staying);
}

static void a_will_goes_after_it_was_published(void **state)
{
    struct world *world = *state;
    struct session *owner = world_session(world, 0);
    struct session *reader = stored_session(world, 0, "a");
    struct packet_will will = {.topic = text("a"), .payload = text("gone"), .qos = 2};
    assert_true(will_try_set(owner, &will, 0));
    uint64_t number = owner->will_number;
    will_publish(owner, 0);
    expect_told("will of 1\nput 2/1 noted\nwill of 1 goes, published\n");
    assert_true(will_try_set(owner, &will, 0));
    assert_true(owner->will_number != number); // the first may still be on its way
    will_forget(owner);
    expect_told("will of 1\nwill of 1 goes\n");
    end(owner);
    end(reader);
}

// No Local is asked of the client, whatever number its will has [MQTT-3.8.3-3].
static void its_own_will_is_local(void **state)
{
    struct world *world = *state;
    struct session *owner = world_session(world, 0);
    struct packet_will will = {.topic = text("a"), .payload = text("gone"), .qos = 1};
    struct subscription_options options = {.qos = 1, .no_local = true};
    assert_int_equal(session_subscribe(owner, text("a"), options, 0), 1);
    assert_true(will_try_set(owner, &will, 0));
    will_publish(owner, 0);
    world_expect_nothing(owner);
    world_publish(world, "a", "somebody else's", 1);
    world_expect(owner, "somebody else's", 1);
    end(owner);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(whom_a_publication_reaches_is_noted),
        STORE_TEST(a_retained_message_is_not_noted_when_it_is_given_later),
        STORE_TEST(who_has_it_already_is_passed_over),
        STORE_TEST(a_group_that_has_it_already_is_passed_over),
        STORE_TEST(a_group_is_the_same_in_every_run),
        STORE_TEST(what_is_passed_on_moves_in_the_store),
        STORE_TEST(what_is_passed_on_to_another_worker_moves_there),
        STORE_TEST(a_session_ends_after_what_it_passed_on),
        STORE_TEST(a_will_goes_after_it_was_published),
        STORE_TEST(its_own_will_is_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
