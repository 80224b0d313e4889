// SPDX-License-Identifier: MIT
// The table of options: every row keeps what it says.
#include "server/options.h"

#include "server/option_value.h"

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

#define ERROR_SIZE OPTION_ERROR_MAX

#define TEXT_MAX 512

// Everything that a row can be of.
struct told {
    struct options options;
    struct listener_options listener;
};

static void *object_of(struct told *told, const struct option_row *row)
{
    return row->scope == SCOPE_GLOBAL ? (void *)&told->options : (void *)&told->listener;
}

static void set_defaults(struct told *told)
{
    options_set_defaults(&told->options);
    listener_options_set_defaults(&told->listener, false);
}

static int set(struct told *told, const struct option_row *row, const char *value, char *error)
{
    return option_set(object_of(told, row), row, value, error);
}

static void show(struct told *told, const struct option_row *row, char *text)
{
    option_show(object_of(told, row), row, text, TEXT_MAX);
}

// Is there a field for it? (Lists are put together by the configuration.)
static bool is_kept(const struct option_row *row)
{
    return row->size > 0 && row->kind != OPTION_LIST;
}

static bool is_number(const struct option_row *row)
{
    return is_kept(row) && (row->kind == OPTION_NUMBER || row->kind == OPTION_SIZE ||
                            row->kind == OPTION_DURATION || row->kind == OPTION_EXPIRY);
}

static bool is_text(const struct option_row *row)
{
    return row->kind == OPTION_TEXT || row->kind == OPTION_LIST || row->kind == OPTION_KEYWORD;
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
    struct told options;
    char error[ERROR_SIZE] = "", text[TEXT_MAX], again[TEXT_MAX];
    set_defaults(&options);
    if (set(&options, row, value, error) != 0)
        print_error("%s\n", error);
    assert_int_equal(set(&options, row, value, error), 0);
    show(&options, row, text);
    assert_string_equal(text, shown);
    assert_int_equal(set(&options, row, text, error), 0);
    show(&options, row, again);
    assert_string_equal(again, text);
}

// Refuses with a sentence that names option, value and what would do; nothing is changed.
static void assert_refused(const struct option_row *row, const char *value)
{
    struct told options;
    char error[ERROR_SIZE] = "", before[TEXT_MAX], after[TEXT_MAX], named[80];
    set_defaults(&options);
    show(&options, row, before);
    if (set(&options, row, value, error) == 0)
        print_error("%s takes '%s'\n", row->name, value);
    assert_int_equal(set(&options, row, value, error), -EINVAL);
    assert_non_null(strstr(error, row->name));
    snprintf(named, sizeof(named), "'%.60s' is not ", value);
    assert_non_null(strstr(error, named));
    assert_true(strlen(strstr(error, " is not ")) > strlen(" is not "));
    show(&options, row, after);
    assert_string_equal(after, before);
}

// ---- every row ----

static void check_names(const struct option_row *row)
{
    assert_in_range(strlen(row->name), 1, OPTION_NAME_MAX - 4);
    assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_0123456789."),
                     strlen(row->name));
    assert_ptr_equal(option_find(row->name), row); // which no other row of this name would be
    assert_ptr_equal(option_find_key(row->name), row);
    char dashes[64];
    snprintf(dashes, sizeof(dashes), "%s", row->name);
    for (char *c = dashes; *c != 0; c++)
        *c = *c == '_' ? '-' : *c;
    assert_ptr_equal(option_find(dashes), row);
    dashes[strlen(dashes) - 1] = 0;
    assert_true(option_find(dashes) != row); // no abbreviations
    assert_true(strlen(row->help) > 0 && row->help[strlen(row->help) - 1] != '.');
    assert_true((row->support == SUPPORTED) == (row->instead == NULL));
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
    assert_null(option_find_key("max-qos")); // in a file underscores are underscores
    assert_ptr_equal(option_find("maximum_qos"), option_find("max_qos"));
    assert_ptr_equal(option_find("addresses"), option_find("address"));
    assert_null(option_find("max_session"));
    assert_string_equal(option_suggest("alow_anonymous"), "allow_anonymous");
    assert_null(option_suggest("rabbit"));
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
    struct told options;
    char shown[TEXT_MAX];
    if (!is_kept(row))
        return;
    set_defaults(&options);
    show(&options, row, shown);
    if (row->kind == OPTION_CHOICE) {
        assert_in_range(row->standard, 0, choice_count(row) - 1);
    } else if (row->kind == OPTION_BOOLEAN) {
        assert_string_equal(shown, row->standard != 0 ? "true" : "false");
    }
    if (shown[0] != 0) // a default that cannot be said: something else's, or none
        assert_taken(row, shown, shown);
}

