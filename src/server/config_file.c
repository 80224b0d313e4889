// SPDX-License-Identifier: MIT
// Lines to settings, by Mosquitto's rules: a line whose first byte is '#' is a comment, the key
// ends at the first space and at nothing else, there are no quotes and no continuations, and a line
// belongs to the last `listener`, `connection` or `plugin` above it in the same file.
#include "server/config_parts.h"

#include "base/memory.h"
#include "os/directory.h"
#include "os/file_contents.h"
#include "os/net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INCLUDED_MAX 10000
#define COMPLAINTS_MAX 1000

struct parser {
    struct config *config;
    struct place place;
    struct config_block *listener, *bridge, *plugin; // those that lines belong to; NULL: none yet
    bool is_main;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char *trim(char *text)
{
    size_t size;
    while (is_blank(*text))
        text++;
    size = strlen(text);
    while (size > 0 && is_blank(text[size - 1]))
        text[--size] = 0;
    return text;
}

// Cuts the next token off: up to a space. NULL: there is none.
static char *next_token(char **rest)
{
    char *token = *rest + strspn(*rest, " ");
    if (*token == 0)
        return NULL;
    size_t size = strcspn(token, " ");
    *rest = token + size + (token[size] != 0);
    token[size] = 0;
    return token;
}

#define ERROR(parser, ...)                                                                         \
    config_complain((parser)->config, COMPLAINT_ERROR, (parser)->place, __VA_ARGS__)

// ---- where a line belongs ----

static bool is_security(const struct parser *parser, const struct option_row *row)
{
    if (row->scope != SCOPE_SECURITY)
        return false;
    parser->config->security_was_said = true;
    return true;
}

static struct config_block *listener_block(struct parser *parser)
{
    return parser->listener != NULL ? parser->listener : &parser->config->default_listener;
}

// NULL: it may not stand here, and that was said.
static struct config_block *block_of(struct parser *parser, const struct option_row *row)
{
    struct config *config = parser->config;
    if (row->scope == SCOPE_BRIDGE && parser->bridge == NULL)
        ERROR(parser, "%s is an option of a bridge: it needs a `connection NAME` line above it",
              row->name);
    if (row->scope == SCOPE_BRIDGE)
        return parser->bridge;
    if (row->scope == SCOPE_GLOBAL || row->scope == SCOPE_PLUGIN)
        return &config->globals;
    if (is_security(parser, row) && !config->options.per_listener_settings)
        return &config->globals;
    if ((row->flags & OPTION_EXPLICIT) != 0 && parser->listener == NULL) {
        ERROR(parser, "%s is an option of one listener: it needs a `listener PORT` line above it",
              row->name);
        return NULL;
    }
    // These two are always the default listener's.
    if (strcmp(row->name, "port") == 0 || strcmp(row->name, "bind_address") == 0)
        return &config->default_listener;
    return listener_block(parser);
}

// ---- keywords ----

static struct config_block *new_block(struct parser *parser, struct config_block **list)
{
    struct config_block *block = config_take(parser->config, sizeof(*block));
    block->place = parser->place;
    block->address = block->path = "";
    if (list != NULL)
        block_append(list, block);
    return block;
}

bool config_is_address(const char *text)
{
    struct net_address address;
    return strcmp(text, "localhost") == 0 ||
           net_address_parse(bytes_make(text, strlen(text)), &address);
}

static bool is_there_already(const struct config *config, const struct config_block *block)
{
    for (const struct config_block *other = config->explicit_listeners; other != NULL;
         other = other->next)
        if (other != block && other->port == block->port &&
            (block->port != 0 || *block->path != 0) &&
            strcmp(other->address, block->address) == 0 && strcmp(other->path, block->path) == 0)
            return true;
    return false;
}

// The last argument of `listener`: an address, or with port 0 the path of a socket.
static void take_listener_place(struct parser *parser, struct config_block *block, const char *rest)
{
    const char *text = config_take_text(parser->config, rest, strlen(rest));
    if (block->port == 0 && *rest != 0 && !config_is_address(rest))
        block->path = text;
    else
        block->address = text;
    if (is_there_already(parser->config, block))
        ERROR(parser, "there is a listener on port %u%s%s already: see above", block->port,
              *rest != 0 ? " " : "", rest);
}

static void begin_listener(struct parser *parser, const struct option_row *row, char *rest)
{
    char error[OPTION_ERROR_MAX];
    struct listener_options probe = {0};
    char *port = next_token(&rest);
    // A listener that is not understood still takes the lines below it.
    parser->listener = new_block(parser, &parser->config->explicit_listeners);
    parser->config->explicit_count++;
    if (port == NULL) {
        ERROR(parser, "%s needs a port: listener PORT [ADDRESS]", row->name);
        return;
    }
    if (option_set(&probe, option_find("port"), port, error) < 0) {
        ERROR(parser, "listener: %s", error);
        return;
    }
    parser->listener->port = probe.port;
    if (option_check(option_find("bind_address"), rest, error) < 0)
        ERROR(parser, "listener: %s", error);
    else
        take_listener_place(parser, parser->listener, trim(rest));
}

static void begin_bridge(struct parser *parser, char *rest)
{
    const char *name = trim(rest);
    char error[OPTION_ERROR_MAX];
    for (const struct config_block *other = parser->config->bridges; other != NULL;
         other = other->next)
        if (*name != 0 && strcmp(other->name, name) == 0)
            ERROR(parser, "there is a connection %s already, in line %u", name,
                  (unsigned)other->place.line);
    parser->bridge = new_block(parser, &parser->config->bridges);
    parser->bridge->name = config_take_text(parser->config, name, strlen(name));
    if (*name == 0)
        ERROR(parser, "connection needs a name");
    else if (option_check(option_find("remote_clientid"), name, error) < 0)
        ERROR(parser, "connection: %s", error);
}

static struct config_block *find_loaded(const struct config *config, const char *name)
{
    for (struct config_block *block = config->loaded_plugins; block != NULL; block = block->next)
        if (strcmp(block->address, name) == 0)
            return block;
    return NULL;
}

static void load_plugin(struct parser *parser, char *rest)
{
    const char *name = next_token(&rest), *path = trim(rest);
    if (name == NULL || *path == 0) {
        ERROR(parser, "plugin_load needs a name and a path: plugin_load NAME PATH");
        return;
    }
    parser->plugin = new_block(parser, &parser->config->loaded_plugins);
    parser->plugin->address = config_take_text(parser->config, name, strlen(name));
    parser->plugin->name = config_take_text(parser->config, path, strlen(path));
}

static void begin_plugin(struct parser *parser, const struct option_row *row, char *rest)
{
    struct config *config = parser->config;
    const char *path = trim(rest);
    bool uses = strcmp(row->name, "plugin_use") == 0;
    const struct config_block *loaded = uses ? find_loaded(config, path) : NULL;
    if (*path == 0) {
        ERROR(parser, "%s needs a %s", row->name, uses ? "name" : "path");
        return;
    }
    if (uses && loaded == NULL) {
        ERROR(parser, "there is no plugin_load %s above", path);
        return;
    }
    if (uses && parser->listener == NULL) {
        ERROR(parser, "plugin_use needs a `listener PORT` line above it");
        return;
    }
    parser->plugin = new_block(parser, &config->plugins);
    parser->plugin->name = uses ? loaded->name : config_take_text(config, path, strlen(path));
    parser->plugin->is_global_plugin = strcmp(row->name, "global_plugin") == 0;
    if (uses) { // with the options of its loading
        parser->plugin->first = loaded->first;
        parser->plugin->last = loaded->last;
    }
    bool of_listener =
        uses || (config->options.per_listener_settings && !parser->plugin->is_global_plugin);
    parser->plugin->owner = of_listener ? listener_block(parser) : &config->globals;
    config->security_was_said = true;
}

// ---- include_dir ----

// Without regard to case, and upper case first among the same.
static int compare_names(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    int order = strcasecmp(left, right);
    return order != 0 ? order : strcmp(left, right);
}

static bool is_included(const char *name)
{
    size_t size = strlen(name);
    return size > strlen(".conf") && strcmp(name + size - strlen(".conf"), ".conf") == 0;
}

static void include_names(struct parser *parser, const char *directory,
                          const struct directory_names *names)
{
    if (names->count > 0)
        qsort(names->names, names->count, sizeof(names->names[0]), compare_names);
    for (size_t i = 0; i < names->count; i++) {
        if (!is_included(names->names[i]))
            continue;
        size_t size = strlen(directory) + 1 + strlen(names->names[i]);
        char *path = config_take(parser->config, size + 1);
        (void)snprintf(path, size + 1, "%s/%s", directory, names->names[i]);
        config_parse_file(parser->config, path, false, parser->place);
    }
}

static void include(struct parser *parser, char *rest)
{
    char *directory = trim(rest);
    struct directory_names names;
    if (!parser->is_main) {
        ERROR(parser, "include_dir may stand in the main file only");
        return;
    }
    if (*directory == 0) {
        ERROR(parser, "include_dir needs a directory");
        return;
    }
    for (size_t size = strlen(directory); size > 1 && directory[size - 1] == '/'; size--)
        directory[size - 1] = 0;
    config_note_source(parser->config, directory);
    int result = directory_read(directory, INCLUDED_MAX, &names);
    if (result < 0) {
        ERROR(parser, "include_dir: cannot read %s: %s", directory, strerror(-result));
        return;
    }
    include_names(parser, directory, &names);
    directory_done(&names);
}

// ---- lines ----

static void take_keyword(struct parser *parser, const struct option_row *row, char *rest)
{
    if (strcmp(row->name, "listener") == 0)
        begin_listener(parser, row, rest);
    else if (strcmp(row->name, "connection") == 0)
        begin_bridge(parser, rest);
    else if (strcmp(row->name, "include_dir") == 0)
        include(parser, rest);
    else if (strcmp(row->name, "plugin_load") == 0)
        load_plugin(parser, rest);
    else
        begin_plugin(parser, row, rest);
}

// The parser needs to know this one at once: it says where others belong.
static void note_per_listener(struct parser *parser, const char *value)
{
    struct config *config = parser->config;
    bool wanted = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (wanted && !config->options.per_listener_settings && config->security_was_said)
        ERROR(parser, "per_listener_settings must stand before every option about who may come in");
    if (!wanted && config->options.per_listener_settings)
        config_complain(config, COMPLAINT_WARNING, parser->place,
                        "per_listener_settings is true already, and stays so");
    config->options.per_listener_settings = config->options.per_listener_settings || wanted;
}

static void check_repetition(struct parser *parser, const struct config_block *block,
                             const struct option_row *row)
{
    bool is_port = strcmp(row->name, "port") == 0;
    const struct setting *before =
        is_port || row->kind == OPTION_TEXT ? block_find(block, row) : NULL;
    if (before == NULL)
        return;
    if (row->kind == OPTION_TEXT && row->support != HAS_NO_EFFECT)
        ERROR(parser, "%s was said already, in line %u%s%s", row->name, (unsigned)before->line,
              before->file == parser->place.file ? "" : " of ",
              before->file == parser->place.file ? "" : before->file);
    else if (is_port)
        config_complain(parser->config, COMPLAINT_WARNING, parser->place,
                        "port was said already, in line %u: only this one counts (use `listener` "
                        "for several)",
                        (unsigned)before->line);
}

static bool takes_rest_of_line(const struct option_row *row)
{
    return row->kind == OPTION_TEXT || row->kind == OPTION_LIST || row->kind == OPTION_VERSIONS;
}

static void take_option(struct parser *parser, const struct option_row *row, const char *value)
{
    struct config *config = parser->config;
    char error[OPTION_ERROR_MAX];
    struct config_block *block = block_of(parser, row);
    if (option_check(row, value, error) < 0) {
        ERROR(parser, "%s", error);
        return;
    }
    if (block == NULL)
        return;
    if (strcmp(row->name, "per_listener_settings") == 0)
        note_per_listener(parser, value);
    check_repetition(parser, block, row);
    block_add(config, block, row, config_take_text(config, value, strlen(value)), parser->place);
}

static bool is_plugin_option(const char *key)
{
    static const char *const prefixes[] = {"plugin_opt_", "auth_opt_"};
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(prefixes[i]);
        if (strncmp(key, prefixes[i], size) == 0 && key[size] != 0)
            return true;
    }
    return false;
}

