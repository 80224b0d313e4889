// SPDX-License-Identifier: MIT
// From what was said to what holds: which listeners there are, and each option's value for each of
// them. The command line wins; then what stands below a listener; then what stands below none.
#include "server/config_parts.h"

#include "base/assert.h"

#include <string.h>

#define LISTENERS_MAX 1024
#define PREFIX_MAX 50
#define PORT_STANDARD 1883

static const struct option_row *row_of(const char *name)
{
    const struct option_row *row = option_find(name);
    ASSERT(row != NULL);
    return row;
}

#define ERROR(config, place, ...) config_complain(config, COMPLAINT_ERROR, place, __VA_ARGS__)
#define WARN(config, place, ...) config_complain(config, COMPLAINT_WARNING, place, __VA_ARGS__)

static bool is_of_listener(const struct option_row *row)
{
    return row->scope == SCOPE_LISTENER || row->scope == SCOPE_SECURITY;
}

// The option that says the same of one listener alone, or NULL.
static const struct option_row *row_of_listener_alone(const struct option_row *row)
{
    if (strcmp(row->name, "allow_anonymous") == 0)
        return row_of("listener_allow_anonymous");
    return strcmp(row->name, "auto_id_prefix") == 0 ? row_of("listener_auto_id_prefix") : NULL;
}

const struct setting *config_source(const struct config *config, const struct option_row *row,
                                    const struct config_block *listener)
{
    const struct setting *found = block_find(&config->command_line, row);
    const struct option_row *alone = row_of_listener_alone(row);
    if (found == NULL && listener != NULL && alone != NULL)
        found = block_find(listener, alone);
    if (found == NULL && listener != NULL)
        found = block_find(listener, row);
    bool is_everybodys = row->scope == SCOPE_GLOBAL ||
                         (row->scope == SCOPE_SECURITY && !config->options.per_listener_settings);
    if (found == NULL && is_everybodys)
        found = block_find(&config->globals, row);
    return found;
}

// ---- lists ----

// All of the block that counts: the command line's, if it says any.
static uint32_t gather(const struct config *config, const struct config_block *block,
                       const struct option_row *row, const char **texts)
{
    uint32_t count = 0;
    if (block_find(&config->command_line, row) != NULL)
        block = &config->command_line;
    for (const struct setting *setting = block->first; setting != NULL; setting = setting->next)
        if (setting->row == row) {
            if (texts != NULL)
                texts[count] = setting->value;
            count++;
        }
    return count;
}

static void settle_list(struct config *config, const struct config_block *block,
                        const struct option_row *row, void *object)
{
    uint32_t count = gather(config, block, row, NULL);
    const char **texts = config_take(config, count * sizeof(*texts));
    (void)gather(config, block, row, texts);
    *(const char *const **)(void *)((char *)object + row->offset) = texts;
    *(uint32_t *)(void *)((char *)object + row->count_offset) = count;
}

// ---- one object ----

// What was checked when it was read is taken now.
static void settle_row(struct config *config, const struct option_row *row, void *object,
                       const struct config_block *block)
{
    char error[OPTION_ERROR_MAX];
    const struct setting *said = config_source(config, row, block);
    if (said != NULL && option_set(object, row, said->value, error) < 0)
        ERROR(config, setting_place(said), "%s", error);
}

static void settle_globals(struct config *config)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    bool per_listener = config->options.per_listener_settings;
    if (config->path != NULL)
        options_set_file_defaults(&config->options);
    else
        options_set_defaults(&config->options);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].scope != SCOPE_GLOBAL || rows[i].size == 0)
            continue;
        if (rows[i].kind == OPTION_LIST)
            settle_list(config, &config->globals, &rows[i], &config->options);
        else
            settle_row(config, &rows[i], &config->options, NULL);
    }
    config->options.per_listener_settings = config->options.per_listener_settings || per_listener;
}

static bool is_place(const struct option_row *row)
{
    return strcmp(row->name, "port") == 0 || strcmp(row->name, "bind_address") == 0;
}

