// SPDX-License-Identifier: MIT
#include "server/option_value.h"

#include "base/assert.h"
#include "proto/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KiB INT64_C(1024)
#define MiB (KiB * 1024)
#define GiB (MiB * 1024)
#define DAY INT64_C(86400)
#define BOOLEAN_WORDS "false|true"

bool option_is_text(const struct option_row *row)
{
    return row->kind == OPTION_TEXT;
}

int64_t option_number(const void *object, const struct option_row *row)
{
    const void *field = (const char *)object + row->offset;
    switch (row->size) {
    case sizeof(uint8_t): return *(const uint8_t *)field;
    case sizeof(uint16_t): return *(const uint16_t *)field;
    case sizeof(uint64_t): return *(const int64_t *)field;
    default: ASSERT(false); return 0;
    }
}

void option_set_number(void *object, const struct option_row *row, int64_t number)
{
    void *field = (char *)object + row->offset;
    switch (row->size) {
    case sizeof(uint8_t): *(uint8_t *)field = (uint8_t)number; break;
    case sizeof(uint16_t): *(uint16_t *)field = (uint16_t)number; break;
    case sizeof(uint64_t): *(int64_t *)field = number; break;
    default: ASSERT(row->size == 0);
    }
}

static const char **text_field(void *object, const struct option_row *row)
{
    return (const char **)(void *)((char *)object + row->offset);
}

const char *option_text(const void *object, const struct option_row *row)
{
    return *(const char *const *)(const void *)((const char *)object + row->offset);
}

void option_set_default(void *object, const struct option_row *row, bool from_file)
{
    if (row->size == 0 || row->kind == OPTION_LIST)
        return;
    if (!option_is_text(row)) {
        bool of_file = from_file && row->has_file_standard;
        option_set_number(object, row, of_file ? row->file_standard : row->standard);
        return;
    }
    const char *text = from_file && row->file_text != NULL ? row->file_text : row->text;
    *text_field(object, row) = text != NULL ? text : "";
}

static int refuse(char *error, const struct option_row *row, const char *value, const char *wanted)
{
    (void)snprintf(error, OPTION_ERROR_MAX, "%s: '%.60s' is not %.180s", row->name, value, wanted);
    return -EINVAL;
}

static int64_t unit_of(const struct option_row *row, const char *suffix)
{
    static const struct {
        enum option_kind kind;
        const char *suffix;
        int64_t unit;
    } units[] = {
        {OPTION_SIZE, "k", KiB},        {OPTION_SIZE, "K", KiB},
        {OPTION_SIZE, "M", MiB},        {OPTION_SIZE, "G", GiB},
        {OPTION_DURATION, "s", 1},      {OPTION_DURATION, "m", 60},
        {OPTION_DURATION, "h", 3600},   {OPTION_DURATION, "d", DAY},
        {OPTION_EXPIRY, "s", 1},        {OPTION_EXPIRY, "h", 3600},
        {OPTION_EXPIRY, "d", DAY},      {OPTION_EXPIRY, "w", 7 * DAY},
        {OPTION_EXPIRY, "m", 30 * DAY}, {OPTION_EXPIRY, "y", 365 * DAY},
    };
    if (*suffix == 0)
        return 1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (units[i].kind == row->kind && strcmp(units[i].suffix, suffix) == 0)
            return units[i].unit;
    return 0;
}

static void say_wanted(const struct option_row *row, char *wanted, size_t size)
{
    const char *what = row->kind == OPTION_NUMBER ? "number"
                       : row->kind == OPTION_SIZE ? "size"
                                                  : "time";
    const char *units = row->kind == OPTION_SIZE       ? " bytes (k, M and G are understood)"
                        : row->kind == OPTION_DURATION ? " seconds (s, m, h and d are understood)"
                        : row->kind == OPTION_EXPIRY
                            ? " seconds (s, h, d, w, m for months and y are understood), or never"
                            : "";
    (void)snprintf(wanted, size, "a %s from %" PRId64 " to %" PRId64 "%s", what, row->minimum,
                   row->maximum, units);
}

// Beyond its bounds too: false is for what is no number with a suffix that fits.
static bool read_number(const struct option_row *row, const char *value, int64_t *ret_number)
{
    char *suffix;
    errno = 0;
    *ret_number = strtoll(value, &suffix, 0);
    int64_t unit = unit_of(row, suffix);
    if (suffix == value || value[0] == ' ' || (value[0] >= '\t' && value[0] <= '\r') ||
        errno != 0 || unit == 0)
        return false;
    return !__builtin_mul_overflow(*ret_number, unit, ret_number);
}

static int take_number(const struct option_row *row, const char *value, int64_t *ret_number,
                       char *error)
{
    char wanted[160];
    if (row->kind == OPTION_EXPIRY && strcmp(value, "never") == 0) {
        *ret_number = row->maximum;
        return 0;
    }
    if (!read_number(row, value, ret_number) || *ret_number < row->minimum ||
        *ret_number > row->maximum) {
        say_wanted(row, wanted, sizeof(wanted));
        return refuse(error, row, value, wanted);
    }
    if ((row->flags & OPTION_UNLIMITED) != 0 && *ret_number < 0)
        *ret_number = 0;
    return 0;
}

