// SPDX-License-Identifier: MIT
// Whose rules hold: those of all, of a listener, or somebody's own; and what holds for who is of
// no listener any more.
#include "server/access_rules.h"

#include "access/acl.h"
#include "base/memory.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char directory[] = "/tmp/bud-rules-XXXXXX";
static char paths[2][64];
static struct options options;
static struct listener_options listeners[3];
static struct budget budget = {.limit = 1 << 20};
static struct access_port port;
static struct access_rules *rules;
static char error[SERVER_ERROR_MAX];

static struct bytes text(const char *string)
{
    return bytes_make(string, strlen(string));
}

static void write_file(int number, const char *content)
{
    (void)snprintf(paths[number], sizeof(paths[number]), "%s/%d", directory, number);
    FILE *file = fopen(paths[number], "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

// A listener for each file ("" none), at ports 1, 2, 3.
static void listen_with(const char *one, const char *two, const char *three)
{
    const char *files[] = {one, two, three};
    options_set_defaults(&options);
    options.listeners = listeners;
    options.listener_count = 0;
    for (uint16_t i = 0; i < 3 && files[i] != NULL; i++) {
        listener_options_set_defaults(&listeners[i], false);
        listeners[i].port = (uint16_t)(i + 1);
        listeners[i].acl_file = files[i];
        options.listener_count++;
    }
}

static void build(void)
{
    assert_int_equal(access_rules_build(&options, &rules, error), 0);
    access_rules_fill_port(rules, &port);
}

static int tear_down(void **state)
{
    (void)state;
    access_rules_fill_port(NULL, &port);
    access_rules_free(rules);
    rules = NULL;
    assert_int_equal(budget_used(&budget), 0);
    return 0;
}

static bool may_write_as(const struct principal_source *source, const char *topic)
{
    struct principal *principal = principal_try_new(&budget, source);
    assert_non_null(principal);
    bool may = port.may_write(port.context, principal, text(topic));
    principal_unref(principal);
    return may;
}

static bool may_write(const char *user, uint32_t domain, const char *topic)
{
    struct principal_source source = {
        .client_id = text("tv"), .user = text(user), .domain = domain};
    return may_write_as(&source, topic);
}

static void without_a_file_there_is_nothing_to_ask(void **state)
{
    (void)state;
    listen_with("", NULL, NULL);
    build();
    assert_null(port.may_read);
    assert_null(port.may_write);
    assert_null(port.may_subscribe);
    assert_true(port.generation > 0 && port.checks_retain_source);
}

static void each_time_is_a_generation(void **state)
{
    (void)state;
    listen_with(paths[0], NULL, NULL);
    build();
    uint32_t before = port.generation;
    access_rules_fill_port(rules, &port);
    assert_int_equal(port.generation, before + 1);
    port.generation = UINT32_MAX;
    access_rules_fill_port(rules, &port);
    assert_int_equal(port.generation, 1); // 0 says that nothing was checked
}

static void one_file_is_for_everybody(void **state)
{
    (void)state;
    listen_with(paths[0], paths[0], NULL);
    build();
    assert_int_equal(access_rules_domain(&options, &listeners[0]), PRINCIPAL_DOMAIN_COMMON);
    assert_int_equal(access_rules_domain(&options, &listeners[1]), PRINCIPAL_DOMAIN_COMMON);
    assert_true(may_write("kari", 0, "both"));
    assert_false(may_write("kari", 0, "other"));
    assert_true(may_write("kari", 12345, "both")); // from when there were others
    assert_non_null(port.may_subscribe);
}

static void each_listener_has_its_own(void **state)
{
    (void)state;
    listen_with(paths[0], paths[1], "");
    options.per_listener_settings = true;
    build();
    uint32_t domains[3];
    for (int i = 0; i < 3; i++)
        domains[i] = access_rules_domain(&options, &listeners[i]);
    assert_true(domains[0] != domains[1] && domains[1] != domains[2] && domains[0] != domains[2]);
    assert_true(may_write("kari", domains[0], "one"));
    assert_false(may_write("kari", domains[1], "one"));
    assert_true(may_write("kari", domains[1], "two"));
    assert_true(may_write("kari", domains[2], "three"));
    assert_false(may_write("kari", domains[2], "$CONTROL/x"));
    // Who is of no listener that is there: what all of them allow.
    assert_true(may_write("kari", 4711, "both"));
    assert_false(may_write("kari", 4711, "one"));
    assert_false(may_write("kari", PRINCIPAL_DOMAIN_COMMON, "two"));
}

static void a_listener_is_known_by_its_place(void **state)
{
    (void)state;
    listen_with(paths[0], paths[1], NULL);
    options.per_listener_settings = true;
    uint32_t domain = access_rules_domain(&options, &listeners[0]);
    struct listener_options same = listeners[0];
    same.acl_file = paths[1];
    assert_int_equal(access_rules_domain(&options, &same), domain);
    same.path = "/run/bud.sock";
    assert_int_not_equal(access_rules_domain(&options, &same), domain);
}

static void free_acl(void *acl)
{
    acl_unref(acl);
}

static void who_brings_rules_is_held_to_them(void **state)
{
    (void)state;
    listen_with("", NULL, NULL);
    options.jwt_key_file = "key"; // so it may happen
    build();
    struct acl *own = acl_try_new_of_one("token");
    struct acl_rule_source rule = {.filter = text("mine/#"), .access = ACL_WRITE};
    assert_true(acl_try_add(own, &rule));
    struct principal_source source = {
        .client_id = text("tv"), .user = text("kari"), .rules = own, .free_rules = free_acl};
    acl_ref(own);
    assert_true(may_write_as(&source, "mine/x"));
    assert_false(may_write_as(&source, "both"));
    assert_true(may_write("kari", 0, "both"));
    // What they were is not known after a restart: it was checked when it was written.
    assert_true(may_write("kari", PRINCIPAL_DOMAIN_OWN, "theirs"));
    assert_false(may_write("kari", PRINCIPAL_DOMAIN_OWN, "$CONTROL/x"));
}

static void as_mosquitto_subscriptions_are_not_asked_about(void **state)
{
    (void)state;
    listen_with(paths[0], NULL, NULL);
    options.acl_subscribe = ACL_SUBSCRIBE_MOSQUITTO;
    options.check_retain_source = false;
    build();
    assert_non_null(port.may_read);
    assert_null(port.may_subscribe);
    assert_false(port.checks_retain_source);
}

static void one_wrong_file_is_no_rules_at_all(void **state)
{
    (void)state;
    char wrong[64];
    (void)snprintf(wrong, sizeof(wrong), "%s/missing", directory);
    listen_with(paths[0], wrong, NULL);
    options.per_listener_settings = true;
    assert_int_equal(access_rules_build(&options, &rules, error), -ENOENT);
    assert_non_null(strstr(error, wrong));
    assert_null(rules);
}

static bool knows_kari_alone(void *context, const struct principal *principal)
{
    assert_ptr_equal(context, &options);
    return principal_is_of(principal, text("kari"));
}

static void who_was_removed_is_asked_elsewhere(void **state)
{
    (void)state;
    listen_with("", NULL, NULL);
    build();
    assert_null(port.is_known);
    access_rules_set_known(rules, &options, knows_kari_alone);
    access_rules_fill_port(rules, &port);
    static const struct {
        const char *user;
        bool known;
    } users[] = {{"kari", true}, {"ola", false}, {"", true}};
    for (size_t i = 0; i < 3; i++) {
        struct principal_source source = {.client_id = text("tv"), .user = text(users[i].user)};
        struct principal *principal = principal_try_new(&budget, &source);
        assert_int_equal(port.is_known(port.context, principal), users[i].known);
        principal_unref(principal);
    }
}

static int set_up_all(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    write_file(0, "user kari\ntopic one\ntopic both\n");
    write_file(1, "user kari\ntopic two\ntopic both\n");
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    unlink(paths[0]);
    unlink(paths[1]);
    return rmdir(directory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_file_there_is_nothing_to_ask),
        TEST(each_time_is_a_generation),
        TEST(one_file_is_for_everybody),
        TEST(each_listener_has_its_own),
        TEST(a_listener_is_known_by_its_place),
        TEST(who_brings_rules_is_held_to_them),
        TEST(as_mosquitto_subscriptions_are_not_asked_about),
        TEST(one_wrong_file_is_no_rules_at_all),
        TEST(who_was_removed_is_asked_elsewhere),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
