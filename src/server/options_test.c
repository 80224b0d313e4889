// SPDX-License-Identifier: MIT
// The table of options: every row keeps what it says.
#include "server/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ERROR_SIZE 256

static bool is_number(const struct option_row *row)
{
    return row->kind == OPTION_NUMBER || row->kind == OPTION_SIZE || row->kind == OPTION_DURATION;
}

// Calls `check` with every row.
static void for_each_row(void (*check)(const struct option_row *row))
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        check(&rows[i]);
}

// Sets, shows, sets what was shown: the same is shown again.
static void assert_taken(const struct option_row *row, const char *value, const char *shown)
{
    struct options options;
    char error[ERROR_SIZE] = "", text[OPTION_TEXT_MAX], again[OPTION_TEXT_MAX];
    options_set_defaults(&options);
    if (option_set(&options, row, value, error) != 0)
        print_error("%s\n", error);
    assert_int_equal(option_set(&options, row, value, error), 0);
    option_show(&options, row, text, sizeof(text));
    assert_string_equal(text, shown);
    assert_int_equal(option_set(&options, row, text, error), 0);
    option_show(&options, row, again, sizeof(again));
    assert_string_equal(again, text);
}

// Refuses with a sentence that names option, value and what would do; nothing is changed.
static void assert_refused(const struct option_row *row, const char *value)
{
    struct options options;
    char error[ERROR_SIZE] = "", before[OPTION_TEXT_MAX], after[OPTION_TEXT_MAX], named[80];
    options_set_defaults(&options);
    option_show(&options, row, before, sizeof(before));
    if (option_set(&options, row, value, error) == 0)
        print_error("%s takes '%s'\n", row->name, value);
    assert_int_equal(option_set(&options, row, value, error), -EINVAL);
    assert_non_null(strstr(error, row->name));
    snprintf(named, sizeof(named), "'%.60s' is not ", value);
    assert_non_null(strstr(error, named));
    assert_true(strlen(strstr(error, " is not ")) > strlen(" is not "));
    option_show(&options, row, after, sizeof(after));
    assert_string_equal(after, before);
}

// ---- every row ----

static void check_names(const struct option_row *row)
{
    assert_in_range(strlen(row->name), 1, 40);
    assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(row->name));
    assert_ptr_equal(option_find(row->name), row); // which no other row of this name would be
    char dashes[64];
    snprintf(dashes, sizeof(dashes), "%s", row->name);
    for (char *c = dashes; *c != 0; c++)
        *c = *c == '_' ? '-' : *c;
    assert_ptr_equal(option_find(dashes), row);
    dashes[strlen(dashes) - 1] = 0;
    assert_true(option_find(dashes) != row); // no abbreviations
    assert_true(strlen(row->help) > 0 && row->help[strlen(row->help) - 1] != '.');
}

static void names_are_unique_and_found_either_way(void **state)
{
    (void)state;
    for_each_row(check_names);
    assert_null(option_find(""));
    assert_null(option_find("por"));
    assert_null(option_find("portx"));
    assert_null(option_find("PORT"));
    assert_null(option_find("--port"));
}

static uint64_t choice_count(const struct option_row *row)
{
    uint64_t count = 1;
    for (const char *c = row->choices; *c != 0; c++)
        count += *c == '|';
    return count;
}

static void check_default(const struct option_row *row)
{
    struct options options;
    char shown[OPTION_TEXT_MAX];
    options_set_defaults(&options);
    option_show(&options, row, shown, sizeof(shown));
    if (is_number(row)) {
        assert_in_range(row->standard, row->minimum, row->maximum);
        assert_int_equal(strtoull(shown, NULL, 10), row->standard);
    } else if (row->kind == OPTION_CHOICE) {
        assert_in_range(row->standard, 0, choice_count(row) - 1);
    } else if (row->kind == OPTION_BOOLEAN) {
        assert_string_equal(shown, row->standard != 0 ? "true" : "false");
    }
    assert_taken(row, shown, shown);
}

