// SPDX-License-Identifier: MIT
// Rules as Mosquitto evaluates them, whatever their number; and that nothing is gained by a name or
// by a lack of memory.
#include "access/acl_file.h"

#include "core/topic_world.h"
#include "proto/topic.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct acl *parse(const char *rules)
{
    char error[ACCESS_ERROR_MAX];
    struct acl *acl = NULL;
    int result = acl_file_parse("acl", text(rules), NULL, &acl, error);
    if (result < 0)
        print_error("%s\n", error);
    assert_int_equal(result, 0);
    return acl;
}

static struct acl_subject who(const char *user, const char *client_id)
{
    return (struct acl_subject){text(client_id), text(user == NULL ? "" : user), user != NULL};
}

static bool may(const struct acl *acl, const char *user, uint8_t access, const char *topic)
{
    struct acl_subject subject = who(user, "tv");
    return acl_check(acl, &subject, access, text(topic), NULL);
}

static void each_user_has_its_section(void **state)
{
    (void)state;
    struct acl *acl = parse("topic read open/#\n"
                            "user kari\n"
                            "topic home/#\n"
                            "topic read news/+\n"
                            "user ola nordmann\n"
                            "topic write home/door\n");
    assert_true(may(acl, "kari", ACL_READ, "home/door"));
    assert_true(may(acl, "kari", ACL_WRITE, "home"));
    assert_true(may(acl, "kari", ACL_READ, "news/today"));
    assert_false(may(acl, "kari", ACL_WRITE, "news/today"));
    assert_false(may(acl, "kari", ACL_READ, "open/a"));
    assert_true(may(acl, "ola nordmann", ACL_WRITE, "home/door"));
    assert_false(may(acl, "ola nordmann", ACL_READ, "home/door"));
    assert_true(may(acl, NULL, ACL_READ, "open/a"));
    assert_false(may(acl, NULL, ACL_WRITE, "open/a"));
    assert_false(may(acl, "nobody", ACL_READ, "open/a"));
    assert_false(may(acl, "", ACL_READ, "open/a"));
    acl_unref(acl);
}

static void deny_comes_first_wherever_it_stands(void **state)
{
    (void)state;
    struct acl *acl = parse("user kari\n"
                            "topic readwrite home/#\n"
                            "topic deny home/safe/#\n"
                            "pattern read home/safe/%u\n"
                            "pattern deny %u/secret\n"
                            "pattern %u/#\n");
    assert_true(may(acl, "kari", ACL_READ, "home/door"));
    assert_false(may(acl, "kari", ACL_READ, "home/safe/code"));
    assert_false(may(acl, "kari", ACL_WRITE, "home/safe"));
    assert_false(may(acl, "kari", ACL_READ, "home/safe/kari")); // the section decided
    assert_true(may(acl, "ola", ACL_READ, "home/safe/ola"));
    assert_false(may(acl, "kari", ACL_READ, "kari/secret"));
    assert_true(may(acl, "kari", ACL_WRITE, "kari/open"));
    acl_unref(acl);
}

static void dollar_topics_need_a_rule_with_a_dollar(void **state)
{
    (void)state;
    struct acl *acl = parse("user kari\ntopic #\ntopic +/broker\npattern %c/#\n"
                            "user ola\ntopic read $SYS/#\n");
    assert_false(may(acl, "kari", ACL_READ, "$SYS/broker"));
    assert_true(may(acl, "ola", ACL_READ, "$SYS/broker"));
    assert_false(may(acl, "ola", ACL_READ, "a"));
    acl_unref(acl);
}

static void no_rule_is_no_right(void **state)
{
    (void)state;
    struct acl *acl = parse("");
    assert_false(may(acl, NULL, ACL_READ, "a"));
    assert_false(may(acl, "kari", ACL_WRITE, "a"));
    acl_unref(acl);
    acl = parse("# a comment\n\n   \nuser kari\n");
    assert_false(may(acl, "kari", ACL_READ, "a"));
    acl_unref(acl);
}

// What a client calls itself: no bytes of a name give it a topic of somebody else's.
static void poison_names_gain_nothing(void **state)
{
    (void)state;
    static uint8_t huge[65535];
    memset(huge, 'x', sizeof(huge));
    struct bytes names[] = {
        BYTES_OF("+"),    BYTES_OF("#"),     BYTES_OF("/"),         BYTES_OF("$"),
        BYTES_OF("\0"),   BYTES_OF("tv\0"),  BYTES_OF("\n"),        BYTES_OF("tv\nuser kari"),
        BYTES_OF("\033"), BYTES_OF(".*"),    BYTES_OF("[a-z]"),     BYTES_OF("../tv"),
        BYTES_OF("%u"),   BYTES_OF("%c"),    BYTES_OF("__proto__"), BYTES_OF("tv/#"),
        BYTES_OF("tv/x"), BYTES_OF("kari "), BYTES_OF(""),          bytes_make(huge, sizeof(huge)),
    };
    static const char *const theirs[] = {"dev/tv",      "dev/tv/x", "dev/tv/x/y", "home/kari",
                                         "home/kari/x", "all",      "dev",        "home"};
    struct acl *acl = parse("user kari\ntopic all\npattern dev/%c/#\npattern home/%u/#\n");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            struct acl_subject subject = {names[i], names[k], names[k].size > 0};
            for (size_t t = 0; t < sizeof(theirs) / sizeof(theirs[0]); t++) {
                assert_false(acl_check(acl, &subject, ACL_READ, text(theirs[t]), NULL));
                assert_false(acl_check(acl, &subject, ACL_WRITE, text(theirs[t]), NULL));
                assert_false(acl_may_subscribe(acl, &subject, text(theirs[t]), NULL));
            }
            assert_false(acl_may_subscribe(acl, &subject, text("dev/tv/#"), NULL));
            assert_false(acl_may_subscribe(acl, &subject, text("home/kari/+"), NULL));
        }
    }
    acl_unref(acl);
}

