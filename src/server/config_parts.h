// SPDX-License-Identifier: MIT
// The inside of a configuration: what was said, line by line, in the blocks it belongs to, before
// it is settled into options. Only the config_*.c files include this.
#ifndef BUD_SERVER_CONFIG_PARTS_H
#define BUD_SERVER_CONFIG_PARTS_H

#include "server/config.h"
#include "server/option_value.h"

// One line: an option and its value, or the option of a plugin (then there is no row).
struct setting {
    struct setting *next;
    const struct option_row *row;
    const char *name;
    const char *value;
    const char *file;
    uint32_t line;
};

struct place {
    const char *file;
    uint32_t line;
};

// Lines that belong together: those of a listener, a bridge, a plugin, or of none.
struct config_block {
    struct config_block *next;
    struct setting *first, *last;
    struct place place;
    const char *name;           // of a bridge; path of a plugin
    struct config_block *owner; // of a plugin: whose it is
    const char *address, *path; // of a listener
    uint16_t port;
    bool is_global_plugin;
};

struct config_memory {
    struct config_memory *next;
    uint64_t alignment;
};

struct config {
    struct options options;
    struct listener_options *listeners;
    const struct config_block **listener_blocks; // beside the listeners: who said it
    const char *path;
    const char **sources; // each file and include_dir
    uint32_t source_count;
    bool lenient;
    bool has_errors;
    bool security_was_said;
    struct config_block command_line, globals, default_listener;
    struct config_block *explicit_listeners, *bridges, *plugins, *loaded_plugins;
    uint32_t explicit_count;
    struct config_memory *memory;
    uint32_t complaint_count;
    struct complaint *first_complaint, *last_complaint;
};

void *config_take(struct config *config, size_t size); // zeroed, as long as the configuration
const char *config_take_text(struct config *config, const char *text, size_t size);

void config_complain(struct config *config, enum complaint_kind kind, struct place place,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

struct setting *block_add(struct config *config, struct config_block *block,
                          const struct option_row *row, const char *value, struct place place);
// The line that counts: the last one. NULL: never said.
const struct setting *block_find(const struct config_block *block, const struct option_row *row);
void block_append(struct config_block **list, struct config_block *block);
struct place setting_place(const struct setting *setting);

// Who says what this option is for this listener (a global one: NULL); NULL: it is the default.
const struct setting *config_source(const struct config *config, const struct option_row *row,
                                    const struct config_block *listener);

// config_file.c
bool config_is_address(const char *text); // numeric, or localhost
void config_parse(struct config *config, const char *file, struct bytes text, bool is_main);
void config_note_source(struct config *config, const char *path);
void config_parse_file(struct config *config, const char *path, bool is_main, struct place place);

// config_plugin.c
bool plugin_take_option(struct config *config, struct config_block *plugin, const char *key,
                        const char *value, struct place place);
void plugins_settle(struct config *config);

// config_bridge.c
void bridges_settle(struct config *config);

// config_settle.c
void config_settle(struct config *config);

#endif
