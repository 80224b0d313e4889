// SPDX-License-Identifier: MIT
// Topic aliases of one connection, one table for each direction [MQTT5 3.3.2.3.4]. A table is made
// when the first alias is used.
#ifndef BUD_CORE_ALIAS_H
#define BUD_CORE_ALIAS_H

#include "base/hash.h"
#include "core/budget.h"
#include "proto/bytes.h"

struct alias_table;

// `count_max` aliases (1..count_max). Topics count against the budget. NULL without memory.
struct alias_table *alias_table_try_new(struct budget *budget, uint16_t count_max);
void alias_table_free(struct alias_table *table); // NULL is fine

// Incoming: the peer says that `alias` now means `topic`. alias in 1..count_max. False without
// memory.
bool alias_try_put(struct alias_table *table, uint16_t alias, struct bytes topic);
struct bytes alias_topic(const struct alias_table *table, uint16_t alias); // empty when never set

// Outgoing: the alias to use for `topic`. *ret_known: the peer knows it, the topic may be left out.
// Otherwise the least recently used one was given this meaning, and topic and alias are both to be
// sent. 0: none (no memory).
uint16_t alias_choose(struct alias_table *table, struct hash_key key, struct bytes topic,
                      bool *ret_known);

#endif