// With '+' or '#' in either name, patterns deny; the user's own section still holds.
static void a_wildcard_in_a_name_shuts_out_patterns(void **state)
{
    (void)state;
    struct acl *acl = parse("user a+b\ntopic own\npattern read news\n");
    struct acl_subject user = who("a+b", "tv"), client = who("kari", "t#v"),
                       fine = who("kari", "tv");
    struct acl_reason why;
    assert_true(acl_check(acl, &user, ACL_READ, text("own"), NULL));
    assert_false(acl_check(acl, &user, ACL_READ, text("news"), &why));
    assert_int_equal(why.cause, ACL_BY_NAME);
    assert_false(acl_check(acl, &client, ACL_READ, text("news"), NULL));
    assert_true(acl_check(acl, &fine, ACL_READ, text("news"), NULL));
    acl_unref(acl);
}

static void it_says_which_rule_decided(void **state)
{
    (void)state;
    struct acl *acl = parse("user kari\ntopic read a/#\ntopic a/b\ntopic deny a/c\n"
                            "pattern write %c/x\n");
    struct acl_subject subject = who("kari", "tv"), other = who("ola", "tv");
    struct acl_reason why;
    assert_true(acl_check(acl, &subject, ACL_READ, text("a/b"), &why));
    assert_int_equal(why.cause, ACL_BY_RULE);
    assert_int_equal(why.rule->line, 2);
    assert_true(acl_check(acl, &subject, ACL_WRITE, text("a/b"), &why));
    assert_int_equal(why.rule->line, 3);
    assert_false(acl_check(acl, &subject, ACL_READ, text("a/c"), &why));
    assert_int_equal(why.rule->line, 4);
    assert_true(acl_check(acl, &subject, ACL_WRITE, text("tv/x"), &why));
    assert_int_equal(why.rule->line, 5);
    assert_false(acl_check(acl, &subject, ACL_READ, text("tv/x"), &why));
    assert_int_equal(why.cause, ACL_NO_RULE);
    assert_null(why.rule);
    assert_false(acl_check(acl, &other, ACL_READ, text("a"), &why));
    assert_int_equal(why.cause, ACL_NO_RULE); // patterns are for it too
    acl_unref(acl);
    acl = parse("user kari\ntopic a\n");
    assert_false(acl_check(acl, &other, ACL_READ, text("a"), &why));
    assert_int_equal(why.cause, ACL_NO_SECTION);
    acl_unref(acl);
}

static void a_filter_is_refused_when_nothing_of_it_may_be_read(void **state)
{
    (void)state;
    struct acl *acl = parse("user kari\ntopic read home/#\ntopic deny home/safe/#\n"
                            "topic write office/#\npattern read dev/%c/+\n");
    static const char *const granted[] = {"#",        "+/door", "home/+/x", "home/safe",
                                          "dev/tv/+", "dev/#",  "+/+/on"};
    static const char *const refused[] = {"home/safe/#", "home/safe/+", "home/safe/a", "office/#",
                                          "office/a",    "dev/radio/+", "$SYS/#",      "other/+"};
    struct acl_subject subject = who("kari", "tv");
    for (size_t i = 0; i < sizeof(granted) / sizeof(granted[0]); i++)
        if (strcmp(granted[i], "home/safe") != 0) // denied, as 'home/safe/#' is it too
            assert_true(acl_may_subscribe(acl, &subject, text(granted[i]), NULL));
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_false(acl_may_subscribe(acl, &subject, text(refused[i]), NULL));
    struct acl_subject poison = who("ola", "t+v");
    assert_false(acl_may_subscribe(acl, &poison, text("#"), NULL));
    acl_unref(acl);
}

static void rules_of_one_are_for_whoever_brings_them(void **state)
{
    (void)state;
    struct acl *acl = acl_try_new_of_one("token");
    struct acl_rule_source all = {.filter = text("home/#"), .access = ACL_READ_WRITE};
    struct acl_rule_source not = {.filter = text("home/a"), .access = ACL_WRITE, .is_deny = true};
    struct acl_rule_source own = {.is_pattern = true, .filter = text("dev/%c"), .access = ACL_READ};
    assert_true(acl_try_add(acl, &all) && acl_try_add(acl, &not ) && acl_try_add(acl, &own));
    assert_true(may(acl, "kari", ACL_READ, "home/a")); // one way alone is denied
    assert_false(may(acl, "kari", ACL_WRITE, "home/a"));
    assert_true(may(acl, NULL, ACL_WRITE, "home/b"));
    assert_true(may(acl, "ola", ACL_READ, "dev/tv"));
    assert_false(may(acl, "ola", ACL_READ, "dev/x"));
    acl_unref(acl);
}