static void defaults_are_within_bounds_and_what_is_shown(void **state)
{
    (void)state;
    for_each_row(check_default);
}

static void check_bounds(const struct option_row *row)
{
    char value[32];
    if (!is_number(row))
        return;
    snprintf(value, sizeof(value), "%" PRIu64, row->minimum);
    assert_taken(row, value, value);
    snprintf(value, sizeof(value), "%" PRIu64, row->maximum);
    assert_taken(row, value, value);
    snprintf(value, sizeof(value), "%" PRIu64, row->maximum + 1);
    assert_refused(row, value);
    if (row->minimum > 0) {
        snprintf(value, sizeof(value), "%" PRIu64, row->minimum - 1);
        assert_refused(row, value);
    }
}

static void bounds_are_taken_and_what_is_beyond_is_not(void **state)
{
    (void)state;
    for_each_row(check_bounds);
}

static void check_nonsense(const struct option_row *row)
{
    static const char *const nonsense[] = {"",
                                           " ",
                                           "x",
                                           "-1",
                                           "+1",
                                           " 1",
                                           "1 ",
                                           "1.5",
                                           "0x1",
                                           "1kk",
                                           "1e3",
                                           "k",
                                           "1K1",
                                           "maybe",
                                           "True",
                                           "18446744073709551616",
                                           "99999999999999999999999",
                                           "18014398509481985k",
                                           "1\n",
                                           "true|false",
                                           "|"};
    if (row->kind == OPTION_TEXT)
        return;
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
        assert_refused(row, nonsense[i]);
}

static void nonsense_is_refused_by_all(void **state)
{
    (void)state;
    for_each_row(check_nonsense);
}

static void check_choices(const struct option_row *row)
{
    const char *choices = row->kind == OPTION_BOOLEAN ? "false|true" : row->choices;
    if (row->kind != OPTION_BOOLEAN && row->kind != OPTION_CHOICE)
        return;
    for (const char *choice = choices; *choice != 0;) {
        char value[32];
        size_t size = strcspn(choice, "|");
        assert_in_range(size, 1, sizeof(value) - 1);
        snprintf(value, sizeof(value), "%.*s", (int)size, choice);
        assert_taken(row, value, value);
        value[size - 1] = 0; // part of it
        assert_refused(row, value);
        choice += size + (choice[size] == '|');
    }
}

static void every_choice_can_be_made(void **state)
{
    (void)state;
    for_each_row(check_choices);
}

static void check_text(const struct option_row *row)
{
    char value[OPTION_TEXT_MAX + 1];
    if (row->kind != OPTION_TEXT)
        return;
    memset(value, 'x', sizeof(value));
    value[OPTION_TEXT_MAX] = 0;
    assert_refused(row, value); // one too many
    value[OPTION_TEXT_MAX - 1] = 0;
    assert_taken(row, value, value);
    assert_taken(row, "", "");
    assert_taken(row, "blåbær 100% \\n", "blåbær 100% \\n");
}

static void texts_fit_or_are_refused(void **state)
{
    (void)state;
    for_each_row(check_text);
}

// Setting one option changes that one and no other.
static void check_alone(const struct option_row *row)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    struct options options, defaults;
    char error[ERROR_SIZE], value[OPTION_TEXT_MAX], shown[OPTION_TEXT_MAX], other[OPTION_TEXT_MAX];
    options_set_defaults(&defaults);
    options = defaults;
    snprintf(value, sizeof(value), "%" PRIu64,
             row->standard == row->maximum ? row->minimum : row->maximum);
    if (row->kind == OPTION_TEXT)
        snprintf(value, sizeof(value), "other");
    else if (row->kind == OPTION_BOOLEAN)
        snprintf(value, sizeof(value), "%s", row->standard != 0 ? "false" : "true");
    else if (row->kind == OPTION_CHOICE)
        snprintf(value, sizeof(value), "%s", strrchr(row->choices, '|') + 1);
    assert_int_equal(option_set(&options, row, value, error), 0);
    for (size_t i = 0; i < count; i++) {
        option_show(&options, &rows[i], shown, sizeof(shown));
        option_show(&defaults, &rows[i], other, sizeof(other));
        assert_true((strcmp(shown, other) == 0) == (&rows[i] != row));
    }
}

