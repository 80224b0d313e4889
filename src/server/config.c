// SPDX-License-Identifier: MIT
#include "server/config_parts.h"

#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COMPLAINT_MAX 640

struct config *config_new(void)
{
    struct config *config = memory_new(sizeof(*config));
    config->command_line.place.file = "command line";
    return config;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    while (config->memory != NULL) {
        struct config_memory *memory = config->memory;
        config->memory = memory->next;
        memory_free(memory);
    }
    memory_free(config);
}

void *config_take(struct config *config, size_t size)
{
    struct config_memory *memory = memory_new(sizeof(*memory) + size);
    memory->next = config->memory;
    config->memory = memory;
    return memory + 1;
}

const char *config_take_text(struct config *config, const char *text, size_t size)
{
    char *copy = config_take(config, size + 1);
    memcpy(copy, text, size);
    return copy;
}

void config_complain(struct config *config, enum complaint_kind kind, struct place place,
                     const char *format, ...)
{
    char text[COMPLAINT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct complaint *complaint = config_take(config, sizeof(*complaint));
    *complaint = (struct complaint){.kind = kind,
                                    .file = place.file != NULL ? place.file : "",
                                    .line = place.line,
                                    .text = config_take_text(config, text, strlen(text))};
    if (config->last_complaint != NULL)
        config->last_complaint->next = complaint;
    else
        config->first_complaint = complaint;
    config->last_complaint = complaint;
    config->complaint_count++;
    config->has_errors = config->has_errors || kind == COMPLAINT_ERROR;
}

// Saying what holds anyway is no reason to complain.
static bool is_default(const struct option_row *row, const char *value)
{
    bool is_true = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    return row->kind == OPTION_BOOLEAN && is_true == (row->standard != 0);
}

static void complain_of_support(struct config *config, const struct option_row *row,
                                const char *value, struct place place)
{
    static const enum complaint_kind kinds[] = {[HAS_NO_EFFECT] = COMPLAINT_NOTE,
                                                [NOT_YET] = COMPLAINT_WARNING,
                                                [REFUSED] = COMPLAINT_ERROR};
    if (row->support == HAS_NO_EFFECT)
        config_complain(config, COMPLAINT_NOTE, place, "%s has no effect: %s", row->name,
                        row->instead);
    else if (row->support != SUPPORTED && !is_default(row, value))
        config_complain(config, kinds[row->support], place, "%s is not supported: %s", row->name,
                        row->instead);
}

struct setting *block_add(struct config *config, struct config_block *block,
                          const struct option_row *row, const char *value, struct place place)
{
    struct setting *setting = config_take(config, sizeof(*setting));
    *setting = (struct setting){.row = row,
                                .name = row != NULL ? row->name : "",
                                .value = value,
                                .file = place.file,
                                .line = place.line};
    if (block->last != NULL)
        block->last->next = setting;
    else
        block->first = setting;
    block->last = setting;
    if (row != NULL)
        complain_of_support(config, row, value, place);
    return setting;
}

const struct setting *block_find(const struct config_block *block, const struct option_row *row)
{
    const struct setting *found = NULL;
    for (const struct setting *setting = block->first; setting != NULL; setting = setting->next)
        if (setting->row == row)
            found = setting;
    return found;
}

void block_append(struct config_block **list, struct config_block *block)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = block;
}

struct place setting_place(const struct setting *setting)
{
    return (struct place){setting->file, setting->line};
}

int config_set(struct config *config, const char *name, const char *value, char *error)
{
    const struct option_row *row = option_find(name);
    if (row == NULL || row->scope > SCOPE_SECURITY || row->kind == OPTION_KEYWORD)
        return -ENOENT;
    int result = option_check(row, value, error);
    if (result < 0)
        return result;
    block_add(config, &config->command_line, row, config_take_text(config, value, strlen(value)),
              config->command_line.place);
    return 0;
}

void config_be_lenient(struct config *config)
{
    config->lenient = true;
}

static int settle(struct config *config)
{
    plugins_settle(config);
    bridges_settle(config);
    config_settle(config);
    config->options.sources = (struct text_list){config->sources, config->source_count};
    return config->has_errors ? -EINVAL : 0;
}

int config_read(struct config *config, const char *path)
{
    if (path != NULL) {
        config->path = config_take_text(config, path, strlen(path));
        config_parse_file(config, config->path, true, (struct place){0});
    }
    return settle(config);
}

int config_read_text(struct config *config, const char *name, struct bytes text)
{
    config->path = config_take_text(config, name, strlen(name));
    config_parse(config, config->path, text, true);
    return settle(config);
}

int config_read_again(const struct config *config, struct config **ret_config)
{
    struct config *again = config_new();
    again->lenient = config->lenient;
    for (const struct setting *said = config->command_line.first; said != NULL; said = said->next)
        block_add(again, &again->command_line, said->row,
                  config_take_text(again, said->value, strlen(said->value)),
                  again->command_line.place);
    *ret_config = again;
    return config_read(again, config->path);
}

const struct options *config_options(const struct config *config)
{
    return &config->options;
}

struct options *config_options_for_change(struct config *config)
{
    return &config->options;
}

const struct complaint *config_complaints(const struct config *config)
{
    return config->first_complaint;
}

const char *config_path(const struct config *config)
{
    return config->path;
}