static void take_plugin_option(struct parser *parser, const char *key, char *rest)
{
    struct config *config = parser->config;
    const char *value = trim(rest), *name = strstr(key, "opt_") + strlen("opt_");
    if (*value == 0 || strcmp(value, "\"\"") == 0) {
        ERROR(parser, "%s needs a value", key);
        return;
    }
    if (parser->plugin == NULL) {
        ERROR(parser, "%s needs a `plugin PATH` line above it", key);
        return;
    }
    struct setting *setting =
        block_add(config, parser->plugin, NULL, config_take_text(config, value, strlen(value)),
                  parser->place);
    setting->name = config_take_text(config, name, strlen(name));
}

static void refuse_key(struct parser *parser, const char *key)
{
    enum complaint_kind kind = parser->config->lenient ? COMPLAINT_WARNING : COMPLAINT_ERROR;
    const char *ignored = parser->config->lenient ? " It is ignored (--lenient)." : "";
    const char *nearest = option_suggest(key);
    if (key[0] == '#')
        config_complain(parser->config, kind, parser->place,
                        "a comment begins in the first column: remove the space before '#'.%s",
                        ignored);
    else if (strchr(key, '\t') != NULL)
        config_complain(parser->config, kind, parser->place,
                        "there is no option '%.80s': only a space ends a key, a tab does not.%s",
                        key, ignored);
    else if (nearest != NULL)
        config_complain(parser->config, kind, parser->place,
                        "there is no option '%.80s'. Did you mean: %s%s", key, nearest, ignored);
    else
        config_complain(parser->config, kind, parser->place,
                        "there is no option '%.80s' (`bud serve --help` lists them).%s", key,
                        ignored);
}

