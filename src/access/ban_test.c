// SPDX-License-Identifier: MIT
#include "access/ban.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE 60000

static const struct ban_options standard = {
    .failures_max = 10,
    .window_s = 600,
    .ban_s = 600,
    .ban_s_max = 86400,
    .delay_ms = 100,
    .delay_ms_max = 5000,
    .entries_max = 100,
};

static struct net_address address_of(const char *text)
{
    struct net_address address = {0};
    assert_true(ban_address_parse(bytes_make(text, strlen(text)), &address));
    return address;
}

static struct ban_subject subject_of(const char *address, const char *user)
{
    return (struct ban_subject){
        .address = address_of(address),
        .user = bytes_make(user, user == NULL ? 0 : strlen(user)),
        .has_user = user != NULL,
    };
}

static struct ban_judgement fail_once(struct bans *bans, const char *address, const char *user,
                                      int64_t now_ms)
{
    struct ban_subject subject = subject_of(address, user);
    return bans_failed(bans, &subject, now_ms);
}

static void fail_times(struct bans *bans, const char *address, const char *user, int times,
                       int64_t now_ms)
{
    for (int i = 0; i < times; i++)
        fail_once(bans, address, user, now_ms);
}

static bool is_banned(struct bans *bans, const char *address, const char *user, int64_t now_ms)
{
    struct ban_subject subject = subject_of(address, user);
    return bans_left_ms(bans, &subject, now_ms) > 0;
}

static void succeed(struct bans *bans, const char *address, const char *user)
{
    struct ban_subject subject = subject_of(address, user);
    bans_succeeded(bans, &subject);
}

static struct bans *make(void)
{
    return bans_new(&standard, (struct hash_key){1, 2});
}

static void each_failure_is_answered_later(void **state)
{
    (void)state;
    static const uint32_t expected[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct bans *bans = make();
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct ban_judgement judgement = fail_once(bans, "192.0.2.1", "anna", (int64_t)i);
        assert_int_equal(judgement.delay_ms, expected[i]);
        assert_int_equal(judgement.ban_s, 0);
    }
    assert_int_equal(fail_once(bans, "192.0.2.2", "anna", 9).delay_ms, 100);
    struct ban_judgement last = fail_once(bans, "192.0.2.1", "anna", 9);
    assert_int_equal(last.delay_ms, 5000);
    assert_int_equal(last.ban_s, 600);
    bans_free(bans);
}

static void too_many_ban_the_address_and_nobody_else(void **state)
{
    (void)state;
    struct bans *bans = make();
    fail_times(bans, "192.0.2.1", "anna", 9, 0);
    assert_false(is_banned(bans, "192.0.2.1", NULL, 0));
    fail_once(bans, "192.0.2.1", "berit", 0); // whatever the name
    assert_true(is_banned(bans, "192.0.2.1", NULL, 0));
    assert_true(is_banned(bans, "192.0.2.1", "carl", 10 * MINUTE - 1));
    assert_false(is_banned(bans, "192.0.2.2", "anna", 0));
    assert_false(is_banned(bans, "192.0.2.1", NULL, 10 * MINUTE));
    bans_free(bans);
}

static void slow_failures_do_not_ban(void **state)
{
    (void)state;
    struct bans *bans = make();
    for (int i = 0; i < 50; i++)
        assert_int_equal(fail_once(bans, "192.0.2.1", "anna", (int64_t)i * 2 * MINUTE).ban_s, 0);
    bans_free(bans);
}

static void bans_double_up_to_a_day_and_begin_anew_after_good_behaviour(void **state)
{
    (void)state;
    static const uint32_t expected[] = {600,   1200,  2400,  4800,  9600,
                                        19200, 38400, 76800, 86400, 86400};
    struct bans *bans = make();
    int64_t now_ms = 0;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        fail_times(bans, "192.0.2.1", NULL, 9, now_ms);
        assert_int_equal(fail_once(bans, "192.0.2.1", NULL, now_ms).ban_s, expected[i]);
        now_ms += (int64_t)expected[i] * 1000;
        assert_false(is_banned(bans, "192.0.2.1", NULL, now_ms));
    }
    now_ms += 86400 * 1000 + 1;
    fail_times(bans, "192.0.2.1", NULL, 9, now_ms);
    assert_int_equal(fail_once(bans, "192.0.2.1", NULL, now_ms).ban_s, 600);
    bans_free(bans);
}

