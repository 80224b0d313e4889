// SPDX-License-Identifier: MIT
#include "access/acl_file.h"

#include "base/memory.h"
#include "proto/topic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WHAT_MAX 256
#define LISTED_MAX 8 // wrong lines that are named after the first

struct reading {
    struct acl *acl;
    const char *path;
    const struct acl_listener *listener;
    char *error;
    size_t error_size;
    uint32_t line, wrong_count;
    bool has_user, no_memory;
    struct bytes user; // of the present section
    uint32_t anonymous_line;
};

__attribute__((format(printf, 2, 3))) static void add_to_error(struct reading *reading,
                                                               const char *format, ...)
{
    size_t room = ACCESS_ERROR_MAX - reading->error_size;
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(reading->error + reading->error_size, room, format, arguments);
    va_end(arguments);
    reading->error_size += more < 0 ? 0 : (size_t)more < room ? (size_t)more : room - 1;
}

static void note_wrong(struct reading *reading, const char *what)
{
    reading->wrong_count++;
    if (reading->wrong_count == 1)
        add_to_error(reading, "%.300s: line %" PRIu32 ": %s", reading->path, reading->line, what);
    else if (reading->wrong_count <= 1 + LISTED_MAX)
        add_to_error(reading, "%s%" PRIu32,
                     reading->wrong_count == 2 ? "; also wrong: lines " : ", ", reading->line);
    else if (reading->wrong_count == 2 + LISTED_MAX)
        add_to_error(reading, " and more");
}