static void take_line(struct parser *parser, char *line)
{
    char *key = next_token(&line);
    if (key == NULL)
        return;
    const struct option_row *row = option_find_key(key);
    if (row == NULL && is_plugin_option(key)) {
        take_plugin_option(parser, key, line);
    } else if (row == NULL || (strcmp(key, row->name) != 0 && strcmp(key, "bind") == 0)) {
        refuse_key(parser, key);
    } else if (row->kind == OPTION_KEYWORD) {
        take_keyword(parser, row, line);
    } else {
        char *value = takes_rest_of_line(row) ? trim(line) : next_token(&line);
        if (value == NULL || *value == 0)
            ERROR(parser, "%s needs a value", key);
        else // our way to say that a text is empty
            take_option(parser, row,
                        row->kind == OPTION_TEXT && strcmp(value, "\"\"") == 0 ? "" : value);
    }
}

static void parse_line(struct parser *parser, struct bytes line)
{
    parser->place.line++;
    if (line.size == 0 || line.data[0] == '#' || line.data[0] == '\r')
        return;
    if (memchr(line.data, 0, line.size) != NULL) {
        ERROR(parser, "there is a NUL byte in this line");
        return;
    }
    char *copy = memory_new(line.size + 1);
    memcpy(copy, line.data, line.size);
    for (size_t size = line.size; size > 0 && copy[size - 1] == '\r'; size--)
        copy[size - 1] = 0;
    take_line(parser, copy);
    memory_free(copy);
}

