// SPDX-License-Identifier: MIT
// Who may have a message, asked on its way: before it is queued, before it is sent, before it is
// sent again; once under the same rules.
#include "core/test_router.h"
#include "core/will.h"

struct rules {
    struct world *world;
    uint32_t asked;
    const char *no_reader, *no_writer; // a user who may not; NULL: everybody may
    const char *removed;
};

static struct rules rules;

static bool is_user(const struct principal *principal, const char *user)
{
    return user != NULL && principal_is_of(principal, text(user));
}

static bool may_read(void *context, const struct principal *principal, struct bytes topic)
{
    (void)topic;
    struct rules *of = context;
    of->asked++;
    return !is_user(principal, of->no_reader);
}

static bool may_write(void *context, const struct principal *principal, struct bytes topic)
{
    (void)topic;
    return !is_user(principal, ((struct rules *)context)->no_writer);
}

static bool is_known(void *context, const struct principal *principal)
{
    return !is_user(principal, ((struct rules *)context)->removed);
}

static int set_up(void **state)
{
    struct world *world = world_new();
    rules = (struct rules){.world = world};
    world->access = (struct access_port){
        .context = &rules,
        .generation = 1,
        .checks_retain_source = true,
        .may_read = may_read,
        .may_write = may_write,
        .is_known = is_known,
    };
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    return 0;
}

// A reload: `user` may no longer read.
static void forbid(struct world *world, const char *user)
{
    rules.no_reader = user;
    world->access.generation++;
}

static struct session *session_of(struct world *world, const char *user)
{
    struct session *session = world_session_of(world, 0, user);
    session->expiry_interval = SESSION_NEVER_EXPIRES;
    world_attach(session, 10);
    return session;
}

static uint64_t withheld(const struct world *world)
{
    return world->dropped[COUNTER_DROPPED_NOT_AUTHORIZED];
}

static void asked_once_under_the_same_rules(void **state)
{
    struct world *world = *state;
    struct session *session = session_of(world, "kari");
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "1", 1);
    assert_int_equal(rules.asked, 1);
    world_expect(session, "1", 1);
    assert_int_equal(rules.asked, 1);
    world_publish(world, "a", "2", 0);
    world->access.generation++;
    world_expect(session, "2", 0);
    assert_int_equal(rules.asked, 3);
    world_end_session(session);
}

static void without_rules_nobody_is_asked(void **state)
{
    struct world *world = *state;
    struct session *session = session_of(world, "kari");
    world->access = (struct access_port){.generation = 1};
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "1", 1);
    world_expect(session, "1", 1);
    assert_int_equal(rules.asked, 0);
    world_end_session(session);
}

static void what_was_queued_is_looked_at_again(void **state)
{
    struct world *world = *state;
    struct session *session = session_of(world, "kari");
    world_subscribe(session, "a", 2);
    for (uint8_t qos = 0; qos <= 2; qos++)
        world_publish(world, "a", "x", qos);
    forbid(world, "kari");
    world_expect_nothing(session);
    assert_int_equal(withheld(world), 3);
    world_end_session(session);
}

static void qos_1_is_not_sent_again(void **state)
{
    struct world *world = *state;
    struct session *session = session_of(world, "kari");
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "1", 1);
    uint16_t packet_id = world_expect(session, "1", 1);
    session_detach(session, 0);
    forbid(world, "kari");
    world_attach(session, 10);
    world_expect_nothing(session);
    assert_int_equal(withheld(world), 1);
    assert_int_equal(session_on_puback(session, packet_id), BUD_PACKET_IDENTIFIER_NOT_FOUND);
    world_end_session(session);
}

// The client may have it and remember its identifier: PUBREL ends that, and is sent again like any.
static void qos_2_is_ended_instead_of_sent_again(void **state)
{
    struct world *world = *state;
    struct session *session = session_of(world, "kari");
    world_subscribe(session, "a", 2);
    world_publish(world, "a", "1", 2);
    uint16_t packet_id = world_expect(session, "1", 2);
    session_detach(session, 0);
    forbid(world, "kari");
    for (int connection = 0; connection < 2; connection++) {
        world_attach(session, 10);
        struct session_outgoing outgoing = session_next(session, 0);
        assert_int_equal(outgoing.type, PACKET_PUBREL);
        assert_int_equal(outgoing.packet_id, packet_id);
        world_expect_nothing(session);
        if (connection == 0)
            session_detach(session, 0);
    }
    assert_int_equal(withheld(world), 1);
    assert_int_equal(session_on_pubcomp(session, packet_id), BUD_SUCCESS);
    world_end_session(session);
}

static struct principal *principal_of(struct world *world, const char *user, uint32_t domain)
{
    struct principal_source source = {text("client"), text(user), domain, NULL, NULL};
    return principal_try_new(&world->budget, &source);
}

// By another door other rules hold; the generation is the same.
static void somebody_else_is_asked_about_anew(void **state)
{
    struct world *world = *state;
    struct session *session = session_of(world, "kari");
    world_subscribe(session, "a", 1);
    world_publish(world, "a", "1", 1);
    world_publish(world, "a", "2", 1);
    world_expect(session, "1", 1);
    session_detach(session, 0);
    struct principal *same = principal_of(world, "kari", 0);
    session_set_principal(session, same);
    assert_ptr_not_equal(session->principal, same); // nothing has changed
    rules.no_reader = "ola";
    struct principal *other = principal_of(world, "ola", 0);
    session_set_principal(session, other);
    assert_ptr_equal(session->principal, other);
    world_attach(session, 10);
    world_expect_nothing(session);
    assert_int_equal(withheld(world), 2);
    principal_unref(same);
    principal_unref(other);
    world_end_session(session);
}

