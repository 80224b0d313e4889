// SPDX-License-Identifier: MIT
// A filter and a name, with a 0xFF byte between them (no UTF-8 has one). The matcher against one
// that is too simple to be wrong; taking apart into levels and shares against putting together.
#include "fuzz/fuzz.h"
#include "proto/topic.h"
#include "proto/utf8.h"

#include <string.h>

// By recursion over the definition [MQTT5 4.7]. `filter` is valid, so a '#' is the last level.
static bool naive_levels(struct bytes filter, struct bytes name)
{
    if (filter.size > 0 && filter.data[0] == '#')
        return true;
    if (filter.size > 0 && filter.data[0] == '+') {
        while (name.size > 0 && name.data[0] != '/')
            name = bytes_from(name, 1);
        filter = bytes_from(filter, 1);
    }
    if (name.size == 0)
        return filter.size == 0 || bytes_equal(filter, BYTES_OF("/#"));
    return filter.size > 0 && filter.data[0] == name.data[0] &&
           naive_levels(bytes_from(filter, 1), bytes_from(name, 1));
}

static bool naive_matches(struct bytes filter, struct bytes name)
{
    bool wild = filter.data[0] == '+' || filter.data[0] == '#';

    return (name.data[0] != '$' || !wild) && naive_levels(filter, name);
}

// The levels, joined again, are the text.
static void check_levels(struct bytes text)
{
    uint32_t count = 0;
    size_t size = 0;
    struct bytes rest = text;
    bool more;

    do {
        struct bytes level = topic_level_next(&rest, &more);

        FUZZ_CHECK(level.size == 0 || !memchr(level.data, '/', level.size));
        size += level.size + more;
        count++;
    } while (more);
    FUZZ_CHECK(rest.size == 0);
    FUZZ_CHECK(size == text.size);
    FUZZ_CHECK(count == topic_level_count(text));
}

static void check_share(struct bytes filter)
{
    struct bytes group, inner;

    if (topic_share_parse(filter, &group, &inner) != TOPIC_SHARE_VALID)
        return;
    FUZZ_CHECK(group.size > 0 && inner.size > 0);
    FUZZ_CHECK(topic_name_valid(group) && topic_level_count(group) == 1);
    FUZZ_CHECK(filter.size == sizeof("$share/") - 1 + group.size + 1 + inner.size);
}

// A name is a filter of itself, and no filter with a wildcard is a name.
static void check_validity(struct bytes text)
{
    bool wild = text.size > 0 && (memchr(text.data, '+', text.size) != NULL ||
                                  memchr(text.data, '#', text.size) != NULL);

    if (topic_name_valid(text))
        FUZZ_CHECK(!wild && topic_filter_valid(text) && topic_matches(text, text));
    if (topic_filter_valid(text) && wild)
        FUZZ_CHECK(!topic_name_valid(text));
    if (utf8_valid(text))
        FUZZ_CHECK(utf8_well_formed(text));
}

static void check_text(struct bytes text)
{
    check_levels(text);
    check_share(text);
    check_validity(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *border = size > 0 ? memchr(data, 0xFF, size) : NULL;
    struct bytes filter, name;

    if (!border || size > 2048)
        return 0;
    filter = bytes_make(data, (size_t)(border - data));
    name = bytes_make(border + 1, size - filter.size - 1);
    check_text(filter);
    check_text(name);
    if (topic_filter_valid(filter) && topic_name_valid(name))
        FUZZ_CHECK(topic_matches(filter, name) == naive_matches(filter, name));
    return 0;
}
