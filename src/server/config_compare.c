// SPDX-License-Identifier: MIT
#include "server/config_parts.h"

#include <string.h>

static bool same_lists(const void *a, const void *b, const struct option_row *row)
{
    const char *const *texts[2];
    uint32_t counts[2];
    const void *objects[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        const char *object = objects[i];
        texts[i] = *(const char *const *const *)(const void *)(object + row->offset);
        counts[i] = *(const uint32_t *)(const void *)(object + row->count_offset);
    }
    if (counts[0] != counts[1])
        return false;
    for (uint32_t i = 0; i < counts[0]; i++)
        if (strcmp(texts[0][i], texts[1][i]) != 0)
            return false;
    return true;
}

static bool same_values(const void *a, const void *b, const struct option_row *row)
{
    if (row->kind == OPTION_LIST)
        return same_lists(a, b, row);
    if (option_is_text(row))
        return strcmp(option_text(a, row), option_text(b, row)) == 0;
    return option_number(a, row) == option_number(b, row);
}

struct comparison {
    config_on_difference *on_difference;
    void *context;
    const struct listener_options *listener;
    uint32_t count;
};

static void compare_rows(struct comparison *comparison, const void *a, const void *b)
{
    size_t count;
    const struct option_row *rows = option_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_global = rows[i].scope == SCOPE_GLOBAL;
        if (rows[i].size == 0 || rows[i].scope > SCOPE_SECURITY ||
            is_global != (comparison->listener == NULL) || same_values(a, b, &rows[i]))
            continue;
        comparison->count++;
        comparison->on_difference(comparison->context, &rows[i], comparison->listener,
                                  (rows[i].flags & OPTION_RESTART) != 0);
    }
}

bool listener_options_same_place(const struct listener_options *a, const struct listener_options *b)
{
    if (a->path[0] != 0 || b->path[0] != 0)
        return strcmp(a->path, b->path) == 0;
    return a->port == b->port && strcmp(a->address, b->address) == 0 &&
           strcmp(a->interface, b->interface) == 0 && a->socket_domain == b->socket_domain;
}

uint32_t config_compare(const struct options *old, const struct options *next,
                        config_on_difference *on_difference, void *context)
{
    struct comparison comparison = {.on_difference = on_difference, .context = context};
    compare_rows(&comparison, old, next);
    for (uint32_t i = 0; i < next->listener_count; i++)
        for (uint32_t j = 0; j < old->listener_count; j++) {
            comparison.listener = &next->listeners[i];
            if (listener_options_same_place(&old->listeners[j], comparison.listener))
                compare_rows(&comparison, &old->listeners[j], comparison.listener);
        }
    return comparison.count;
}