// Nobody reads more: it is something else than a configuration.
static bool is_hopeless(const struct parser *parser)
{
    if (parser->config->complaint_count < COMPLAINTS_MAX)
        return false;
    if (parser->config->complaint_count == COMPLAINTS_MAX)
        ERROR(parser, "there are too many mistakes; the rest is not read");
    return true;
}

void config_parse(struct config *config, const char *file, struct bytes text, bool is_main)
{
    struct parser parser = {.config = config, .place = {file, 0}, .is_main = is_main};
    while (text.size > 0 && !is_hopeless(&parser)) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        parse_line(&parser, bytes_make(text.data, size));
        text = bytes_from(text, size + (end != NULL));
    }
}

void config_note_source(struct config *config, const char *path)
{
    uint32_t count = config->source_count;
    if ((count & (count - 1)) == 0) { // full
        const char **more = config_take(config, (count == 0 ? 1 : 2 * count) * sizeof(*more));
        if (count > 0)
            memcpy(more, config->sources, count * sizeof(*more));
        config->sources = more;
    }
    config->sources[config->source_count++] = config_take_text(config, path, strlen(path));
}

void config_parse_file(struct config *config, const char *path, bool is_main, struct place place)
{
    struct file_contents contents;
    config_note_source(config, path);
    int result = file_read_contents(path, true, CONFIG_FILE_SIZE_MAX, &contents);
    if (result < 0) {
        const char *why = result == -EFBIG    ? "it is larger than 16 MB"
                          : result == -EINVAL ? "it is not a file"
                                              : strerror(-result);
        config_complain(config, COMPLAINT_ERROR, place, "cannot read the configuration %s: %s",
                        path, why);
        return;
    }
    config_parse(config, path, bytes_make(contents.data, contents.size), is_main);
    memory_free(contents.data);
}
