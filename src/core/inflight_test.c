// SPDX-License-Identifier: MIT
// Messages in flight: identifiers are never used twice at a time, whatever is stuck, and what was
// not done with is found again in the order of its first sending.
#include "core/inflight.h"

#include "base/test_aborts.h"
#include "base/test_random.h"
#include "core/topic_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct budget budget;
static struct message *shared; // one message will do for all of them

static int set_up(void **state)
{
    (void)state;
    budget = (struct budget){.limit = 1 << 24};
    struct message_source source = {.topic = text("a/b"), .payload = text("x")};
    shared = message_try_new(&budget, &source);
    return shared == NULL;
}

static int nothing_is_left(void **state)
{
    (void)state;
    message_unref(shared);
    assert_int_equal(budget_used(&budget), 0);
    return 0;
}

static uint16_t add(struct inflight *inflight, uint32_t identifier)
{
    struct delivery delivery = {.message = message_ref(shared), .identifier = identifier, .qos = 2};
    struct inflight_slot *slot = inflight_try_add(inflight, delivery);
    assert_non_null(slot);
    assert_int_equal(slot->state, INFLIGHT_PUBLISHED);
    return slot->packet_id;
}

static void release(struct inflight *inflight, uint16_t packet_id)
{
    struct delivery delivery = inflight_release(inflight, inflight_find(inflight, packet_id));
    assert_ptr_equal(delivery.message, shared);
    message_unref(delivery.message);
}

static void settle(struct inflight *inflight, uint16_t packet_id)
{
    struct delivery delivery = inflight_remove(inflight, inflight_find(inflight, packet_id));
    message_unref(delivery.message);
    assert_null(inflight_find(inflight, packet_id));
}

static void unknown_identifiers_are_not_found(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    assert_null(inflight_find(&inflight, 1));
    uint16_t packet_id = add(&inflight, 1);
    for (uint32_t id = 0; id <= UINT16_MAX; id++)
        assert_true((inflight_find(&inflight, (uint16_t)id) != NULL) == (id == packet_id));
    settle(&inflight, packet_id);
    inflight_done(&inflight);
}

static void identifiers_are_unique_and_never_zero(void **state)
{
    (void)state;
    static bool used[65536];
    struct inflight inflight = {0};
    for (uint32_t i = 1; i <= UINT16_MAX; i++) {
        uint16_t packet_id = add(&inflight, i);
        assert_int_not_equal(packet_id, 0); // [MQTT-2.2.1-3]
        assert_false(used[packet_id]);      // [MQTT-2.2.1-4]
        used[packet_id] = true;
    }
    struct delivery one_more = {.message = shared, .qos = 1};
    assert_null(inflight_try_add(&inflight, one_more)); // all are in use: refused, not repeated
    settle(&inflight, 4711);
    assert_int_equal(add(&inflight, 1), 4711);
    for (uint32_t id = 1; id <= UINT16_MAX; id++)
        settle(&inflight, (uint16_t)id);
    inflight_done(&inflight);
}

// Identifiers come in turn, so that one just settled is not used again at once: the peer may still
// say something about it.
static void an_identifier_rests_before_it_comes_again(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    uint16_t last = 0;
    for (uint32_t i = 0; i < 70000; i++) {
        uint16_t packet_id = add(&inflight, i);
        assert_int_equal(packet_id, last == UINT16_MAX ? 1 : last + 1);
        last = packet_id;
        settle(&inflight, packet_id);
    }
    inflight_done(&inflight);
}

static void a_stuck_message_costs_one_place(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    uint16_t stuck = add(&inflight, 1);
    for (uint32_t i = 0; i < 200000; i++) {
        uint16_t packet_id = add(&inflight, 2);
        assert_int_not_equal(packet_id, stuck);
        settle(&inflight, packet_id);
    }
    assert_int_equal(inflight_find(&inflight, stuck)->delivery.identifier, 1);
    settle(&inflight, stuck);
    inflight_done(&inflight);
}

static void bytes_and_quota_follow_what_is_held(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    uint16_t first = add(&inflight, 1), second = add(&inflight, 2);
    uint64_t both = inflight.bytes;
    inflight_find(&inflight, first)->holds_quota = true;
    inflight.quota_used = 1;
    release(&inflight, first); // the message went, the exchange did not
    assert_int_equal(inflight.bytes, both / 2);
    assert_int_equal(inflight.quota_used, 1);
    assert_int_equal(inflight.count, 2);
    settle(&inflight, first);
    assert_int_equal(inflight.quota_used, 0);
    settle(&inflight, second);
    assert_int_equal(inflight.bytes, 0);
    inflight_done(&inflight);
}

static struct inflight misused;

static void release_twice(void)
{
    release(&misused, 1);
    inflight_release(&misused, inflight_find(&misused, 1));
}

static void finish_while_in_use(void)
{
    inflight_done(&misused);
}

