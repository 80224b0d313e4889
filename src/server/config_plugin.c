// SPDX-License-Identifier: MIT
// Mosquitto's plugins, by the name of their file. There is nothing to load them here: what two of
// them do is done by options of ours, and a plugin that nobody knows may be what keeps people out,
// so the broker does not start without it.
#include "server/config_parts.h"

#include <string.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static const struct setting *find_option(const struct config_block *plugin, const char *name)
{
    const struct setting *found = NULL;
    for (const struct setting *setting = plugin->first; setting != NULL; setting = setting->next)
        if (strcmp(setting->name, name) == 0)
            found = setting;
    return found;
}

static void say(struct config *config, struct config_block *block, const struct option_row *row,
                const struct setting *said)
{
    const struct setting *before = block_find(block, row);
    if (before != NULL)
        config_complain(config, COMPLAINT_ERROR, setting_place(said),
                        "%s was said already, in line %u: only one is read", row->name,
                        (unsigned)before->line);
    else
        block_add(config, block, row, said->value, setting_place(said));
}

// A plugin that reads a file of ours: the option that names the file.
static void settle_file(struct config *config, struct config_block *plugin, const char *name)
{
    const struct option_row *row = option_find(name);
    const struct setting *said = find_option(plugin, name);
    if (said == NULL) {
        config_complain(config, COMPLAINT_ERROR, plugin->place,
                        "%s needs a line plugin_opt_%s PATH below it", base_name(plugin->name),
                        name);
        return;
    }
    if (!plugin->is_global_plugin || !config->options.per_listener_settings) {
        say(config, plugin->owner, row, said);
        return;
    }
    say(config, &config->default_listener, row, said);
    for (struct config_block *listener = config->explicit_listeners; listener != NULL;
         listener = listener->next)
        say(config, listener, row, said);
}

static void settle_store(struct config *config, const struct config_block *plugin)
{
    const struct option_row *row = option_find("persistence");
    const struct setting *said = block_find(&config->globals, row);
    if (said != NULL && strcmp(said->value, "true") != 0 && strcmp(said->value, "1") != 0)
        said = NULL;
    if (said != NULL) {
        config_complain(config, COMPLAINT_ERROR, setting_place(said),
                        "persistence true and a plugin for persistence cannot both be: remove "
                        "the plugin");
        return;
    }
    block_add(config, &config->globals, row, "true", plugin->place);
    config_complain(config, COMPLAINT_WARNING, plugin->place,
                    "%s is not loaded: the broker's own store keeps everything, in "
                    "persistence_location (as with persistence true). What the plugin kept is "
                    "not read",
                    base_name(plugin->name));
}

static void settle_plugin(struct config *config, struct config_block *plugin)
{
    const char *name = base_name(plugin->name);
    if (strcmp(name, "mosquitto_password_file.so") == 0)
        settle_file(config, plugin, "password_file");
    else if (strcmp(name, "mosquitto_acl_file.so") == 0)
        settle_file(config, plugin, "acl_file");
    else if (strcmp(name, "mosquitto_persist_sqlite.so") == 0)
        settle_store(config, plugin);
    else if (strcmp(name, "mosquitto_dynamic_security.so") == 0)
        config_complain(config, COMPLAINT_ERROR, plugin->place,
                        "the dynamic security plugin is not there yet: write its users with `bud "
                        "passwd` to a password_file and its roles to an acl_file");
    else
        config_complain(config, COMPLAINT_ERROR, plugin->place,
                        "plugins cannot be loaded, and without %s somebody might come in whom it "
                        "keeps out: remove the line, and say who may come in with password_file, "
                        "acl_file or auth_http",
                        name);
}

void plugins_settle(struct config *config)
{
    for (struct config_block *plugin = config->plugins; plugin != NULL; plugin = plugin->next)
        settle_plugin(config, plugin);
    for (const struct config_block *loaded = config->loaded_plugins; loaded != NULL;
         loaded = loaded->next)
        config_complain(config, COMPLAINT_NOTE, loaded->place,
                        "%s is read for plugin_use; nothing is loaded", base_name(loaded->name));
}