static void defaults_are_within_bounds_and_what_is_shown(void **state)
{
    (void)state;
    for_each_row(check_default);
}

static void show_number(const struct option_row *row, int64_t number, char *text, size_t size)
{
    if ((row->flags & OPTION_UNLIMITED) != 0 && number <= 0)
        snprintf(text, size, "-1");
    else if (row->kind == OPTION_EXPIRY && number == row->maximum)
        snprintf(text, size, "never");
    else
        snprintf(text, size, "%" PRId64, number);
}

static void check_bounds(const struct option_row *row)
{
    char value[32], shown[32];
    if (!is_number(row))
        return;
    snprintf(value, sizeof(value), "%" PRId64, row->minimum);
    show_number(row, row->minimum, shown, sizeof(shown));
    assert_taken(row, value, shown);
    snprintf(value, sizeof(value), "%" PRId64, row->maximum);
    show_number(row, row->maximum, shown, sizeof(shown));
    assert_taken(row, value, shown);
    snprintf(value, sizeof(value), "%" PRId64, row->maximum + 1);
    assert_refused(row, value);
    snprintf(value, sizeof(value), "%" PRId64, row->minimum - 1);
    assert_refused(row, value);
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
                                           "-9223372036854775808",
                                           " 1",
                                           "1 ",
                                           "\t1",
                                           "1.5",
                                           "0x",
                                           "08",
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
    if (is_text(row) || row->kind == OPTION_VERSIONS || !is_kept(row))
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
    if (choices == NULL || !is_kept(row))
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
    assert_taken(option_find("persistence"), "1", "true");
    assert_taken(option_find("persistence"), "0", "false");
    assert_taken(option_find("allow_anonymous"), "1", "true");
    assert_taken(option_find("allow_anonymous"), "0", "false");
    assert_refused(option_find("durability"), "1");
    assert_refused(option_find("persistence"), "yes");
    assert_refused(option_find("persistence"), "on");
}

static void check_text(const struct option_row *row)
{
    char *value = calloc(1, OPTION_TEXT_SIZE_MAX + 2);
    if (row->kind == OPTION_TEXT && row->choices == NULL && is_kept(row)) {
        assert_taken(row, "", "");
        assert_taken(row, "blåbær 100% \\n", "blåbær 100% \\n");
        char error[ERROR_SIZE];
        struct told told;
        set_defaults(&told);
        memset(value, 'x', OPTION_TEXT_SIZE_MAX + 1);
        assert_refused(row, value); // one too many
        value[OPTION_TEXT_SIZE_MAX] = 0;
        assert_int_equal(set(&told, row, value, error), 0);
        assert_int_equal(set(&told, row, "\xc0\xaf", error), -EINVAL);
        assert_non_null(strstr(error, "UTF-8"));
    }
    free(value);
}

static void texts_fit_or_are_refused(void **state)
{
    (void)state;
    for_each_row(check_text);
}