// Its place among the choices, or -1.
static int64_t choice_of(const char *choices, const char *value)
{
    size_t size = strlen(value);
    int64_t index = 0;
    for (const char *choice = choices; choice != NULL; index++) {
        size_t length = strcspn(choice, "|");
        if (length == size && memcmp(choice, value, size) == 0)
            return index;
        choice = choice[length] == '|' ? choice + length + 1 : NULL;
    }
    return -1;
}

static int take_choice(const struct option_row *row, const char *value, int64_t *ret_number,
                       char *error)
{
    const char *choices = row->kind == OPTION_BOOLEAN ? BOOLEAN_WORDS : row->choices;
    const char *word = value;
    char wanted[160];
    if (strcmp(value, "1") == 0) // Mosquitto's other way to say it
        word = "true";
    else if (strcmp(value, "0") == 0)
        word = "false";
    *ret_number = choice_of(choices, word);
    if (*ret_number >= 0)
        return 0;
    (void)snprintf(wanted, sizeof(wanted), "one of %s", choices);
    return refuse(error, row, value, wanted);
}

// Numbers between commas and spaces: 3, 4, 5.
static int take_versions(const struct option_row *row, const char *value, int64_t *ret_number,
                         char *error)
{
    static const char separators[] = ", ";
    *ret_number = 0;
    for (const char *c = value; *c != 0; c++) {
        bool alone = c == value || strchr(separators, c[-1]) != NULL;
        if (*c >= '3' && *c <= '5' && alone)
            *ret_number |= INT64_C(1) << (*c - '0');
        else if (strchr(separators, *c) == NULL)
            return refuse(error, row, value, "a list of 3, 4 and 5, with commas between");
    }
    if (*ret_number == 0)
        return refuse(error, row, value, "a list of 3, 4 and 5, with commas between");
    return 0;
}

static int check_text(const struct option_row *row, const char *value, char *error)
{
    char wanted[192];
    size_t size = strlen(value);
    if (size > OPTION_TEXT_SIZE_MAX)
        return refuse(error, row, value, "at most 65535 bytes long");
    if (!utf8_well_formed(bytes_make(value, size))) {
        (void)snprintf(error, OPTION_ERROR_MAX, "%s: the value is not UTF-8", row->name);
        return -EINVAL;
    }
    if (row->choices == NULL || choice_of(row->choices, value) >= 0)
        return 0;
    (void)snprintf(wanted, sizeof(wanted), "one of %s", row->choices);
    return refuse(error, row, value, wanted);
}

static int take(const struct option_row *row, const char *value, int64_t *ret_number, char *error)
{
    switch ((enum option_kind)row->kind) {
    case OPTION_TEXT:
    case OPTION_LIST:
    case OPTION_KEYWORD: return check_text(row, value, error);
    case OPTION_BOOLEAN:
    case OPTION_CHOICE: return take_choice(row, value, ret_number, error);
    case OPTION_VERSIONS: return take_versions(row, value, ret_number, error);
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_EXPIRY: break;
    }
    return take_number(row, value, ret_number, error);
}

int option_check(const struct option_row *row, const char *value, char *error)
{
    int64_t number;
    return take(row, value, &number, error);
}

int option_set(void *object, const struct option_row *row, const char *value, char *error)
{
    int64_t number = 0;
    int result = take(row, value, &number, error);
    if (result < 0 || row->size == 0 || row->kind == OPTION_LIST)
        return result;
    if (option_is_text(row))
        *text_field(object, row) = value;
    else
        option_set_number(object, row, number);
    return 0;
}

static void show_choice(const char *choices, int64_t index, char *text, size_t size)
{
    for (; index > 0; index--)
        choices += strcspn(choices, "|") + 1;
    (void)snprintf(text, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

static void show_versions(int64_t bits, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (int version = 3; version <= 5; version++)
        if ((bits >> version & 1) != 0 && used + 3 < size)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%d", used > 0 ? "," : "", version);
}

// A default beyond the bounds cannot be said, and shows as nothing.
void option_show(const void *object, const struct option_row *row, char *text, size_t size)
{
    text[0] = 0;
    if (row->size == 0 || row->kind == OPTION_LIST)
        return;
    if (option_is_text(row)) {
        (void)snprintf(text, size, "%s", option_text(object, row));
        return;
    }
    int64_t number = option_number(object, row);
    if (row->kind == OPTION_BOOLEAN)
        show_choice(BOOLEAN_WORDS, number, text, size);
    else if (row->kind == OPTION_CHOICE)
        show_choice(row->choices, number, text, size);
    else if (row->kind == OPTION_VERSIONS)
        show_versions(number, text, size);
    else if (row->kind == OPTION_EXPIRY && number == row->maximum)
        (void)snprintf(text, size, "never");
    else if ((row->flags & OPTION_UNLIMITED) != 0 && number == 0)
        (void)snprintf(text, size, "-1");
    else if (number >= row->minimum && number <= row->maximum)
        (void)snprintf(text, size, "%" PRId64, number);
}