__attribute__((format(printf, 3, 4))) static void tell(struct reading *reading, bool is_error,
                                                       const char *format, ...)
{
    char what[WHAT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (is_error)
        note_wrong(reading, what);
    if (reading->listener != NULL)
        reading->listener->tell(reading->listener->context, reading->line, is_error, what);
}

// For a message: short, and without what a terminal would obey.
struct shown {
    char text[44];
};

static struct shown show(struct bytes text)
{
    struct shown shown = {0};
    size_t size = 0;
    for (; size < text.size && size < 40; size++) {
        uint8_t c = text.data[size];
        shown.text[size] = c >= 0x20 && c != 0x7f ? (char)c : '?';
    }
    if (size < text.size)
        memcpy(shown.text + size, "...", 3);
    return shown;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bytes without_end_blanks(struct bytes line)
{
    while (line.size > 0 && is_blank(line.data[line.size - 1]))
        line.size--;
    return line;
}

// Words are parted by spaces alone, as Mosquitto parts them.
static struct bytes next_word(struct bytes *rest)
{
    while (rest->size > 0 && rest->data[0] == ' ')
        *rest = bytes_from(*rest, 1);
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, ' ', rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct bytes word = bytes_make(rest->data, size);
    *rest = bytes_from(*rest, size);
    while (rest->size > 0 && rest->data[0] == ' ')
        *rest = bytes_from(*rest, 1);
    return word;
}

static bool parse_access(struct bytes word, struct acl_rule_source *rule)
{
    rule->access = ACL_READ_WRITE;
    rule->is_deny = bytes_equal(word, BYTES_OF("deny"));
    if (bytes_equal(word, BYTES_OF("read")))
        rule->access = ACL_READ;
    else if (bytes_equal(word, BYTES_OF("write")))
        rule->access = ACL_WRITE;
    else
        return rule->is_deny || bytes_equal(word, BYTES_OF("readwrite"));
    return true;
}

// A level that is more than the name alone: what a client calls itself then decides where it ends.
static bool mixes_names(struct bytes filter)
{
    bool more = true;
    while (more) {
        struct bytes level = topic_level_next(&filter, &more);
        if (level.size > 2 && (acl_names_client(level) || acl_names_user(level)))
            return true;
    }
    return false;
}

static void warn_of_rule(struct reading *reading, const struct acl_rule_source *rule)
{
    bool has_names = acl_names_client(rule->filter) || acl_names_user(rule->filter);
    if (rule->is_pattern && !has_names)
        tell(reading, false, "this pattern has neither %%c nor %%u: it holds for everybody");
    else if (rule->is_pattern && mixes_names(rule->filter))
        tell(reading, false,
             "%%c or %%u is not alone in its level: a client called 'ab' and text "
             "around it may mean what 'a' and other text mean");
    else if (!rule->is_pattern && has_names)
        tell(reading, false, "%%c and %%u mean something in a pattern only; here they are text");
    if (!rule->is_pattern && !rule->has_user && reading->anonymous_line == 0) {
        reading->anonymous_line = reading->line;
        tell(reading, false,
             "before the first user: for anonymous clients only, not for everybody");
    }
}

static void parse_rule(struct reading *reading, struct bytes rest, bool is_pattern)
{
    struct acl_rule_source rule = {
        .is_pattern = is_pattern,
        .has_user = reading->has_user,
        .user = reading->user,
        .access = ACL_READ_WRITE,
        .line = reading->line,
    };
    struct bytes word = next_word(&rest);
    rule.filter = rest.size > 0 ? rest : word;
    if (word.size == 0)
        tell(reading, true, "the topic is missing");
    else if (rest.size > 0 && !parse_access(word, &rule))
        tell(reading, true,
             "'%s' is none of read, write, readwrite, deny (a topic with a space needs one of "
             "them before it)",
             show(word).text);
    else if (!topic_filter_valid(rule.filter))
        tell(reading, true,
             "'%s' is no topic filter: '+' and '#' stand alone in a level, '#' in the last one",
             show(rule.filter).text);
    else if (!acl_try_add(reading->acl, &rule))
        reading->no_memory = true;
    else
        warn_of_rule(reading, &rule);
}

static void parse_user(struct reading *reading, struct bytes rest)
{
    if (rest.size == 0) {
        tell(reading, true, "the user's name is missing");
        return;
    }
    reading->user = text_trim(rest);
    reading->has_user = true;
    if (!acl_try_add_section(reading->acl, reading->user))
        reading->no_memory = true;
}

static void parse_line(struct reading *reading, struct bytes line)
{
    line = without_end_blanks(line);
    if (line.size == 0 || line.data[0] == '#')
        return;
    if (memchr(line.data, 0, line.size) != NULL) {
        tell(reading, true, "there is a NUL byte in this line");
        return;
    }
    struct bytes rest = line;
    struct bytes word = next_word(&rest);
    if (bytes_equal(word, BYTES_OF("topic")))
        parse_rule(reading, rest, false);
    else if (bytes_equal(word, BYTES_OF("pattern")))
        parse_rule(reading, rest, true);
    else if (bytes_equal(word, BYTES_OF("user")))
        parse_user(reading, rest);
    else
        tell(reading, true,
             "'%s' is none of user, topic, pattern (a comment begins with '#' in "
             "the first column)",
             show(word).text);
}

int acl_file_parse(const char *path, struct bytes text, const struct acl_listener *listener,
                   struct acl **ret_acl, char *error)
{
    struct reading reading = {.path = path, .listener = listener, .error = error};
    struct bytes line;
    error[0] = '\0';
    reading.acl = acl_try_new(path);
    reading.no_memory = reading.acl == NULL;
    while (!reading.no_memory && text_next_line(&text, &line)) {
        reading.line++;
        parse_line(&reading, line);
    }
    if (!reading.no_memory && reading.wrong_count == 0) {
        *ret_acl = reading.acl;
        return 0;
    }
    acl_unref(reading.acl);
    if (reading.wrong_count > 0)
        return -EINVAL;
    add_to_error(&reading, "cannot read %.300s: no memory for its rules", path);
    return -ENOMEM;
}

static void warn_of_file(const struct file_contents *contents, struct acl *acl,
                         const struct acl_listener *listener)
{
    if (listener == NULL)
        return;
    if ((contents->mode & 0002) != 0)
        listener->tell(listener->context, 0, false,
                       "everybody on this machine can write it: chmod go-w");
    if (acl->sections.count == 0 && acl->anonymous->count == 0 && acl->patterns->count == 0)
        listener->tell(listener->context, 0, false,
                       "there is no rule in it: nobody may read or write anything");
}

int acl_file_read(const char *path, const struct acl_listener *listener, struct acl **ret_acl,
                  char *error)
{
    struct file_contents contents;
    struct acl *acl;
    int result = secret_file_read(path, &contents, error);
    if (result < 0)
        return result;
    result = acl_file_parse(path, bytes_make(contents.data, contents.size), listener, &acl, error);
    if (result == 0) {
        warn_of_file(&contents, acl, listener);
        *ret_acl = acl;
    }
    secret_file_done(&contents);
    return result;
}
