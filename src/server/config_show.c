// SPDX-License-Identifier: MIT
// A configuration in words: every value with where it comes from, or as a file.
#include "server/config_parts.h"

#include <string.h>

struct page {
    const struct config *config;
    FILE *stream;
    const char *indent;
};

struct values {
    const char *const *texts;
    uint32_t count;
};

static struct values list_of(const void *object, const struct option_row *row)
{
    return (struct values){
        *(const char *const *const *)(const void *)((const char *)object + row->offset),
        *(const uint32_t *)(const void *)((const char *)object + row->count_offset)};
}

static bool is_of_listener(const struct option_row *row)
{
    return row->scope == SCOPE_LISTENER || row->scope == SCOPE_SECURITY;
}

static bool is_place(const struct option_row *row)
{
    return strcmp(row->name, "port") == 0 || strcmp(row->name, "bind_address") == 0;
}

static const struct config_block *block_of(const struct config *config, const void *object)
{
    for (uint32_t i = 0; i < config->options.listener_count; i++)
        if (&config->listeners[i] == object)
            return config->listener_blocks[i];
    return NULL;
}

static void print_listener_head(const struct listener_options *listener, FILE *stream)
{
    if (listener->path[0] != 0)
        fprintf(stream, "listener 0 %s", listener->path);
    else
        fprintf(stream, "listener %u%s%s", (unsigned)listener->port,
                listener->address[0] != 0 ? " " : "", listener->address);
}

// ---- with sources ----

static void print_source(const struct page *page, const struct setting *said)
{
    if (said == NULL)
        fputs("default\n", page->stream);
    else if (said->line == 0)
        fprintf(page->stream, "%s\n", said->file);
    else
        fprintf(page->stream, "%s:%u\n", said->file, (unsigned)said->line);
}

static void print_value(const struct page *page, const struct option_row *row, const char *value,
                        const struct setting *said)
{
    fprintf(page->stream, "%s%-32s %-24s ", page->indent, row->name,
            value[0] != 0 ? value : "(not set)");
    print_source(page, said);
}

static void print_effective_row(const struct page *page, const void *object,
                                const struct option_row *row)
{
    char shown[OPTION_SHOWN_MAX];
    const struct setting *said = config_source(page->config, row, block_of(page->config, object));
    if (row->kind == OPTION_LIST) {
        struct values list = list_of(object, row);
        for (uint32_t i = 0; i < list.count; i++)
            print_value(page, row, list.texts[i], said);
        if (list.count == 0)
            print_value(page, row, "", said);
        return;
    }
    option_show(object, row, shown, sizeof(shown));
    print_value(page, row, option_is_text(row) ? option_text(object, row) : shown, said);
}

static void print_effective_rows(const struct page *page, const void *object,
                                 bool (*is_here)(const struct option_row *row))
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (is_here(&rows[i]) && rows[i].size > 0 && !is_place(&rows[i]))
            print_effective_row(page, object, &rows[i]);
}

static bool is_global(const struct option_row *row)
{
    return row->scope == SCOPE_GLOBAL;
}

void config_print_effective(const struct config *config, FILE *stream)
{
    struct page page = {config, stream, ""};
    print_effective_rows(&page, &config->options, is_global);
    page.indent = "  ";
    for (uint32_t i = 0; i < config->options.listener_count; i++) {
        const struct listener_options *listener = &config->listeners[i];
        fputc('\n', stream);
        print_listener_head(listener, stream);
        if (listener->file[0] != 0)
            fprintf(stream, "   (%s:%u)", listener->file, (unsigned)listener->line);
        fputc('\n', stream);
        print_effective_rows(&page, listener, is_of_listener);
    }
}

// ---- as a file ----

// What cannot be said is left out by a comment; an empty text can, where the default is not empty.
static void print_line(const struct page *page, const struct option_row *row, const char *value)
{
    if (value[0] != 0)
        fprintf(page->stream, "%s%s %s\n", page->indent, row->name, value);
    else if (option_is_text(row) &&
             ((row->file_text != NULL && row->file_text[0] != 0) ||
              (row->file_text == NULL && row->text != NULL && row->text[0] != 0)))
        fprintf(page->stream, "%s%s \"\"\n", page->indent, row->name);
    else
        fprintf(page->stream, "# %s\n", row->name);
}