static void moves_that_are_not_in_the_drawing_are_our_own_errors(void **state)
{
    (void)state;
    assert_int_equal(add(&misused, 1), 1);
    assert_true(test_aborts(release_twice));
    assert_true(test_aborts(finish_while_in_use));
    settle(&misused, 1);
    inflight_done(&misused);
}

// ---- resuming ----

static uint32_t next_resend(struct inflight *inflight)
{
    struct inflight_slot *slot = inflight_next_resend(inflight);
    assert_non_null(slot);
    uint32_t identifier = slot->delivery.identifier;
    inflight_resent(inflight);
    return identifier;
}

static void what_is_in_flight_comes_again_in_order(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    uint16_t ids[10];
    inflight.next_order = UINT32_MAX - 4; // the count of sendings wraps in the middle
    for (uint32_t i = 0; i < 10; i++)
        ids[i] = add(&inflight, i);
    settle(&inflight, ids[3]);
    release(&inflight, ids[5]);
    for (int round = 0; round < 2; round++) {
        assert_true(inflight_try_resume(&inflight));
        for (uint32_t i = 0; i < 10; i++)
            if (i != 3)
                assert_int_equal(next_resend(&inflight), i);
        assert_null(inflight_next_resend(&inflight));
    }
    for (uint32_t i = 0; i < 10; i++)
        if (i != 3)
            settle(&inflight, ids[i]);
    inflight_done(&inflight);
}

static void what_is_settled_meanwhile_is_passed_over(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    uint16_t ids[20];
    for (uint32_t i = 0; i < 20; i++)
        ids[i] = add(&inflight, i);
    assert_true(inflight_try_resume(&inflight));
    assert_int_equal(next_resend(&inflight), 0);
    for (uint32_t i = 1; i < 19; i++)
        settle(&inflight, ids[i]);
    assert_int_equal(next_resend(&inflight), 19);
    assert_null(inflight_next_resend(&inflight));
    settle(&inflight, ids[0]);
    settle(&inflight, ids[19]);
    // All of it settled by acknowledgements while the list still stands.
    ids[0] = add(&inflight, 0);
    assert_true(inflight_try_resume(&inflight));
    settle(&inflight, ids[0]);
    assert_null(inflight_next_resend(&inflight));
    inflight_done(&inflight);
}

static void resuming_sets_the_quota_free(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    uint16_t packet_id = add(&inflight, 1);
    inflight_find(&inflight, packet_id)->holds_quota = true;
    inflight.quota_used = 1;
    assert_true(inflight_try_resume(&inflight));
    assert_int_equal(inflight.quota_used, 0);
    settle(&inflight, packet_id);
    assert_int_equal(inflight.quota_used, 0);
    inflight_done(&inflight);
}

// ---- from the store ----

static bool restore(struct inflight *inflight, uint16_t packet_id, bool released)
{
    struct delivery delivery = {
        .message = released ? NULL : message_ref(shared), .identifier = packet_id, .qos = 2};
    bool restored = inflight_try_restore(inflight, delivery, packet_id);
    if (!restored)
        message_unref(delivery.message);
    return restored;
}

// Identifiers as they may be after years: far apart, and some with the same low bits.
static void what_was_in_flight_before_a_restart_is_again(void **state)
{
    (void)state;
    static const uint16_t ids[] = {65535, 7, 1, 9, 32775, 4096, 8, 16391};
    struct inflight inflight = {0};
    for (uint32_t i = 0; i < 8; i++)
        assert_true(restore(&inflight, ids[i], i % 3 == 0));
    assert_false(restore(&inflight, 7, false)); // taken
    assert_false(restore(&inflight, 0, false)); // none at all
    assert_int_equal(inflight.count, 8);
    assert_true(inflight_try_resume(&inflight));
    for (uint32_t i = 0; i < 8; i++) {
        struct inflight_slot *slot = inflight_next_resend(&inflight);
        assert_int_equal(slot->packet_id, ids[i]);
        assert_int_equal(slot->state, i % 3 == 0 ? INFLIGHT_RELEASED : INFLIGHT_PUBLISHED);
        assert_true(slot->sent); // so it is a duplicate [MQTT-3.3.1-1]
        inflight_resent(&inflight);
    }
    uint16_t fresh = add(&inflight, 99);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_not_equal(fresh, ids[i]);
        settle(&inflight, ids[i]);
    }
    settle(&inflight, fresh);
    assert_int_equal(inflight.bytes, 0);
    inflight_done(&inflight);
}

static void nothing_is_restored_without_memory(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    memory_fail(1, UINT64_MAX);
    assert_false(restore(&inflight, 5, false));
    memory_fail(0, 0);
    assert_true(restore(&inflight, 5, false));
    memory_fail(1, UINT64_MAX);
    assert_false(restore(&inflight, 5 + 4, false)); // its place is taken, and the table cannot grow
    memory_fail(0, 0);
    assert_int_equal(inflight.count, 1);
    settle(&inflight, 5);
    inflight_done(&inflight);
}