// ---- many rules, against the plainest way to ask ----

struct plain_rule {
    char filter[WORLD_TEXT_SIZE];
    uint8_t access;
};

static bool plainly_may(const struct plain_rule *rules, uint32_t count, uint8_t access,
                        struct bytes topic)
{
    bool granted = false;
    for (uint32_t i = 0; i < count; i++) {
        struct bytes filter = text(rules[i].filter);
        if ((filter.data[0] == '$') != (topic.data[0] == '$') || !topic_matches(filter, topic))
            continue;
        if (rules[i].access == 0)
            return false;
        granted = granted || (rules[i].access & access) != 0;
    }
    return granted;
}

static void many_rules_say_what_a_list_of_them_says(void **state)
{
    (void)state;
    struct topic_world topics = topic_world_new(WORLD_NAMES, topic_name_valid);
    uint64_t seed = 7;
    for (uint32_t round = 0; round < 60; round++) {
        struct plain_rule rules[64];
        uint32_t count = random_next(&seed) % 64;
        struct acl *acl = acl_try_new("random");
        for (uint32_t i = 0; i < count; i++) {
            do
                topic_world_random(rules[i].filter, WORLD_WORDS, &seed);
            while (!topic_filter_valid(text(rules[i].filter)));
            rules[i].access = (uint8_t)(random_next(&seed) % 16);
            rules[i].access = rules[i].access > 3 ? 1 + rules[i].access % 3 : rules[i].access;
            struct acl_rule_source source = {.has_user = true,
                                             .user = text("kari"),
                                             .filter = text(rules[i].filter),
                                             .is_deny = rules[i].access == 0,
                                             .access = rules[i].access == 0 ? ACL_READ_WRITE
                                                                            : rules[i].access};
            assert_true(acl_try_add(acl, &source));
        }
        for (uint32_t t = 0; t < topics.count; t++)
            for (uint8_t access = ACL_READ; access <= ACL_WRITE; access++)
                assert_int_equal(may(acl, "kari", access, topics.texts[t]),
                                 plainly_may(rules, count, access, text(topics.texts[t])));
        acl_unref(acl);
    }
    memory_free(topics.texts);
}

static void a_very_deep_topic_costs_no_more(void **state)
{
    (void)state;
    char deep[401];
    for (size_t i = 0; i < 400; i++)
        deep[i] = i % 2 == 0 ? 'a' : '/';
    deep[399] = 'b';
    deep[400] = 0;
    struct acl *acl = acl_try_new("deep");
    struct acl_rule_source source = {.filter = bytes_make(deep, 399), .access = ACL_READ};
    for (int i = 0; i < 20; i++)
        assert_true(acl_try_add(acl, &source));
    deep[399] = 0;
    assert_true(may(acl, NULL, ACL_READ, deep));
    assert_false(may(acl, NULL, ACL_WRITE, deep));
    deep[396] = 'c';
    assert_false(may(acl, NULL, ACL_READ, deep));
    acl_unref(acl);
}

// The k-th allocation fails, for every k: there are all rules or none.
static void without_memory_there_are_no_rules(void **state)
{
    (void)state;
    const char *rules = "topic a\nuser kari\ntopic b\ntopic deny c\npattern read %u\n";
    bool done = false;
    for (uint64_t k = 1; !done; k++) {
        char error[ACCESS_ERROR_MAX];
        struct acl *acl = NULL;
        memory_fail(k, 1);
        int result = acl_file_parse("acl", text(rules), NULL, &acl, error);
        memory_fail(0, 0);
        done = result == 0;
        assert_int_equal(acl != NULL, done);
        if (!done)
            assert_true(strstr(error, "no memory") != NULL);
        if (done)
            assert_true(may(acl, "kari", ACL_READ, "b") && !may(acl, "kari", ACL_READ, "c"));
        acl_unref(acl_ref(acl));
        acl_unref(acl);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_user_has_its_section),
        cmocka_unit_test(deny_comes_first_wherever_it_stands),
        cmocka_unit_test(dollar_topics_need_a_rule_with_a_dollar),
        cmocka_unit_test(no_rule_is_no_right),
        cmocka_unit_test(poison_names_gain_nothing),
        cmocka_unit_test(a_wildcard_in_a_name_shuts_out_patterns),
        cmocka_unit_test(it_says_which_rule_decided),
        cmocka_unit_test(a_filter_is_refused_when_nothing_of_it_may_be_read),
        cmocka_unit_test(rules_of_one_are_for_whoever_brings_them),
        cmocka_unit_test(many_rules_say_what_a_list_of_them_says),
        cmocka_unit_test(a_very_deep_topic_costs_no_more),
        cmocka_unit_test(without_memory_there_are_no_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
