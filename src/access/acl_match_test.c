// SPDX-License-Identifier: MIT
// Filters of rules against topics and against other filters: all of a small world, and names that
// want to be more than names.
#include "access/acl_match.h"

#include "core/topic_world.h"
#include "proto/topic.h"

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LEVELS_MAX 3

static struct topic_world filters, topics;

static bool is_small_filter(struct bytes text)
{
    return topic_filter_valid(text) && topic_level_count(text) <= LEVELS_MAX;
}

static bool is_small_name(struct bytes text)
{
    return topic_name_valid(text) && topic_level_count(text) <= LEVELS_MAX;
}

static int set_up(void **state)
{
    (void)state;
    filters = topic_world_new(WORLD_WORDS, is_small_filter);
    topics = topic_world_new(WORLD_NAMES, is_small_name);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memory_free(filters.texts);
    memory_free(topics.texts);
    return 0;
}

static struct acl_filter plain(const char *filter)
{
    return (struct acl_filter){text(filter), NULL};
}

static void without_names_it_matches_as_any_filter(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < filters.count; i++)
        for (uint32_t k = 0; k < topics.count; k++)
            assert_int_equal(acl_filter_matches(plain(filters.texts[i]), text(topics.texts[k])),
                             topic_matches(text(filters.texts[i]), text(topics.texts[k])));
}

// By trying every topic that there is.
static void overlap_means_a_topic_that_both_match(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < filters.count; i++) {
        for (uint32_t k = 0; k < filters.count; k++) {
            // "+" and "/#" share the empty topic alone, which there is not: no harm in a yes.
            bool both = topic_matches(text(filters.texts[i]), text("")) &&
                        topic_matches(text(filters.texts[k]), text(""));
            bool all = true;
            for (uint32_t t = 0; t < topics.count; t++) {
                bool one = topic_matches(text(filters.texts[i]), text(topics.texts[t]));
                bool other = topic_matches(text(filters.texts[k]), text(topics.texts[t]));
                both = both || (one && other);
                all = all && (one || !other);
            }
            struct acl_filter filter = plain(filters.texts[i]);
            assert_int_equal(acl_filter_overlaps(filter, text(filters.texts[k])), both);
            if (acl_filter_covers(filter, text(filters.texts[k])))
                assert_true(all);
        }
    }
}

static void what_is_covered(void **state)
{
    (void)state;
    static const char *const covered[][2] = {
        {"#", "#"},     {"#", "a/b"},   {"a/#", "a"},       {"a/#", "a/+/#"},
        {"+/b", "a/b"}, {"+/b", "+/b"}, {"$x/#", "$x/a/+"}, {"a/b", "a/b"},
    };
    static const char *const not_covered[][2] = {
        {"a/#", "#"},  {"a/+", "a/#"}, {"a/b", "a/+"}, {"#", "$x/#"},
        {"$x/#", "#"}, {"a/b", "a"},   {"+", "a/b"},
    };
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++)
        assert_true(acl_filter_covers(plain(covered[i][0]), text(covered[i][1])));
    for (size_t i = 0; i < sizeof(not_covered) / sizeof(not_covered[0]); i++)
        assert_false(acl_filter_covers(plain(not_covered[i][0]), text(not_covered[i][1])));
}

static bool matches_as(const char *filter, const char *client_id, const char *user,
                       const char *topic)
{
    struct acl_subject subject = {text(client_id), text(user == NULL ? "" : user), user != NULL};
    return acl_filter_matches((struct acl_filter){text(filter), &subject}, text(topic));
}

static void names_stand_for_one_level_or_a_part_of_one(void **state)
{
    (void)state;
    assert_true(matches_as("dev/%c/#", "tv", NULL, "dev/tv/on"));
    assert_true(matches_as("dev/%c/#", "tv", NULL, "dev/tv"));
    assert_false(matches_as("dev/%c/#", "tv", NULL, "dev/tw"));
    assert_false(matches_as("dev/%c/#", "tv", NULL, "dev/tvx"));
    assert_true(matches_as("%u/%c", "tv", "kari", "kari/tv"));
    assert_true(matches_as("x-%u-%c-y", "tv", "kari", "x-kari-tv-y"));
    assert_false(matches_as("x-%u-%c-y", "tv", "kari", "x-kari-tv-"));
    assert_true(matches_as("%d/%", "tv", "kari", "%d/%"));
    assert_true(matches_as("%%c", "tv", "kari", "%tv"));
}

static void without_a_user_its_rules_are_passed_over(void **state)
{
    (void)state;
    assert_false(matches_as("home/%u", "tv", NULL, "home/"));
    assert_false(matches_as("home/%u/#", "tv", NULL, "home//a"));
    assert_true(matches_as("home/%c", "tv", NULL, "home/tv"));
}

static void a_name_is_never_more_than_text(void **state)
{
    (void)state;
    static const char *const names[] = {"+",  "#",  "+/+", "a/b",   "a/#",  "../a",
                                        "%u", "%c", ".*",  "[a-z]", "$SYS", "/"};
    static const char *const topics_of_others[] = {"dev/a", "dev/a/b", "dev/b/x", "dev", "dev/"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (size_t k = 0; k < sizeof(topics_of_others) / sizeof(topics_of_others[0]); k++) {
            assert_false(matches_as("dev/%c", names[i], "kari", topics_of_others[k]));
            assert_false(matches_as("dev/%c/#", names[i], "kari", topics_of_others[k]));
            assert_false(matches_as("dev/%u/+", "tv", names[i], topics_of_others[k]));
        }
    assert_false(matches_as("%c/broker", "$SYS", NULL, "$SYS/broker"));
    assert_true(matches_as("dev/%c", "%u", "kari", "dev/%u")); // and is not looked into again
    assert_false(matches_as("dev/%c", "%u", "kari", "dev/kari"));
}

static void overlap_knows_the_names_too(void **state)
{
    (void)state;
    struct acl_subject subject = {text("tv"), text("a/b"), true};
    struct acl_filter client = {text("dev/%c/#"), &subject}, user = {text("dev/%u/#"), &subject};
    assert_true(acl_filter_overlaps(client, text("dev/+/on")));
    assert_true(acl_filter_overlaps(client, text("#")));
    assert_true(acl_filter_overlaps(client, text("dev/tv")));
    assert_false(acl_filter_overlaps(client, text("dev/radio/#")));
    assert_false(acl_filter_overlaps(user, text("#"))); // no level is called a/b
    assert_true(acl_filter_covers(client, text("dev/tv/+")));
    assert_false(acl_filter_covers(client, text("dev/+/a")));
    subject.has_user = false;
    assert_false(acl_filter_overlaps(user, text("dev/#")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_names_it_matches_as_any_filter),
        cmocka_unit_test(overlap_means_a_topic_that_both_match),
        cmocka_unit_test(what_is_covered),
        cmocka_unit_test(names_stand_for_one_level_or_a_part_of_one),
        cmocka_unit_test(without_a_user_its_rules_are_passed_over),
        cmocka_unit_test(a_name_is_never_more_than_text),
        cmocka_unit_test(overlap_knows_the_names_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