static void another_value(const struct option_row *row, char *value, size_t size)
{
    if (row->kind == OPTION_TEXT && row->choices == NULL)
        snprintf(value, size, "other");
    else if (row->kind == OPTION_BOOLEAN)
        snprintf(value, size, "%s", row->standard != 0 ? "false" : "true");
    else if (row->kind == OPTION_CHOICE || row->kind == OPTION_TEXT)
        snprintf(value, size, "%s", strrchr(row->choices, '|') + 1);
    else if (row->kind == OPTION_VERSIONS)
        snprintf(value, size, "3");
    else
        snprintf(value, size, "%" PRId64,
                 row->standard == row->maximum ? row->minimum : row->maximum);
}

// Setting one option changes that one and no other.
static void check_alone(const struct option_row *row)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    struct told options, defaults;
    char error[ERROR_SIZE], value[TEXT_MAX], shown[TEXT_MAX], other[TEXT_MAX];
    if (!is_kept(row))
        return;
    set_defaults(&defaults);
    options = defaults;
    another_value(row, value, sizeof(value));
    assert_int_equal(set(&options, row, value, error), 0);
    for (size_t i = 0; i < count; i++) {
        show(&options, &rows[i], shown);
        show(&defaults, &rows[i], other);
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
    const struct option_row *time = option_find("will_grace");
    assert_taken(time, "90", "90");
    assert_taken(time, "90s", "90");
    assert_taken(time, "2m", "120");
    assert_taken(time, "2h", "7200");
    assert_taken(time, "1d", "86400");
    assert_refused(time, "2M");
    assert_refused(time, "2k");
    assert_refused(option_find("port"), "1k");
    assert_refused(option_find("port"), "60s");
}

static void an_expiry_has_mosquittos_units(void **state)
{
    (void)state;
    const struct option_row *expiry = option_find("persistent_client_expiration");
    assert_taken(expiry, "90", "90");
    assert_taken(expiry, "2h", "7200");
    assert_taken(expiry, "14d", "1209600");
    assert_taken(expiry, "1w", "604800");
    assert_taken(expiry, "1m", "2592000");
    assert_taken(expiry, "1y", "31536000");
    assert_taken(expiry, "never", "never");
    assert_refused(expiry, "137y");
    assert_refused(expiry, "0d");
    assert_refused(expiry, "d");
}

static void numbers_are_read_as_c_writes_them(void **state)
{
    (void)state;
    const struct option_row *port = option_find("port");
    assert_taken(port, "0x10", "16");
    assert_taken(port, "010", "8");
    assert_taken(port, "+1883", "1883");
    assert_taken(option_find("max_connections"), "-1", "-1");
    assert_refused(port, "-1");
    assert_refused(port, "1883#");
}

static void versions_are_a_list(void **state)
{
    (void)state;
    const struct option_row *versions = option_find("accept_protocol_versions");
    assert_taken(versions, "3", "3");
    assert_taken(versions, "5,4", "4,5");
    assert_taken(versions, "3, 4, 5", "3,4,5");
    assert_taken(versions, "4 5", "4,5");
    assert_refused(versions, "");
    assert_refused(versions, ",");
    assert_refused(versions, "45");
    assert_refused(versions, "6");
    assert_refused(versions, "3.1.1");
}

// A long value does not push the remedy out of the sentence.
static void a_long_value_is_cut_in_the_sentence(void **state)
{
    (void)state;
    char value[2000], error[ERROR_SIZE];
    struct told options;
    set_defaults(&options);
    memset(value, '9', sizeof(value));
    value[sizeof(value) - 1] = 0;
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (!is_kept(&rows[i]) || (is_text(&rows[i]) && rows[i].choices == NULL))
            continue;
        memset(error, '!', sizeof(error));
        assert_int_equal(set(&options, &rows[i], value, error), -EINVAL);
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
        cmocka_unit_test(an_expiry_has_mosquittos_units),
        cmocka_unit_test(numbers_are_read_as_c_writes_them),
        cmocka_unit_test(versions_are_a_list),
        cmocka_unit_test(a_long_value_is_cut_in_the_sentence),
        cmocka_unit_test(limits_are_those_of_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