static void a_member_who_may_not_is_passed_over(void **state)
{
    struct world *world = *state;
    struct session *one = session_of(world, "kari"), *other = session_of(world, "ola");
    world_subscribe(one, "$share/g/a", 1);
    world_subscribe(other, "$share/g/a", 1);
    forbid(world, "kari");
    for (int i = 0; i < 6; i++)
        world_publish(world, "a", "x", 1);
    for (int i = 0; i < 6; i++)
        world_expect(other, "x", 1);
    world_expect_nothing(one);
    assert_int_equal(world->drops, 0);
    world_end_session(one);
    world_end_session(other);
}

static void a_member_who_was_removed_is_passed_over(void **state)
{
    struct world *world = *state;
    struct session *one = session_of(world, "kari"), *other = session_of(world, "ola");
    world_subscribe(one, "$share/g/a", 1);
    world_subscribe(other, "$share/g/a", 1);
    world->access.may_read = NULL;
    rules.removed = "kari";
    for (int i = 0; i < 4; i++)
        world_publish(world, "a", "x", 1);
    for (int i = 0; i < 4; i++)
        world_expect(other, "x", 1);
    world_expect_nothing(one);
    world_end_session(one);
    world_end_session(other);
}

static void a_group_of_nobody_who_may_is_a_loss(void **state)
{
    struct world *world = *state;
    struct session *session = session_of(world, "kari");
    world_subscribe(session, "$share/g/a", 1);
    forbid(world, "kari");
    world_publish(world, "a", "x", 1);
    world_expect_nothing(session);
    assert_int_equal(withheld(world), 1);
    assert_null(world->dropped_for);
    world_end_session(session);
}

static void what_a_member_may_no_longer_have_goes_to_another(void **state)
{
    struct world *world = *state;
    struct session *one = session_of(world, "kari");
    world_subscribe(one, "$share/g/a", 1);
    world_publish(world, "a", "sent", 1);
    world_publish(world, "a", "queued", 1);
    world_expect(one, "sent", 1);
    session_detach(one, 0);
    struct session *other = session_of(world, "ola");
    world_subscribe(other, "$share/g/a", 1);
    forbid(world, "kari");
    world_attach(one, 10);
    world_expect_nothing(one);
    world_expect(other, "sent", 1);
    world_expect(other, "queued", 1);
    assert_int_equal(world->drops, 0);
    world_end_session(one);
    world_end_session(other);
}

static void retain_by(struct world *world, const char *user, const char *topic)
{
    struct principal *principal = principal_of(world, user, 0);
    struct message_source source = {
        .topic = text(topic), .payload = text(user), .retain = true, .principal = principal};
    struct message *message = message_try_new(&world->budget, &source);
    assert_ptr_equal(message->principal, principal);
    principal_unref(principal);
    assert_int_equal(router_publish(&world->routers[0], message), BUD_NO_MATCHING_SUBSCRIBERS);
    message_unref(message);
}

static void retained_ones_need_a_publisher_who_still_may(void **state)
{
    struct world *world = *state;
    struct session *session = session_of(world, "kari");
    retain_by(world, "ola", "a");
    retain_by(world, "per", "b");
    retain_by(world, "eva", "c");
    rules.no_writer = "ola";
    rules.removed = "per";
    struct subscription_options options = {.qos = 0};
    assert_int_equal(session_subscribe(session, text("+"), options, 0), 0);
    world_expect(session, "eva", 0);
    world_expect_nothing(session);
    world->access.checks_retain_source = false;
    assert_int_equal(session_subscribe(session, text("+"), options, 0), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(session_next(session, 0).type, PACKET_PUBLISH);
        session_sent(session);
    }
    world_end_session(session);
}

static void only_a_retained_message_remembers_its_publisher(void **state)
{
    struct world *world = *state;
    struct principal *principal = principal_of(world, "ola", 0);
    struct message_source source = {.topic = text("a"), .principal = principal};
    struct message *message = message_try_new(&world->budget, &source);
    assert_null(message->principal);
    message_unref(message);
    principal_unref(principal);
}

static uint64_t will_of(struct world *world, const char *user)
{
    struct session *writer = session_of(world, user);
    struct packet_will will = {.topic = text("last"), .payload = text("w"), .qos = 1};
    assert_true(will_try_set(writer, &will, 0));
    session_detach(writer, 0);
    will_publish(writer, 0);
    session_free(writer);
    return withheld(world);
}

static void a_will_needs_a_user_who_still_may(void **state)
{
    struct world *world = *state;
    struct session *reader = session_of(world, "kari");
    world_subscribe(reader, "last", 1);
    rules.no_writer = "ola";
    rules.removed = "per";
    assert_int_equal(will_of(world, "ola"), 1);
    assert_int_equal(will_of(world, "per"), 2);
    world_expect_nothing(reader);
    assert_int_equal(will_of(world, "eva"), 2);
    world_expect(reader, "w", 1);
    world_end_session(reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(asked_once_under_the_same_rules),
        TEST(without_rules_nobody_is_asked),
        TEST(what_was_queued_is_looked_at_again),
        TEST(qos_1_is_not_sent_again),
        TEST(qos_2_is_ended_instead_of_sent_again),
        TEST(somebody_else_is_asked_about_anew),
        TEST(a_member_who_may_not_is_passed_over),
        TEST(a_member_who_was_removed_is_passed_over),
        TEST(a_group_of_nobody_who_may_is_a_loss),
        TEST(what_a_member_may_no_longer_have_goes_to_another),
        TEST(retained_ones_need_a_publisher_who_still_may),
        TEST(only_a_retained_message_remembers_its_publisher),
        TEST(a_will_needs_a_user_who_still_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
