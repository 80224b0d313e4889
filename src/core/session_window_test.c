// SPDX-License-Identifier: MIT
// A queue that is longer than what is kept in memory: the rest waits in the store and is read as
// the client takes what is before it. The store of this test answers when the test lets it, with
// what was there when it was asked.
#include "core/test_router.h"

#define ROWS_MAX 8000

struct row {
    uint64_t number;
    struct message *message; // referenced
    uint8_t qos;
    bool sent, removed;
};

struct fixture {
    struct world *world;
    struct session *session;
    struct row rows[ROWS_MAX];
    uint32_t row_count;
    bool asked;
    uint64_t after;
    uint32_t count, snapshot; // rows that were there when it was asked
    uint32_t published, received;
    uint32_t next; // the text of the message that must come next
};

static struct row *row_of(struct fixture *fixture, uint64_t number)
{
    for (uint32_t i = 0; i < fixture->row_count; i++)
        if (fixture->rows[i].number == number)
            return &fixture->rows[i];
    assert_true(false);
    return NULL;
}

static void put(void *context, const struct session *session, struct delivery *delivery)
{
    struct fixture *fixture = context;
    (void)session;
    assert_true(fixture->row_count < ROWS_MAX);
    fixture->rows[fixture->row_count++] =
        (struct row){delivery->number, message_ref(delivery->message), delivery->qos, false, false};
}

static void sent(void *context, const struct session *session, const struct delivery *delivery,
                 uint16_t packet_id)
{
    (void)session;
    assert_int_not_equal(packet_id, 0);
    row_of(context, delivery->number)->sent = true;
}

static void removed(void *context, const struct session *session, const struct delivery *delivery)
{
    struct row *row = row_of(context, delivery->number);
    (void)session;
    assert_false(row->removed); // told once
    row->removed = true;
}

static void read_asked(void *context, const struct session *session, uint64_t after, uint32_t count)
{
    struct fixture *fixture = context;
    (void)session;
    assert_false(fixture->asked); // one at a time
    assert_true(count > 0);
    fixture->asked = true;
    fixture->after = after;
    fixture->count = count;
    fixture->snapshot = fixture->row_count;
}

static void put_session(void *context, const struct session *session)
{
    (void)context;
    (void)session;
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

static int set_up(void **state)
{
    struct fixture *fixture = memory_new(sizeof(*fixture));
    fixture->world = world_new();
    fixture->world->limits.queue_messages_max = 0;
    fixture->world->limits.queue_bytes_max = 0;
    fixture->world->store = (struct store_port){
        .keeps = true,
        .context = fixture,
        .session_put = put_session,
        .session_remove = put_session,
        .subscription_put = put_subscription,
        .subscription_remove = remove_subscription,
        .delivery_put = put,
        .delivery_sent = sent,
        .delivery_remove = removed,
        .deliveries_read = read_asked,
    };
    fixture->session = world_offline_session(fixture->world, 0);
    session_keep(fixture->session);
    world_subscribe(fixture->session, "a", 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    if (fixture->session != NULL)
        world_end_session(fixture->session);
    for (uint32_t i = 0; i < fixture->row_count; i++)
        message_unref(fixture->rows[i].message);
    world_free(fixture->world);
    memory_free(fixture);
    return 0;
}

// As the writer does; `expired`: it finds nothing but what has expired.
static void answer_read(struct fixture *fixture, bool expired)
{
    uint32_t got = 0;
    assert_true(fixture->asked);
    fixture->asked = false;
    for (uint32_t i = 0; i < fixture->snapshot && got < fixture->count && !expired; i++) {
        struct row *row = &fixture->rows[i];
        if (row->number <= fixture->after || row->sent || row->removed)
            continue;
        struct delivery delivery = {
            .message = message_ref(row->message), .qos = row->qos, .number = row->number};
        session_take_read(fixture->session, delivery);
        got++;
    }
    session_read_done(fixture->session, got < fixture->count);
}

static void publish(struct fixture *fixture, uint32_t count)
{
    char payload[16];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(payload, sizeof(payload), "%u", fixture->published++);
        world_publish(fixture->world, "a", payload, 1);
    }
}

// One message, which must be the next, is received and acknowledged. False: there is none now.
static bool receive(struct fixture *fixture)
{
    char payload[16];
    struct session_outgoing outgoing = session_next(fixture->session, 0);
    if (outgoing.type == 0)
        return false;
    snprintf(payload, sizeof(payload), "%u", fixture->next++);
    if (!bytes_equal(message_payload(outgoing.delivery->message), text(payload)))
        print_error("%s was expected\n", payload);
    assert_true(bytes_equal(message_payload(outgoing.delivery->message), text(payload)));
    assert_int_equal(session_on_puback(fixture->session, outgoing.packet_id), BUD_SUCCESS);
    fixture->received++;
    return true;
}

static void receive_all(struct fixture *fixture)
{
    while (receive(fixture) || fixture->asked)
        if (fixture->asked)
            answer_read(fixture, false);
    assert_int_equal(fixture->received, fixture->published);
    assert_int_equal(session_queued_count(fixture->session), 0);
    assert_int_equal(world_count(fixture->world, COUNTER_QUEUED_MESSAGES), 0);
    assert_int_equal(world_count(fixture->world, COUNTER_QUEUED_BYTES), 0);
    for (uint32_t i = 0; i < fixture->row_count; i++)
        assert_true(fixture->rows[i].removed);
}

static void a_long_queue_comes_whole_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    publish(fixture, 5000);
    assert_int_equal(session_queued_count(fixture->session), 5000);
    assert_int_equal(world_count(fixture->world, COUNTER_QUEUED_MESSAGES), 5000);
    assert_true(fixture->session->lasting.count <= SESSION_WINDOW);
    world_attach(fixture->session, 10);
    receive_all(fixture);
}

