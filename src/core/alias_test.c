// SPDX-License-Identifier: MIT
// Topic aliases: what the peer is told and what it tells always mean the same topic on both sides.
#include "core/alias.h"

#include "base/test_aborts.h"
#include "base/test_random.h"
#include "core/topic_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ALIASES_MAX 16

static const struct hash_key key = {1, 2};

static struct budget *unlimited(void)
{
    static struct budget budget;
    assert_int_equal(budget_used(&budget), 0);
    budget.limit = 1 << 20;
    return &budget;
}

static void assert_topic(const struct alias_table *table, uint16_t alias, const char *topic)
{
    assert_true(bytes_equal(alias_topic(table, alias), text(topic)));
}

static uint16_t choose(struct alias_table *table, const char *topic, bool expect_known)
{
    bool known = !expect_known;
    uint16_t alias = alias_choose(table, key, text(topic), &known);
    assert_true(known == expect_known);
    return alias;
}

// ---- incoming ----

static void an_alias_means_nothing_until_it_is_set(void **state)
{
    (void)state;
    struct alias_table *table = alias_table_try_new(unlimited(), 3);
    for (uint16_t alias = 1; alias <= 3; alias++)
        assert_int_equal(alias_topic(table, alias).size, 0);
    assert_true(alias_try_put(table, 2, text("hus/lys")));
    assert_int_equal(alias_topic(table, 1).size, 0);
    assert_topic(table, 2, "hus/lys");
    assert_int_equal(alias_topic(table, 3).size, 0);
    alias_table_free(table);
}

static void the_last_meaning_holds(void **state)
{
    (void)state;
    struct budget *budget = unlimited();
    struct alias_table *table = alias_table_try_new(budget, 1);
    assert_true(alias_try_put(table, 1, text("a/long/topic")));
    assert_true(alias_try_put(table, 1, text("b")));
    assert_topic(table, 1, "b");
    assert_int_equal(budget_used(budget), 1);
    assert_true(alias_try_put(table, 1, text("b"))); // said again: nothing to do
    assert_topic(table, 1, "b");
    alias_table_free(table);
    assert_int_equal(budget_used(budget), 0);
}

static void the_topic_is_the_tables_own_copy(void **state)
{
    (void)state;
    char topic[] = "hus/lys";
    struct alias_table *table = alias_table_try_new(unlimited(), 1);
    assert_true(alias_try_put(table, 1, text(topic)));
    memset(topic, 'x', sizeof(topic) - 1);
    assert_topic(table, 1, "hus/lys");
    alias_table_free(table);
}

static void a_refused_meaning_leaves_the_old_one(void **state)
{
    (void)state;
    struct budget budget = {.limit = 10};
    struct alias_table *table = alias_table_try_new(&budget, 2);
    assert_true(alias_try_put(table, 1, text("12345678")));
    assert_false(alias_try_put(table, 2, text("abc")));
    assert_int_equal(alias_topic(table, 2).size, 0);
    assert_false(alias_try_put(table, 1, text("123456789ab")));
    assert_topic(table, 1, "12345678");
    memory_fail(1, 1);
    assert_false(alias_try_put(table, 2, text("a")));
    memory_fail(0, 0);
    assert_int_equal(budget_used(&budget), 8);
    alias_table_free(table);
    assert_int_equal(budget_used(&budget), 0);
}

static void put_alias_zero(void)
{
    struct budget budget = {.limit = 100};
    alias_try_put(alias_table_try_new(&budget, 2), 0, text("a"));
}

static void put_alias_too_high(void)
{
    struct budget budget = {.limit = 100};
    alias_try_put(alias_table_try_new(&budget, 2), 3, text("a"));
}

static void numbers_beyond_the_table_are_the_callers_error(void **state)
{
    (void)state;
    assert_true(test_aborts(put_alias_zero));
    assert_true(test_aborts(put_alias_too_high));
}

// ---- outgoing ----

static void a_topic_is_known_from_the_second_time_on(void **state)
{
    (void)state;
    struct alias_table *table = alias_table_try_new(unlimited(), 2);
    uint16_t lys = choose(table, "hus/lys", false);
    uint16_t varme = choose(table, "hus/varme", false);
    assert_in_range(lys, 1, 2);
    assert_in_range(varme, 1, 2);
    assert_int_not_equal(lys, varme);
    assert_int_equal(choose(table, "hus/lys", true), lys);
    assert_int_equal(choose(table, "hus/varme", true), varme);
    assert_topic(table, lys, "hus/lys");
    alias_table_free(table);
}

static void the_least_recently_used_one_gives_way(void **state)
{
    (void)state;
    struct alias_table *table = alias_table_try_new(unlimited(), 3);
    choose(table, "a", false);
    uint16_t b = choose(table, "b", false);
    choose(table, "c", false);
    choose(table, "a", true);
    assert_int_equal(choose(table, "d", false), b);
    choose(table, "a", true);
    choose(table, "c", true);
    choose(table, "b", false);
    alias_table_free(table);
}

static void without_memory_there_is_no_alias_and_nothing_changes(void **state)
{
    (void)state;
    struct budget budget = {.limit = 3};
    struct alias_table *table = alias_table_try_new(&budget, 1);
    uint16_t alias = choose(table, "abc", false);
    bool known = true;
    assert_int_equal(alias_choose(table, key, text("defg"), &known), 0);
    assert_false(known);
    assert_int_equal(choose(table, "abc", true), alias);
    alias_table_free(table);
    memory_fail(1, 1);
    assert_null(alias_table_try_new(&budget, 1));
    memory_fail(0, 0);
    alias_table_free(NULL);
    assert_int_equal(budget_used(&budget), 0);
}

// The peer, as the specification has it: it remembers what each alias was last sent with. Whatever
// is left out must be what it would fill in; memory fails now and then.
static void a_peer_always_understands(void **state)
{
    (void)state;
    struct test_random random = {7};
    char meanings[ALIASES_MAX + 1][8] = {""};
    for (uint16_t count_max = 1; count_max <= ALIASES_MAX; count_max++) {
        struct alias_table *table = alias_table_try_new(unlimited(), count_max);
        memset(meanings, 0, sizeof(meanings));
        for (int i = 0; i < 400; i++) {
            char topic[8];
            bool known;
            snprintf(topic, sizeof(topic), "t%u", (unsigned)test_random_below(&random, 20));
            bool fails = test_random_below(&random, 10) == 0;
            memory_fail(fails, 1);
            uint16_t alias = alias_choose(table, key, text(topic), &known);
            memory_fail(0, 0);
            assert_in_range(alias, fails ? 0 : 1, count_max);
            if (alias != 0 && known)
                assert_string_equal(meanings[alias], topic);
            else if (alias != 0)
                memcpy(meanings[alias], topic, sizeof(topic));
        }
        alias_table_free(table);
    }
    unlimited();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alias_means_nothing_until_it_is_set),
        cmocka_unit_test(the_last_meaning_holds),
        cmocka_unit_test(the_topic_is_the_tables_own_copy),
        cmocka_unit_test(a_refused_meaning_leaves_the_old_one),
        cmocka_unit_test(numbers_beyond_the_table_are_the_callers_error),
        cmocka_unit_test(a_topic_is_known_from_the_second_time_on),
        cmocka_unit_test(the_least_recently_used_one_gives_way),
        cmocka_unit_test(without_memory_there_is_no_alias_and_nothing_changes),
        cmocka_unit_test(a_peer_always_understands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