static void print_row(const struct page *page, const void *object, const struct option_row *row)
{
    char shown[OPTION_SHOWN_MAX];
    if (row->support != SUPPORTED &&
        config_source(page->config, row, block_of(page->config, object)) == NULL)
        return;
    if (row->kind == OPTION_LIST) {
        struct values list = list_of(object, row);
        for (uint32_t i = 0; i < list.count; i++)
            print_line(page, row, list.texts[i]);
        if (list.count == 0)
            print_line(page, row, "");
        return;
    }
    option_show(object, row, shown, sizeof(shown));
    print_line(page, row, option_is_text(row) ? option_text(object, row) : shown);
}

// These two have a name of their own below a listener, whatever per_listener_settings says.
static const char *name_below_listener(const struct option_row *row)
{
    if (strcmp(row->name, "allow_anonymous") == 0)
        return "listener_allow_anonymous";
    return strcmp(row->name, "auto_id_prefix") == 0 ? "listener_auto_id_prefix" : NULL;
}

static void print_listener(const struct page *page, const struct listener_options *listener,
                           bool per_listener)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    fputc('\n', page->stream);
    print_listener_head(listener, page->stream);
    fputc('\n', page->stream);
    for (size_t i = 0; i < count; i++) {
        struct option_row row = rows[i];
        if (!is_of_listener(&row) || row.size == 0 || is_place(&row))
            continue;
        const char *name = name_below_listener(&row);
        if (name != NULL && (row.kind != OPTION_TEXT || option_text(listener, &row)[0] != 0)) {
            row.name = name;
            print_row(page, listener, &row);
        } else if (row.scope == SCOPE_LISTENER || per_listener) {
            print_row(page, listener, &rows[i]);
        }
    }
}

static bool same_security(const struct listener_options *a, const struct listener_options *b)
{
    return strcmp(a->password_file, b->password_file) == 0 &&
           strcmp(a->acl_file, b->acl_file) == 0 && strcmp(a->psk_file, b->psk_file) == 0 &&
           a->allow_zero_length_clientid == b->allow_zero_length_clientid;
}

static bool needs_per_listener(const struct config *config)
{
    if (config->options.per_listener_settings)
        return true;
    for (uint32_t i = 1; i < config->options.listener_count; i++)
        if (!same_security(&config->listeners[0], &config->listeners[i]))
            return true;
    return false;
}

static void print_bridges(const struct config *config, FILE *stream)
{
    for (const struct config_block *bridge = config->bridges; bridge != NULL;
         bridge = bridge->next) {
        fprintf(stream, "\nconnection %s\n", bridge->name);
        for (const struct setting *said = bridge->first; said != NULL; said = said->next)
            fprintf(stream, "%s %s\n", said->name, said->value[0] != 0 ? said->value : "\"\"");
    }
}

void config_print_file(const struct config *config, FILE *stream)
{
    struct page page = {config, stream, ""};
    size_t count;
    const struct option_row *rows = option_rows(&count);
    bool per_listener = needs_per_listener(config);
    fprintf(stream,
            "# The whole configuration, with what is left at its default.\n"
            "per_listener_settings %s\n",
            per_listener ? "true" : "false");
    for (size_t i = 0; i < count; i++) {
        bool is_flag = strcmp(rows[i].name, "per_listener_settings") == 0;
        if (rows[i].scope == SCOPE_GLOBAL && rows[i].size > 0 && !is_flag)
            print_row(&page, &config->options, &rows[i]);
        else if (rows[i].scope == SCOPE_SECURITY && !per_listener &&
                 name_below_listener(&rows[i]) == NULL && config->options.listener_count > 0)
            print_row(&page, &config->listeners[0], &rows[i]);
    }
    for (uint32_t i = 0; i < config->options.listener_count; i++)
        print_listener(&page, &config->listeners[i], per_listener);
    print_bridges(config, stream);
}