static void settle_listener_rows(struct config *config, struct listener_options *listener,
                                 const struct config_block *block)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    listener_options_set_defaults(listener, config->path != NULL);
    for (size_t i = 0; i < count; i++) {
        if (!is_of_listener(&rows[i]) || rows[i].size == 0 || is_place(&rows[i]))
            continue;
        if (rows[i].kind == OPTION_LIST)
            settle_list(config, block, &rows[i], listener);
        else
            settle_row(config, &rows[i], listener, block);
    }
    if (config->options.local_only &&
        config_source(config, row_of("allow_anonymous"), block) == NULL)
        listener->allow_anonymous = ANONYMOUS_TRUE;
    bool has_keys = listener->certfile[0] != 0 || listener->psk_hint[0] != 0;
    if (has_keys && config_source(config, row_of("tls"), block) == NULL)
        listener->tls = LISTENER_TLS_ONLY;
}

// ---- what does not go together ----

static struct place place_of(const struct config *config, const char *name,
                             const struct config_block *block)
{
    const struct setting *said = config_source(config, row_of(name), block);
    return said != NULL ? setting_place(said) : block->place;
}

static void check_keys(struct config *config, const struct listener_options *listener,
                       const struct config_block *block)
{
    bool has_certificate = listener->certfile[0] != 0, has_key = listener->keyfile[0] != 0;
    if (has_certificate && !has_key)
        ERROR(config, place_of(config, "certfile", block), "certfile needs a keyfile");
    if (!has_certificate && has_key)
        ERROR(config, place_of(config, "keyfile", block), "keyfile needs a certfile");
    if (!has_certificate && listener->cafile[0] != 0)
        ERROR(config, place_of(config, "cafile", block), "cafile needs a certfile and a keyfile");
    if (!has_certificate && listener->capath[0] != 0)
        ERROR(config, place_of(config, "capath", block), "capath needs a certfile and a keyfile");
    if (has_certificate && listener->psk_hint[0] != 0)
        ERROR(config, place_of(config, "psk_hint", block),
              "psk_hint and certfile are for different listeners");
    if (strcmp(listener->tls_keyform, "engine") == 0)
        ERROR(config, place_of(config, "tls_keyform", block),
              "OpenSSL engines are not used: give the key as a PEM file, with keyfile");
}

static void check_tls(struct config *config, const struct listener_options *listener,
                      const struct config_block *block)
{
    check_keys(config, listener, block);
    bool names_by_tls = listener->use_identity_as_username || listener->use_subject_as_username;
    if (listener->require_certificate && listener->tls != LISTENER_TLS_ONLY)
        ERROR(config, place_of(config, "require_certificate", block),
              "require_certificate needs a listener with TLS alone: certfile, keyfile and cafile");
    if (names_by_tls && listener->tls == LISTENER_TLS_NONE)
        WARN(config, block->place,
             "use_identity_as_username and use_subject_as_username need TLS: certfile and keyfile");
    if (listener->proxy_protocol > 0 && listener->certfile[0] != 0)
        ERROR(config, place_of(config, "enable_proxy_protocol", block),
              "enable_proxy_protocol and certfile do not go together: let the proxy do TLS");
}

static void check_listener(struct config *config, const struct listener_options *listener,
                           const struct config_block *block)
{
    check_tls(config, listener, block);
    if (strpbrk(listener->mount_point, "+#") != NULL)
        ERROR(config, place_of(config, "mount_point", block), "mount_point has no wildcards");
    if (strlen(listener->auto_id_prefix) > PREFIX_MAX)
        ERROR(config, place_of(config, "auto_id_prefix", block),
              "auto_id_prefix has at most %d bytes", PREFIX_MAX);
    if (config->options.local_only && listener->password_file[0] != 0 &&
        config_source(config, row_of("allow_anonymous"), block) == NULL)
        config_complain(config, COMPLAINT_NOTE, place_of(config, "password_file", block),
                        "without a listener in the file, clients of this machine come in without "
                        "a password too: say allow_anonymous false");
}

// ---- which listeners ----

static struct listener_options *add_listener(struct config *config,
                                             const struct config_block *block)
{
    uint32_t number = config->options.listener_count;
    if (number == LISTENERS_MAX) {
        ERROR(config, block->place, "there are more than %d listeners", LISTENERS_MAX);
        return NULL;
    }
    struct listener_options *listener = &config->listeners[number];
    config->listener_blocks[number] = block;
    config->options.listener_count++;
    settle_listener_rows(config, listener, block);
    listener->file = block->place.file != NULL ? block->place.file : "";
    listener->line = block->place.line;
    check_listener(config, listener, block);
    return listener;
}