// ---- memory ----

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    uint32_t failures = 0;
    for (uint32_t i = 0; i < 40; i++) {
        struct delivery delivery = {.message = shared, .identifier = i, .qos = 1};
        memory_fail(1, 1);
        struct inflight_slot *slot = inflight_try_add(&inflight, delivery);
        memory_fail(0, 0);
        assert_int_equal(inflight.count, i + (slot != NULL));
        if (slot == NULL) {
            failures++;
            slot = inflight_try_add(&inflight, delivery);
        }
        assert_non_null(slot);
        message_ref(shared);
    }
    assert_true(failures > 0);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        memory_fail(nth, 1);
        assert_false(inflight_try_resume(&inflight));
        memory_fail(0, 0);
        assert_null(inflight_next_resend(&inflight));
    }
    assert_true(inflight_try_resume(&inflight));
    for (uint32_t i = 0; i < 40; i++) {
        struct inflight_slot *slot = inflight_next_resend(&inflight);
        assert_int_equal(slot->delivery.identifier, i);
        settle(&inflight, slot->packet_id);
    }
    inflight_done(&inflight);
}

// A table that cannot grow fills to the last place but one and stays right.
static void a_table_that_cannot_grow_still_works(void **state)
{
    (void)state;
    struct inflight inflight = {0};
    uint32_t held = 0;
    add(&inflight, 0);
    memory_fail(1, UINT64_MAX);
    for (;;) {
        struct delivery delivery = {.message = shared, .qos = 1};
        if (inflight_try_add(&inflight, delivery) == NULL)
            break;
        message_ref(shared);
        held++;
    }
    memory_fail(0, 0);
    assert_true(held > 0);
    assert_int_equal(inflight.count, held + 1);
    uint32_t found = 0;
    for (uint32_t id = 1; id <= UINT16_MAX; id++) {
        if (inflight_find(&inflight, (uint16_t)id) != NULL) {
            settle(&inflight, (uint16_t)id);
            found++;
        }
    }
    assert_int_equal(found, held + 1);
    inflight_done(&inflight);
}

// ---- against a plain list ----

struct model {
    uint16_t ids[64];
    uint32_t identifiers[64];
    uint32_t count;
};

static void forget(struct model *model, uint32_t place)
{
    for (model->count--; place < model->count; place++) {
        model->ids[place] = model->ids[place + 1];
        model->identifiers[place] = model->identifiers[place + 1];
    }
}

static void check_resume(struct inflight *inflight, const struct model *model)
{
    assert_true(inflight_try_resume(inflight));
    for (uint32_t i = 0; i < model->count; i++) {
        struct inflight_slot *slot = inflight_next_resend(inflight);
        assert_int_equal(slot->packet_id, model->ids[i]);
        assert_int_equal(slot->delivery.identifier, model->identifiers[i]);
        inflight_resent(inflight);
    }
    assert_null(inflight_next_resend(inflight));
}

static void random_traffic_agrees_with_a_list(void **state)
{
    (void)state;
    struct test_random random = {5};
    struct inflight inflight = {0};
    struct model model = {.count = 0};
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t room = i / 1000 % 2 == 0 ? 64 : 5;
        if (model.count < room && test_random_below(&random, 2) == 0) {
            model.ids[model.count] = add(&inflight, i);
            model.identifiers[model.count++] = i;
        } else if (model.count > 0) {
            uint32_t place = (uint32_t)test_random_below(&random, model.count);
            struct inflight_slot *slot = inflight_find(&inflight, model.ids[place]);
            if (slot->state == INFLIGHT_PUBLISHED && test_random_below(&random, 2) == 0)
                release(&inflight, model.ids[place]);
            settle(&inflight, model.ids[place]);
            forget(&model, place);
        }
        assert_int_equal(inflight.count, model.count);
        if (i % 100 == 0)
            check_resume(&inflight, &model);
    }
    while (model.count > 0) {
        settle(&inflight, model.ids[0]);
        forget(&model, 0);
    }
    inflight_done(&inflight);
}

#define INFLIGHT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INFLIGHT_TEST(unknown_identifiers_are_not_found),
        INFLIGHT_TEST(identifiers_are_unique_and_never_zero),
        INFLIGHT_TEST(an_identifier_rests_before_it_comes_again),
        INFLIGHT_TEST(a_stuck_message_costs_one_place),
        INFLIGHT_TEST(bytes_and_quota_follow_what_is_held),
        INFLIGHT_TEST(moves_that_are_not_in_the_drawing_are_our_own_errors),
        INFLIGHT_TEST(what_is_in_flight_comes_again_in_order),
        INFLIGHT_TEST(what_is_settled_meanwhile_is_passed_over),
        INFLIGHT_TEST(resuming_sets_the_quota_free),
        INFLIGHT_TEST(what_was_in_flight_before_a_restart_is_again),
        INFLIGHT_TEST(nothing_is_restored_without_memory),
        INFLIGHT_TEST(without_memory_nothing_changes),
        INFLIGHT_TEST(a_table_that_cannot_grow_still_works),
        INFLIGHT_TEST(random_traffic_agrees_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
