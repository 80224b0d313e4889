// SPDX-License-Identifier: MIT
// Bridges are understood and not built yet: a mistake in one is an error today, as it will be then.
#include "server/config_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ARGUMENTS_MAX 5

struct arguments {
    struct bytes values[ARGUMENTS_MAX];
    size_t count;
};

static bool is_said(const struct config_block *bridge, const char *name)
{
    return block_find(bridge, option_find(name)) != NULL;
}

// Between spaces; in double quotes there may be spaces. False: too many, or an open quote.
static bool split(const char *text, struct arguments *arguments)
{
    arguments->count = 0;
    for (text += strspn(text, " "); *text != 0; text += strspn(text, " ")) {
        bool quoted = *text == '"';
        size_t size = strcspn(text + quoted, quoted ? "\"" : " ");
        if (arguments->count == ARGUMENTS_MAX || (quoted && text[1 + size] != '"'))
            return false;
        arguments->values[arguments->count++] = bytes_make(text + quoted, size);
        text += size + 2 * (size_t)quoted;
    }
    return true;
}

static bool is_word(struct bytes text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

static bool is_direction(struct bytes text)
{
    return is_word(text, "in") || is_word(text, "out") || is_word(text, "both");
}

static bool has_wildcard(struct bytes text)
{
    return memchr(text.data, '+', text.size) != NULL || memchr(text.data, '#', text.size) != NULL;
}

// NULL: it is fine.
static const char *mistake_in_topic(const char *value)
{
    struct arguments arguments;
    if (!split(value, &arguments) || arguments.count == 0)
        return "it is PATTERN [DIRECTION [QOS [LOCAL-PREFIX [REMOTE-PREFIX]]]]";
    const struct bytes *values = arguments.values;
    if (arguments.count > 1 && !is_direction(values[1]))
        return "the direction is in, out or both";
    if (arguments.count > 2 &&
        (values[2].size != 1 || values[2].data[0] < '0' || values[2].data[0] > '2'))
        return "the QoS is 0, 1 or 2";
    if ((arguments.count > 3 && has_wildcard(values[3])) ||
        (arguments.count > 4 && has_wildcard(values[4])))
        return "a prefix has no wildcards";
    bool has_both = arguments.count > 4 && values[3].size > 0 && values[4].size > 0;
    if (values[0].size == 0 && !has_both)
        return "an empty pattern needs both prefixes";
    return NULL;
}

// So many whole numbers of at least `low`, between spaces.
static bool are_numbers(const char *value, size_t count_min, size_t count_max, long low)
{
    size_t count = 0;
    for (char *end; *value != 0; count++, value = end + strspn(end, " ")) {
        long number = strtol(value, &end, 0);
        if (end == value || (*end != 0 && *end != ' ') || number < low)
            return false;
    }
    return count >= count_min && count <= count_max;
}

// Each is HOST, HOST:PORT, or an IPv6 address with a port.
static bool are_addresses(const char *value)
{
    for (value += strspn(value, " "); *value != 0; value += strspn(value, " ")) {
        size_t size = strcspn(value, " ");
        const char *colon = memrchr(value, ':', size);
        if (colon != NULL) {
            char *end;
            long port = strtol(colon + 1, &end, 10);
            if (colon == value || end != value + size || port < 1 || port > 65535)
                return false;
        }
        value += size;
    }
    return true;
}

static const char *mistake_in(const struct setting *setting)
{
    const char *name = setting->name, *value = setting->value;
    if (strcmp(name, "topic") == 0)
        return mistake_in_topic(value);
    if (strcmp(name, "restart_timeout") == 0 && !are_numbers(value, 1, 3, 0))
        return "it is SECONDS, or BASE CAP [STABLE]";
    if (strcmp(name, "bridge_tcp_keepalive") == 0 && !are_numbers(value, 3, 3, 1))
        return "it is IDLE INTERVAL COUNT, all above 0";
    if (strcmp(name, "address") == 0 && !are_addresses(value))
        return "it is HOST or HOST:PORT, with a port from 1 to 65535";
    return NULL;
}

static void check_tls(struct config *config, const struct config_block *bridge)
{
    bool has_psk = is_said(bridge, "bridge_psk"), has_identity = is_said(bridge, "bridge_identity");
    bool has_certificate = is_said(bridge, "bridge_certfile"),
         has_key = is_said(bridge, "bridge_keyfile");
    if (has_psk != has_identity)
        config_complain(config, COMPLAINT_ERROR, bridge->place,
                        "connection %s: bridge_identity and bridge_psk need each other",
                        bridge->name);
    if (has_certificate != has_key)
        config_complain(config, COMPLAINT_ERROR, bridge->place,
                        "connection %s: bridge_certfile and bridge_keyfile need each other",
                        bridge->name);
    if (has_psk &&
        (has_certificate || is_said(bridge, "bridge_cafile") || is_said(bridge, "bridge_capath")))
        config_complain(config, COMPLAINT_ERROR, bridge->place,
                        "connection %s: either certificates or a pre-shared key", bridge->name);
}

static void settle_bridge(struct config *config, const struct config_block *bridge)
{
    for (const struct setting *setting = bridge->first; setting != NULL; setting = setting->next) {
        const char *mistake = mistake_in(setting);
        if (mistake != NULL)
            config_complain(config, COMPLAINT_ERROR, setting_place(setting), "%s: '%.80s': %s",
                            setting->name, setting->value, mistake);
    }
    if (!is_said(bridge, "address"))
        config_complain(config, COMPLAINT_ERROR, bridge->place, "connection %s has no address",
                        bridge->name);
    if (!is_said(bridge, "topic"))
        config_complain(config, COMPLAINT_ERROR, bridge->place, "connection %s has no topic",
                        bridge->name);
    check_tls(config, bridge);
    config_complain(config, COMPLAINT_WARNING, bridge->place,
                    "connection %s is not made: bridges are not there yet. `bud sub` and `bud "
                    "pub`, or the other broker's bridge to this one, can do it meanwhile",
                    bridge->name);
}

void bridges_settle(struct config *config)
{
    for (const struct config_block *bridge = config->bridges; bridge != NULL; bridge = bridge->next)
        settle_bridge(config, bridge);
}