static void add_at(struct config *config, const char *address, uint16_t port)
{
    struct listener_options *listener = add_listener(config, &config->default_listener);
    if (listener == NULL)
        return;
    listener->address = address;
    listener->port = port;
    if (port == 0 && address[0] != 0 && !config_is_address(address))
        ERROR(config, place_of(config, "bind_address", &config->default_listener),
              "a port that the system chooses needs a numeric address");
}

static void add_local(struct config *config, uint16_t port)
{
    add_at(config, "127.0.0.1", port);
    if (port != 0) // or there would be two
        add_at(config, "::1", port);
}

static void add_explicit(struct config *config)
{
    for (const struct config_block *block = config->explicit_listeners; block != NULL;
         block = block->next) {
        struct listener_options *listener = add_listener(config, block);
        if (listener == NULL)
            return;
        listener->address = block->address;
        listener->path = block->path;
        listener->port = block->port;
    }
}

// The ports of the command line, or the file's, or the usual one.
static uint32_t wanted_ports(struct config *config, bool file_says, uint16_t *ports)
{
    const struct option_row *row = row_of("port");
    char error[OPTION_ERROR_MAX];
    struct listener_options probe = {.port = PORT_STANDARD};
    uint32_t count = 0;
    if (file_says) {
        const struct setting *said = block_find(&config->default_listener, row);
        ports[0] = PORT_STANDARD;
        if (said != NULL && option_set(&probe, row, said->value, error) == 0)
            ports[0] = probe.port;
        return 1;
    }
    for (const struct setting *said = config->command_line.first; said != NULL; said = said->next) {
        if (said->row != row || option_set(&probe, row, said->value, error) < 0)
            continue;
        if (count == CONFIG_PORTS_MAX) {
            ERROR(config, setting_place(said), "there are more than %d ports", CONFIG_PORTS_MAX);
            return count;
        }
        ports[count++] = probe.port;
    }
    if (count == 0)
        ports[count++] = PORT_STANDARD;
    return count;
}

static bool said_on_command_line(const struct config *config, const char *name)
{
    return block_find(&config->command_line, row_of(name)) != NULL;
}

static bool said_in_file(const struct config *config, const char *name)
{
    return block_find(&config->default_listener, row_of(name)) != NULL;
}

static void warn_of_ignored(struct config *config, const char *name, bool is_ignored)
{
    if (is_ignored && said_on_command_line(config, name))
        WARN(config, config->command_line.place,
             "%s is not taken: the configuration file says where to listen", name);
}

// Does anything below no listener make one of its own? What says the default does not.
static const struct setting *first_stray(const struct config *config)
{
    struct listener_options plain, told;
    char error[OPTION_ERROR_MAX], before[OPTION_SHOWN_MAX], after[OPTION_SHOWN_MAX];
    listener_options_set_defaults(&plain, true);
    for (const struct setting *said = config->default_listener.first; said != NULL;
         said = said->next) {
        if (said->row == NULL || said->row->size == 0)
            continue;
        told = plain;
        if (said->row->kind == OPTION_LIST || option_set(&told, said->row, said->value, error) < 0)
            return said;
        option_show(&plain, said->row, before, sizeof(before));
        option_show(&told, said->row, after, sizeof(after));
        if (strcmp(before, after) != 0)
            return said;
    }
    return NULL;
}

static void add_default_listeners(struct config *config, bool file_says)
{
    uint16_t ports[CONFIG_PORTS_MAX];
    uint32_t count = wanted_ports(config, file_says, ports);
    const struct option_row *row = row_of("bind_address");
    const struct setting *address = block_find(&config->default_listener, row);
    if (address == NULL)
        address = block_find(&config->command_line, row);
    for (uint32_t i = 0; i < count; i++)
        if (config->options.local_only)
            add_local(config, ports[i]);
        else
            add_at(config, address != NULL ? address->value : "", ports[i]);
}

static bool is_on_standard_port(const struct config *config)
{
    for (const struct config_block *block = config->explicit_listeners; block != NULL;
         block = block->next)
        if (block->port == PORT_STANDARD && block->address[0] == 0)
            return true;
    return false;
}