// While the store reads what it takes for the last messages, more are put into it.
static void what_comes_while_the_store_reads_is_not_forgotten(void **state)
{
    struct fixture *fixture = *state;
    publish(fixture, SESSION_WINDOW + 10);
    world_attach(fixture->session, 10);
    while (!fixture->asked)
        assert_true(receive(fixture));
    publish(fixture, 20);
    answer_read(fixture, false);
    publish(fixture, 20);
    receive_all(fixture);
}

static void a_reconnection_while_the_store_reads_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    publish(fixture, SESSION_WINDOW + 100);
    world_attach(fixture->session, 10);
    while (!fixture->asked)
        assert_true(receive(fixture));
    session_detach(fixture->session, 0);
    answer_read(fixture, false);
    publish(fixture, 100);
    world_attach(fixture->session, 10);
    receive_all(fixture);
}

// What a shared subscription gives stands in the same order.
static void shared_messages_neither_vanish_nor_double(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(session_unsubscribe(fixture->session, text("a")), BUD_SUCCESS);
    world_subscribe(fixture->session, "$share/g/a", 1);
    world_subscribe(fixture->session, "b", 1);
    for (uint32_t i = 0; i < 3000; i++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "%u", fixture->published++);
        world_publish(fixture->world, i % 7 == 0 ? "a" : "b", payload, 1);
    }
    world_attach(fixture->session, 10);
    receive_all(fixture);
}

static void what_expired_in_the_store_is_counted(void **state)
{
    struct fixture *fixture = *state;
    publish(fixture, SESSION_WINDOW + 100);
    world_attach(fixture->session, 10);
    while (receive(fixture))
        if (fixture->asked)
            answer_read(fixture, true);
    assert_int_equal(fixture->received, SESSION_WINDOW);
    assert_int_equal(session_queued_count(fixture->session), 0);
    assert_int_equal(world_count(fixture->world, COUNTER_QUEUED_MESSAGES), 0);
    assert_int_equal(world_count(fixture->world, COUNTER_QUEUED_BYTES), 0);
    assert_int_equal(world_count(fixture->world, COUNTER_DROPPED_EXPIRED), 100);
    fixture->published = fixture->next = SESSION_WINDOW + 100;
    publish(fixture, 1); // and goes on as usual
    assert_true(receive(fixture));
}

static void what_waits_when_the_session_ends_is_counted(void **state)
{
    struct fixture *fixture = *state;
    publish(fixture, SESSION_WINDOW + 100);
    session_free(fixture->session);
    fixture->session = NULL;
    assert_int_equal(world_count(fixture->world, COUNTER_QUEUED_MESSAGES), 0);
    assert_int_equal(world_count(fixture->world, COUNTER_QUEUED_BYTES), 0);
    assert_int_equal(fixture->world->drops, SESSION_WINDOW); // each by its message
    assert_int_equal(world_count(fixture->world, COUNTER_DROPPED_SESSION_ENDED), 100);
}

// After a restart only their number is known.
static void what_waited_before_a_restart_is_read_too(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t number = 1; number <= 50; number++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "%u", fixture->published++);
        struct message *message = world_message(fixture->world, "a", payload, 1);
        struct delivery delivery = {.message = message, .qos = 1, .number = number};
        put(fixture, fixture->session, &delivery);
        if (number <= 10)
            assert_true(session_restore_delivery(fixture->session, delivery, 0));
        else
            message_unref(message);
    }
    fixture->session->waiting_count = 40;
    fixture->session->last_number = 50;
    counter_add(&fixture->world->counters[0], COUNTER_QUEUED_MESSAGES, 40);
    world_attach(fixture->session, 10);
    receive_all(fixture);
}

static void the_limit_counts_what_waits(void **state)
{
    struct fixture *fixture = *state;
    fixture->world->limits.queue_messages_max = SESSION_WINDOW + 5;
    publish(fixture, SESSION_WINDOW + 20);
    assert_int_equal(fixture->world->dropped[COUNTER_DROPPED_QUEUE_FULL], 15);
    fixture->published -= 15;
    world_attach(fixture->session, 10);
    receive_all(fixture);
}

#define WINDOW_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WINDOW_TEST(a_long_queue_comes_whole_and_in_order),
        WINDOW_TEST(what_comes_while_the_store_reads_is_not_forgotten),
        WINDOW_TEST(a_reconnection_while_the_store_reads_changes_nothing),
        WINDOW_TEST(shared_messages_neither_vanish_nor_double),
        WINDOW_TEST(what_expired_in_the_store_is_counted),
        WINDOW_TEST(what_waits_when_the_session_ends_is_counted),
        WINDOW_TEST(what_waited_before_a_restart_is_read_too),
        WINDOW_TEST(the_limit_counts_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
