// SPDX-License-Identifier: MIT
// topic_matches against a matcher that is too simple to be wrong, over every filter and every name
// of up to four levels; validity and shares by example.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "proto/topic.h"

#include <stdio.h>
#include <string.h>

static struct bytes text_of(const char *text)
{
    return bytes_make(text, strlen(text));
}

// By recursion over the definition [MQTT5 4.7].
static bool naive_levels(const char *filter, const char *name)
{
    size_t level = strcspn(filter, "/"), taken = strcspn(name, "/");

    if (strcmp(filter, "#") == 0)
        return true;
    if (strncmp(filter, "+", level) != 0 && (level != taken || strncmp(filter, name, level) != 0))
        return false;
    if (level == 0 && taken != 0)
        return false;
    if (name[taken] == '\0')
        return filter[level] == '\0' || strcmp(filter + level, "/#") == 0;
    return filter[level] == '/' && naive_levels(filter + level + 1, name + taken + 1);
}

static bool naive_matches(const char *filter, const char *name)
{
    return (name[0] != '$' || (filter[0] != '+' && filter[0] != '#')) && naive_levels(filter, name);
}

#define TEXT_MAX 32

// The `index`-th text of 1 to 4 levels over `alphabet`; false beyond the last.
static bool compose(size_t index, const char *const *alphabet, size_t count, char *ret_text)
{
    size_t levels = 1, power = count;

    for (; index >= power; levels++, power *= count)
        index -= power;
    if (levels > 4)
        return false;
    ret_text[0] = '\0';
    for (size_t i = 0; i < levels; i++, index /= count) {
        size_t size = strlen(ret_text);

        snprintf(ret_text + size, TEXT_MAX - size, "%s%s", i ? "/" : "", alphabet[index % count]);
    }
    return true;
}

static size_t match_all_names(const char *filter)
{
    static const char *const name_alphabet[] = {"a", "b", "", "$x"};
    char name[TEXT_MAX];
    size_t matches = 0;

    for (size_t i = 0; compose(i, name_alphabet, 4, name); i++) {
        bool matched;

        if (!topic_name_valid(text_of(name)))
            continue;
        matched = topic_matches(text_of(filter), text_of(name));
        if (matched != naive_matches(filter, name))
            fail_msg("'%s' and '%s'", filter, name);
        matches += matched;
    }
    return matches;
}

static void test_matches_as_the_naive_matcher_does(void **state)
{
    static const char *const filter_alphabet[] = {"a", "b", "+", "#", "", "$x"};
    char filter[TEXT_MAX];
    size_t filters = 0, matches = 0;

    (void)state;
    for (size_t i = 0; compose(i, filter_alphabet, 6, filter); i++) {
        if (!topic_filter_valid(text_of(filter)))
            continue;
        filters++;
        matches += match_all_names(filter);
    }
    assert_int_equal(filters, 936 - 1); // 6 + 5*6 + 5*5*6 + 5*5*5*6 with '#' last, without ""
    assert_true(matches > filters);
}

static bool matches(const char *filter, const char *name)
{
    return topic_matches(text_of(filter), text_of(name));
}

