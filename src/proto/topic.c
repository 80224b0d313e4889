// SPDX-License-Identifier: MIT
// See topic.h. All of it walks forward once over names and filters that an attacker chose, in time
// linear in their size: '#' ends a filter and '+' never crosses a '/', so nothing is tried twice.
#include "proto/topic.h"

#define TOPIC_SIZE_MAX 65535u
#define EACH_BYTE 0x0101010101010101u
#define HIGH_BITS 0x8080808080808080u

static bool is_reserved(uint8_t byte)
{
    return byte == '+' || byte == '#' || byte == 0;
}

// Nonzero if some byte of `word` is zero.
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE) & ~word & HIGH_BITS;
}

static bool word_has_reserved(const uint8_t *place)
{
    uint64_t word;

    __builtin_memcpy(&word, place, sizeof(word));
    return (zero_bytes(word ^ '+' * EACH_BYTE) | zero_bytes(word ^ '#' * EACH_BYTE) |
            zero_bytes(word)) != 0;
}

bool topic_name_valid(struct bytes name)
{
    size_t at = 0;

    if (name.size < 1 || name.size > TOPIC_SIZE_MAX) // [MQTT-4.7.3-1] [MQTT-4.7.3-3]
        return false;
    for (; name.size - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        if (word_has_reserved(name.data + at))
            return false;
    }
    for (; at < name.size; at++) {
        if (is_reserved(name.data[at])) // [MQTT-3.3.2-2] [MQTT-4.7.3-2]
            return false;
    }
    return true;
}

static size_t level_size(struct bytes rest)
{
    size_t size = 0;

    while (size < rest.size && rest.data[size] != '/')
        size++;
    return size;
}

struct bytes topic_level_next(struct bytes *rest, bool *more)
{
    struct bytes level = bytes_make(rest->data, level_size(*rest));

    *more = level.size < rest->size;
    *rest = bytes_from(*rest, level.size + (*more ? 1u : 0u));
    return level;
}

static bool filter_level_valid(struct bytes level, bool last)
{
    if (level.size == 1 && level.data[0] == '+') // [MQTT-4.7.1-2]
        return true;
    if (level.size == 1 && level.data[0] == '#') // [MQTT-4.7.1-1]
        return last;
    for (size_t i = 0; i < level.size; i++) {
        if (is_reserved(level.data[i]))
            return false;
    }
    return true;
}

bool topic_filter_valid(struct bytes filter)
{
    bool more = true;

    if (filter.size < 1 || filter.size > TOPIC_SIZE_MAX) // [MQTT-4.7.3-1] [MQTT-4.7.3-3]
        return false;
    while (more) {
        struct bytes level = topic_level_next(&filter, &more);

        if (!filter_level_valid(level, !more))
            return false;
    }
    return true;
}

uint32_t topic_level_count(struct bytes topic)
{
    uint32_t count = 1;

    for (size_t i = 0; i < topic.size; i++)
        count += topic.data[i] == '/';
    return count;
}

static bool is_wildcard(struct bytes level, char wildcard)
{
    return level.size == 1 && level.data[0] == (uint8_t)wildcard;
}

bool topic_matches(struct bytes filter, struct bytes name)
{
    bool filter_more = true, name_more = true;

    if (filter.size > 0 && name.size > 0 && name.data[0] == '$' &&
        (filter.data[0] == '+' || filter.data[0] == '#')) // [MQTT-4.7.2-1]
        return false;
    while (filter_more) {
        struct bytes wanted = topic_level_next(&filter, &filter_more), level;

        if (is_wildcard(wanted, '#'))
            return true; // also when the name ended one level above: "a/#" matches "a"
        if (!name_more)
            return false;
        level = topic_level_next(&name, &name_more);
        if (!is_wildcard(wanted, '+') && !bytes_equal(wanted, level)) // [MQTT-4.7.3-4]
            return false;
    }
    return !name_more;
}

enum topic_share topic_share_parse(struct bytes filter, struct bytes *ret_group,
                                   struct bytes *ret_filter)
{
    static const uint8_t prefix[7] = "$share/";
    struct bytes group, rest = filter;
    bool more;

    if (filter.size < sizeof(prefix) || __builtin_memcmp(filter.data, prefix, sizeof(prefix)) != 0)
        return TOPIC_SHARE_NONE;
    rest = bytes_from(filter, sizeof(prefix));
    group = topic_level_next(&rest, &more);
    if (!more || rest.size == 0 || !topic_name_valid(group)) // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
        return TOPIC_SHARE_INVALID;
    *ret_group = group;
    *ret_filter = rest;
    return TOPIC_SHARE_VALID;
}
