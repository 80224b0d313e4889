// SPDX-License-Identifier: MIT
// See suggestion.h. The words are ours or typed by hand: short, and compared in full.
#include "base/suggestion.h"

#include <string.h>

#define WORD_SIZE_MAX 63 // longer words are nobody's typing error

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Edits between two words, counting a swap of neighbours as one. Row by row over all prefixes; the
// two rows before are all that is looked back at.
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][WORD_SIZE_MAX + 1];

    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *twice_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), 1 + least(above[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], twice_above[j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

const char *suggestion_nearest(const char *word, const char *const *names, size_t count)
{
    size_t size = strlen(word);
    size_t best = 1 + (size + 1) / 3; // not this far
    const char *nearest = NULL;

    if (size == 0 || size > WORD_SIZE_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t name_size = strlen(names[i]), edits;

        if (name_size > WORD_SIZE_MAX)
            continue;
        edits = strncmp(names[i], word, size) == 0 ? 0 : distance(word, size, names[i], name_size);
        if (edits < best) {
            best = edits;
            nearest = names[i];
        }
    }
    return nearest;
}
