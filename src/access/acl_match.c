// SPDX-License-Identifier: MIT
#include "access/acl_match.h"

#include "proto/topic.h"

#include <string.h>

static bool names(struct bytes text, uint8_t letter)
{
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '%' && text.data[i + 1] == letter)
            return true;
    return false;
}

bool acl_names_client(struct bytes text)
{
    return names(text, 'c');
}

bool acl_names_user(struct bytes text)
{
    return names(text, 'u');
}

static bool is_wildcard(struct bytes level, char wildcard)
{
    return level.size == 1 && level.data[0] == (uint8_t)wildcard;
}

static bool begins_with_dollar(struct bytes text)
{
    return text.size > 0 && text.data[0] == '$';
}

// The name that stands here for two bytes of the level, or nothing.
static bool name_at(const struct acl_subject *subject, struct bytes level, struct bytes *ret_name)
{
    if (subject == NULL || level.size < 2 || level.data[0] != '%')
        return false;
    if (level.data[1] == 'c')
        *ret_name = subject->client_id;
    else if (level.data[1] == 'u')
        *ret_name = subject->user;
    else
        return false;
    return true;
}

// A level of the rule, with names put in, against a level of a topic.
static bool level_equals(const struct acl_subject *subject, struct bytes level, struct bytes other)
{
    struct bytes name;
    if (subject == NULL)
        return bytes_equal(level, other);
    while (level.size > 0) {
        struct bytes part = bytes_make(level.data, 1);
        bool is_name = name_at(subject, level, &name);
        if (is_name)
            part = name;
        if (other.size < part.size ||
            (part.size > 0 && memcmp(other.data, part.data, part.size) != 0))
            return false;
        other = bytes_from(other, part.size);
        level = bytes_from(level, is_name ? 2 : 1);
    }
    return other.size == 0;
}

static bool has_slash(struct bytes name)
{
    return name.size > 0 && memchr(name.data, '/', name.size) != NULL;
}

// Could anything match it? Not with a name that is more than one level, or that is missing.
static bool is_possible(struct acl_filter filter)
{
    if (filter.subject == NULL)
        return true;
    if (acl_names_user(filter.text) &&
        (!filter.subject->has_user || has_slash(filter.subject->user)))
        return false;
    return !acl_names_client(filter.text) || !has_slash(filter.subject->client_id);
}

bool acl_filter_matches(struct acl_filter filter, struct bytes topic)
{
    bool more = true, topic_more = true;
    if (begins_with_dollar(topic) != begins_with_dollar(filter.text))
        return false;
    if (filter.subject != NULL && !filter.subject->has_user && acl_names_user(filter.text))
        return false;
    while (more) {
        struct bytes wanted = topic_level_next(&filter.text, &more);
        if (is_wildcard(wanted, '#'))
            return true; // the level above it too
        if (!topic_more)
            return false;
        struct bytes level = topic_level_next(&topic, &topic_more);
        if (!is_wildcard(wanted, '+') && !level_equals(filter.subject, wanted, level))
            return false;
    }
    return !topic_more;
}

bool acl_filter_overlaps(struct acl_filter filter, struct bytes other)
{
    bool more = true, other_more = true;
    if (begins_with_dollar(filter.text) != begins_with_dollar(other) || !is_possible(filter))
        return false;
    while (more && other_more) {
        struct bytes wanted = topic_level_next(&filter.text, &more);
        struct bytes level = topic_level_next(&other, &other_more);
        if (is_wildcard(wanted, '#') || is_wildcard(level, '#'))
            return true;
        if (!is_wildcard(wanted, '+') && !is_wildcard(level, '+') &&
            !level_equals(filter.subject, wanted, level))
            return false;
    }
    // One may go on with '#', which is the level above it as well.
    if (more)
        return is_wildcard(filter.text, '#');
    return !other_more || is_wildcard(other, '#');
}

bool acl_filter_covers(struct acl_filter filter, struct bytes other)
{
    bool more = true, other_more = true;
    if (begins_with_dollar(filter.text) != begins_with_dollar(other) || !is_possible(filter))
        return false;
    while (more) {
        struct bytes wanted = topic_level_next(&filter.text, &more);
        if (is_wildcard(wanted, '#'))
            return true;
        if (!other_more)
            return false;
        struct bytes level = topic_level_next(&other, &other_more);
        if (is_wildcard(level, '#') || (is_wildcard(level, '+') && !is_wildcard(wanted, '+')))
            return false;
        if (!is_wildcard(wanted, '+') && !level_equals(filter.subject, wanted, level))
            return false;
    }
    return !other_more;
}
