// SPDX-License-Identifier: MIT
// "Did you mean": the word that was probably meant.
#ifndef BUD_BASE_SUGGESTION_H
#define BUD_BASE_SUGGESTION_H

#include <stddef.h>

// The one of `names` that `word` becomes with the fewest insertions, deletions, replacements and
// swaps of neighbours, or that it starts; NULL if none is near (more than a third of it wrong).
const char *suggestion_nearest(const char *word, const char *const *names, size_t count);

#endif
