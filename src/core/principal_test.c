// SPDX-License-Identifier: MIT
// Who somebody is: kept whole, whatever bytes it has, counted, and freed with the last holder.
#include "core/principal.h"

#include "base/memory.h"
#include "core/topic_world.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct budget budget;
static int freed;

static int set_up(void **state)
{
    (void)state;
    budget = (struct budget){.limit = 1 << 20};
    freed = 0;
    return 0;
}

static int nothing_is_left(void **state)
{
    (void)state;
    assert_int_equal(budget_used(&budget), 0);
    return 0;
}

static void note_freed(void *rules)
{
    assert_ptr_equal(rules, &freed);
    freed++;
}

static struct principal *make(const char *client_id, const char *user, uint32_t domain)
{
    struct principal_source source = {text(client_id), text(user), domain, NULL, NULL};
    struct principal *principal = principal_try_new(&budget, &source);
    assert_non_null(principal);
    return principal;
}

static void keeps_names_as_bytes(void **state)
{
    (void)state;
    struct principal_source source = {BYTES_OF("+/#\0$"), BYTES_OF("%u\n\0x"), 7, NULL, NULL};
    struct principal *principal = principal_try_new(&budget, &source);
    assert_true(bytes_equal(principal_client_id(principal), BYTES_OF("+/#\0$")));
    assert_true(bytes_equal(principal_user(principal), BYTES_OF("%u\n\0x")));
    assert_true(principal->has_user);
    assert_int_equal(principal->domain, 7);
    principal_unref(principal);
}

static void an_empty_user_is_nobody(void **state)
{
    (void)state;
    struct principal *principal = make("c", "", 0);
    assert_false(principal->has_user);
    assert_true(principal_is_of(principal, (struct bytes){0}));
    assert_false(principal_is_of(principal, text("kari")));
    principal_unref(principal);
    principal_unref(NULL);
    assert_null(principal_ref(NULL));
}

static void the_last_holder_frees_it_and_its_rules(void **state)
{
    (void)state;
    struct principal_source source = {text("c"), text("kari"), 3, &freed, note_freed};
    struct principal *principal = principal_try_new(&budget, &source);
    assert_int_equal(principal->domain, PRINCIPAL_DOMAIN_OWN);
    principal_unref(principal_ref(principal));
    assert_int_equal(freed, 0);
    principal_unref(principal);
    assert_int_equal(freed, 1);
}

static void without_memory_the_rules_stay_the_callers(void **state)
{
    (void)state;
    struct principal_source source = {text("c"), text("kari"), 3, &freed, note_freed};
    memory_fail(1, 1);
    assert_null(principal_try_new(&budget, &source));
    memory_fail(0, 0);
    budget.limit = 10 - BUDGET_RESERVE;
    assert_null(principal_try_new(&budget, &source));
    assert_int_equal(freed, 0);
}

static void same_means_the_same_rules_with_the_same_outcome(void **state)
{
    (void)state;
    struct principal *one = make("c", "kari", 0), *other = make("c", "kari", 0);
    struct principal *client = make("d", "kari", 0), *user = make("c", "ola", 0);
    struct principal *domain = make("c", "kari", 1), *shifted = make("ck", "ari", 0);
    struct principal_source source = {text("c"), text("kari"), 0, &freed, note_freed};
    struct principal *own = principal_try_new(&budget, &source);
    struct principal *own_too = principal_try_new(&budget, &source);
    assert_true(principal_is_same(one, other));
    assert_false(principal_is_same(one, client));
    assert_false(principal_is_same(one, user));
    assert_false(principal_is_same(one, domain));
    assert_false(principal_is_same(one, shifted));
    assert_true(principal_is_same(own, own));
    assert_false(principal_is_same(own, own_too)); // what another token says is not known here
    struct principal *all[] = {one, other, client, user, domain, shifted, own, own_too};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        principal_unref(all[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, nothing_is_left)
    const struct CMUnitTest tests[] = {
        TEST(keeps_names_as_bytes),
        TEST(an_empty_user_is_nobody),
        TEST(the_last_holder_frees_it_and_its_rules),
        TEST(without_memory_the_rules_stay_the_callers),
        TEST(same_means_the_same_rules_with_the_same_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
