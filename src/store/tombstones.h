// SPDX-License-Identifier: MIT
// Retained values that were removed lately, with the place of the removal in the order of changes:
// an older value of the same topic that another worker hands over later must not come back. Only in
// memory: what was not written before a restart is not written after it. Topics are kept as a
// 128-bit hash.
#ifndef BUD_STORE_TOMBSTONES_H
#define BUD_STORE_TOMBSTONES_H

#include "proto/bytes.h"

struct tombstones;

struct tombstones *tombstones_new(void);
void tombstones_free(struct tombstones *tombstones);
void tombstones_put(struct tombstones *tombstones, struct bytes topic, uint64_t sequence,
                    int64_t now_ms);
uint64_t tombstones_get(const struct tombstones *tombstones, struct bytes topic); // 0: none

#endif