static void success_forgives_what_the_same_user_did(void **state)
{
    (void)state;
    struct bans *bans = make();
    for (int i = 0; i < 20; i++) {
        fail_times(bans, "192.0.2.1", "anna", 9, 0);
        succeed(bans, "192.0.2.1", "anna");
    }
    assert_int_equal(fail_once(bans, "192.0.2.1", "anna", 0).delay_ms, 100);
    bans_free(bans);
}

// Somebody with a password of its own guesses those of others in between.
static void success_of_another_user_forgives_nothing(void **state)
{
    (void)state;
    struct bans *bans = make();
    for (int i = 0; i < 10; i++) {
        assert_false(is_banned(bans, "192.0.2.1", "victim", 0));
        fail_once(bans, "192.0.2.1", "victim", 0);
        succeed(bans, "192.0.2.1", "mallory");
    }
    assert_true(is_banned(bans, "192.0.2.1", "victim", 0));
    assert_true(is_banned(bans, "192.0.2.1", "mallory", 0));
    assert_false(is_banned(bans, "192.0.2.9", "victim", 0));
    bans_free(bans);
}

static void this_machine_is_slowed_down_and_never_banned(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "127.1.2.3", "::1"};
    struct bans *bans = make();
    for (size_t i = 0; i < 3; i++) {
        fail_times(bans, addresses[i], "anna", 50, 0);
        struct ban_judgement judgement = fail_once(bans, addresses[i], "anna", 0);
        assert_int_equal(judgement.ban_s, 0);
        assert_int_equal(judgement.delay_ms, 5000);
        assert_false(is_banned(bans, addresses[i], "anna", 0));
    }
    bans_free(bans);
}

static void of_ipv6_the_network_is_banned(void **state)
{
    (void)state;
    struct bans *bans = make();
    for (int i = 0; i < 10; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "2001:db8:1:2::%x", (unsigned)i);
        fail_once(bans, text, "anna", 0);
    }
    assert_true(is_banned(bans, "2001:db8:1:2:ffff::1", NULL, 0));
    assert_false(is_banned(bans, "2001:db8:1:3::1", NULL, 0));
    bans_free(bans);
}

static void memory_is_bounded_and_bans_are_forgotten_last(void **state)
{
    (void)state;
    struct bans *bans = make();
    fail_times(bans, "192.0.2.1", NULL, 10, 0);
    for (int i = 0; i < 1000; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "10.1.%d.%d", i / 250, i % 250);
        fail_once(bans, text, "anna", 1);
    }
    assert_true(is_banned(bans, "192.0.2.1", NULL, 1));
    // The one that failed often is forgotten too, if others keep coming.
    fail_times(bans, "192.0.2.2", NULL, 9, 2);
    for (int i = 0; i < 100; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "10.2.0.%d", i);
        fail_once(bans, text, NULL, 3);
    }
    assert_int_equal(fail_once(bans, "192.0.2.2", NULL, 4).ban_s, 0);
    bans_free(bans);
}

static void even_with_nothing_but_bans_memory_is_bounded(void **state)
{
    (void)state;
    struct bans *bans = make();
    for (int i = 0; i < 200; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "10.0.0.%d", i);
        fail_times(bans, text, NULL, 10, 0);
    }
    assert_true(bans_count(bans, 0) <= standard.entries_max);
    assert_false(is_banned(bans, "10.0.0.0", NULL, 0));
    assert_true(is_banned(bans, "10.0.0.199", NULL, 0));
    bans_free(bans);
}

struct listed {
    char text[1024];
};

static void note(void *context, const struct ban *ban)
{
    struct listed *listed = context;
    size_t size = strlen(listed->text);
    (void)snprintf(listed->text + size, sizeof(listed->text) - size, "%s|%.*s|%d ", ban->address,
                   (int)ban->user.size, (const char *)ban->user.data, (int)(ban->left_ms / 1000));
}