static void test_matches_the_specifications_examples(void **state)
{
    (void)state;
    assert_true(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    assert_true(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    assert_true(matches("sport/+", "sport/"));
    assert_false(matches("sport/+", "sport"));
    assert_true(matches("+/+", "/finance"));
    assert_true(matches("/+", "/finance"));
    assert_false(matches("+", "/finance"));
    assert_false(matches("#", "$SYS/uptime"));
    assert_false(matches("+/uptime", "$SYS/uptime"));
    assert_true(matches("$SYS/#", "$SYS/uptime"));
    assert_true(matches("$SYS/uptime/+", "$SYS/uptime/$x"));
    assert_false(matches("ACCOUNTS", "Accounts")); // [MQTT-4.7.3-4]
    assert_false(matches("a/b", "a/bc"));
    assert_false(matches("a/bc", "a/b"));
}

static void test_names(void **state)
{
    static uint8_t longest[65536];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    assert_true(topic_name_valid(BYTES_OF("a")));
    assert_true(topic_name_valid(BYTES_OF("/")));
    assert_true(topic_name_valid(BYTES_OF("a b/ /c")));
    assert_true(topic_name_valid(bytes_make(longest, 65535)));
    assert_false(topic_name_valid(bytes_make(longest, 65536)));
    assert_false(topic_name_valid((struct bytes){NULL, 0}));
}

static void test_names_refuse_wildcards_and_nul_at_each_place(void **state)
{
    (void)state;
    for (size_t size = 1; size < 20; size++) {
        for (size_t place = 0; place < size; place++) {
            char name[20];

            memset(name, '*', sizeof(name)); // neighbour of '+'
            assert_true(topic_name_valid(bytes_make(name, size)));
            name[place] = '+';
            assert_false(topic_name_valid(bytes_make(name, size)));
            name[place] = '#';
            assert_false(topic_name_valid(bytes_make(name, size)));
            name[place] = '\0';
            assert_false(topic_name_valid(bytes_make(name, size)));
        }
    }
}

static void test_filters(void **state)
{
    static uint8_t longest[65536];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    assert_true(topic_filter_valid(BYTES_OF("#")));
    assert_true(topic_filter_valid(BYTES_OF("+")));
    assert_true(topic_filter_valid(BYTES_OF("+/+/#")));
    assert_true(topic_filter_valid(BYTES_OF("/+/")));
    assert_true(topic_filter_valid(bytes_make(longest, 65535)));
    assert_false(topic_filter_valid(bytes_make(longest, 65536)));
    assert_false(topic_filter_valid((struct bytes){NULL, 0}));
    assert_false(topic_filter_valid(BYTES_OF("#/a"))); // [MQTT-4.7.1-1]
    assert_false(topic_filter_valid(BYTES_OF("a/#/")));
    assert_false(topic_filter_valid(BYTES_OF("a#")));
    assert_false(topic_filter_valid(BYTES_OF("a/#b")));
    assert_false(topic_filter_valid(BYTES_OF("##")));
    assert_false(topic_filter_valid(BYTES_OF("a+"))); // [MQTT-4.7.1-2]
    assert_false(topic_filter_valid(BYTES_OF("+a/b")));
    assert_false(topic_filter_valid(BYTES_OF("a/++/b")));
    assert_false(topic_filter_valid(BYTES_OF("a\0b"))); // [MQTT-4.7.3-2]
}

static void test_levels(void **state)
{
    struct bytes rest = BYTES_OF("a//bc/");
    bool more;

    (void)state;
    assert_int_equal(topic_level_count(rest), 4);
    assert_int_equal(topic_level_count(BYTES_OF("a")), 1);
    assert_true(bytes_equal(topic_level_next(&rest, &more), BYTES_OF("a")));
    assert_true(more);
    assert_true(bytes_equal(topic_level_next(&rest, &more), BYTES_OF("")));
    assert_true(more);
    assert_true(bytes_equal(topic_level_next(&rest, &more), BYTES_OF("bc")));
    assert_true(more);
    assert_true(bytes_equal(topic_level_next(&rest, &more), BYTES_OF("")));
    assert_false(more);
}

static enum topic_share parse(const char *text, const char *group, const char *filter)
{
    struct bytes parsed_group = BYTES_OF("none"), parsed_filter = BYTES_OF("none");
    enum topic_share share = topic_share_parse(text_of(text), &parsed_group, &parsed_filter);

    assert_true(bytes_equal(parsed_group, text_of(group)));
    assert_true(bytes_equal(parsed_filter, text_of(filter)));
    return share;
}

static void test_shares(void **state)
{
    (void)state;
    assert_int_equal(parse("$share/g/a/#", "g", "a/#"), TOPIC_SHARE_VALID);
    assert_int_equal(parse("$share/g//", "g", "/"), TOPIC_SHARE_VALID);
    assert_int_equal(parse("a/b", "none", "none"), TOPIC_SHARE_NONE);
    assert_int_equal(parse("$share", "none", "none"), TOPIC_SHARE_NONE);
    assert_int_equal(parse("$shared/g/a", "none", "none"), TOPIC_SHARE_NONE);
    assert_int_equal(parse("$share/", "none", "none"), TOPIC_SHARE_INVALID);
    assert_int_equal(parse("$share/g", "none", "none"), TOPIC_SHARE_INVALID);
    assert_int_equal(parse("$share/g/", "none", "none"), TOPIC_SHARE_INVALID);
    assert_int_equal(parse("$share//a", "none", "none"), TOPIC_SHARE_INVALID);
    assert_int_equal(parse("$share/+/a", "none", "none"), TOPIC_SHARE_INVALID);
    assert_int_equal(parse("$share/g#/a", "none", "none"), TOPIC_SHARE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches_as_the_naive_matcher_does),
        cmocka_unit_test(test_matches_the_specifications_examples),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_refuse_wildcards_and_nul_at_each_place),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_shares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
