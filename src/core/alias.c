// SPDX-License-Identifier: MIT
#include "core/alias.h"

#include "base/memory.h"

#include <string.h>

struct alias {
    uint8_t *topic;
    uint16_t topic_size;
    uint32_t used; // when, by the table's own count
    uint64_t hash;
};

struct alias_table {
    struct budget *budget;
    uint32_t uses;
    uint16_t count_max;
    struct alias aliases[];
};

struct alias_table *alias_table_try_new(struct budget *budget, uint16_t count_max)
{
    struct alias_table *table =
        memory_try_new(sizeof(*table) + count_max * sizeof(table->aliases[0]));
    if (table == NULL)
        return NULL;
    table->budget = budget;
    table->count_max = count_max;
    return table;
}

static void forget(struct alias_table *table, struct alias *alias)
{
    if (alias->topic == NULL)
        return;
    budget_give(table->budget, alias->topic_size);
    memory_free(alias->topic);
    alias->topic = NULL;
    alias->topic_size = 0;
}

void alias_table_free(struct alias_table *table)
{
    if (table == NULL)
        return;
    for (uint16_t i = 0; i < table->count_max; i++)
        forget(table, &table->aliases[i]);
    memory_free(table);
}

bool alias_try_put(struct alias_table *table, uint16_t number, struct bytes topic)
{
    ASSERT(number >= 1 && number <= table->count_max && topic.size <= UINT16_MAX);
    struct alias *alias = &table->aliases[number - 1];
    if (bytes_equal(alias_topic(table, number), topic))
        return true;
    if (!budget_take(table->budget, topic.size))
        return false;
    uint8_t *copy = memory_try_resize(NULL, topic.size);
    if (copy == NULL) {
        budget_give(table->budget, topic.size);
        return false;
    }
    memcpy(copy, topic.data, topic.size);
    forget(table, alias);
    alias->topic = copy;
    alias->topic_size = (uint16_t)topic.size;
    return true;
}

struct bytes alias_topic(const struct alias_table *table, uint16_t number)
{
    const struct alias *alias = &table->aliases[number - 1];
    return bytes_make(alias->topic, alias->topic_size);
}

uint16_t alias_choose(struct alias_table *table, struct hash_key key, struct bytes topic,
                      bool *ret_known)
{
    uint64_t hash = hash_bytes(key, 0, topic);
    uint16_t oldest = 0;
    table->uses++;
    for (uint16_t i = 0; i < table->count_max; i++) {
        struct alias *alias = &table->aliases[i];
        if (alias->topic != NULL && alias->hash == hash &&
            bytes_equal(bytes_make(alias->topic, alias->topic_size), topic)) {
            alias->used = table->uses;
            *ret_known = true;
            return (uint16_t)(i + 1);
        }
        if (table->uses - alias->used > table->uses - table->aliases[oldest].used)
            oldest = i;
    }
    *ret_known = false;
    if (!alias_try_put(table, (uint16_t)(oldest + 1), topic))
        return 0;
    table->aliases[oldest].hash = hash;
    table->aliases[oldest].used = table->uses;
    return (uint16_t)(oldest + 1);
}
