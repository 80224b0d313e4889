// SPDX-License-Identifier: MIT
// Making the store's main file: a new one, or one of what can still be read of a damaged one. It is
// built beside under another name and put in its place when it is whole and has passed a barrier;
// a crash in between is finished by the next start. The damaged files are kept, under other names.
#ifndef BUD_STORE_SALVAGE_H
#define BUD_STORE_SALVAGE_H

#include "store/pages.h"
#include "store/store_private.h"

// At start: puts a finished new file in its place, removes an unfinished one.
int salvage_finish(struct store *store);

int salvage_create(struct store *store); // an empty one

// Brings a whole store of the format before to the present one. What it was is kept beside it.
int salvage_upgrade(struct store *store, struct pages *pages, uint32_t format);

// `first_damaged` is named in the report: 0 none.
int salvage_run(struct store *store, struct pages *pages, uint32_t first_damaged);

#endif
