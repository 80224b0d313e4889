// SPDX-License-Identifier: MIT
// `bud serve --help` against what is compiled: every option once, with the default it has.
#include "cmd/cmd.h"
#include "cmd/serve_help.h"
#include "server/option_value.h"
#include "server/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// cmocka wants these before itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TEXT_MAX 65536

// What the command writes to standard output; the caller frees it.
static char *output_of(char *argument)
{
    char *arguments[] = {(char[]){"serve"}, argument, NULL};
    char *text = calloc(1, TEXT_MAX);
    FILE *file = tmpfile();
    assert_true(text != NULL && file != NULL);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    int result = cmd_serve(2, arguments);
    fflush(stdout);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    close(before);
    assert_int_equal(result, EXIT_DONE);
    rewind(file);
    assert_true(fread(text, 1, TEXT_MAX - 1, file) > 0);
    fclose(file);
    return text;
}

// The line of the help that begins with this flag, cut off behind; NULL: none.
static char *line_of(char *help, const char *flag)
{
    char *found = strstr(help, flag);
    if (found != NULL)
        found[strcspn(found, "\n")] = 0;
    return found;
}

static void check_row(const struct option_row *row)
{
    char *help = output_of((char[]){"--help"});
    char flag[80] = "\n  --", value[OPTION_SHOWN_MAX], ending[OPTION_SHOWN_MAX + 4];
    struct options defaults;
    struct listener_options listener;
    options_set_defaults(&defaults);
    listener_options_set_defaults(&listener, false);
    option_show(row->scope == SCOPE_GLOBAL ? (void *)&defaults : (void *)&listener, row, value,
                sizeof(value));
    snprintf(flag, sizeof(flag), "\n  --%s ", row->name);
    for (char *c = flag; *c != 0; c++)
        *c = *c == '_' ? '-' : *c;
    snprintf(ending, sizeof(ending), "(%s)", value);
    char *line = line_of(help, flag + 1);
    assert_non_null(line);
    assert_non_null(strstr(line, row->help));
    assert_true(strlen(line) > strlen(ending));
    assert_string_equal(line + strlen(line) - strlen(ending), ending);
    assert_null(line_of(line + strlen(line) + 1, flag + 1)); // once
    free(help);
}

static void help_tells_the_compiled_defaults(void **state)
{
    (void)state;
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (serve_is_flag(&rows[i]) && rows[i].support == SUPPORTED)
            check_row(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(help_tells_the_compiled_defaults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