// Beside others, lines below no listener make one more, as they do for Mosquitto.
static void add_stray(struct config *config)
{
    const struct setting *stray = first_stray(config);
    if (stray == NULL)
        return;
    if (is_on_standard_port(config)) {
        ERROR(config, setting_place(stray),
              "%s stands above every `listener` line: it would make one more listener on port "
              "1883, which is taken. Move it below the listener it is for",
              stray->name);
        return;
    }
    WARN(config, setting_place(stray),
         "%s stands above every `listener` line: it makes one more listener, on port 1883 of "
         "every interface. Move it below the listener it is for",
         stray->name);
    add_default_listeners(config, true);
}

static void settle_listeners(struct config *config)
{
    bool from_file = config->path != NULL, has_explicit = config->explicit_count > 0;
    bool file_says = said_in_file(config, "port") || said_in_file(config, "bind_address");
    uint32_t most = config->explicit_count < LISTENERS_MAX ? config->explicit_count : LISTENERS_MAX;
    uint32_t room = most + 2 * CONFIG_PORTS_MAX;
    config->listeners = config_take(config, room * sizeof(*config->listeners));
    config->listener_blocks = config_take(config, room * sizeof(struct config_block *));
    config->options.listeners = config->listeners;
    config->options.local_only =
        from_file && !has_explicit && !file_says && !said_on_command_line(config, "bind_address");
    warn_of_ignored(config, "port", from_file && (has_explicit || file_says));
    warn_of_ignored(config, "bind_address", from_file && (has_explicit || file_says));
    add_explicit(config);
    if (!has_explicit || file_says)
        add_default_listeners(config, file_says);
    else
        add_stray(config);
}

// ---- all together ----

static bool is_stricter(uint64_t rule, uint64_t other)
{
    static const int ranks[] = {
        [ANONYMOUS_TRUE] = 0, [ANONYMOUS_PRIVATE] = 1, [ANONYMOUS_FALSE] = 2};
    return ranks[rule] > ranks[other];
}

// What is asked of the broker as a whole: the strictest of its listeners.
static void settle_common(struct config *config)
{
    struct options *options = &config->options;
    const struct listener_options *first = &config->listeners[0];
    if (options->listener_count == 0)
        return;
    options->bind_address = first->address;
    options->port = first->port;
    options->allow_anonymous = first->allow_anonymous;
    options->qos_max = first->qos_max;
    options->topic_alias_max = first->topic_alias_max;
    for (uint32_t i = 1; i < options->listener_count; i++) {
        const struct listener_options *next = &config->listeners[i];
        if (is_stricter(next->allow_anonymous, options->allow_anonymous))
            options->allow_anonymous = next->allow_anonymous;
        if (next->qos_max < options->qos_max)
            options->qos_max = next->qos_max;
        if (next->topic_alias_max < options->topic_alias_max)
            options->topic_alias_max = next->topic_alias_max;
    }
}

static bool is_log_destination(const char *text)
{
    static const char *const words[] = {"none", "stdout", "stderr", "syslog", "topic"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i], text) == 0)
            return true;
    return strncmp(text, "file ", 5) == 0 && text[5 + strspn(text + 5, " ")] != 0;
}

static void check_log(struct config *config)
{
    const struct text_list *list = &config->options.log_destinations;
    const struct setting *said = config_source(config, row_of("log_dest"), NULL);
    uint32_t files = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        files += strncmp(list->texts[i], "file ", 5) == 0;
        if (strcmp(list->texts[i], "dlt") == 0 || strcmp(list->texts[i], "android") == 0)
            WARN(config, setting_place(said), "log_dest %s is not there: use stderr or syslog",
                 list->texts[i]);
        else if (!is_log_destination(list->texts[i]))
            ERROR(
                config, setting_place(said),
                "log_dest: '%.60s' is not one of stdout, stderr, syslog, topic, none or file PATH",
                list->texts[i]);
    }
    if (files > 1)
        ERROR(config, setting_place(said), "log_dest: there can be one file only");
}

void config_settle(struct config *config)
{
    settle_globals(config);
    settle_listeners(config);
    settle_common(config);
    check_log(config);
}
