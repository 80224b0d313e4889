// SPDX-License-Identifier: MIT
// Every option of the broker, in one table: names, kind, bounds, defaults, where it may stand, what
// it is for. The table drives the configuration file, the command line, --help, --dump-config, the
// manual page and reload; nothing else knows an option's name. Names are Mosquitto's where it has
// the option.
#ifndef BUD_SERVER_OPTION_TABLE_H
#define BUD_SERVER_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_NUMBER,
    OPTION_SIZE,     // k, M, G: powers of 1024
    OPTION_DURATION, // s, m, h, d: seconds
    OPTION_EXPIRY,   // s, h, d, w, m, y, or never: Mosquitto's units, where m is a month
    OPTION_BOOLEAN,
    OPTION_CHOICE,
    OPTION_TEXT,     // the rest of the line; with `choices`: one of them
    OPTION_LIST,     // as text, may be said several times
    OPTION_VERSIONS, // 3, 4, 5
    OPTION_KEYWORD   // the parser's own: it changes where the lines below belong
};

enum option_scope {
    SCOPE_GLOBAL,
    SCOPE_LISTENER,
    SCOPE_SECURITY, // a listener's with per_listener_settings, everybody's without
    SCOPE_BRIDGE,
    SCOPE_PLUGIN
};

// What is done about an option that is known and has no effect.
enum option_support {
    SUPPORTED,
    HAS_NO_EFFECT, // and needs none: `instead` says why
    NOT_YET,       // a warning with `instead`; the broker starts
    REFUSED        // an error with `instead`: without it something would be open that was not
};

#define OPTION_RESTART 1u    // takes effect at the next start, not on SIGHUP
#define OPTION_EXPLICIT 2u   // only below a `listener` line
#define OPTION_DEPRECATED 4u // by Mosquitto; kept working here
#define OPTION_UNLIMITED 8u  // -1 is taken, and means 0: no limit
#define OPTION_OURS 16u      // not Mosquitto's
#define OPTION_READS 32u     // names a file or directory that is read: the sandbox lets it

struct option_row {
    const char *name;    // with underscores, as in a file; dashes on the command line
    const char *aliases; // "one|other"; NULL none
    const char *choices; // "private|true|false"; NULL any text
    const char *text;    // default of texts; NULL ""
    const char *file_text;
    const char *instead; // see enum option_support
    const char *help;
    int64_t minimum, maximum;
    int64_t standard;      // of numbers, bytes, seconds; the index of a choice
    int64_t file_standard; // when a file is given, if it differs
    uint16_t offset, size; // in struct options or listener_options; size 0: there is no field
    uint16_t count_offset; // of a list
    uint8_t kind, scope, support;
    uint8_t flags;
    bool has_file_standard;
};

#define OPTION_NAME_MAX 48

const struct option_row *option_rows(size_t *ret_count);
const struct option_row *option_find(const char *name); // dashes or underscores; NULL unknown
// As it is spelled in a file: underscores only.
const struct option_row *option_find_key(const char *name);
// The name that was probably meant, or NULL.
const char *option_suggest(const char *name);

#endif
