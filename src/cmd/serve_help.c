// SPDX-License-Identifier: MIT
#include "cmd/serve_help.h"

#include "server/option_value.h"
#include "server/options.h"

#include <stdio.h>
#include <string.h>

// The defaults of one kind of start.
struct defaults {
    struct options options;
    struct listener_options listener;
};

bool serve_is_flag(const struct option_row *row)
{
    return row->scope <= SCOPE_SECURITY && row->kind != OPTION_KEYWORD &&
           strncmp(row->name, "listener_", strlen("listener_")) != 0;
}

void serve_flag_name(const char *name, char *flag, size_t size)
{
    (void)snprintf(flag, size, "%s", name);
    for (char *c = flag; *c != 0; c++)
        *c = *c == '_' ? '-' : *c;
}

static void set_defaults(struct defaults *defaults, bool from_file)
{
    if (from_file)
        options_set_file_defaults(&defaults->options);
    else
        options_set_defaults(&defaults->options);
    listener_options_set_defaults(&defaults->listener, from_file);
}

static void show(const struct defaults *defaults, const struct option_row *row, char *text)
{
    const void *object =
        row->scope == SCOPE_GLOBAL ? (const void *)&defaults->options : &defaults->listener;
    option_show(object, row, text, OPTION_SHOWN_MAX);
}

static void print_flag(const struct defaults *defaults, const struct option_row *row)
{
    char flag[OPTION_NAME_MAX], value[OPTION_SHOWN_MAX];
    serve_flag_name(row->name, flag, sizeof(flag));
    show(defaults, row, value);
    printf("  --%-30s %s (%s)\n", flag, row->help, value);
}

void serve_print_help(void)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    struct defaults defaults;
    set_defaults(&defaults, false);
    printf("usage: bud serve [-c FILE] [-p PORT] [-d] [-q] [-v] [--OPTION VALUE]...\n\n"
           "The broker for MQTT 3.1, 3.1.1 and 5.0. It needs no option: it listens on every\n"
           "interface, port 1883, and takes clients from this machine and private networks.\n\n"
           "  -c, --config-file FILE   a configuration file, Mosquitto's or ours: the options\n"
           "                           below, with underscores, one a line (bud.conf(5));\n"
           "                           without a listener in it, this machine alone\n"
           "  -p, --port PORT          0 lets the system choose; up to ten times\n"
           "      --bind ADDRESS       listen on this address only\n"
           "  -d, --daemon             go into the background when started\n"
           "  -q, --quiet              log nothing\n"
           "  -v, --verbose            log everything\n"
           "      --check-config       print every value and where it was said; 3: mistakes\n"
           "      --dump-config        print the whole configuration as a file\n"
           "      --lenient            warn of unknown options in the file, and go on\n"
           "      --manual             print the manual page of the file\n\n"
           "options (and their defaults without a file):\n\n");
    for (size_t i = 0; i < count; i++)
        if (serve_is_flag(&rows[i]) && rows[i].support == SUPPORTED)
            print_flag(&defaults, &rows[i]);
}

// ---- the manual page ----

// A line of mdoc may not begin with a dot or an apostrophe, and backslashes mean something.
static void print_words(const char *text)
{
    for (const char *c = text; *c != 0; c++)
        if (*c == '\\')
            fputs("\\e", stdout);
        else if (*c == '-')
            fputs("\\-", stdout);
        else
            putchar(*c);
}

static void print_choices(const char *choices)
{
    const char *between = " ";
    while (*choices != 0) {
        size_t size = strcspn(choices, "|");
        printf("%s%.*s", between, (int)size, choices);
        between = " | ";
        choices += size + (choices[size] == '|');
    }
}

static void print_value_words(const struct option_row *row)
{
    static const char *const words[] = {
        [OPTION_NUMBER] = "number", [OPTION_SIZE] = "size",        [OPTION_DURATION] = "seconds",
        [OPTION_EXPIRY] = "time",   [OPTION_TEXT] = "text",        [OPTION_LIST] = "text",
        [OPTION_CHOICE] = "choice", [OPTION_VERSIONS] = "versions"};
    if (row->kind == OPTION_BOOLEAN)
        print_choices("true|false");
    else if (row->choices != NULL)
        print_choices(row->choices);
    else if (row->kind != OPTION_KEYWORD)
        printf(" %s", words[row->kind]);
}

