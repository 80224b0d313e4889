// SPDX-License-Identifier: MIT
// The set of incoming packet identifiers against a plain array of flags.
#include "core/packet_id_set.h"

#include "base/memory.h"
#include "base/test_random.h"

#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct model {
    bool has[65536];
    uint32_t count;
};

static struct model model;

static void add(struct packet_id_set *set, uint16_t packet_id)
{
    assert_true(packet_id_set_try_add(set, packet_id));
    model.has[packet_id] = true;
    model.count++;
}

static void take(struct packet_id_set *set, uint16_t packet_id)
{
    assert_true(packet_id_set_remove(set, packet_id) == model.has[packet_id]);
    model.count -= model.has[packet_id];
    model.has[packet_id] = false;
}

static void check(const struct packet_id_set *set)
{
    assert_int_equal(set->count, model.count);
    for (uint32_t id = 0; id < 65536; id++)
        assert_true(packet_id_set_has(set, (uint16_t)id) == model.has[id]);
}

static int reset(void **state)
{
    (void)state;
    memset(&model, 0, sizeof(model));
    return 0;
}

static void empty_it_has_nothing(void **state)
{
    (void)state;
    struct packet_id_set set = {0};
    check(&set);
    assert_false(packet_id_set_remove(&set, 1));
    packet_id_set_done(&set);
    check(&set);
}

static void every_size_around_the_change_of_form_holds(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 70; size++) {
        struct packet_id_set set = {0};
        for (uint32_t i = 0; i < size; i++)
            add(&set, (uint16_t)(i * 941 + 1));
        check(&set);
        for (uint32_t i = size; i-- > 0;)
            take(&set, (uint16_t)(i * 941 + 1));
        check(&set);
        // Empty it owns nothing: no done is needed for the memory checker's peace.
    }
}

static void all_identifiers_fit(void **state)
{
    (void)state;
    struct packet_id_set set = {0};
    for (uint32_t id = 65535; id >= 1; id--)
        add(&set, (uint16_t)id);
    check(&set);
    take(&set, 64);
    take(&set, 64);
    add(&set, 64);
    check(&set);
    packet_id_set_done(&set);
    assert_false(packet_id_set_has(&set, 64));
    assert_int_equal(set.count, 0);
}

static void random_changes_agree_with_flags(void **state)
{
    (void)state;
    struct packet_id_set set = {0};
    struct test_random random = {11};
    for (int i = 0; i < 20000; i++) {
        // Swings between a few and many, so that it changes its form again and again.
        uint16_t packet_id = (uint16_t)(1 + 601 * test_random_below(&random, 100));
        bool growing = i / 500 % 2 == 0;
        if (model.has[packet_id] && (!growing || test_random_below(&random, 4) == 0))
            take(&set, packet_id);
        else if (!model.has[packet_id] && growing)
            add(&set, packet_id);
        if (i % 500 == 0)
            check(&set);
    }
    check(&set);
    packet_id_set_done(&set);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct packet_id_set set = {0};
    for (uint16_t id = 1; id <= 40; id++) {
        memory_fail(1, UINT64_MAX);
        bool added = packet_id_set_try_add(&set, id);
        memory_fail(0, 0);
        if (added) {
            model.has[id] = true;
            model.count++;
        } else {
            check(&set);
            add(&set, id);
        }
    }
    check(&set);
    packet_id_set_done(&set);
}

static void many_count_against_the_budget(void **state)
{
    (void)state;
    struct budget budget = {.limit = 10000};
    struct packet_id_set first = {.budget = &budget}, second = {.budget = &budget};
    for (uint16_t id = 1; id <= 100; id++)
        assert_true(packet_id_set_try_add(&first, id));
    assert_true(budget_used(&budget) > 0);
    uint16_t fit = 0;
    while (packet_id_set_try_add(&second, (uint16_t)(fit + 1)))
        fit++;
    assert_in_range(fit, 1, 99); // a few fit anyway, a second bitmap does not
    for (uint16_t id = 1; id <= 100; id++)
        assert_true(packet_id_set_remove(&first, id));
    assert_int_equal(budget_used(&budget), 0);
    assert_true(packet_id_set_try_add(&second, (uint16_t)(fit + 1)));
    packet_id_set_done(&second);
    assert_int_equal(budget_used(&budget), 0);
}

#define SET_TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SET_TEST(empty_it_has_nothing),
        SET_TEST(every_size_around_the_change_of_form_holds),
        SET_TEST(all_identifiers_fit),
        SET_TEST(random_changes_agree_with_flags),
        SET_TEST(without_memory_nothing_changes),
        SET_TEST(many_count_against_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