static void bans_are_listed_and_lifted(void **state)
{
    (void)state;
    struct bans *bans = make();
    struct listed listed = {{0}};
    fail_times(bans, "2001:db8::1", NULL, 10, 0);
    fail_times(bans, "192.0.2.1", "anna", 10, 1000);
    bans_list(bans, 1000, note, &listed);
    assert_string_equal(listed.text, "192.0.2.1|anna|600 192.0.2.1||600 2001:db8::/64||599 ");
    struct net_address address = address_of("192.0.2.1");
    assert_int_equal(bans_lift(bans, &address, 1000), 2);
    assert_false(is_banned(bans, "192.0.2.1", "anna", 1000));
    assert_true(is_banned(bans, "2001:db8::5", "anna", 1000));
    assert_int_equal(bans_lift(bans, &address, 1000), 0);
    address = address_of("2001:db8::/64");
    assert_int_equal(bans_lift(bans, &address, 1000), 1);
    fail_times(bans, "192.0.2.1", NULL, 10, 1000);
    assert_int_equal(bans_lift_all(bans, 1000), 1);
    assert_int_equal(bans_count(bans, 1000), 0);
    bans_free(bans);
}

static void what_is_over_is_not_listed(void **state)
{
    (void)state;
    struct bans *bans = make();
    struct listed listed = {{0}};
    fail_times(bans, "192.0.2.1", NULL, 10, 0);
    bans_list(bans, 10 * MINUTE, note, &listed);
    assert_string_equal(listed.text, "");
    assert_int_equal(bans_count(bans, 10 * MINUTE), 0);
    bans_free(bans);
}

static void names_of_any_bytes_and_length_are_told_apart(void **state)
{
    (void)state;
    static const uint8_t name[65535] = {0};
    struct bans *bans = make();
    struct ban_subject subject = subject_of("192.0.2.1", "");
    fail_times(bans, "192.0.2.1", NULL, 3, 0);
    for (size_t size = 0; size <= sizeof(name); size += 4369) {
        subject.user = bytes_make(name, size);
        bans_failed(bans, &subject, 0);
        bans_succeeded(bans, &subject);
    }
    assert_int_equal(fail_once(bans, "192.0.2.1", NULL, 0).delay_ms, 800);
    bans_free(bans);
}

static void without_a_limit_nobody_is_banned(void **state)
{
    (void)state;
    struct ban_options options = standard;
    options.failures_max = 0;
    struct bans *bans = bans_new(&options, (struct hash_key){1, 2});
    fail_times(bans, "192.0.2.1", "anna", 100, 0);
    assert_false(is_banned(bans, "192.0.2.1", "anna", 0));
    bans_free(bans);
}

static void without_memory_it_goes_on(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 8; nth++) {
        struct bans *bans = make();
        memory_fail(nth, 3);
        fail_times(bans, "192.0.2.1", "anna", 5, 0);
        memory_fail(0, 0);
        fail_times(bans, "192.0.2.1", "anna", 10, 0);
        assert_true(is_banned(bans, "192.0.2.1", "anna", 0));
        bans_free(bans);
    }
}

static void addresses_are_read_as_they_are_shown(void **state)
{
    (void)state;
    struct net_address address;
    assert_false(ban_address_parse(BYTES_OF("192.0.2.1/64"), &address));
    assert_false(ban_address_parse(BYTES_OF("/64"), &address));
    assert_false(ban_address_parse(BYTES_OF(""), &address));
    assert_false(ban_address_parse(BYTES_OF("anna"), &address));
    assert_true(ban_address_parse(BYTES_OF("2001:db8::/64"), &address));
    assert_true(ban_address_parse(BYTES_OF("192.0.2.1"), &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_is_answered_later),
        cmocka_unit_test(too_many_ban_the_address_and_nobody_else),
        cmocka_unit_test(slow_failures_do_not_ban),
        cmocka_unit_test(bans_double_up_to_a_day_and_begin_anew_after_good_behaviour),
        cmocka_unit_test(success_forgives_what_the_same_user_did),
        cmocka_unit_test(success_of_another_user_forgives_nothing),
        cmocka_unit_test(this_machine_is_slowed_down_and_never_banned),
        cmocka_unit_test(of_ipv6_the_network_is_banned),
        cmocka_unit_test(memory_is_bounded_and_bans_are_forgotten_last),
        cmocka_unit_test(even_with_nothing_but_bans_memory_is_bounded),
        cmocka_unit_test(bans_are_listed_and_lifted),
        cmocka_unit_test(what_is_over_is_not_listed),
        cmocka_unit_test(names_of_any_bytes_and_length_are_told_apart),
        cmocka_unit_test(without_a_limit_nobody_is_banned),
        cmocka_unit_test(without_memory_it_goes_on),
        cmocka_unit_test(addresses_are_read_as_they_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