static void print_bounds(const struct option_row *row)
{
    if (row->kind <= OPTION_DURATION)
        printf("From %lld to %lld.\n", (long long)row->minimum, (long long)row->maximum);
}

static void print_defaults(const struct option_row *row)
{
    struct defaults bare, file;
    char without[OPTION_SHOWN_MAX], with[OPTION_SHOWN_MAX];
    if (row->size == 0 || row->kind == OPTION_LIST || row->kind == OPTION_KEYWORD)
        return;
    set_defaults(&bare, false);
    set_defaults(&file, true);
    show(&bare, row, without);
    show(&file, row, with);
    if (with[0] != 0) {
        fputs("Default: ", stdout);
        print_words(with);
        puts(".");
    }
    if (strcmp(without, with) != 0) {
        fputs("Without a file: ", stdout);
        print_words(without[0] != 0 ? without : "not set");
        puts(".");
    }
}

static void print_aliases(const struct option_row *row)
{
    if (row->aliases == NULL || strcmp(row->aliases, "bind") == 0)
        return;
    fputs("Also:", stdout);
    for (const char *alias = row->aliases; *alias != 0;) {
        size_t size = strcspn(alias, "|");
        printf(" %.*s", (int)size, alias);
        alias += size + (alias[size] == '|');
    }
    puts(".");
}

static void print_remarks(const struct option_row *row)
{
    if (row->kind == OPTION_LIST)
        puts("May be said several times.");
    if ((row->flags & OPTION_EXPLICIT) != 0)
        puts("Only below a listener line.");
    if ((row->flags & OPTION_RESTART) != 0 && row->kind != OPTION_KEYWORD)
        puts("A change takes effect at the next start.");
    if (row->support != SUPPORTED) {
        puts(row->support == HAS_NO_EFFECT ? "Read, without effect:" : "Not supported:");
        print_words(row->instead);
        puts(".");
    }
}

static void print_entry(const struct option_row *row)
{
    printf(".It Ic %s", row->name);
    print_value_words(row);
    putchar('\n');
    print_words(row->help);
    puts(".");
    print_bounds(row);
    print_defaults(row);
    print_aliases(row);
    print_remarks(row);
}

static void print_section(const char *title, const char *words, unsigned scopes)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    printf(".Sh %s\n%s.Bl -tag -width Ds\n", title, words);
    for (size_t i = 0; i < count; i++)
        if ((scopes >> rows[i].scope & 1) != 0)
            print_entry(&rows[i]);
    puts(".El");
}

void serve_print_manual(void)
{
    puts(".\\\" SPDX-License-Identifier: MIT\n"
         ".\\\" Made by: bud serve --manual\n"
         ".Dd 2026\n.Dt BUD.CONF 5\n.Os\n.Sh NAME\n.Nm bud.conf\n.Nd configuration of the MQTT "
         "broker bud\n.Sh DESCRIPTION\n"
         "The file that\n.Ic bud serve \\-c\nreads. It has the form of Mosquitto's, and "
         "Mosquitto's files are read unchanged: one option a line, its name, a space, its value. "
         "A line whose first character is # is a comment; a value ends with its line, without "
         "quotes, and so a comment behind a text is a part of it. Numbers may be decimal, "
         "hexadecimal (0x10) or octal (010); sizes may end in k, M or G, times in s, m, h or d. "
         "true and false may be 1 and 0.\n.Pp\n"
         "Options below a listener line are of that listener, options below a connection line of "
         "that bridge. Without any listener, port or bind_address the broker listens on 127.0.0.1 "
         "and ::1 alone. A name that is not known is a mistake.");
    print_section("OPTIONS", "Of the whole broker.\n", 1u << SCOPE_GLOBAL);
    print_section("WHO MAY COME IN",
                  "Of the whole broker, or below a listener with per_listener_settings true.\n",
                  1u << SCOPE_SECURITY);
    print_section("LISTENERS", "Of the listener above them.\n", 1u << SCOPE_LISTENER);
    print_section("PLUGINS",
                  "The password file and ACL file plugins are understood by their options "
                  "plugin_opt_password_file and plugin_opt_acl_file; others cannot be loaded, and "
                  "the broker does not start with them.\n",
                  1u << SCOPE_PLUGIN);
    print_section("BRIDGES", "Checked, and not made yet.\n", 1u << SCOPE_BRIDGE);
    puts(".Sh SEE ALSO\n.Ic bud serve \\-\\-help ,\n.Ic bud serve \\-\\-check\\-config");
}