static void options_do_not_touch_each_other(void **state)
{
    (void)state;
    for_each_row(check_alone);
}

// ---- units ----

static void sizes_and_times_have_units(void **state)
{
    (void)state;
    const struct option_row *size = option_find("max_queued_bytes");
    assert_taken(size, "3k", "3072");
    assert_taken(size, "3K", "3072");
    assert_taken(size, "2M", "2097152");
    assert_taken(size, "1G", "1073741824");
    assert_taken(size, "0G", "0");
    assert_refused(size, "1m");
    assert_refused(size, "1s");
    assert_refused(size, "17179869185G"); // would be 1G if it wrapped
    const struct option_row *time = option_find("persistent_client_expiration");
    assert_taken(time, "90", "90");
    assert_taken(time, "90s", "90");
    assert_taken(time, "2m", "120");
    assert_taken(time, "2h", "7200");
    assert_taken(time, "2d", "172800");
    assert_refused(time, "2M");
    assert_refused(time, "2k");
    assert_refused(option_find("port"), "1k");
    assert_refused(option_find("port"), "60s");
}

// A long value does not push the remedy out of the sentence.
static void a_long_value_is_cut_in_the_sentence(void **state)
{
    (void)state;
    char value[2000], error[ERROR_SIZE];
    struct options options;
    options_set_defaults(&options);
    memset(value, '9', sizeof(value));
    value[sizeof(value) - 1] = 0;
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++) {
        memset(error, '!', sizeof(error));
        assert_int_equal(option_set(&options, &rows[i], value, error), -EINVAL);
        assert_in_range(strlen(error), 1, ERROR_SIZE - 2); // the whole sentence fits
    }
}

// ---- limits ----

static void limits_are_those_of_the_options(void **state)
{
    (void)state;
    struct options options;
    struct limits limits;
    options_set_defaults(&options);
    options.in_flight_max = 65535;
    options.queue_bytes_max = UINT64_C(1) << 40;
    options.property_bytes_max = UINT64_C(1) << 28;
    options.sessions_max = 100000000;
    options_fill_limits(&options, &limits);
    assert_int_equal(limits.in_flight_max, 65535);
    assert_int_equal(limits.queue_bytes_max, UINT64_C(1) << 40);
    assert_int_equal(limits.property_bytes_max, 1 << 28);
    assert_int_equal(limits.sessions_max, 100000000);
    assert_int_equal(limits.queue_messages_max, options.queue_messages_max);
    assert_int_equal(limits.output_bytes_max, options.output_bytes_max);
    assert_int_equal(limits.in_flight_bytes_max, options.in_flight_bytes_max);
    assert_int_equal(limits.subscriptions_max, options.subscriptions_max);
    assert_int_equal(limits.subscriptions_all_max, options.subscriptions_all_max);
    assert_int_equal(limits.topic_bytes_max, options.topic_bytes_max);
    assert_int_equal(limits.topic_levels_max, options.topic_levels_max);
    assert_int_equal(limits.user_properties_max, options.user_properties_max);
    assert_int_equal(limits.client_id_bytes_max, options.client_id_bytes_max);
    assert_int_equal(limits.connections_max, options.connections_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_found_either_way),
        cmocka_unit_test(defaults_are_within_bounds_and_what_is_shown),
        cmocka_unit_test(bounds_are_taken_and_what_is_beyond_is_not),
        cmocka_unit_test(nonsense_is_refused_by_all),
        cmocka_unit_test(every_choice_can_be_made),
        cmocka_unit_test(texts_fit_or_are_refused),
        cmocka_unit_test(options_do_not_touch_each_other),
        cmocka_unit_test(sizes_and_times_have_units),
        cmocka_unit_test(a_long_value_is_cut_in_the_sentence),
        cmocka_unit_test(limits_are_those_of_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
